package flow

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchback/bot/card"
	"switchback/bot/incident"
)

var noon = time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC) // in Los Angeles

func minute(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }

// paper is a page watched by StepPage alone: what it decides is taken in as the store would, and every message is kept.
type paper struct {
	t        testing.TB
	policy   Policy
	page     incident.Page
	watch    Watch
	cases    map[string]Case
	messages map[string]card.Card // as they are now, by place and name
	order    []string             // in which they were first shown
	open     []Outage
	events   int
	reading  bool // a read was asked for and not answered
	said     []Say
}

func newPaper(tb testing.TB) *paper {
	tb.Helper()
	page, _ := incident.Routing{Pages: []incident.Page{{
		ID: "gladly", Name: "Gladly", URL: "https://gladly.statuspage.io",
		Components: []incident.Part{{Name: "Voice", For: []string{"voice"}}, {Group: "Channels", For: []string{"chat"}}},
	}}}.Find("gladly")
	return &paper{
		t: tb, page: page, cases: map[string]Case{}, messages: map[string]card.Card{},
		policy: Policy{Name: "acme", Zone: "America/Los_Angeles", Surfaces: []string{"slack"}, Responders: []string{"ana"}, Channels: []Route{{For: []string{"voice"}, Slack: "C0VOICE"}, {Slack: "C0SUPPORT"}}}.WithDefaults(),
	}
}

func (p *paper) step(at time.Time, what What) {
	p.events++
	e := Event{ID: fmt.Sprint("e", p.events), At: at, What: what, Desk: Desk{Open: p.open}}
	w, changed, effects, err := StepPage(p.policy, p.page, p.watch, p.cases, e)
	if err != nil {
		p.t.Fatal(err)
	}
	p.watch = w
	maps.Copy(p.cases, changed)
	for _, effect := range effects {
		switch f := effect.(type) { //nolint:gochecksumtype // what is looked at
		case Show:
			name := f.Place.Channel + " " + f.Message
			if _, shown := p.messages[name]; !shown {
				p.order = append(p.order, name)
			}
			p.messages[name] = f.Card
			if problems := f.Card.Problems(); len(problems) > 0 {
				p.t.Fatalf("%s cannot be drawn: %v", name, problems)
			}
		case Consult:
			p.reading = true
		case Say:
			p.said = append(p.said, f)
		}
	}
}

// hook brings a notification; whatever read it asks for is answered by why.
func (p *paper) hook(at time.Time, s incident.Snapshot) {
	s.Via, s.At = incident.ByHook, at
	p.step(at, Noticed{Page: "gladly", Notice: incident.Notice{At: at, PageID: "pg", Incident: &s}})
}

// answer gives the page's word, or its silence, to whoever asked.
func (p *paper) answer(at time.Time, all []incident.Component, listed ...incident.Snapshot) {
	if !p.reading {
		p.step(at, Due{Timer: pollTimer})
	}
	p.reading = false
	r := incident.Reading{At: at, PageID: "pg", Components: all}
	for _, s := range listed {
		s.Via, s.At = incident.ByRead, at
		r.Incidents = append(r.Incidents, s.Clean())
	}
	p.step(at, PageRead{Page: "gladly", Reading: &r})
}

func (p *paper) silence(at time.Time) {
	if !p.reading {
		p.step(at, Due{Timer: pollTimer})
	}
	p.reading = false
	p.step(at, PageRead{Page: "gladly", Why: "it answers 503"})
}

// life draws the versions of one incident, the oldest first.
func life(t *rapid.T, id string) []incident.Snapshot {
	s := incident.Snapshot{Page: "gladly", ID: id, Name: "Calls fail", Created: minute(1), Components: []incident.Component{{ID: "c1", Name: "Voice", Status: "degraded_performance"}}}
	var all []incident.Snapshot
	for n := range rapid.IntRange(1, 6).Draw(t, "versions of "+id) {
		at := minute(2 + n)
		s.Updates = slices.Clone(s.Updates)
		if n == 0 || rapid.IntRange(0, 2).Draw(t, "what") > 0 {
			status := rapid.SampledFrom([]string{"investigating", "identified", "monitoring", "resolved"}).Draw(t, "status")
			s.Updates = append(s.Updates, incident.Update{ID: fmt.Sprint("u", len(s.Updates)), Status: status, Text: fmt.Sprint("Text ", n), Created: at})
			s.Status = status
		} else {
			i := rapid.IntRange(0, len(s.Updates)-1).Draw(t, "which")
			s.Updates[i].Text, s.Updates[i].Edited = fmt.Sprint("Rewritten ", n), at
			s.Impact = rapid.SampledFrom([]string{"minor", "major"}).Draw(t, "impact")
		}
		s.Edited = at
		all = append(all, s)
	}
	return all
}

// Whatever of the notifications comes, and whatever the reads in between: after one read each message says the same,
// each update stands in the thread once, and the thread is in the order in which the updates became known.
func TestPageMessagesWhateverCame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		lives := [][]incident.Snapshot{life(rt, "x1"), life(rt, "x2")}
		var said, last []incident.Snapshot
		for _, l := range lives {
			for _, v := range l {
				for range rapid.IntRange(0, 2).Draw(rt, "times") {
					said = append(said, v)
				}
			}
			last = append(last, l[len(l)-1])
		}
		said = rapid.Permutation(said).Draw(rt, "order")

		p := newPaper(t)
		p.answer(noon, nil)
		for i, s := range said {
			at := minute(10).Add(time.Duration(i) * time.Second)
			p.hook(at, s)
			switch rapid.IntRange(0, 2).Draw(rt, "the page") {
			case 0:
				p.silence(at.Add(100 * time.Millisecond))
			case 1: // cached: as it was some time ago
				var old []incident.Snapshot
				for _, l := range lives {
					old = append(old, rapid.SampledFrom(l).Draw(rt, "cached"))
				}
				p.answer(at.Add(100*time.Millisecond), nil, old...)
			case 2: // the answer is still on its way when the next comes
			}
		}
		end := minute(20)
		p.answer(end, nil, last...)
		for p.reading { // notifications that came while it was read
			end = end.Add(time.Second)
			p.answer(end, nil, last...)
		}

		straight := newPaper(t)
		straight.answer(noon, nil)
		straight.answer(end, nil, last...)
		for _, s := range last {
			root := "C0VOICE incident:gladly/" + s.ID
			got, want := unpressed(p.messages[root]), unpressed(straight.messages[root])
			if len(p.cases[s.ID].Places) == 0 {
				t.Fatalf("%s stands nowhere", s.ID)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("the message of %s (-read once +as it came):\n%s", s.ID, diff)
			}
			// The thread: each update once, or with others in one message, as the page has it now.
			folded, thread := p.messages[root+"/earlier"], []string{}
			for _, name := range p.order {
				if id, ok := strings.CutPrefix(name, root+"/u/"); ok {
					thread = append(thread, id)
				}
			}
			for _, u := range s.Updates {
				n := strings.Count(strings.Join(folded.Text, "\n"), fmt.Sprintf("\x02c%d\x03", u.Created.Unix()))
				if slices.Contains(thread, u.ID) {
					n++
				}
				if n != 1 {
					t.Fatalf("update %s of %s is told %d times\n%v\n%v", u.ID, s.ID, n, folded.Text, thread)
				}
				if c, own := p.messages[root+"/u/"+u.ID]; own && !strings.Contains(strings.Join(c.Text, "\n"), u.Text) {
					t.Fatalf("update %s of %s says %q, want %q", u.ID, s.ID, c.Text, u.Text)
				}
			}
			if cases := p.cases[s.ID].Incident; !cmp.Equal(cases.Said, straight.cases[s.ID].Incident.Said) || cases.Hint != nil {
				t.Fatalf("%s is kept as %+v", s.ID, cases)
			}
		}
	})
}

// unpressed is a card as people read it: its buttons know how often it got worse on the way.
func unpressed(c card.Card) card.Card {
	c.Buttons = slices.Clone(c.Buttons)
	for i := range c.Buttons {
		c.Buttons[i].Action = ""
	}
	return c
}

// None and fifty components are one message that can be drawn; so is everything that is long.
func TestPageLargeIncidents(t *testing.T) {
	p := newPaper(t)
	var all []incident.Component
	long := incident.Snapshot{ID: "long", Name: strings.Repeat("Calls ", 42), Status: "identified", Impact: "critical", Created: minute(1), Link: "https://stspg.io/long"}
	for i := range 53 {
		c := incident.Component{ID: fmt.Sprint("c", i), Name: fmt.Sprint("Component ", i, strings.Repeat("x", 200)), Group: "Channels", Status: "major_outage"}
		all = append(all, c)
		long.Components = append(long.Components, c)
	}
	for i := range 36 {
		u := incident.Update{ID: fmt.Sprint("u", i), Status: "identified", Text: strings.Repeat("word ", 600), Created: minute(1 + i)}
		for _, c := range all {
			u.Changes = append(u.Changes, incident.Change{ID: c.ID, Name: c.Name, From: "operational", To: "major_outage"})
		}
		long.Updates = append(long.Updates, u)
	}
	none := incident.Snapshot{ID: "none", Name: "Something", Status: "investigating", Created: minute(1)}
	p.answer(noon, nil)
	p.answer(minute(40), all, long, none)
	if c := p.messages["C0SUPPORT incident:gladly/long"]; len(c.Facts) != factsMost || c.Facts[factsMost-1].Name != "and 44 more" {
		t.Errorf("fifty components are %d lines, the last one %+v", len(c.Facts), c.Facts[len(c.Facts)-1])
	}
	if c := p.messages["C0SUPPORT incident:gladly/none"]; len(c.Facts) != 0 || len(c.Buttons) != 2 {
		t.Errorf("no components are %+v", c)
	}
	if len(p.order) != 3 { // each message, and the history of one
		t.Errorf("%d messages: %v", len(p.order), p.order)
	}
	again := long
	again.Updates = append(slices.Clone(long.Updates), incident.Update{ID: "new", Status: "monitoring", Text: strings.Repeat("x", 3106), Created: minute(41), Changes: long.Updates[0].Changes})
	again.Edited = minute(41)
	p.answer(minute(42), all, again, none)
	if len(p.order) != 4 {
		t.Errorf("another update makes %d messages of 3", len(p.order))
	}
}

// A storm of components, each with its own notification, is one message and one read at a time.
func TestPageStorm(t *testing.T) {
	p := newPaper(t)
	var well, ill []incident.Component
	for i := range 50 {
		c := incident.Component{ID: fmt.Sprint("c", i), Name: fmt.Sprint("Component ", i), Group: "Channels", Status: incident.Operational}
		well = append(well, c)
		c.Status = "major_outage"
		ill = append(ill, c)
	}
	p.answer(noon, well)
	reads := 0
	for i, c := range ill {
		was := p.reading
		p.step(minute(1).Add(time.Duration(i)*time.Second), Noticed{Page: "gladly", Notice: incident.Notice{PageID: "pg", Change: &incident.Change{ID: c.ID, Name: c.Name, From: incident.Operational, To: "major_outage"}}})
		if p.reading && !was {
			reads++
		}
	}
	if reads != 1 {
		t.Errorf("%d reads at once, want 1", reads)
	}
	p.answer(minute(2), ill)
	for n := 3; n < 10; n++ {
		p.answer(minute(n), ill)
	}
	if len(p.order) != 2 || !strings.Contains(p.messages[p.order[0]].Title, "and 48 more are not well") {
		t.Errorf("%d messages, the first %q; want one with its history", len(p.order), p.messages[p.order[0]].Title)
	}
}

// A page that answers badly is left alone more and more, and as long as it asks for.
func TestPageBackOff(t *testing.T) {
	p := newPaper(t)
	p.answer(noon, nil)
	last := time.Duration(0)
	at := minute(10)
	for range 7 {
		p.watch.Reading, p.watch.Since = "x", at
		_, _, effects, err := StepPage(p.policy, p.page, p.watch, p.cases, Event{ID: "e", At: at, What: PageRead{Page: "gladly", Why: "it answers 503"}})
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(effects, func(e Effect) bool { r, ok := e.(Remind); return ok && r.Timer == pollTimer })
		wait := effects[i].(Remind).At.Sub(at)
		if wait < last || wait > pollMost+10*time.Second {
			t.Errorf("waits %v after %v", wait, last)
		}
		last = wait - 10*time.Second
		p.watch.Fails++
	}
	p.watch.Reading, p.watch.Fails = "x", 0
	_, _, effects, _ := StepPage(p.policy, p.page, p.watch, p.cases, Event{ID: "e", At: at, What: PageRead{Page: "gladly", Why: "it answers 429", After: 40 * time.Minute}})
	if i := slices.IndexFunc(effects, func(e Effect) bool { r, ok := e.(Remind); return ok && r.At.Equal(at.Add(40*time.Minute)) }); i < 0 {
		t.Errorf("it asked for 40 min: %+v", effects)
	}
}

// The word that an outage has begun is late: the process that had it died. Meanwhile its incident is over. The outage is
// told all the same, once: it asks whether all works again, and nothing else would make it ask.
func TestPageOverBeforeItHeardOfTheOutage(t *testing.T) {
	p := newPaper(t)
	chat := []incident.Component{{ID: "c1", Name: "Chat", Group: "Channels", Status: incident.Operational}}
	p.answer(noon, chat)
	s := incident.Snapshot{Page: "gladly", ID: "x1", Name: "Chat is late", Impact: "minor", Created: minute(1), Status: "investigating", Components: []incident.Component{{ID: "c1", Name: "Chat", Group: "Channels", Status: "degraded_performance"}}}
	s.Updates = []incident.Update{{ID: "u1", Status: "investigating", Text: "Looking.", Created: minute(1)}}
	p.answer(minute(1), chat, s)
	s.Status, s.Resolved = "resolved", minute(5)
	s.Updates = append(slices.Clone(s.Updates), incident.Update{ID: "u2", Status: "resolved", Text: "Fixed.", Created: minute(5)})
	p.open = []Outage{{ID: "chat-1", Channel: "chat", Began: minute(2)}}
	p.answer(minute(5), chat, s)
	if len(p.said) != 0 {
		t.Fatalf("an outage that the page does not know was told: %+v", p.said)
	}
	for range 2 {
		p.step(minute(6), Took{Page: "gladly", ID: "x1", Outage: "chat-1"})
	}
	if len(p.said) != 1 || p.said[0].Said.Brief.Phase != incident.Over || p.said[0].Said.N == 0 {
		t.Errorf("said to the outage: %+v, want once that it is over", p.said)
	}
}
