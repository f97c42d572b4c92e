package flow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/bot/gladly"
	"switchback/handlers/flags"
	"switchback/store"
)

// In some companies people practise, beside real outages. What they would click they imagine.

const drillFlag = change.Key("drill/chat/page")

// practice reports whether a setting is one to practise on.
func practice(k change.Key) bool { return strings.HasPrefix(string(k), "drill") }

// imagined are the screens to practise on, as everybody imagines them before a drill.
func (w *stage) imagined() map[change.Key]string {
	out := map[change.Key]string{}
	for _, n := range w.org.Numbers {
		out[change.Key(gladly.DrillName+"/voice/"+n.Number+"/initial-ivr")] = n.IVR
	}
	return out
}

// drills are the platforms to practise on, as one replica sees them.
func (w *stage) drills(r *replica, under store.Store) change.Platforms {
	if !w.practise {
		return nil
	}
	var org gladly.Organisation
	for _, n := range w.org.Numbers {
		org.Numbers = append(org.Numbers, gladly.Number{Number: n.Number, Name: n.Name, IVR: &n.IVR})
	}
	targets := []flags.Target{{Kind: flags.Chat, ID: "page", Label: "Page"}}
	page := w.bug.practice(flags.NewDrill(targets, store.NewFlags(under)), flags.New(targets, store.NewFlags(w.file)))
	return change.Platforms{gladly.DrillName: platform{gladly.NewDrill(org), r}, flags.DrillName: platform{page, r}}
}

// begins is somebody who begins a drill.
func (w *stage) begins(r *replica, who string, n int) {
	w.types(r, who, []string{"drill chat late", "drill voice agents", "drill"}[n%3])
	if n%2 == 0 {
		w.first(who, func(a flow.Action) bool { return a.Verb == "confirm" })
	}
}

// walked keeps which walks lead to drills. It is called with mu held, like the two below it.
func (w *stage) walked(p store.Put) {
	var walk flow.Walk
	if err := json.Unmarshal(p.Data, &walk); err != nil {
		w.fault("%s: %v", p.Key, err)
	}
	w.rehearsals["walk:"+walk.ID] = walk.Drill
}

// drilled keeps which outages are drills. No other ends as one does.
func (w *stage) drilled(p store.Put) {
	if id := strings.TrimPrefix(p.Key, "outage:"); !bytes.Contains(p.Data, []byte(`"ended"`)) {
		if _, ok := w.rehearsals[id]; ok {
			return
		}
	}
	var o flow.Outage
	if err := json.Unmarshal(p.Data, &o); err != nil {
		w.fault("%s: %v", p.Key, err)
	}
	w.rehearsals[o.ID] = o.Drill
	switch {
	case o.Ended == nil:
	case o.Drill:
		w.imagine.Lock()
		maps.Copy(w.screens, w.imagined())
		w.imagine.Unlock()
	case o.Ended.How == "drill":
		w.fault("%s ended because of a drill: %s", o.ID, o.Ended.Reason)
	}
}

// apart looks at a card: a drill is for those who practise, and marked; what is real does not know of it.
func (w *stage) apart(p flow.Post) {
	if p.Card.Drill && p.Place.Person == "" {
		w.fault("a drill is shown to everybody: %s", p.Card.Title)
	}
	for id, drill := range w.rehearsals {
		if drill && strings.Contains(p.Message, id) && !p.Card.Drill {
			w.fault("%s of %s has no mark of a drill", p.Card.Title, id)
		}
	}
	walk, _, _ := strings.Cut(p.Message, "/")
	if drill, ok := w.rehearsals[walk]; !ok || drill {
		return
	}
	for _, b := range p.Card.Buttons {
		if a, err := flow.DecodeAction(b.Action); err == nil && (w.rehearsals[a.Outage] || w.rehearsals[a.Arg]) {
			w.fault("a drill stands in the way: %s", p.Card.Title)
		}
	}
}

// running counts the real outages, and the drills, of a channel; empty: of all.
func (w *stage) running(channel string) (outages, drills int) {
	for _, h := range w.outages() {
		switch {
		case channel != "" && h.o.Channel != channel:
		case h.o.Drill:
			drills++
		default:
			outages++
		}
	}
	return outages, drills
}

// drillsEnd lets drills be overtaken, and grow old: while somebody practises, an outage begins as ever.
func (w *stage) drillsEnd() {
	outages, drills := w.running("")
	if drills == 0 {
		return
	}
	if outages == 0 {
		w.types(w.alive(0), "sam", "chat late")
		w.first("sam", func(a flow.Action) bool { return a.Verb == "confirm" })
		if outages, _ = w.running(""); outages == 0 {
			w.breach("no outage begins, and %d drills are open", drills)
		}
	}
	w.passes(time.Minute)
	for _, channel := range []string{"chat", "voice"} {
		if outages, drills = w.running(channel); outages > 0 && drills > 0 {
			w.breach("a drill goes on beside a real outage of %s", channel)
		}
	}
	if _, drills = w.running(""); drills == 0 {
		return
	}
	w.passes(4 * time.Hour)
	if _, drills = w.running(""); drills > 0 {
		w.breach("%d drills are open after four hours", drills)
	}
}

// untouched wants the page's own flag to be as it was while no outage has had it, whatever is practised.
func (w *stage) untouched() {
	now := w.flag(pageFlag)
	w.mu.Lock()
	defer w.mu.Unlock()
	for at := range w.states {
		if strings.HasSuffix(at, string(pageFlag)) {
			return
		}
	}
	if was := w.peace[pageFlag][0]; now != was {
		w.fault("%s, which no outage had, is %q, not %q", pageFlag, now, was)
	}
}

// flag is what a flag says; one that nobody has set yet is open.
func (w *stage) flag(k change.Key) string {
	v, err := store.NewFlags(w.file).Get(context.Background(), k)
	if err != nil {
		w.t.Fatal(err)
	}
	if v == "" {
		v = "open"
	}
	return v
}

// mixed wants that drills and outages have settings of their own.
func (w *stage) mixed(o flow.Outage, r change.Record) {
	if slices.ContainsFunc(r.Steps, func(st change.Step) bool { return practice(st.Key) != o.Drill }) {
		w.breach("%s (a drill: %v) has %s", o.ID, o.Drill, states(r))
	}
}
