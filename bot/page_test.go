package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing/synctest"
	"time"

	"switchback/bot/incident"
	"switchback/bot/sim"
	"switchback/handlers/statuspage"
	"switchback/handlers/statuspage/statuspagetest"
)

const hookSecret = "kJ4v9QmZ2rX7tB1nW8sY3uE6aD0"

// publish gives the stage a status page, perhaps one that cannot be read.
func (s *stage) publish(down bool) {
	s.page = statuspagetest.New("Gladly", "Channels / Voice", "Channels / Chat", "Channels / SMS", "Channels / Facebook Messenger", "Core / Login", "Reports")
	s.org.Pages.Pages = []incident.Page{{
		ID: "gladly", Name: "Gladly", URL: "https://gladly.statuspage.io",
		Components: []incident.Part{{Name: "Voice", For: []string{"voice"}}, {Name: "Chat", For: []string{"chat"}}, {Name: "SMS", For: []string{"sms"}}, {Group: "Core", For: []string{"login"}}, {Name: "Facebook Messenger", For: []string{"social"}}},
		Titles:     []incident.Title{{Any: []string{"call", "calls"}, For: []string{"voice"}}},
	}}
	if down {
		s.page.Break(statuspagetest.Trouble{HTML: true})
	}
}

// attach lets a session read the page, and its operators be heard.
func (s *stage) attach(session *session) {
	if s.page == nil {
		return
	}
	session.Web = sim.Local(s.page).Transport
	session.Extras["/page"] = s.operate
}

// subscribe has the page's notifications sent, for those who ask for them.
func (s *stage) subscribe() {
	if s.hook == nil {
		return
	}
	h, err := statuspage.Handler(statuspage.Hooks{Pages: s.org.Pages, Secret: hookSecret, Accept: s.worker.Service.Hear})
	if err != nil {
		s.t.Fatal(err)
	}
	s.hook = s.page.Subscribe("http://bot"+statuspage.HookPath+"gladly/"+hookSecret, sim.Local(h))
}

// operate is what the page's operators do. Parts are divided by bars; an incident is named by its number:
//
//	/page open | NAME | IMPACT | TEXT | Voice=major_outage, …   a new incident
//	/page say | 1 | STATUS | TEXT | Voice=operational           an update
//	/page impact | 1 | critical         /page edit | 1 | TEXT   /page title | 1 | NAME
//	/page report | 1 | TEXT             /page delete | 1        /page backfill | NAME | TEXT
//	/page plan | NAME | TEXT | 3h | 5h | Chat                    planned work, from and until as from now
//	/page turn | Voice=major_outage     a component alone
//	/page down | 503                    /page up                /page freeze | yes
//	/page notify                        notifications are sent from now on; lose, quarantine
func (s *stage) operate(_ context.Context, args []string, _ io.Writer) error {
	parts := strings.Split(strings.Join(args, " "), " | ")
	for len(parts) < 7 {
		parts = append(parts, "")
	}
	id := func() string {
		n := 0
		if _, err := fmt.Sscan(parts[1], &n); err != nil || n < 1 || n > len(s.ids) {
			s.t.Fatalf("/page: no incident %q", parts[1])
		}
		return s.ids[n-1]
	}
	sets := func(text string) (out []statuspagetest.Set) {
		for one := range strings.SplitSeq(text, ", ") {
			if c, status, ok := strings.Cut(one, "="); ok {
				out = append(out, statuspagetest.Set{Component: c, Status: status})
			}
		}
		return out
	}
	in := func(text string) time.Time {
		d, err := time.ParseDuration(text)
		if err != nil {
			s.t.Fatal(err)
		}
		return time.Now().Add(d)
	}
	text := func(i int) string { return strings.ReplaceAll(parts[i], "\\n", "<br />\r\n") }
	switch parts[0] {
	case "open":
		s.ids = append(s.ids, s.page.Open(parts[1], parts[2], "investigating", text(3), sets(parts[4])...))
	case "say":
		s.page.Update(id(), parts[2], text(3), sets(parts[4])...)
	case "impact":
		s.page.Impact(id(), parts[2])
	case "edit":
		s.page.Edit(id(), text(2))
	case "title":
		s.page.Title(id(), parts[2])
	case "report":
		s.page.Report(id(), text(2))
	case "delete":
		s.page.Delete(id())
	case "backfill":
		s.ids = append(s.ids, s.page.Backfill(parts[1], text(2)))
	case "plan":
		s.ids = append(s.ids, s.page.Schedule(parts[1], text(2), in(parts[3]), in(parts[4]), strings.Split(parts[5], ", ")...))
	case "turn":
		for _, set := range sets(parts[1]) {
			s.page.Turn(set.Component, set.Status)
		}
	case "down":
		status := 0
		_, _ = fmt.Sscan(parts[1], &status)
		s.page.Break(statuspagetest.Trouble{Status: status, HTML: status == 0})
	case "up":
		s.page.Break(statuspagetest.Trouble{})
	case "freeze":
		s.page.Freeze(parts[1] == "yes")
	case "rename":
		s.page.Rename(parts[1])
	case "notify":
		s.hook = &statuspagetest.Subscriber{}
		s.subscribe()
	case "lose":
		s.hook.Lose(true)
	case "find":
		s.hook.Lose(false)
	default:
		s.t.Fatalf("/page: what is %q?", parts[0])
	}
	synctest.Wait() // what was sent has arrived
	return nil
}
