package flow_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/bot/sim"
	"switchback/store"
)

// The people of a history are tired and in a hurry, but honest: who presses Saved has clicked, and who says what a
// setting shows has looked. Sometimes they mistype.

// values are the company's settings as they are, read past all faults.
func (w *stage) values() map[change.Key]string {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://company/v1/settings", http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := sim.Local(w.company).Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var all struct {
		Settings []struct {
			Key   change.Key
			Value string
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		w.t.Fatal(err)
	}
	out := map[change.Key]string{}
	for _, s := range all.Settings {
		out[s.Key] = s.Value
	}
	if w.page {
		out[pageFlag] = w.flag(pageFlag)
	}
	if w.practise {
		w.imagine.Lock()
		maps.Copy(out, w.screens)
		w.imagine.Unlock()
		out[drillFlag] = w.flag(drillFlag)
	}
	return out
}

// value is what raw means under k, as the company's platform says it.
func (w *stage) value(k change.Key, raw string) change.Value {
	v := change.Value{Raw: []byte(raw), Text: raw}
	if strings.Contains(string(k), "/hours/") {
		v.Text = change.Hours(raw).Text()
	}
	return v
}

// usual is what a setting was when the history began.
func (w *stage) usual(k change.Key) change.Value { return w.value(k, w.peace[k][0]) }

// byHand is somebody who sets something on the company's own screens.
func (w *stage) byHand(k change.Key, v, who string) {
	st, _, held := w.step(k)
	if err := w.company.Edit(k, v, who); err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.edited[k] = time.Now()
	if !held && !outageValue(k, v) || held && st.State == change.Planned {
		w.peace[k] = append(w.peace[k], v)
	}
}

// outageValue reports whether v is what an outage sets; of messages it is known by its text.
func outageValue(k change.Key, v string) bool {
	return v == string(change.Closed) || v == "Voicemail Only" || strings.HasPrefix(v, "Chat is")
}

// kept is the store past all that may happen to a replica.
func (w *stage) kept() store.Flow { return store.Flow{Store: w.file} }

// outages are those that are open, with their records.
func (w *stage) outages() map[string]held {
	out := map[string]held{}
	names, err := w.file.List(context.Background(), "open:")
	if err != nil {
		w.breach("open: %v", err)
	}
	for _, name := range names {
		id := strings.TrimPrefix(name, "open:")
		docs, err := w.file.Get(context.Background(), "outage:"+id, "change:"+id)
		if err != nil {
			w.breach("%s: %v", id, err)
			continue
		}
		w.look.Lock()
		h := w.decoded[id]
		if v := [2]uint64{docs[0].Version, docs[1].Version}; h.versions != v {
			h = held{versions: v}
			if err := errors.Join(json.Unmarshal(docs[0].Data, &h.o), json.Unmarshal([]byte(cmp.Or(string(docs[1].Data), "{}")), &h.r)); err != nil {
				w.breach("%s: %v", id, err)
			}
			w.decoded[id] = h
		}
		w.look.Unlock()
		out[id] = h
	}
	return out
}

type held struct {
	o        flow.Outage
	r        change.Record
	versions [2]uint64
}

// step is what is on record of a setting that an outage holds.
func (w *stage) step(k change.Key) (st change.Step, outage string, ok bool) {
	for id, h := range w.outages() {
		if st, ok := h.r.Step(k); ok && st.Open() {
			return st, id, true
		}
	}
	return change.Step{}, "", false
}

// of are the guided steps that somebody holds on one screen.
func (w *stage) of(who, screen string) []change.Step {
	var out []change.Step
	for _, h := range w.outages() {
		for _, st := range h.r.Steps {
			if st.Holder != nil && st.Holder.ID == who && st.Open() && (platform{}).screen(st.Key) == screen {
				out = append(out, st)
			}
		}
	}
	return out
}

func (platform) screen(k change.Key) string {
	if practice(k) {
		return "Drill > " + string(k)
	}
	return "Settings > " + strings.Join(strings.Split(string(k), "/")[1:3], " > ")
}

// button is one that somebody can press now.
type button struct {
	action flow.Action
	place  flow.Place
	at     time.Time // when its card was shown
}

// idle are verbs that only show something.
func idle(verb string) bool {
	return slices.Contains([]string{"look", "more", "tell", "support", "only-us", "go-on", "copy", "note", "todo", "since", "help", "again"}, verb)
}

// buttons are those that somebody sees, the newest first.
func (w *stage) buttons(who string) []button {
	w.mu.Lock()
	defer w.mu.Unlock()
	var cards []shown
	for _, c := range w.screen {
		if c.place.Person == "" || c.place.Person == "terminal:"+who {
			cards = append(cards, c)
		}
	}
	slices.SortFunc(cards, func(a, b shown) int { return cmp.Compare(b.seq, a.seq) })
	var out, rest []button
	for _, c := range cards {
		for _, b := range c.card.Buttons {
			a, err := flow.DecodeAction(b.Action)
			switch {
			case err != nil:
				w.fault("a button that cannot be read: %v", err)
			case idle(a.Verb):
				rest = append(rest, button{a, c.place, c.at})
			default:
				out = append(out, button{a, c.place, c.at})
			}
		}
	}
	return append(out, rest...)
}

func (w *stage) event(who string, place flow.Place, what flow.What) flow.Event {
	w.nth++
	place.Person = ""
	if place.Platform == "" || place.Channel == "" {
		place = flow.Place{Platform: "terminal", Channel: "#support"}
	}
	return flow.Event{
		ID: fmt.Sprintf("e%d", w.nth), At: time.Now(), By: flow.Person{Account: "terminal:" + who, Member: true}, Place: place,
		What: what, Until: time.Now().Add(2 * time.Second),
	}
}

// deliver hands an event to a replica. Where none takes it, its platform sends it again later.
func (w *stage) deliver(r *replica, e flow.Event) (reply flow.Reply) {
	w.mu.Lock()
	w.asked[e.ID] = true
	w.said(e)
	w.mu.Unlock()
	got, taken := make(chan flow.Reply, 1), false
	if r != nil {
		w.do(func() {
			done, err := r.service.Accept(context.Background(), e)
			if err != nil {
				if !errors.Is(err, errNoAnswer) {
					w.breach("accept: %v", err)
				}
				return
			}
			taken = true
			if reply, ok := <-done; ok {
				got <- reply
			}
		})
	}
	if r != nil && !r.runs() { // a form that was being opened dies with its process, and is asked for again
		w.mu.Lock()
		w.excused[e.ID] = true
		w.mu.Unlock()
	}
	if !taken {
		w.homeless = append(w.homeless, e)
		return flow.Reply{}
	}
	w.again = append(w.again, e)
	select {
	case reply = <-got:
	default:
	}
	if reply.Form != nil {
		w.mu.Lock()
		delete(w.mute, e.ID)
		w.mu.Unlock()
	}
	return reply
}

// homes delivers again what no replica took in.
func (w *stage) homes() {
	all := w.homeless
	w.homeless = nil
	for _, e := range all {
		w.deliver(w.alive(0), e)
	}
}

// presses is somebody who presses a button of a card that they see, and fills the form in that opens.
func (w *stage) presses(r *replica, who string, b button, mistyped bool) {
	a, ok := w.honest(who, b.action)
	if !ok {
		return
	}
	begun := len(w.outages())
	e := w.event(who, b.place, flow.Press{Action: a})
	reply := w.deliver(r, e)
	if age := e.At.Sub(b.at); a.Verb == "confirm" && age > 10*time.Minute && len(w.outages()) > begun {
		w.breach("a preview was confirmed that was %v old", age)
	}
	for range 2 { // a form may come back with what is wrong
		if reply.Form == nil {
			break
		}
		send, err := flow.DecodeAction(reply.Form.Form.Action)
		if err != nil {
			w.breach("a form that cannot be sent: %v", err)
			return
		}
		e := w.event(who, b.place, flow.Press{Action: send, Fields: w.fill(who, send, reply.Form.Form.Inputs, mistyped)})
		reply = w.deliver(w.alive(0), e)
	}
	w.pump()
}

// honest is what somebody does before they press, or presses instead; false: nothing.
func (w *stage) honest(who string, a flow.Action) (flow.Action, bool) {
	now := w.values()
	switch a.Verb {
	case "as-listed":
		for _, st := range w.of(who, a.Arg) {
			if st.State == change.Planned && (st.Known == nil || string(st.Known.Raw) != now[st.Key]) {
				a.Verb, a.State = "differ", "*"
			}
		}
	case "saved":
		mine := w.of(who, a.Arg)
		for _, st := range mine {
			from, to := ends(st)
			said := st.Allow != nil && now[st.Key] == string(st.Allow.Raw) // that it may be overwritten
			if v := now[st.Key]; (st.State == change.Intent || st.State == change.RestoreIntent) && v != from && v != to && !said {
				a.Verb, a.State = "other", "*"
				return a, true
			}
		}
		for _, st := range mine {
			if _, to := ends(st); (st.State == change.Intent || st.State == change.RestoreIntent) && now[st.Key] != to {
				w.clicks(st.Key, to, who)
			}
		}
	case "seen":
		st, _, _ := w.step(change.Key(a.Key))
		switch v := now[st.Key]; {
		case v == string(st.Want.Raw):
			a.Arg = "want"
		case st.Before != nil && v == string(st.Before.Value.Raw):
			a.Arg = "before"
		default:
			a.Arg = "other"
		}
	case "which-known", "which-noted":
		for _, st := range w.outages()[a.Outage].r.Steps {
			if st.Doubt && w.which(st.Key) != strings.TrimPrefix(a.Verb, "which-") {
				a.Verb = "which"
			}
		}
	case "put-known":
		st, _, _ := w.step(change.Key(a.Key))
		return a, st.Known != nil && string(st.Known.Raw) == w.truth(st.Key)
	case "before-known":
		for _, st := range w.outages()[a.Outage].r.Steps {
			if st.State == change.Adopted && (st.Known == nil || string(st.Known.Raw) != w.truth(st.Key)) {
				return a, false
			}
		}
	}
	return a, true
}

// ends are the values that a guided step is clicked from and to.
func ends(st change.Step) (from, to string) {
	from, to = "", string(st.Want.Raw)
	if st.Before != nil {
		from = string(st.Before.Value.Raw)
	}
	if st.Back {
		return to, from
	}
	return from, to
}

// clicks is somebody who does on the company's screens what a card told them.
func (w *stage) clicks(k change.Key, v, who string) {
	if practice(k) {
		w.imagine.Lock()
		w.screens[k] = v
		w.imagine.Unlock()
	} else if err := w.company.Edit(k, v, who); err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.touched[k] = time.Now()
}

// truth is what a setting was before the outage, for all that anybody knows.
func (w *stage) truth(k change.Key) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.peace[k][len(w.peace[k])-1]
}

// which says whether what is known or what was noted should come back.
func (w *stage) which(k change.Key) string {
	if st, _, _ := w.step(k); st.Known != nil && string(st.Known.Raw) == w.truth(k) {
		return "known"
	}
	return "noted"
}

// says notes what a person said that a setting shows, or was before.
func (w *stage) says(k change.Key, v string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.typed[k] = append(w.typed[k], v)
	w.touched[k] = time.Now()
	return v
}

// fill fills a form in.
func (w *stage) fill(who string, a flow.Action, inputs []card.Input, mistyped bool) map[string]string {
	out := map[string]string{}
	now := w.values()
	for _, in := range inputs {
		out[in.ID] = in.Value
		if mistyped && who == "kim" { // sends it too early
			continue
		}
		k := change.Key(in.ID)
		_, setting := now[k]
		switch {
		case in.ID == "reason":
			out[in.ID] = "it moved to another tool"
		case in.ID == "to":
			out[in.ID] = folk()[(slices.Index(folk(), who)+1)%3]
		case in.ID == "text":
			out[in.ID] = "the carrier was called"
		case in.ID == "targets" && a.Verb == "some-send" && len(in.Options) > 0:
			out[in.ID] = in.Options[0].Value
		case in.ID == "which" && a.Verb == "correct-send" && len(in.Options) > 0:
			out[in.ID] = in.Options[0].Value
			out["value"] = w.says(change.Key(in.Options[0].Value), w.truth(change.Key(in.Options[0].Value)))
		case in.ID == "value" && a.Verb == "name-send":
			out[in.ID] = w.says(change.Key(a.Key), w.truth(change.Key(a.Key)))
		case setting && (a.Verb == "before-send" || a.Verb == "correct-send"):
			out[in.ID] = w.says(k, w.truth(k))
		case setting && a.Verb == "which-send":
			out[in.ID] = w.which(k)
		case setting && a.Verb == "done-send":
			want := string(change.Closed)
			switch {
			case strings.HasSuffix(in.ID, "message"):
				want = "" // it is known when it is on record
			case strings.HasSuffix(in.ID, "ivr"):
				want = "Voicemail Only"
			}
			if want == "" || now[k] == want {
				out[in.ID] = ""
				continue
			}
			out[in.ID] = w.says(k, now[k])
			w.clicks(k, want, who)
		case setting && mistyped:
			out[in.ID] = w.says(k, mistype(k, now[k]))
		case setting:
			out[in.ID] = w.says(k, now[k])
		}
	}
	return out
}

// mistype is a value that was meant to be v.
func mistype(k change.Key, v string) string {
	switch {
	case strings.Contains(string(k), "/hours/"):
		return "08:00-21:00"
	case strings.HasSuffix(string(k), "ivr"):
		return "Snow day"
	}
	return v + "!"
}

// types is somebody who types a command.
func (w *stage) types(r *replica, who, words string) {
	w.deliver(r, w.event(who, flow.Place{}, flow.Command{Words: strings.Fields(words)}))
	w.pump()
}
