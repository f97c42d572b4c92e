package flow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/bot/tree"
	"switchback/store"
)

// sight is what a replica saw of a setting, and when.
type sight struct {
	value string
	at    time.Time
}

// read keeps what a replica saw.
func (w *stage) read(r *replica, k change.Key, v string, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.saw[k] = sight{v, at}
	w.touched[k] = at
}

// mayWrite looks at what is on record when the company is about to be written: the value from before, what is about to
// be done, and whether what is there now may be overwritten.
func (w *stage) mayWrite(_ context.Context, r *replica, k change.Key, want change.Value) {
	if practice(k) { // a drill is over before it has put its flags back
		return
	}
	st, outage, ok := w.step(k)
	now := w.values()[k]
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes++
	if !ok {
		w.fault("%s is written, and nothing is on record", k)
		return
	}
	if until := w.timers["work/drive-"+outage]; !until.After(time.Now()) {
		w.fault("%s is written by a process whose lease has ended", k)
	}
	if st.Before == nil {
		w.fault("%s is written, and the value before is not on record", k)
		return
	}
	before := string(st.Before.Value.Raw)
	if !slices.Contains(w.peace[k], before) && !slices.Contains(w.typed[k], before) {
		w.fault("%s was never %q, which is on record as the value before", k, before)
	}
	to := st.Want
	if st.State == change.RestoreIntent {
		to = st.Before.Value
	}
	if st.State != change.Intent && st.State != change.RestoreIntent || !to.Equal(want) {
		w.fault("%s is set to %q, and on record is %s, %q → %q", k, want.Raw, st.State, before, st.Want.Raw)
	}
	allowed := now == before || now == string(st.Want.Raw) || st.Set != nil && now == string(st.Set.Raw) || st.Allow != nil && now == string(st.Allow.Raw)
	if !allowed && r.saw[k].value == now { // it was looked at, and overwritten all the same
		w.fault("%s: %q is overwritten without a word", k, now)
	}
}

// recorded looks at what is being said of settings, at the moment at which it is said. It is called with mu held.
func (w *stage) recorded(by *replica, p store.Put, c store.Commit) {
	var r change.Record
	if err := json.Unmarshal(p.Data, &r); err != nil {
		w.fault("%s: %v", p.Key, err)
		return
	}
	var now map[change.Key]string
	for _, st := range r.Steps {
		at := p.Key + string(st.Key)
		if st.Before != nil && w.before[at] != string(st.Before.Value.Raw) {
			w.before[at] = string(st.Before.Value.Raw)
			if !practice(st.Key) && !slices.ContainsFunc(c.Puts, func(p store.Put) bool {
				return strings.HasPrefix(p.Key, "out:") && strings.Contains(string(p.Data), "/before/")
			}) {
				w.fault("the value before of %s is recorded, and no copy of it is on its way", st.Key)
			}
		}
		was := w.states[at]
		w.states[at] = st.State
		anew := slices.Contains([]change.State{"", change.Restored, change.Left}, was) && slices.Contains([]change.State{change.Planned, change.Recorded, change.Intent}, st.State)
		if w.eyes && anew {
			w.agreed(st, c, r.Outage)
		}
		if was == st.State || was == change.Recorded || was == change.Planned {
			continue
		}
		var is string
		switch {
		case st.State == change.Restored && st.Before != nil:
			is = string(st.Before.Value.Raw)
		case st.State == change.IsSet && was == change.Intent:
			is = string(st.Want.Raw)
		default:
			continue
		}
		if now == nil {
			now = w.values()
		}
		looked := by.saw[st.Key].at // whoever says so: another one may have looked later, while this one was stopped
		if st.Way == change.Guided {
			looked = w.touched[st.Key]
		}
		if now[st.Key] != is && !w.edited[st.Key].After(looked) && !w.landed[st.Key].After(looked) {
			w.fault("%s is said to be %s, and shows %q, not %q", st.Key, st.State, now[st.Key], is)
		}
	}
}

// told looks at what people did to an outage, and are told of it: nobody but a responder may do anything to what was
// changed, and nobody is reminded of what is over. One that waits to be sent while somebody ends the outage is sent.
func (w *stage) told(p store.Put, c store.Commit) {
	reminds := slices.ContainsFunc(c.Puts, func(p store.Put) bool {
		return strings.HasPrefix(p.Key, "out:") && bytes.Contains(p.Data, []byte(`/deadline/`))
	})
	if !reminds && !bytes.Contains(p.Data, []byte("@lee")) {
		return
	}
	var o flow.Outage
	if err := json.Unmarshal(p.Data, &o); err != nil {
		w.fault("%s: %v", p.Key, err)
		return
	}
	if reminds && o.Ended != nil {
		w.fault("%s is reminded of, and is over", o.ID)
	}
	if o.Drill { // whoever works here may practise
		return
	}
	for _, l := range o.Timeline {
		only := slices.Contains([]string{"restore", "extend", "overwrite", "leave", "retry", "name", "owner", "claim", "saved"}, l.What)
		if l.By == "@lee" && (only || l.What == "begun" && o.Leaf.Kind == tree.Change) {
			w.fault("%s, who is no responder: %s", l.By, l.Text)
		}
	}
}

// along checks what must hold at any time: no open change without an owner, a deadline and its reminder, and no work
// that nothing brings back.
func (w *stage) along() {
	if w.practise {
		w.untouched()
	}
	locks, err := w.kept().Holders(context.Background(), sortedKeys(w.peace))
	if err != nil {
		w.breach("%v", err)
	}
	names, err := w.file.List(context.Background(), "in:")
	if err != nil {
		w.breach("%v", err)
	}
	w.mu.Lock()
	for _, name := range names {
		if id := strings.TrimPrefix(name, "in:"); w.timers["work/"+id].IsZero() {
			w.fault("%s is to be done, and nothing brings it back", id)
		}
	}
	w.mu.Unlock()
	for id, h := range w.outages() {
		w.mu.Lock()
		has := func(name string) bool { _, ok := w.timers[name]; return ok }
		switch {
		case h.o.Owner.ID == "":
			w.fault("%s has no owner", id)
		case h.r.Open() && (h.o.Deadline.IsZero() || !has("outage/"+id+"/ladder")):
			w.fault("%s has the deadline %v, and no reminder of it", id, h.o.Deadline)
		case !h.r.Open() && h.o.Leaf.Again != nil && !has("outage/"+id+"/question"):
			w.fault("%s waits, and nobody is asked", id)
		}
		for _, st := range h.r.Steps {
			if by := locks[st.Key]; st.Open() && by != id {
				w.fault("%s of %s is locked for %q", st.Key, id, by)
			}
		}
		for _, task := range change.Next(h.r) {
			if st, _ := h.r.Step(task.Key); task.Do != change.DoAsk && st.Way != change.Guided && !has("work/drive-"+id) {
				w.fault("%s is to be %s, and nothing brings that about", task.Key, task.Do)
			}
		}
		w.mu.Unlock()
	}
}

// named reports whether people see a card of this kind that names a setting and wants something of them.
func (w *stage) named(kind string, st change.Step) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.screen {
		text := c.card.Title
		for _, f := range c.card.Facts {
			text += "\n" + f.Name
		}
		if strings.Contains(c.message, kind) && len(c.card.Buttons) > 0 && strings.Contains(text, st.Label) && strings.Contains(text, st.Name) {
			return true
		}
	}
	return false
}

// question is the kind of card that asks about a step; empty: it waits for nobody.
func question(st change.Step) string {
	switch {
	case st.State == change.Failed:
		return "/failed/"
	case st.State == change.Unknown:
		return "/board/"
	case st.State == change.Conflict, st.State == change.Adopted && st.Back:
		return "/ask/" + string(st.Key)
	case st.Doubt && st.Back && st.Before != nil && st.Known != nil:
		return "/which"
	}
	return ""
}

// verdict wants of each setting that it is as before, or asked about, or left by name.
func (w *stage) verdict(when string) {
	now := w.values()
	all, err := w.kept().All(context.Background())
	if err != nil {
		w.breach("%v", err)
	}
	last := map[change.Key]bool{} // a setting is judged by what its newest outage says of it
	for _, o := range slices.Backward(all) {
		_, r, err := w.kept().Outage(context.Background(), o.ID)
		if err != nil {
			w.breach("%v", err)
		}
		for _, st := range r.Value.Steps {
			if !last[st.Key] {
				w.judge(when, o, st, now[st.Key])
			}
			last[st.Key] = true
		}
		w.mixed(o, r.Value)
		w.whole(o)
	}
}

func (w *stage) judge(when string, o flow.Outage, st change.Step, now string) {
	say := func(format string, args ...any) {
		w.breach("%s, %s of %s: %s", when, st.Key, o.ID, fmt.Sprintf(format, args...))
	}
	switch {
	case st.State == change.Left:
		if st.By == "" && !o.Drill || st.Reason == "" { // a drill that grew old leaves its clicks
			say("left by %q because %q", st.By, st.Reason)
		}
	case st.Way == change.Guided && st.State == change.Restored && !st.Shown && st.Set == nil: // nobody was sent to click
	case st.State == change.Restored:
		w.mu.Lock()
		edited := w.edited[st.Key]
		later := !edited.IsZero() && (edited.After(st.At) || !edited.Before(w.touched[st.Key]))
		later = later || o.Drill && !w.landed[st.Key].IsZero() // after a drill nobody looks again
		w.mu.Unlock()
		if st.Before != nil && now != string(st.Before.Value.Raw) && !later && !w.named("/drift/"+string(st.Key), st) {
			say("said to be restored, and shows %q, not %q", now, st.Before.Value.Raw)
		}
	case o.Ended != nil:
		say("still %s, and the outage is over", st.State)
	case question(st) == "":
		say("left at %s, on its way back %v, with nobody asked; it shows %q", st.State, st.Back, now)
	case !w.named(question(st), st):
		say("%s, and no question names %s, %s", st.State, st.Label, st.Name)
	}
}

// whole checks the audit log of an outage.
func (w *stage) whole(o flow.Outage) {
	log, err := w.kept().Log(context.Background(), "outage:"+o.ID)
	if err != nil {
		w.breach("%v", err)
	}
	for _, p := range flow.ReadChain(log, o.Head).Problems {
		w.breach("%s: %s", o.ID, p)
	}
}

// finale is the morning after: everything works again, a responder asks for everything back and carries it through.
func (w *stage) finale() {
	w.calm()
	w.drillsEnd()
	w.bringBack()
	w.verdict("asked back")
	w.answerAll()
	w.verdict("answered")
	w.nothingLeft()
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.mute {
		if w.excused[id] {
			continue
		}
		w.fault("%s was decided, and its person was told nothing", id)
	}
}

// calm ends all that goes wrong.
func (w *stage) calm() {
	w.company.Heal()
	w.mu.Lock()
	w.lose, w.late = 0, 0
	w.mu.Unlock()
	for _, r := range w.replicas {
		r.mu.Lock()
		r.at = 0
		r.mu.Unlock()
	}
	// Twice: to a call that waits for a slow answer, what was to happen to it happens only when that arrives, and who is
	// killed or stopped then is there in the morning like everybody else.
	for _, d := range []time.Duration{20 * time.Second, 0} {
		for _, r := range w.replicas {
			r.goOn()
		}
		w.do(func() {})
		w.restart()
		w.passes(d)
	}
	w.passes(17 * time.Minute) // longer than anybody may be at something, any lease, any write on its way, and the last look at what was set
	w.along()
}

// bringBack asks for everything back, and does what is to be done by hand.
func (w *stage) bringBack() {
	for range 3 {
		for _, id := range sorted(w.outages()) {
			h := w.outages()[id]
			if h.o.Leaf.Again != nil && h.o.Asking.Works == "" {
				w.first("sam", func(a flow.Action) bool { return a.Outage == id && a.Verb == "works" })
			}
			if slices.ContainsFunc(h.r.Steps, func(st change.Step) bool { return st.Open() && !st.Back }) {
				w.types(w.alive(0), "sam", "restore "+id)
				w.first("sam", func(a flow.Action) bool { return a.Outage == id && a.Verb == "putback" })
			}
		}
		w.passes(time.Minute)
		w.hands()
	}
}

// hands is one person who does all that is to be done by hand.
func (w *stage) hands() {
	for range 12 {
		if slices.ContainsFunc(sorted(w.outages()), func(id string) bool {
			return slices.ContainsFunc(w.outages()[id].r.Steps, func(st change.Step) bool { return question(st) == "/which" })
		}) {
			w.first("sam", func(a flow.Action) bool { return strings.HasPrefix(a.Verb, "which-") && a.Verb != "which-later" })
		}
		if !slices.ContainsFunc([]string{"seen", "as-listed", "differ", "saved", "claim"}, func(verb string) bool {
			return w.first("sam", func(a flow.Action) bool {
				return a.Verb == verb && (verb == "claim" && w.free(a.Arg) || verb != "claim" && w.mine(a))
			})
		}) {
			return
		}
	}
}

// mine reports whether a press on a guided step is one that sam has to answer now.
func (w *stage) mine(a flow.Action) bool {
	if a.Verb == "seen" {
		st, _, ok := w.step(change.Key(a.Key))
		return ok && st.State == change.Unknown && st.Holder != nil && st.Holder.ID == "sam"
	}
	return slices.ContainsFunc(w.of("sam", a.Arg), func(st change.Step) bool {
		planned := st.State == change.Planned
		return planned == (a.Verb != "saved") && st.State != change.Unknown
	})
}

// free reports whether a screen has something that nobody holds.
func (w *stage) free(screen string) bool {
	for _, h := range w.outages() {
		for _, st := range h.r.Steps {
			byHand := st.State == change.Unknown || st.Back && (st.State == change.IsSet || st.State == change.RestoreIntent)
			if st.Way == change.Guided && st.Holder == nil && byHand && (platform{}).screen(st.Key) == screen {
				return true
			}
		}
	}
	return false
}

// first presses the newest button that fits. It reports whether there was one.
func (w *stage) first(who string, fits func(flow.Action) bool) bool {
	all := w.buttons(who)
	i := slices.IndexFunc(all, func(b button) bool { return fits(b.action) })
	if i < 0 {
		return false
	}
	w.presses(w.alive(0), who, all[i], false)
	return true
}

// answerAll answers every question as somebody does who knows.
func (w *stage) answerAll() {
	for range 6 {
		open := w.outages()
		if len(open) == 0 {
			return
		}
		w.answerMost()
	}
	for id, h := range w.outages() {
		w.breach("%s cannot be brought to an end: %s", id, states(h.r))
	}
}

// answer answers one question.
func (w *stage) answer(id string, st change.Step) {
	verbs := []string{"overwrite", "name", "retry"}
	if w.values()[st.Key] == w.truth(st.Key) { // it is right as it is
		verbs = []string{"leave", "leave-failed"}
	}
	for _, verb := range verbs {
		if w.first("sam", func(a flow.Action) bool {
			return a.Outage == id && a.Verb == verb && (a.Key == string(st.Key) && a.State == fmt.Sprintf("%s/%v", st.State, st.Back) || st.State == change.Failed && (verb == "retry" || verb == "leave-failed"))
		}) {
			return
		}
	}
}

// nothingLeft wants that nothing is held, and nothing waits.
func (w *stage) nothingLeft() {
	for _, prefix := range []string{"lock:", "in:", "out:", "open:"} {
		names, err := w.file.List(context.Background(), prefix)
		if err != nil || len(names) > 0 {
			w.breach("still there: %q (%v)", names, err)
		}
	}
}

func states(r change.Record) string {
	var out []string
	for _, st := range r.Steps {
		out = append(out, fmt.Sprintf("%s %s back=%v", st.Key, st.State, st.Back))
	}
	return strings.Join(out, ", ")
}

func sorted(open map[string]held) []string {
	out := make([]string, 0, len(open))
	for id := range open {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}
