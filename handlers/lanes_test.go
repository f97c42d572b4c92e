package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/card"
	"switchback/bot/flow"
	"switchback/handlers"
	"switchback/store"
)

// room is a chat platform that keeps what was posted, in order, and finds it again.
type room struct {
	mu    sync.Mutex
	posts map[string][]string // by channel: messages, as often as they were posted
	shows map[string]string   // message → title
}

func newRoom() *room { return &room{posts: map[string][]string{}, shows: map[string]string{}} }

func (r *room) Send(_ context.Context, p flow.Post, to handlers.Target) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if to.Ref == "" {
		r.posts[p.Place.Channel] = append(r.posts[p.Place.Channel], p.Message)
	}
	r.shows[p.Message] = p.Card.Title
	return "ref-" + p.Message, nil
}

func (r *room) Find(_ context.Context, p flow.Post, _ handlers.Target) (string, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.shows[p.Message]
	return "ref-" + p.Message, ok, nil
}

// Two processes send thousands of posts from one store, while others still post: each is posted once, in order, and
// shows its newest version at the end.
func testTwoProcesses(t *testing.T, open func() store.Store) {
	t.Helper()
	if wrong := twoProcesses(t, 0, 20, 100, open); wrong != "" {
		t.Error(wrong)
	}
}

// twoProcesses plays it, and says what is wrong in the end.
func twoProcesses(t *testing.T, lease time.Duration, lanes, each int, open func() store.Store) (wrong string) {
	t.Helper()
	r := newRoom()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var workers []*handlers.Worker
	var running sync.WaitGroup
	for range 2 {
		kept := store.Flow{Store: open()}
		w := &handlers.Worker{Lease: lease, Timers: kept, Outbox: handlers.NewOutbox(kept, map[string]handlers.Sender{"chat": r})}
		workers = append(workers, w)
		running.Go(func() {
			if err := w.Run(ctx); err != nil {
				t.Errorf("Run = %v", err)
			}
		})
	}
	kept := store.Flow{Store: open()}
	want := map[string][]string{}
	shows := map[string]string{}
	var posting sync.WaitGroup
	for lane := range lanes {
		channel := fmt.Sprint("C", lane)
		for i := range each {
			m := fmt.Sprint(channel, "-", i)
			want[channel], shows[m] = append(want[channel], m), "new"
		}
		posting.Go(func() {
			for i := range each {
				for _, title := range []string{"old", "new"} {
					m := fmt.Sprint(channel, "-", i)
					p := flow.Post{ID: m + title, Message: m, Place: flow.Place{Platform: "chat", Channel: channel}, Card: card.Card{Title: title}}
					if err := kept.Save(ctx, flow.Save{Posts: []flow.Post{p}}); err != nil {
						t.Errorf("post: %v", err)
						return
					}
					workers[i%2].Wake()
				}
			}
		})
	}
	posting.Wait()
	eventually(t, "all to be sent", func() bool { ok, err := kept.Settled(t.Context()); return ok && err == nil })
	stop()
	running.Wait()
	if diff := cmp.Diff(want, r.posts); diff != "" {
		wrong += "posted (-want +got):\n" + diff
	}
	if diff := cmp.Diff(shows, r.shows); diff != "" {
		wrong += "shown at the end (-want +got):\n" + diff
	}
	return wrong
}

// laneless is a store that tells every sender that nobody has the lane, and lets all of them have it.
type laneless struct{ store.Store }

func (s laneless) Get(ctx context.Context, keys ...string) ([]store.Doc, error) {
	docs, err := s.Store.Get(ctx, keys...)
	for i, d := range docs {
		if ofSending(d.Key) && d.Version > 0 {
			docs[i].Data = []byte("{}")
		}
	}
	return docs, err
}

func (s laneless) Commit(ctx context.Context, c store.Commit) (uint64, error) {
	c.Checks = slices.Clone(c.Checks)
	for i, k := range c.Checks {
		if !ofSending(k.Key) {
			continue
		}
		docs, err := s.Store.Get(ctx, k.Key)
		if err != nil {
			return 0, err
		}
		c.Checks[i].Version = docs[0].Version
	}
	return s.Store.Commit(ctx, c)
}

func ofSending(key string) bool { return strings.HasPrefix(key, "sending:") }

// A lane that nobody has to have is found by what testTwoProcesses looks at.
func TestPlantedInTheOutbox(t *testing.T) {
	file, err := store.OpenVolatile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	start := time.Now()
	for round := range 20 {
		if twoProcesses(t, time.Second, 10, 20, func() store.Store { return laneless{file} }) != "" {
			t.Logf("planted: the outbox sends in a lane that somebody else has | TestTwoProcesses | round %d | %v", round+1, time.Since(start).Round(time.Millisecond))
			return
		}
		if file, err = store.OpenVolatile(t.TempDir()); err != nil {
			t.Fatal(err)
		}
		defer file.Close()
	}
	t.Error("nothing noticed the bug")
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	end, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	breath := time.NewTicker(20 * time.Millisecond)
	defer breath.Stop()
	for !done() {
		select {
		case <-breath.C:
		case <-end.Done():
			t.Fatalf("waited too long for %s", what)
		}
	}
}

func TestTwoProcessesOnAFile(t *testing.T) {
	file, err := store.OpenVolatile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	testTwoProcesses(t, func() store.Store { return file })
}

// frozen is a process that stands still at its n-th step, as a virtual machine does that is suspended. A step is the
// beginning or the end of a call of the store or the platform.
type frozen struct {
	store.Store
	room    *room
	at      int
	steps   int
	where   string
	stopped chan struct{} // closed when it stands still
	thaw    chan struct{}
}

func (f *frozen) step(name string) {
	if f.steps++; f.steps == f.at {
		f.where = name
		close(f.stopped)
		<-f.thaw
	}
}

func (f *frozen) Get(ctx context.Context, keys ...string) ([]store.Doc, error) {
	f.step("before Get")
	defer f.step("after Get")
	return f.Store.Get(ctx, keys...)
}

func (f *frozen) List(ctx context.Context, prefix string) ([]string, error) {
	f.step("before List")
	defer f.step("after List")
	return f.Store.List(ctx, prefix)
}

func (f *frozen) Commit(ctx context.Context, c store.Commit) (uint64, error) {
	f.step("before Commit")
	defer f.step("after Commit")
	return f.Store.Commit(ctx, c)
}

func (f *frozen) Send(ctx context.Context, p flow.Post, to handlers.Target) (string, error) {
	f.step("before Send")
	defer f.step("after Send")
	return f.room.Send(ctx, p, to)
}

func (f *frozen) Find(ctx context.Context, p flow.Post, to handlers.Target) (string, bool, error) {
	return f.room.Find(ctx, p, to)
}

// A process stands still for longer than it has the lane, at any step, and another one takes over. Each message is
// posted once, except where the one that stood still had begun to send: that send nobody can call back.
func TestOutboxAfterAPause(t *testing.T) {
	for at, more := 1, true; more; at++ {
		synctest.Test(t, func(t *testing.T) {
			file, err := store.OpenVolatile(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			r := newRoom()
			ice := &frozen{Store: file, room: r, at: at, stopped: make(chan struct{}), thaw: make(chan struct{})}
			worker := func(s store.Store, sender handlers.Sender) *handlers.Worker {
				kept := store.Flow{Store: s}
				return &handlers.Worker{Timers: kept, Outbox: handlers.NewOutbox(kept, map[string]handlers.Sender{"chat": sender})}
			}
			slow, other := worker(ice, ice), worker(file, r)
			kept := store.Flow{Store: file}
			post := func(m, title string) {
				p := flow.Post{ID: m + title, Message: m, Place: place(), Card: card.Card{Title: title}}
				if err := kept.Save(t.Context(), flow.Save{Posts: []flow.Post{p}}); err != nil {
					t.Fatal(err)
				}
			}
			for _, m := range []string{"a", "b", "c"} {
				post(m, "old")
			}
			finished := make(chan struct{})
			go func() {
				defer close(finished)
				if _, err := slow.Step(t.Context()); err != nil {
					t.Errorf("Step = %v", err)
				}
			}()
			select {
			case <-finished:
				more = false
			case <-ice.stopped:
			}
			post("a", "new")
			post("d", "new")
			for range 100 {
				time.Sleep(time.Second)
				if _, err := other.Step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			ok, err := kept.Settled(t.Context())
			if !ok || err != nil {
				t.Errorf("frozen %s: Settled = %v, %v before it went on", ice.where, ok, err)
			}
			version := counter(t, file)
			close(ice.thaw)
			<-finished
			if now := counter(t, file); now != version {
				t.Errorf("frozen %s: it went on to record %d times", ice.where, now-version)
			}
			posts := r.posts["C1"]
			if ice.where == "before Send" { // of a or b or c
				last := posts[len(posts)-1]
				if !slices.Contains([]string{"a", "b", "c"}, last) {
					t.Errorf("frozen %s: posted %v", ice.where, posts)
				}
				posts = posts[:len(posts)-1]
			}
			if diff := cmp.Diff([]string{"a", "b", "c", "d"}, posts); diff != "" {
				t.Errorf("frozen %s: posted (-want +got):\n%s", ice.where, diff)
			}
			want := map[string]string{"a": "new", "b": "old", "c": "old", "d": "new"}
			if ice.where != "before Send" && !maps.Equal(want, r.shows) {
				t.Errorf("frozen %s: shows %v, want %v", ice.where, r.shows, want)
			}
		})
	}
}

func counter(t *testing.T, s store.Store) uint64 {
	t.Helper()
	h, err := s.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h.Counter
}

// cutting is a platform that takes a new message, or does not, and cuts the line each time.
type cutting struct {
	*room
	takes bool
	cuts  int
	finds int
}

func (c *cutting) Send(ctx context.Context, p flow.Post, to handlers.Target) (string, error) {
	if c.cuts--; c.cuts < 0 {
		return c.room.Send(ctx, p, to)
	}
	if c.takes {
		_, _ = c.room.Send(ctx, p, to)
	}
	return "", errCut
}

func (c *cutting) Find(ctx context.Context, p flow.Post, to handlers.Target) (string, bool, error) {
	c.finds++
	if to.Tried.IsZero() {
		return "", false, errors.New("no time to look from")
	}
	return c.room.Find(ctx, p, to)
}

// A post whose outcome is unknown is looked for before it is sent again, whoever sends then; an edit is simply repeated.
func TestOutboxRepeatsNoPostBlindly(t *testing.T) {
	for _, takes := range []bool{true, false} {
		t.Run(fmt.Sprint("the platform took it: ", takes), func(t *testing.T) {
			inBubble(t, func(s *sending) {
				c := &cutting{room: newRoom(), takes: takes, cuts: 3}
				step := func() {
					s.worker.Outbox = handlers.NewOutbox(s.kept, map[string]handlers.Sender{"chat": c}) // another process each time
					s.run()
					time.Sleep(time.Minute)
				}
				s.post("a", "old", place())
				step()
				s.post("a", "new", place())
				s.post("b", "second", place())
				for range 8 {
					step()
				}
				if diff := cmp.Diff(map[string][]string{"C1": {"a", "b"}}, c.posts); diff != "" {
					t.Errorf("posted (-want +got):\n%s", diff)
				}
				if !maps.Equal(c.shows, map[string]string{"a": "new", "b": "second"}) {
					t.Errorf("shows %v, want the newest of both", c.shows)
				}
				if c.finds == 0 {
					t.Error("nothing was looked for")
				}
				s.wantEmpty()
			})
		})
	}
}

// stumbling is a store that does not answer for a while, from one of its calls on.
type stumbling struct {
	store.Store
	at    int // the call
	calls int
	until time.Time
}

func (s *stumbling) stumbles() error {
	if s.calls++; s.calls == s.at {
		s.until = time.Now().Add(15 * time.Second)
	}
	if time.Now().Before(s.until) {
		return errCut
	}
	return nil
}

func (s *stumbling) Get(ctx context.Context, keys ...string) ([]store.Doc, error) {
	if err := s.stumbles(); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, keys...)
}

func (s *stumbling) Commit(ctx context.Context, c store.Commit) (uint64, error) {
	if err := s.stumbles(); err != nil {
		return 0, err
	}
	return s.Store.Commit(ctx, c)
}

// The store does not answer for a while, at any call of a sender's, and works again: what was sent is not sent again.
func TestOutboxWhoseStoreStumbles(t *testing.T) {
	for at := 1; ; at++ {
		over := false
		inBubble(t, func(s *sending) {
			r := newRoom()
			st := &stumbling{Store: s.kept.Store}
			kept := store.Flow{Store: st}
			s.worker = &handlers.Worker{Timers: kept, Outbox: handlers.NewOutbox(kept, map[string]handlers.Sender{"chat": r})}
			s.post(flow.HomeMessage+"chat-1", "home", place())
			s.post("b", "second", place())
			st.at = at
			for range 8 {
				s.run()
				time.Sleep(20 * time.Second)
			}
			if diff := cmp.Diff(map[string][]string{"C1": {flow.HomeMessage + "chat-1", "b"}}, r.posts); diff != "" {
				t.Errorf("the store does not answer from call %d on: posted (-want +got):\n%s", at, diff)
			}
			over = st.calls < at
		})
		if over || t.Failed() {
			break
		}
	}
}

// running starts a worker's Run, and returns what ends it: it gives what Run returned.
func (s *sending) running() (stop func() error) {
	ctx, cancel := context.WithCancel(s.t.Context())
	out := make(chan error, 1)
	go func() { out <- s.worker.Run(ctx) }()
	return func() error { cancel(); return <-out }
}

func (s *sending) sees(want ...string) {
	s.t.Helper()
	synctest.Wait()
	got := slices.Clone(s.got)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("sent (-want +got):\n%s", diff)
	}
}

func TestWorkerSendsWhenWoken(t *testing.T) {
	inBubble(t, func(s *sending) {
		stop := s.running()
		time.Sleep(time.Hour)
		s.post("a", "first", place())
		s.worker.Wake()
		s.sees("a first") // no time has passed
		s.post("b", "second", place())
		time.Sleep(time.Second) // another process took it in
		s.sees("a first", "b second")
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// One place that hangs, or makes the program panic, does not hold up the others.
func TestWorkerGoesOnBesideALaneThatHangs(t *testing.T) {
	inBubble(t, func(s *sending) {
		s.during = func(title string) {
			switch title {
			case "hangs":
				time.Sleep(8 * time.Second)
			case "panics":
				panic("a bad card")
			}
		}
		stop := s.running()
		s.post("a", "hangs", flow.Place{Platform: "chat", Channel: "C1"})
		s.worker.Wake()
		synctest.Wait()
		s.post("b", "panics", flow.Place{Platform: "chat", Channel: "C2"})
		s.worker.Wake()
		synctest.Wait()
		for i := range 5 {
			s.post(fmt.Sprint("c", i), "third", flow.Place{Platform: "chat", Channel: fmt.Sprint("C", 3+i)})
		}
		s.worker.Wake()
		s.sees("a hangs", "b panics", "c0 third", "c1 third", "c2 third", "c3 third", "c4 third")
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// At the end the message in hand is finished and recorded, and the rest is there for the next process at once.
func TestWorkerDrains(t *testing.T) {
	inBubble(t, func(s *sending) {
		s.during = func(string) { time.Sleep(8 * time.Second) }
		stop := s.running()
		for _, m := range []string{"a", "b", "c"} {
			s.post(m, "text", place())
		}
		s.worker.Wake()
		synctest.Wait()
		began := time.Now()
		if err := stop(); err != nil || time.Since(began) > 9*time.Second {
			t.Errorf("Run = %v after %v", err, time.Since(began))
		}
		s.sees("a text")
		s.during = nil
		s.wantSent("b text", "c text")
		s.wantEmpty()
	})
}

// away is a store that does not answer.
type away struct {
	store.Store
	mu   sync.Mutex
	gone bool
}

func (a *away) set(gone bool) { a.mu.Lock(); a.gone = gone; a.mu.Unlock() }

func (a *away) err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone {
		return errCut
	}
	return nil
}

func (a *away) Claim(ctx context.Context, d time.Duration, n int) ([]store.Claim, error) {
	if err := a.err(); err != nil {
		return nil, err
	}
	return a.Store.Claim(ctx, d, n)
}

func (a *away) Commit(ctx context.Context, c store.Commit) (uint64, error) {
	if err := a.err(); err != nil {
		return 0, err
	}
	return a.Store.Commit(ctx, c)
}

func (a *away) Get(ctx context.Context, keys ...string) ([]store.Doc, error) {
	if err := a.err(); err != nil {
		return nil, err
	}
	return a.Store.Get(ctx, keys...)
}

// The store is away for 8 seconds, just while something is sent: it is recorded all the same, sent once, and the rest
// follows soon.
func TestWorkerOutlivesAStoreThatIsAway(t *testing.T) {
	inBubble(t, func(s *sending) {
		a := &away{Store: s.kept.Store}
		kept := store.Flow{Store: a}
		s.worker = &handlers.Worker{Timers: kept, Outbox: handlers.NewOutbox(kept, map[string]handlers.Sender{"chat": s})}
		s.during = func(title string) {
			if title == "first" {
				a.set(true)
			}
		}
		stop := s.running()
		s.post("a", "first", place())
		s.post("b", "second", place())
		s.worker.Wake()
		time.Sleep(8 * time.Second)
		s.sees("a first")
		a.set(false)
		time.Sleep(5 * time.Second)
		s.sees("a first", "b second")
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}
