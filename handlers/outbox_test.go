package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"switchback/bot/card"
	"switchback/bot/flow"
	"switchback/handlers"
	"switchback/store"
)

var errCut = errors.New("the connection was cut")

// sending is an outbox over a store of its own, with a chat platform that writes down what it is sent.
type sending struct {
	t      *testing.T
	kept   store.Flow
	worker *handlers.Worker
	posts  int
	mu     sync.Mutex
	got    []string           // "message title", and where it went
	answer map[string]error   // what sending a title gives
	during func(title string) // what happens while a title is sent
	after  func(title string) // what happens when it was answered
	pace   handlers.Pace
	hides  bool // what is sent has no name
}

// inBubble runs a test in fake time, over a new store.
func inBubble(t *testing.T, f func(s *sending)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		file, err := store.OpenVolatile(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		s := &sending{t: t, kept: store.Flow{Store: file}, answer: map[string]error{}}
		s.worker = &handlers.Worker{Timers: s.kept, Outbox: handlers.NewOutbox(s.kept, map[string]handlers.Sender{"chat": s})}
		f(s)
	})
}

func (s *sending) Send(_ context.Context, p flow.Post, to handlers.Target) (string, error) {
	title := p.Card.Title
	line := p.Message + " " + title
	if to.Ref != "" {
		line += " edits " + to.Ref
	}
	if p.Place.Thread != "" {
		line += fmt.Sprintf(" under %q", to.Thread)
	}
	s.mu.Lock()
	s.got = append(s.got, line)
	s.mu.Unlock()
	if s.during != nil {
		s.during(title)
	}
	err := s.answer[title]
	if s.hides {
		return "", err
	}
	if s.after != nil {
		s.after(title)
	}
	return "ref-" + p.Message, err
}

func (s *sending) Pace(_ flow.Place, edit bool) handlers.Pace {
	if edit {
		return handlers.Pace{}
	}
	return s.pace
}

func place() flow.Place { return flow.Place{Platform: "chat", Channel: "C1"} }

// post puts one version of a message onto its lane, in a commit of its own.
func (s *sending) post(message, title string, to flow.Place) {
	s.t.Helper()
	s.put(flow.Post{Place: to, Message: message, Card: card.Card{Title: title}})
}

func (s *sending) put(p flow.Post) {
	s.t.Helper()
	s.posts++
	p.ID = fmt.Sprintf("p%03d", s.posts)
	if err := s.kept.Save(s.t.Context(), flow.Save{Posts: []flow.Post{p}}); err != nil {
		s.t.Fatal(err)
	}
}

// run carries out what is due now, and returns what was sent by it.
func (s *sending) run() []string {
	s.t.Helper()
	s.got = nil
	if _, err := s.worker.Step(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return s.got
}

func (s *sending) wantSent(want ...string) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.run()); diff != "" {
		s.t.Errorf("sent (-want +got):\n%s", diff)
	}
}

// wantEmpty wants that nothing waits, and that nothing is due in the next hour.
func (s *sending) wantEmpty() {
	s.t.Helper()
	if settled, err := s.kept.Settled(s.t.Context()); !settled || err != nil {
		s.t.Errorf("Settled = %v, %v, want nothing left to send", settled, err)
	}
	time.Sleep(time.Hour)
	s.wantSent()
}

func TestOutboxKeepsTheOrder(t *testing.T) {
	inBubble(t, func(s *sending) {
		s.post("z", "first", place())
		s.post("a", "second", place())
		s.post("m", "third", place())
		s.wantSent("z first", "a second", "m third")
		s.wantEmpty()
	})
}

// A message that changes faster than it is sent shows its newest state once, at its first turn.
func TestOutboxSendsTheNewest(t *testing.T) {
	inBubble(t, func(s *sending) {
		s.post("home", "closing", place())
		s.post("note", "hello", place())
		s.post("home", "closed 1 of 2", place())
		s.post("home", "closed", place())
		s.wantSent("home closed", "note hello")
		s.post("home", "open again", place())
		s.wantSent("home open again edits ref-home")
		s.wantEmpty()
	})
}

func TestOutboxLeavesOutWhatIsShownAlready(t *testing.T) {
	inBubble(t, func(s *sending) {
		s.post("home", "closed", place())
		s.wantSent("home closed")
		s.post("home", "closed", place())
		s.wantSent()
		s.post("home", "open again", place())
		s.post("home", "closed", place()) // back to what is shown, before anybody saw the other
		s.wantSent()
		s.wantEmpty()
	})
}

// A thread is known by our own name of its parent; the platform's name comes from when that was sent.
func TestOutboxFindsTheThread(t *testing.T) {
	inBubble(t, func(s *sending) {
		under := place()
		under.Thread = "home"
		s.post("home", "closed", place())
		s.post("line", "since 02:10", under)
		s.wantSent("home closed", `line since 02:10 under "ref-home"`)
		s.wantEmpty()
	})
}

func TestOutboxWaitsAsLongAsItIsTold(t *testing.T) {
	inBubble(t, func(s *sending) {
		s.post("a", "first", place())
		s.post("b", "second", place())
		s.answer["first"] = fmt.Errorf("rate limit: %w", handlers.Later{After: 40 * time.Second})
		s.wantSent("a first") // and not the second: order is kept
		time.Sleep(39 * time.Second)
		s.wantSent()
		delete(s.answer, "first")
		time.Sleep(time.Second)
		s.wantSent("a first", "b second")
		s.wantEmpty()
	})
}

// A new post is no reason to come back to a platform before the time it asked for.
func TestOutboxWaitsWhateverIsPosted(t *testing.T) {
	inBubble(t, func(s *sending) {
		s.post("a", "first", place())
		s.answer["first"] = handlers.Later{After: 40 * time.Second}
		s.wantSent("a first")
		delete(s.answer, "first")
		for range 39 {
			time.Sleep(time.Second)
			s.post("b", fmt.Sprint("second at ", time.Now().Second()), place())
			s.wantSent()
		}
		time.Sleep(time.Second)
		s.wantSent("a first", "b second at 39")
		s.wantEmpty()
	})
}

func TestOutboxKeepsThePace(t *testing.T) {
	inBubble(t, func(s *sending) {
		s.pace = handlers.Pace{Every: time.Second, Burst: 3}
		for i := range 6 {
			s.post(fmt.Sprint("m", i), "text", place())
		}
		s.wantSent("m0 text", "m1 text", "m2 text")
		s.wantSent()
		time.Sleep(time.Second)
		s.wantSent("m3 text")
		s.post("m6", "text", flow.Place{Platform: "chat", Person: "chat:ana"}) // a person's lane has a pace of its own
		s.wantSent("m6 text")
		time.Sleep(10 * time.Second)
		s.wantSent("m4 text", "m5 text")
		s.post("m0", "edited", place()) // this platform does not count edits
		s.post("m7", "text", place())
		s.wantSent("m0 edited edits ref-m0", "m7 text")
		s.wantEmpty()
	})
}

func TestOutboxLanesDoNotWaitForEachOther(t *testing.T) {
	inBubble(t, func(s *sending) {
		other := flow.Place{Platform: "chat", Channel: "C2"}
		s.post("a", "first", place())
		s.post("b", "elsewhere", other)
		s.answer["first"] = handlers.Later{After: time.Hour}
		s.wantSent("a first", "b elsewhere")
	})
}

// Of a place that is gone, and of a card that is refused, the outage of the message is told; the rest goes on.
func TestOutboxTellsWhatCannotBeDelivered(t *testing.T) {
	for _, word := range []error{handlers.ErrGone, handlers.ErrRefused} {
		inBubble(t, func(s *sending) {
			s.post("note:x/001", "to nobody", place())
			s.post("chat-1/before/1", "first", place())
			s.post("b", "second", place())
			s.answer["first"] = fmt.Errorf("no_such_thing: %w", word)
			s.answer["to nobody"] = s.answer["first"]
			s.wantSent("note:x/001 to nobody", "chat-1/before/1 first", "b second")
			want := []flow.What{flow.Undelivered{Outage: "chat-1", Message: "chat-1/before/1", Place: place(), Why: "no_such_thing"}}
			if diff := cmp.Diff(want, s.events()); diff != "" {
				s.t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// events are the events that the outbox left for flow.
func (s *sending) events() []flow.What {
	s.t.Helper()
	ids, err := s.kept.Pending(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	var out []flow.What
	for _, id := range ids {
		w, err := s.kept.Work(s.t.Context(), id)
		if err != nil {
			s.t.Fatal(err)
		}
		out = append(out, w.Value.Event.What)
	}
	return out
}

// A message that somebody deleted is posted anew when it has something new to say.
func TestOutboxPostsAnewWhatIsGone(t *testing.T) {
	inBubble(t, func(s *sending) {
		s.post("home", "closed", place())
		s.wantSent("home closed")
		s.once("open again", fmt.Errorf("message_not_found: %w", handlers.ErrGone))
		s.post("home", "open again", place())
		s.wantSent("home open again edits ref-home", "home open again")
		s.wantEmpty()
	})
}

// once lets a title fail the next time only.
func (s *sending) once(title string, err error) {
	s.answer[title] = err
	s.after = func(sent string) {
		if sent == title {
			delete(s.answer, title)
		}
	}
}

// A thread whose message somebody deleted goes on under a new one, which looks as the old one did; if that goes too,
// it goes on in the channel.
func TestOutboxHealsAThread(t *testing.T) {
	inBubble(t, func(s *sending) {
		under := place()
		under.Thread = "home"
		s.post("home", "closed", place())
		s.wantSent("home closed")
		s.once("one", handlers.ErrThreadGone)
		s.post("a", "one", under)
		s.post("b", "two", under)
		s.wantSent(`a one under "ref-home"`, "home closed", `a one under "ref-home"`, `b two under "ref-home"`)
		s.once("three", handlers.ErrThreadGone)
		s.post("c", "three", under)
		s.wantSent(`c three under "ref-home"`, `c three under ""`)
		s.post("home", "open again", place())
		s.post("d", "four", under)
		s.wantSent("home open again", `d four under "ref-home"`)
		s.wantEmpty()
	})
}

// A platform may take a message and show nothing of it: then there is no thread to heal.
func TestOutboxWithAMessageThatIsNotShown(t *testing.T) {
	inBubble(t, func(s *sending) {
		under := place()
		under.Thread = "home"
		s.hides = true
		s.post("home", "closed", place())
		s.post("a", "one", under)
		s.wantSent("home closed", `a one under ""`)
		s.wantEmpty()
	})
}

// A reminder that does not arrive within two minutes is not sent any more, however long the platform wants to be left
// alone: its outage is told.
func TestOutboxGivesUpALateReminder(t *testing.T) {
	for name, answer := range map[string]error{"unknown": errCut, "later": handlers.Later{After: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(s *sending) {
				s.answer["ring"], s.answer["text"] = answer, answer
				s.put(flow.Post{Message: "chat-1/deadline/5/0/owner", Card: card.Card{Title: "ring"}, Place: place(), Rings: true})
				s.post("a", "text", place())
				for range 119 {
					s.run()
					time.Sleep(time.Second)
				}
				if got := s.events(); len(got) > 0 {
					t.Errorf("before two minutes have passed: %v", got)
				}
				time.Sleep(time.Second)
				s.run()
				want := []flow.What{flow.Undelivered{Outage: "chat-1", Message: "chat-1/deadline/5/0/owner", Place: place(), Rings: true, Late: true}}
				if diff := cmp.Diff(want, s.events()); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
				clear(s.answer)
				time.Sleep(time.Hour)
				s.wantSent("a text")
			})
		})
	}
}

// A reminder that stands there already is shown as it is now, however late: what people see ends true.
func TestOutboxSendsALateEditOfAReminder(t *testing.T) {
	inBubble(t, func(s *sending) {
		ring := func(title string) {
			s.put(flow.Post{Message: "chat-1/q1", Card: card.Card{Title: title}, Place: place(), Rings: true})
		}
		ring("works again?")
		s.wantSent("chat-1/q1 works again?")
		s.answer["works now?"] = handlers.Later{After: 10 * time.Minute}
		ring("works now?")
		s.wantSent("chat-1/q1 works now? edits ref-chat-1/q1")
		time.Sleep(3 * time.Minute)
		s.wantSent()
		clear(s.answer)
		time.Sleep(7 * time.Minute)
		s.wantSent("chat-1/q1 works now? edits ref-chat-1/q1")
		if got := s.events(); len(got) > 0 {
			t.Errorf("its outage was told %v", got)
		}
		s.wantEmpty()
	})
}

// The end of a message that was never sent is nothing to send.
func TestOutboxClosesOnlyWhatWasOpened(t *testing.T) {
	inBubble(t, func(s *sending) {
		ask := func(m string) { s.put(flow.Post{Message: m, Card: card.Card{Title: "works again?"}, Place: place()}) }
		closes := func(m string) {
			s.put(flow.Post{Message: m, Card: card.Card{Title: "answered"}, Place: place(), Closes: true})
		}
		ask("q1")
		closes("q1")
		ask("q2")
		s.wantSent("q2 works again?")
		closes("q2")
		s.wantSent("q2 answered edits ref-q2")
		s.wantEmpty()
	})
}

// What waited for more than five minutes comes in the order that people need: how things are now, what happened
// meanwhile, the rest.
func TestOutboxAfterALongWait(t *testing.T) {
	inBubble(t, func(s *sending) {
		for i, m := range []string{"chat-1/note", "home:chat-1", "chat-1/away/5"} {
			s.post(m, fmt.Sprint(i), place())
			s.answer[fmt.Sprint(i)] = handlers.Later{After: 6 * time.Minute}
		}
		s.run()
		clear(s.answer)
		time.Sleep(6 * time.Minute)
		s.wantSent("home:chat-1 1", "chat-1/away/5 2", "chat-1/note 0")
		s.wantEmpty()
	})
}

func TestWaiting(t *testing.T) {
	inBubble(t, func(s *sending) {
		began := time.Now()
		s.post("a", "first", place())
		time.Sleep(time.Minute)
		s.post("b", "second", flow.Place{Platform: "chat", Channel: "C2"})
		s.post("c", "third", flow.Place{Platform: "telex", Channel: "T1"})
		got, err := s.kept.Waiting(s.t.Context())
		want := map[string]flow.Queue{"chat": {Cards: 2, Oldest: began}, "telex": {Cards: 1, Oldest: began.Add(time.Minute)}}
		if diff := cmp.Diff(want, got, cmpopts.EquateApproxTime(0)); diff != "" || err != nil {
			s.t.Errorf("Waiting (-want +got), %v:\n%s", err, diff)
		}
		s.run()
		if got, err := s.kept.Waiting(s.t.Context()); len(got) > 0 || err != nil {
			s.t.Errorf("Waiting = %v, %v, want nothing", got, err)
		}
	})
}

// Where nobody knows whether it arrived, everything is kept in order and sent again after a few seconds.
func TestOutboxTriesAgain(t *testing.T) {
	inBubble(t, func(s *sending) {
		s.post("a", "first", place())
		s.post("b", "second", place())
		s.answer["first"] = errCut
		s.wantSent("a first")
		s.wantSent() // not at once
		time.Sleep(5 * time.Second)
		s.wantSent("a first")
		delete(s.answer, "first")
		time.Sleep(5 * time.Second)
		s.wantSent() // more seldom each time
		time.Sleep(5 * time.Second)
		s.wantSent("a first", "b second")
		s.wantEmpty()
	})
}

// A card that nobody can read is not sent, and holds up nothing.
func TestOutboxPassesOverWhatItCannotRead(t *testing.T) {
	inBubble(t, func(s *sending) {
		key := "out:" + place().Lane() + "\na"
		if _, err := s.kept.Store.Commit(s.t.Context(), store.Commit{Checks: []store.Check{{Key: key}}, Puts: []store.Put{{Key: key, Data: []byte("{")}}}); err != nil {
			s.t.Fatal(err)
		}
		s.post("b", "somebody", place())
		s.wantSent("b somebody")
	})
}

// What waits for a platform that this program does not serve (any more) would wait for ever; its outage is told.
func TestOutboxDropsWhatNoPlatformCanSend(t *testing.T) {
	inBubble(t, func(s *sending) {
		telex := flow.Place{Platform: "telex", Channel: "T1"}
		s.post("chat-1/deadline", "nobody", telex)
		s.post("b", "somebody", place())
		s.wantSent("b somebody")
		if left, err := s.kept.Lane(s.t.Context(), "telex/T1", nil); len(left) != 0 || err != nil {
			s.t.Errorf("Lane = %v, %v, want nothing: it would wait for ever", left, err)
		}
		want := []flow.What{flow.Undelivered{Outage: "chat-1", Message: "chat-1/deadline", Place: telex, Why: "no such chat platform is set up any more"}}
		if diff := cmp.Diff(want, s.events()); diff != "" {
			s.t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// What is posted while the lane is being sent is sent too: at once or at the next step, and never lost.
func TestOutboxLosesNothingThatComesMeanwhile(t *testing.T) {
	for name, answer := range map[string]error{"sent": nil, "later": handlers.Later{After: time.Minute}, "gone": handlers.ErrGone, "unknown": errCut} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(s *sending) {
				s.answer["first"] = answer
				s.during = func(title string) {
					if title == "first" {
						s.post("b", "second", place())
						s.post("a", "first, changed", place())
						s.during = nil
					}
				}
				s.post("a", "first", place())
				s.run()
				delete(s.answer, "first")
				all := s.got
				for range 3 {
					time.Sleep(time.Minute)
					all = append(all, s.run()...)
				}
				var last, second int
				for i, line := range all {
					switch line {
					case "a first, changed", "a first, changed edits ref-a":
						last = i + 1
					case "b second":
						second = i + 1
					}
				}
				if last == 0 || second == 0 || len(all) > 3 {
					s.t.Errorf("sent %q, want the first, its change, and the second, each once", all)
				}
				s.wantEmpty()
			})
		})
	}
}

// dying is a store whose commits end: the process stops between the platform's answer and the note of it.
type dying struct {
	store.Store
	after int // commits
}

func (d *dying) Commit(ctx context.Context, c store.Commit) (uint64, error) {
	if d.after--; d.after < 0 {
		return 0, errCut
	}
	return d.Store.Commit(ctx, c)
}

// Killed after a send and before it was noted, the outbox sends again: a card twice is better than none.
func TestOutboxAfterACrash(t *testing.T) {
	inBubble(t, func(s *sending) {
		s.post("a", "first", place())
		s.post("b", "second", place())
		dead := store.Flow{Store: &dying{Store: s.kept.Store, after: 2}} // it takes the lane, and notes the first
		claims, err := dead.Claim(s.t.Context(), 30*time.Second, 1)
		if err != nil || len(claims) != 1 {
			s.t.Fatalf("Claim = %v, %v", claims, err)
		}
		if _, err := handlers.NewOutbox(dead, map[string]handlers.Sender{"chat": s}).Run(s.t.Context(), claims[0]); err == nil {
			s.t.Error("Run over a dead store gave no error")
		}
		if diff := cmp.Diff([]string{"a first", "b second"}, s.got); diff != "" {
			s.t.Fatalf("sent before the crash (-want +got):\n%s", diff)
		}
		s.wantSent() // the claim of the dead process still holds
		time.Sleep(30 * time.Second)
		s.wantSent("b second")
		s.wantEmpty()
	})
}
