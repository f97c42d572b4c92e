package flow_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"switchback/bot/change"
	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/bot/sim"
	"switchback/bot/tree"
	"switchback/store"
)

// history is what happened in one night. It is drawn before it is played, so that the same one can be played again, and
// made shorter.
type history struct {
	Company, Start, Replicas int
	Acts                     []happening
}

// happening is one thing that happened. Who and N choose among what there is then.
type happening struct {
	What string
	Who  int
	N    int
}

func (h history) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "history{%d, %d, %d, []happening{\n", h.Company, h.Start, h.Replicas)
	for _, a := range h.Acts {
		fmt.Fprintf(&b, "\t{%q, %d, %d},\n", a.What, a.Who, a.N)
	}
	return b.String() + "}}"
}

// starts are moments to begin at: by day, before midnight in Los Angeles, and before both changes of its clocks.
func starts() []string {
	return []string{"2000-01-11T18:00:00Z", "2000-01-12T07:40:00Z", "2000-04-02T07:30:00Z", "2000-10-29T06:30:00Z"}
}

// companies are what a history is about.
func companies() []func(w *stage) {
	shop := sim.App{ID: "shop", Name: "Shop", Message: "Hello! We chat from 8 to 8."}
	help := sim.App{ID: "help", Name: "Help centre", Message: "We're closed right now."}
	orders := sim.Number{Number: "+16505550101", Name: "Orders", IVR: "Main menu"}
	return []func(w *stage){
		func(w *stage) { w.org.Apps = []sim.App{shop} },
		func(w *stage) { w.org.Apps, w.guided = []sim.App{help}, map[string]bool{"help": true} },
		func(w *stage) { w.org.Numbers, w.page = []sim.Number{orders}, true },
		func(w *stage) {
			w.org.Numbers, w.org.Apps = []sim.Number{orders}, []sim.App{shop}
			w.guided = map[string]bool{orders.Number: true}
		},
		func(w *stage) { w.org.Apps, w.guided = []sim.App{shop, help}, map[string]bool{"help": true} },
		func(w *stage) {
			w.org.Apps, w.guided, w.eyes = []sim.App{shop, help}, map[string]bool{"help": true}, true
		},
		func(w *stage) { w.org.Numbers, w.page, w.eyes = []sim.Number{orders}, true, true },
		func(w *stage) {
			w.org.Numbers, w.page, w.practise = []sim.Number{orders}, true, true
			w.guided = map[string]bool{orders.Number: true}
		},
	}
}

func commands() []string {
	return []string{
		"chat late", "voice agents", "restore", "extend 1h", "status", "take", "handover sam", "chat late", "voice agents", "restore",
		"abandon it moved", "extend open", "note the carrier was called", "sms out", "login", "",
	}
}

func waits() []time.Duration {
	return []time.Duration{
		time.Second, 6 * time.Second, 40 * time.Second, 2 * time.Minute, 6 * time.Minute, 11 * time.Minute, 16 * time.Minute,
		time.Hour, 3*time.Hour + 50*time.Minute, 5 * time.Hour, 25 * time.Hour,
	}
}

// drawn is a history as it may happen: it begins like most nights do, and then anything follows.
func drawn() *rapid.Generator[history] {
	what := []string{
		"press", "press", "press", "press", "press", "press", "press", "press", "press", "press",
		"type", "type", "type", "wait", "wait", "wait", "again", "again", "old", "old", "edit", "edit", "fault", "fault",
		"late", "lose", "kill", "kill", "kill", "cut", "cut", "stop", "stop", "go on", "restart", "leave", "jump", "mistype",
	}
	trouble := []string{"kill", "stop", "stop", "cut", "fault", "late", "lose", "edit", "wait", "again", "old", "press"}
	of := func(what []string) *rapid.Generator[happening] {
		return rapid.Custom(func(t *rapid.T) happening {
			return happening{rapid.SampledFrom(what).Draw(t, "what"), rapid.IntRange(0, 3).Draw(t, "who"), rapid.IntRange(0, 24).Draw(t, "n")}
		})
	}
	return rapid.Custom(func(t *rapid.T) history {
		h := history{
			Company: rapid.IntRange(0, len(companies())-1).Draw(t, "company"), Start: rapid.IntRange(0, len(starts())-1).Draw(t, "start"),
			Replicas: rapid.IntRange(1, 2).Draw(t, "replicas"),
		}
		begin, second, what := happening{"type", 0, h.Company / 2 % 2}, []happening{}, what
		switch company := h.about(); {
		case company.practise:
			second, what = rapid.SliceOfN(of([]string{"drill", "drill", "kill", "stop", "wait"}), 0, 3).Draw(t, "second"), append(what, "drill", "drill", "drill")
			begin.N = h.Start % 2
			if rapid.Bool().Draw(t, "drill") {
				begin, second = happening{"drill", 0, h.Start}, append(second, begin)
			}
		case company.eyes:
			second, what = rapid.SliceOfN(of([]string{"yes", "yes", "kill", "stop", "wait", "edit"}), 0, 3).Draw(t, "second"), append(what, "yes", "yes", "yes")
		}
		h.Acts = slices.Concat(
			rapid.SliceOfN(of(trouble), 0, 1).Draw(t, "before"), []happening{begin}, rapid.SliceOfN(of(trouble), 0, 2).Draw(t, "preview"), []happening{{"press", 0, 0}}, second,
			rapid.SliceOfN(of(what), 0, 14).Draw(t, "then"),
		)
		return h
	})
}

// about is what is known of a company before anything happens in it.
func (h history) about() *stage {
	w := &stage{}
	companies()[h.Company](w)
	return w
}

// play plays a history in fake time and returns what is wrong with its end, or was on the way.
func (h history) play(t *testing.T, b bug, open func() store.Store) (wrong []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := h.stage(t, b, open)
		for _, a := range h.Acts {
			w.happens(a)
			w.along()
		}
		w.finale()
		wrong = w.wrong
		if err := w.file.Close(); err != nil {
			t.Error(err)
		}
	})
	return wrong
}

// inFile plays a history over a file store of its own. Where there is a folder in memory it lies there: these histories
// are not about disks.
func (h history) inFile(t *testing.T, b bug) []string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "switchback") //nolint:usetesting // that one lies on the disk, and is kept until the test ends
	if err != nil {
		dir = t.TempDir()
	}
	defer func() { _ = os.RemoveAll(dir) }()
	return h.play(t, b, func() store.Store {
		s, err := store.OpenVolatile(dir)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func (h history) stage(t *testing.T, b bug, open func() store.Store) *stage {
	t.Helper()
	start, err := time.Parse(time.RFC3339, starts()[h.Start])
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(start))
	w := &stage{
		t: t, bug: b, open: open, file: open(), book: playbook(), replicas: make([]*replica, h.Replicas),
		screen: map[string]shown{}, timers: map[string]time.Time{}, asked: map[string]bool{}, mute: map[string]bool{}, excused: map[string]bool{}, taken: map[string]bool{}, repeats: map[string]bool{}, decoded: map[string]held{}, before: map[string]string{},
		peace: map[change.Key][]string{}, typed: map[change.Key][]string{}, touched: map[change.Key]time.Time{},
		edited: map[change.Key]time.Time{}, landed: map[change.Key]time.Time{}, states: map[string]change.State{}, gone: map[string]bool{},
		rehearsals: map[string]bool{},
		yeses:      map[string][]yes{}, questions: map[string]seconding{},
	}
	companies()[h.Company](w)
	w.screens = w.imagined()
	zone, err := time.LoadLocation(townsfolk().Zone)
	if err != nil {
		t.Fatal(err)
	}
	if w.company, err = sim.NewCompany(w.org, zone, ""); err != nil {
		t.Fatal(err)
	}
	for k, v := range w.values() {
		w.peace[k] = []string{v}
	}
	for i := range w.replicas {
		w.begin(i)
	}
	return w
}

// happens lets one thing happen.
func (w *stage) happens(a happening) {
	time.Sleep(time.Millisecond) // so that everything has its time
	who := folk()[a.Who]
	if w.gone[who] {
		who = "sam"
	}
	r := w.alive(a.N)
	keys := sortedKeys(w.peace)
	switch a.What {
	case "press", "mistype":
		if all := w.buttons(who); len(all) > 0 {
			w.presses(r, who, all[a.N%len(all)], a.What == "mistype")
		}
	case "type":
		w.types(r, who, commands()[a.N%len(commands())])
	case "wait":
		d := waits()[a.N%len(waits())]
		if d > time.Minute {
			w.restart()
		}
		w.passes(d)
	case "jump": // nothing runs meanwhile
		time.Sleep(waits()[a.N%len(waits())])
		w.pump()
	case "again":
		if n := len(w.again); n > 0 {
			w.deliver(r, w.again[n-1-a.N%n])
			w.pump()
		}
	case "old":
		if n := len(w.old); n > 0 {
			b := w.old[n-1-a.N%n]
			w.pressOld(r, who, b)
		}
	case "edit":
		k := keys[a.N%len(keys)]
		if k == pageFlag || practice(k) {
			return
		}
		w.byHand(k, []string{w.peace[k][0], mistype(k, w.peace[k][0]), w.outage(k)}[(a.N/len(keys)+a.Who)%3], "somebody")
	case "drill":
		w.begins(r, who, a.N)
	case "yes":
		w.agrees(r, who, a.N)
	case "fault":
		kind := []sim.FaultKind{sim.Error, sim.Cut, sim.Slow, sim.Refuse}[a.N%4]
		f := sim.Fault{Kind: kind, Times: 1 + a.Who*2, On: []string{sim.Write, sim.Read}[a.N/4%2]}
		if kind == sim.Slow {
			f.Delay = seconds([]int{2, 15}[a.N/8%2])
		}
		if err := w.company.Fail(f); err != nil {
			w.t.Fatal(err)
		}
	case "late":
		w.mu.Lock()
		w.late, w.after = 1, []time.Duration{3 * time.Second, 20 * time.Second, 3 * time.Minute}[a.N%3]
		w.mu.Unlock()
	case "lose":
		w.mu.Lock()
		w.lose, w.how = 1+a.Who*3, losses()[a.N%len(losses())]
		w.mu.Unlock()
	case "kill", "stop", "cut":
		if r == nil {
			return
		}
		r.mu.Lock()
		kind := map[string]int{"kill": 0, "cut": 2, "stop": 4}[a.What]
		r.at, r.mode = 1+a.N, interruptions()[kind+a.Who%2]
		r.mu.Unlock()
	case "go on":
		for _, r := range w.replicas {
			r.goOn()
		}
		w.do(func() {})
		w.homes()
		w.pump()
	case "restart":
		w.restart()
		w.pump()
	case "leave":
		if who != "sam" {
			w.mu.Lock()
			w.gone[who] = true
			w.mu.Unlock()
		}
	}
}

// pressOld is a press on a card as it was some time ago.
func (w *stage) pressOld(r *replica, who string, b oldButton) {
	a, err := flow.DecodeAction(b.action)
	if err != nil {
		w.breach("an old button that cannot be read: %v", err)
		return
	}
	if a.Verb == "saved" || a.Verb == "as-listed" || a.Verb == "seen" { // who presses late has not looked again
		if len(w.of(who, a.Arg)) > 0 {
			return
		}
	}
	before := w.outages()[a.Outage].o.Deadline
	w.presses(r, who, button{w.bug.late(w, a), b.place, b.at}, false)
	now := w.outages()[a.Outage].o.Deadline
	if a.Verb == "extend" && a.State != fmt.Sprint(before.Unix()) && a.State != "*" && !now.Equal(before) {
		w.breach("a late press moved the deadline from %v to %v", before, now)
	}
}

// check draws histories and plays them: in the gate so many, always the same; in the long run others each time, on both
// processors. Another number is asked for with -rapid.checks.
func check(t *testing.T, gate, proof int, play func(t *testing.T, h history) []string) {
	t.Helper()
	n, shards, seed, begun := gate, 1, "1", time.Now()
	if os.Getenv("PROOF") != "" {
		n, shards, seed = proof, 2, "0"
	}
	if given, err := strconv.Atoi(flag.Lookup("rapid.checks").Value.String()); err == nil && given != 100 { // rapid's default
		n, shards, seed = given, 2, "0"
	}
	for name, v := range map[string]string{"rapid.checks": strconv.Itoa(n / shards), "rapid.seed": seed} {
		f := flag.Lookup(name)
		was := f.Value.String()
		if v == "0" { // another one each time, unless somebody gave one
			v = was
		}
		if err := f.Value.Set(v); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := f.Value.Set(was); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		t.Logf("%s: %d histories in %v", strings.TrimPrefix(t.Name(), "Test"), n, time.Since(begun).Round(time.Second/10))
	})
	for i := range shards {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) {
				h := drawn().Draw(rt, "history")
				if wrong := play(t, h); len(wrong) > 0 {
					rt.Fatalf("%s\n%s", h, strings.Join(wrong, "\n"))
				}
			})
		})
	}
}

// Whatever happens in a night, each setting ends as it was, or in a question that names it, or left by name.
func TestRandomHistories(t *testing.T) {
	check(t, 100, 100_000, func(t *testing.T, h history) []string { t.Helper(); return h.inFile(t, noBug) })
}

// Each planted bug is found by random histories. The long run says how many it took.
func TestRandomHistoriesFindPlantedBugs(t *testing.T) {
	if os.Getenv("PROOF") == "" {
		t.Skip("for the long run (PROOF=1)")
	}
	const most = 20_000
	for _, b := range []bug{
		countedTwice, alwaysFresh, lateAccepted, anyRole, baselineLate, noLock, noCopy, workForgotten, remindersLost, outcomeGuessed,
		oldReading, noIntent, beforeIsOurs, questionLost, entryLost, neverOld, lockKept, answerForAnew, accountsApart, drillWrites,
	} {
		t.Run(string(b), func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			for i := range most {
				if wrong := drawn().Example(i+1).inFile(t, b); len(wrong) > 0 {
					t.Logf("%s: found by history %d, after %v: %s", b, i+1, time.Since(begun).Round(time.Second/10), wrong[0])
					return
				}
			}
			t.Errorf("%d histories did not find it", most)
		})
	}
}

// Histories that once ended wrong, or were wrong on the way.
func TestHistoriesThatWereWrong(t *testing.T) {
	for name, h := range map[string]history{
		"the answer to a decision is lost, and the form that was to open with it": {3, 0, 1, []happening{
			{"type", 0, 1}, {"press", 0, 0}, {"cut", 1, 1}, {"press", 1, 6},
		}},
		"a form is sent in which nothing was chosen": {1, 0, 1, []happening{
			{"type", 0, 0},
			{"press", 2, 0},
			{"press", 0, 12},
			{"press", 0, 0},
			{"type", 0, 3},
			{"mistype", 0, 4},
			{"press", 0, 24},
			{"press", 0, 11},
			{"mistype", 2, 2},
		}},
		"a value from before is named with nothing": {2, 0, 1, []happening{
			{"type", 0, 1}, {"edit", 2, 1}, {"press", 0, 0}, {"press", 0, 0}, {"press", 1, 2}, {"press", 1, 0}, {"mistype", 2, 0},
		}},
		"an edit while the answer to a read is on its way": {2, 0, 1, []happening{
			{"type", 0, 1}, {"fault", 1, 6}, {"press", 0, 0}, {"wait", 0, 1}, {"edit", 1, 13},
		}},
		"stopped between a save and its answer, while another one took over": {4, 1, 2, []happening{
			{"type", 0, 0},
			{"press", 0, 0},
			{"type", 0, 0},
			{"fault", 3, 3},
			{"type", 2, 6},
			{"go on", 0, 1},
			{"press", 2, 0},
			{"stop", 1, 20},
			{"restart", 1, 15},
			{"press", 2, 0},
			{"jump", 1, 20},
		}},
		"an edit while a change waits, which is then asked back before anything was set": {2, 0, 2, []happening{
			{"kill", 0, 18}, {"type", 0, 1}, {"press", 0, 0}, {"press", 1, 0}, {"edit", 0, 3}, {"press", 0, 0},
		}},
		"an edit while the one who read back is stopped, and another one looks": {2, 0, 2, []happening{
			{"stop", 1, 24}, {"type", 0, 1}, {"press", 0, 0}, {"edit", 0, 1}, {"press", 0, 0},
		}},
		"a restore pressed before both were stopped, and the reminder of the day on which they go on": {1, 2, 2, []happening{
			{"type", 0, 0},
			{"stop", 2, 1},
			{"press", 0, 0},
			{"cut", 2, 3},
			{"press", 0, 11},
			{"edit", 2, 1},
			{"press", 0, 23},
			{"stop", 0, 1},
			{"fault", 2, 13},
			{"press", 0, 22},
			{"press", 0, 0},
			{"jump", 3, 10},
			{"press", 1, 24},
		}},
		"a second person's yes, which is still looked into when the owner stops": {5, 0, 1, []happening{
			{"type", 0, 0}, {"press", 0, 0}, {"fault", 0, 6}, {"press", 1, 0}, {"press", 0, 0},
		}},
		"a kill that waits for a slow answer, until after everything was begun anew": {0, 0, 1, []happening{
			{"type", 0, 0}, {"kill", 1, 23}, {"edit", 1, 5}, {"press", 0, 0}, {"press", 0, 3}, {"fault", 0, 6}, {"press", 0, 0},
		}},
		"a drill that is over as it begins": {7, 1, 2, []happening{
			{"drill", 0, 1}, {"kill", 0, 0}, {"press", 0, 0}, {"type", 0, 1}, {"press", 0, 0},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, wrong := range h.inFile(t, noBug) {
				t.Error(wrong)
			}
		})
	}
}

var playbook = sync.OnceValue(func() tree.Tree {
	tr, err := tree.Parse("playbook.yaml", tree.Builtin(), change.Actions())
	if err != nil {
		panic(err)
	}
	return tr
})

func sortedKeys(m map[change.Key][]string) []change.Key { return slices.Sorted(maps.Keys(m)) }

func seconds(n int) config.Duration { return config.Duration(time.Duration(n) * time.Second) }

// outage is what an outage would set.
func (w *stage) outage(k change.Key) string {
	switch {
	case strings.HasSuffix(string(k), "ivr"):
		return "Voicemail Only"
	case strings.HasSuffix(string(k), "message"):
		return "Chat is not available at the moment. Please try again later."
	}
	return string(change.Closed)
}
