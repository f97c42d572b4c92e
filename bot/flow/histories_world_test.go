package flow_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/bot/sim"
	"switchback/bot/tree"
	"switchback/handlers"
	"switchback/handlers/flags"
	"switchback/store"
)

// stage is where a history is played: the simulated company, a chat platform, people, and one or more replicas of the
// bot over one store. It watches what every replica does to the store and to the company.
type stage struct {
	t        *testing.T
	company  *sim.Company
	org      sim.Organisation
	guided   map[string]bool // targets that only a person can set
	page     bool            // a page asks the bot
	eyes     bool            // a change needs a second person
	practise bool            // people practise
	open     func() store.Store
	file     store.Store // what no replica stands between
	book     tree.Tree
	bug      bug
	lease    time.Duration
	replicas []*replica
	nth      int // numbers the events

	mu       sync.Mutex // guards what follows
	wrong    []string
	screen   map[string]shown
	seq      int
	old      []oldButton
	timers   map[string]time.Time // as they stand in the store, leases included
	asked    map[string]bool      // events of people
	mute     map[string]bool      // those that were decided and not answered
	excused  map[string]bool
	taken    map[string]bool
	repeats  map[string]bool   // commits, by nonce
	before   map[string]string // the value before that is on record, by record and setting
	lose     int               // so many of the next messages do not go well …
	how      string            // … in this way
	late     int               // so many of the next writes are not answered, and land this much later
	after    time.Duration
	peace    map[change.Key][]string // what a setting was while no outage held it, newest last
	typed    map[change.Key][]string // mistyped, or said by a person
	touched  map[change.Key]time.Time
	edited   map[change.Key]time.Time // by hand, not because a card said so
	landed   map[change.Key]time.Time // a write, late
	states   map[string]change.State  // as they were recorded last
	gone     map[string]bool
	again    []flow.Event // delivered before
	homeless []flow.Event // not taken in: their platform sends them again
	writes   int

	rehearsals map[string]bool // which outages, and walks, are drills

	yeses     map[string][]yes     // by walk
	questions map[string]seconding // to a second person, by walk and number

	reminders int // of deadlines, that people saw

	look    sync.Mutex // guards decoded
	decoded map[string]held

	imagine sync.Mutex // guards screens
	screens map[change.Key]string
}

// shown is a card as people see it now.
type shown struct {
	card    card.Card
	place   flow.Place
	message string
	seq     int
	at      time.Time
}

type oldButton struct {
	action string
	place  flow.Place
	at     time.Time
}

// replica is one process: it can be killed, and stopped for a while, at any of its calls to the store, the company and
// the chat platform.
type replica struct {
	stage   *stage
	service *flow.Service
	worker  *handlers.Worker

	mu   sync.Mutex
	at   int // something happens at this many calls from now; 0: nothing
	mode string
	dead bool
	gate chan struct{} // closed when it goes on; nil: it runs
	saw  map[change.Key]sight
}

// What may happen to a replica at a call: it is killed, or the call is lost on its way, or its answer is. Stopped, it goes
// on later, as after SIGSTOP or when a machine was suspended.
func interruptions() []string {
	return []string{"killed before", "killed after", "lost", "unanswered", "stopped before", "stopped after"}
}

var errNoAnswer = errors.New("no answer")

// call is one call to the outside. Nothing of a dead process runs on.
func (r *replica) call(stoppable bool, f func() error) error {
	mode := r.arrive()
	switch {
	case mode == "killed before":
		r.kill()
	case mode == "stopped before" && stoppable:
		r.rest()
		mode = ""
	case mode == "lost":
		return errNoAnswer
	}
	err := f()
	switch mode {
	case "killed after":
		r.kill()
	case "unanswered":
		err = errNoAnswer
	case "stopped before", "stopped after":
		r.rest()
	}
	r.wait()
	return err
}

// arrive is the beginning of a call: it says what happens at this one.
func (r *replica) arrive() (mode string) {
	r.wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == 0 {
		return ""
	}
	if r.at--; r.at > 0 {
		return ""
	}
	return r.mode
}

func (r *replica) kill() {
	r.mu.Lock()
	r.dead = true
	r.mu.Unlock()
	runtime.Goexit()
}

func (r *replica) rest() {
	r.mu.Lock()
	if r.gate == nil {
		r.gate = make(chan struct{})
	}
	r.mu.Unlock()
	r.wait()
}

// wait keeps a process that is stopped where it is, and ends it where it was killed.
func (r *replica) wait() {
	r.mu.Lock()
	gate, dead := r.gate, r.dead
	r.mu.Unlock()
	if gate != nil {
		<-gate
		r.wait()
		return
	}
	if dead {
		runtime.Goexit()
	}
}

func (r *replica) goOn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gate != nil {
		close(r.gate)
		r.gate = nil
	}
}

func (r *replica) runs() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.dead && r.gate == nil
}

func (r *replica) isDead() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dead
}

// gated is the store as one replica sees it.
type gated struct {
	store.Store
	r *replica
}

func (s gated) Commit(ctx context.Context, c store.Commit) (n uint64, err error) {
	err = s.r.call(true, func() error {
		n, err = s.Store.Commit(ctx, c)
		if err == nil {
			s.r.stage.committed(s.r, c)
		}
		return err
	})
	return n, err
}

func (s gated) Get(ctx context.Context, keys ...string) ([]store.Doc, error) {
	s.r.wait()
	return s.Store.Get(ctx, keys...)
}

func (s gated) List(ctx context.Context, prefix string) ([]string, error) {
	s.r.wait()
	return s.Store.List(ctx, prefix)
}

func (s gated) Claim(ctx context.Context, d time.Duration, n int) (out []store.Claim, err error) {
	err = s.r.call(true, func() error {
		out, err = s.Store.Claim(ctx, d, n)
		s.r.stage.claimed(out, d)
		return err
	})
	return out, err
}

func (s gated) Glance(ctx context.Context, keys []string, prefix string, guess []string) (store.Glance, error) {
	s.r.wait()
	if r, ok := s.Store.(glances); ok {
		return r.Glance(ctx, keys, prefix, guess)
	}
	return store.Glance{}, errors.ErrUnsupported
}

type glances interface {
	Glance(ctx context.Context, keys []string, prefix string, guess []string) (store.Glance, error)
}

// claimed keeps until when timers are leased.
func (w *stage) claimed(claims []store.Claim, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range claims {
		w.timers[c.ID] = time.Now().Add(d)
	}
}

// committed looks at everything that was written.
func (w *stage) committed(r *replica, c store.Commit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.Nonce != "" && w.repeats[c.Nonce] { // answered as the first time
		return
	}
	w.repeats[c.Nonce] = true
	if c.Lease != nil && c.Lease.Extend > 0 {
		w.timers[c.Lease.Timer] = time.Now().Add(c.Lease.Extend)
	}
	for _, t := range c.Timers {
		if delete(w.timers, t.ID); !t.At.IsZero() {
			w.timers[t.ID] = t.At
		}
	}
	for _, p := range c.Puts {
		if id, ok := strings.CutPrefix(p.Key, "in:"); ok && w.asked[id] {
			if w.taken[id] {
				w.fault("%s is taken in a second time", id)
			}
			w.taken[id] = true
		}
	}
	for _, name := range c.Deletes {
		id, ok := strings.CutPrefix(name, "in:")
		event, _, _ := strings.Cut(id, "/") // and what it asked the platforms
		if ok && w.asked[event] && !slices.ContainsFunc(c.Puts, func(p store.Put) bool {
			return strings.HasPrefix(p.Key, "out:") || strings.HasPrefix(p.Key, "in:")
		}) {
			w.mute[event] = true
		}
	}
	for _, p := range c.Puts {
		switch {
		case strings.HasPrefix(p.Key, "change:"):
			w.recorded(r, p, c)
		case strings.HasPrefix(p.Key, "outage:"):
			w.told(p, c)
			if w.practise {
				w.drilled(p)
			}
		case w.practise && strings.HasPrefix(p.Key, "walk:"):
			w.walked(p)
		case w.eyes && strings.HasPrefix(p.Key, "out:"):
			w.became(p, c)
		case w.eyes && strings.HasPrefix(p.Key, "walk:"):
			w.put(p)
		}
	}
}

// platform is the company as one replica sees it, some of it set by hand only.
type platform struct {
	change.Platform
	r *replica
}

func (p platform) Resources(ctx context.Context) (out []change.Resource, err error) {
	err = p.r.call(true, func() error { out, err = p.Platform.Resources(ctx); return err })
	for i, res := range out {
		if p.r.stage.guided[res.Target] {
			known := p.r.stage.usual(res.Key)
			out[i].Way, out[i].Known = change.Guided, &known
		}
	}
	return out, err
}

func (p platform) Plan(r change.Request) ([]change.Step, error) {
	out, err := p.Platform.Plan(r)
	for i, st := range out {
		for _, res := range r.Resources {
			if res.Key == st.Key {
				out[i].Known = res.Known
			}
		}
	}
	return out, err
}

func (p platform) Guide(k change.Key, want change.Value) change.Guide {
	g := p.Platform.Guide(k, want)
	g.Screen = p.screen(k)
	g.Choices = []change.Value{p.r.stage.value(k, string(change.Closed)), p.r.stage.usual(k)}
	g.Check = "Does a customer see it?"
	return g
}

func (p platform) Read(ctx context.Context, k change.Key) (v change.Value, err error) {
	err = p.r.call(true, func() error {
		// What is seen is what there is when the call goes out: the answer may be slow, and what is edited while it is on
		// its way is in no answer. A platform that compares nothing as it writes leaves that gap open.
		at, seen := time.Now(), p.r.stage.values()[k]
		v, err = p.Platform.Read(ctx, k)
		if err == nil {
			p.r.stage.read(p.r, k, seen, at)
		}
		return err
	})
	return v, err
}

// Write may be stopped after it only: between the last look at the clock and the socket no program can be stopped
// without its write being late, which only the look after 60 s and 5 min finds.
func (p platform) Write(ctx context.Context, k change.Key, want, was change.Value) (err error) {
	return p.r.call(false, func() error {
		w := p.r.stage
		w.mayWrite(ctx, p.r, k, want)
		w.mu.Lock()
		late, after := w.late > 0, w.after
		if late {
			w.late--
		}
		w.mu.Unlock()
		if late {
			time.AfterFunc(after, func() {
				w.mu.Lock()
				w.landed[k] = time.Now()
				w.mu.Unlock()
				_ = p.Platform.Write(context.WithoutCancel(ctx), k, want, was)
			})
			return errNoAnswer
		}
		return p.Platform.Write(ctx, k, want, was)
	})
}

// Asked is how often a page asked.
func (p platform) Asked(ctx context.Context, k change.Key) (last time.Time, in5min, total int, err error) {
	if f, ok := p.Platform.(interface {
		Asked(ctx context.Context, k change.Key) (time.Time, int, int, error)
	}); ok {
		return f.Asked(ctx, k)
	}
	return last, 0, 0, errors.ErrUnsupported
}

// chat is the chat platform as one replica sees it.
type chat struct{ r *replica }

func (s chat) Send(_ context.Context, p flow.Post, to handlers.Target) (ref string, err error) {
	ref = p.Place.Lane() + " " + p.Message
	err = s.r.call(false, func() error {
		w := s.r.stage
		w.mu.Lock()
		defer w.mu.Unlock()
		how := ""
		if w.lose > 0 {
			w.lose--
			how = w.how
		}
		switch how {
		case "lost":
			return errNoAnswer
		case "away":
			return handlers.Later{After: 20 * time.Second, Away: true}
		case "gone":
			if to.Ref != "" {
				return handlers.ErrGone
			}
		}
		w.show(ref, p)
		if how == "unanswered" {
			return errNoAnswer
		}
		return nil
	})
	return ref, err
}

func losses() []string { return []string{"lost", "unanswered", "away", "gone"} }

func (w *stage) show(id string, p flow.Post) {
	if w.practise {
		w.apart(p)
	}
	was, ok := w.screen[id]
	if strings.Contains(p.Message, "/deadline/") && !ok {
		w.reminders++
	}
	if ok {
		for _, b := range was.card.Buttons {
			w.old = append(w.old, oldButton{b.Action, p.Place, was.at})
		}
	}
	w.seq++
	w.screen[id] = shown{p.Card, p.Place, p.Message, w.seq, time.Now()}
}

// roster knows who left.
type roster struct{ w *stage }

func (d roster) Account(_ context.Context, id string) (flow.Account, error) {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	who := human(":" + id)
	member := slices.Contains(folk(), who) && !d.w.gone[who]
	mail := who + "@acme.example"
	if id == "U1" {
		mail = ""
	}
	return flow.Account{Name: id, Email: mail, Member: member, Responder: id == "U2"}, nil
}

func (roster) Groups() bool { return true }

func (d roster) Outside(context.Context, string) (bool, error) { return false, nil }

// folk are the people: three responders, somebody who may look, and a stranger.
func folk() []string { return []string{"ana", "sam", "kim", "lee"} }

func townsfolk() flow.Policy {
	p := policy()
	p.Responders, p.Backup = []string{"ana", "sam", "kim"}, "sam"
	p.People = append(p.People, flow.Someone{Name: "kim", Terminal: "kim", GladlyAdmin: true})
	p.Opening = flow.Opening{}
	for _, d := range []string{"monday", "tuesday", "wednesday", "thursday", "friday"} {
		p.Opening[d] = flow.Span{From: 8 * 60, To: 18 * 60}
	}
	return p
}

func (w *stage) policy() flow.Policy {
	p := townsfolk()
	if p.FourEyes = w.eyes; w.eyes {
		p.People[0].Slack = "U1"
	}
	return p
}

// begin starts a replica in the place of the i-th.
func (w *stage) begin(i int) {
	r := &replica{stage: w, saw: map[change.Key]sight{}}
	w.replicas[i] = r
	under := w.bug.under(gated{w.file, r})
	kept := store.Flow{Store: under}
	api := sim.NewPlatform(w.org, "http://company", sim.Local(w.company))
	platforms := change.Platforms{"sim": platform{w.bug.beside(api), r}}
	if w.page {
		platforms[flags.Name] = platform{flags.New([]flags.Target{{Kind: flags.Chat, ID: "page", Label: "Page"}}, store.NewFlags(under)), r}
	}
	r.service = flow.New(flow.Config{
		Store: w.bug.over(kept), Policy: w.bug.policy(w.policy()), Playbook: tree.Builtin(), Tree: w.book, Platforms: platforms, Drills: w.drills(r, under),
		Directories: map[string]flow.Directory{"terminal": roster{w}, "slack": roster{w}}, Lease: w.bug.lease(w.lease),
	})
	r.worker = &handlers.Worker{Timers: kept, Service: r.service, Lease: w.lease, Outbox: handlers.NewOutbox(kept, map[string]handlers.Sender{"terminal": chat{r}, "slack": chat{r}})}
}

// restart begins anew what was killed. Where nothing ran any more, the store is opened anew.
func (w *stage) restart() {
	if !slices.ContainsFunc(w.replicas, func(r *replica) bool { return !r.isDead() }) {
		if err := w.file.Close(); err != nil {
			w.breach("close: %v", err)
		}
		w.file = w.open()
		_, file := w.file.(*store.File)
		w.mu.Lock()
		for id, at := range w.timers { // leases die with the process that had the file
			if file && at.After(time.Now()) && strings.HasPrefix(id, "work/") {
				w.timers[id] = time.Now()
			}
		}
		w.mu.Unlock()
	}
	for i, r := range w.replicas {
		if r.isDead() {
			w.begin(i)
			again := w.replicas[i]
			w.do(func() {
				if err := again.service.Recover(context.Background()); err != nil && !errors.Is(err, errNoAnswer) {
					w.breach("recover: %v", err)
				}
			})
		}
	}
	w.homes()
}

// do runs something until all that it caused is done or waits for time to pass.
func (w *stage) do(f func()) {
	go f()
	synctest.Wait()
}

// alive is a replica that runs, beginning with the i-th; nil: none.
func (w *stage) alive(i int) *replica {
	for n := range w.replicas {
		if r := w.replicas[(i+n)%len(w.replicas)]; r.runs() {
			return r
		}
	}
	return nil
}

// pump lets every replica do what is due, until nothing is.
func (w *stage) pump() {
	for range 20 {
		busy := false
		for _, r := range w.replicas {
			if !r.runs() {
				continue
			}
			n := 0
			w.do(func() {
				var err error
				if n, err = r.worker.Step(context.Background()); err != nil && !errors.Is(err, errNoAnswer) {
					w.breach("step: %v", err)
				}
			})
			busy = busy || n > 0
		}
		if !busy {
			return
		}
	}
}

// passes lets time pass. Each timer is met when it falls due.
func (w *stage) passes(d time.Duration) {
	end := time.Now().Add(d)
	for range 60 {
		w.pump()
		next := end
		w.mu.Lock()
		for _, at := range w.timers {
			if at.After(time.Now()) && at.Before(next) {
				next = at
			}
		}
		w.mu.Unlock()
		if next.Equal(end) {
			break
		}
		time.Sleep(time.Until(next.Add(time.Millisecond)))
	}
	time.Sleep(time.Until(end))
	w.pump()
}

func (w *stage) breach(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault(format, args...)
}

func (w *stage) fault(format string, args ...any) {
	w.wrong = append(w.wrong, time.Now().UTC().Format(time.TimeOnly)+" "+fmt.Sprintf(format, args...))
}
