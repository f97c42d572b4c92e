package flow_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/store"
)

// In some companies a change needs a second person. There @ana has two more accounts: one that the policy knows to be
// hers, and one of which the directory knows her address alone.

// human is whose account it is.
func human(account string) string {
	_, id, _ := strings.Cut(account, ":")
	if id == "U1" || id == "U2" {
		return "ana"
	}
	return id
}

// seconding is what a second person was shown, and when.
type seconding struct {
	at   time.Time
	plan []change.Step
}

// yes is one that somebody gave: as the second person to a question of a walk, or alone for a reason.
type yes struct {
	event, who, question, reason string
	at                           time.Time
}

// agrees is somebody who presses the yes to a change that stands where everybody reads it, or stood there once. @ana
// does so from another account too.
func (w *stage) agrees(r *replica, who string, n int) {
	var all []button
	for _, b := range w.buttons(who) {
		if b.action.Verb == "second-yes" {
			all = append(all, b)
		}
	}
	for _, b := range slices.Backward(w.old) {
		if a, err := flow.DecodeAction(b.action); err == nil && a.Verb == "second-yes" {
			all = append(all, button{a, b.place, b.at})
		}
	}
	if len(all) == 0 {
		return
	}
	b := all[n/3%len(all)]
	e := w.event(who, b.place, flow.Press{Action: b.action})
	if who == "ana" {
		e.By.Account = []string{"terminal:ana", "slack:U1", "slack:U2"}[n%3]
	}
	w.deliver(r, e)
	w.pump()
}

// said keeps a yes as it was given.
func (w *stage) said(e flow.Event) {
	p, ok := e.What.(flow.Press)
	if !ok || p.Action.Verb != "second-yes" && p.Action.Verb != "alone-send" {
		return
	}
	y := yes{event: e.ID, who: human(e.By.Account), question: p.Action.State, at: e.At}
	if p.Action.Verb == "alone-send" {
		y.question, y.reason = "", p.Fields["reason"]
	}
	w.yeses[p.Action.Walk] = append(w.yeses[p.Action.Walk], y)
}

// became notes that what a second person agreed to is told where they agreed: what the owner does meanwhile, say. It is
// called with mu held.
func (w *stage) became(p store.Put, c store.Commit) {
	var post flow.Post
	if err := json.Unmarshal(p.Data, &post); err != nil {
		w.fault("%s: %v", p.Key, err)
		return
	}
	about, ok := strings.CutPrefix(post.Message, "second:")
	if !ok {
		return
	}
	walk, n, _ := strings.Cut(about, "/")
	for _, y := range w.yeses[walk] {
		w.excused[y.event] = w.excused[y.event] || y.question == n && !slices.Contains(c.Deletes, "in:"+y.event)
	}
}

// put keeps what a second person is asked. It is called with mu held.
func (w *stage) put(p store.Put) {
	var walk flow.Walk
	if err := json.Unmarshal(p.Data, &walk); err != nil {
		w.fault("%s: %v", p.Key, err)
		return
	}
	if walk.Stage != flow.Seconding {
		return
	}
	at := walk.ID + "/" + strconv.Itoa(walk.Second.N)
	if _, ok := w.questions[at]; !ok {
		w.questions[at] = seconding{walk.ShownAt, walk.Plan}
	}
}

// agreed wants two people's yes to what is about to be changed: of whoever asked, and of another responder to the very
// values that they were shown, within ten minutes; or five minutes without one, and a reason. It is called with mu held.
func (w *stage) agreed(st change.Step, c store.Commit, outage string) {
	for _, p := range c.Puts {
		if !strings.HasPrefix(p.Key, "walk:") {
			continue
		}
		var walk flow.Walk
		if err := json.Unmarshal(p.Data, &walk); err != nil {
			w.fault("%s: %v", p.Key, err)
			return
		}
		if walk.Outage != outage || walk.Second == nil {
			continue
		}
		n, owner := strconv.Itoa(walk.Second.N), human(walk.By.Account)
		q, first := w.questions[walk.ID+"/"+n], w.questions[walk.ID+"/1"]
		shown := slices.ContainsFunc(q.plan, func(was change.Step) bool {
			return was.Key == st.Key && was.Want.Equal(st.Want) && (st.Way == change.Guided || was.Before.Value.Equal(st.Before.Value))
		})
		if shown && slices.ContainsFunc(w.yeses[walk.ID], func(y yes) bool {
			fresh := !y.at.Before(q.at) && y.at.Sub(q.at) <= 10*time.Minute
			other := y.question == n && y.who != owner && slices.Contains(townsfolk().Responders, y.who)
			alone := y.reason != "" && y.who == owner && y.at.Sub(first.at) >= 5*time.Minute
			return fresh && (other || alone)
		}) {
			return
		}
	}
	w.fault("%s of %s is to be changed, and no two people said yes to it", st.Key, outage)
}
