package flow_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/bot/tree"
	"switchback/handlers"
	"switchback/store"
)

// lossy is a store that somebody answers for.
type lossy struct{ store.Store }

func (l lossy) Health(ctx context.Context) (store.Health, error) {
	h, err := l.Store.Health(ctx)
	h.Answered = []string{"redis keeps no append-only file"}
	return h, err
}

// deaf is a chat platform that takes no copies as long as it is deaf.
type deaf struct {
	*screen
	deaf *bool
}

func (d deaf) Send(ctx context.Context, p flow.Post, to handlers.Target) (string, error) {
	if p.Card.Keep && *d.deaf {
		return "", errors.New("no answer")
	}
	return d.screen.Send(ctx, p, to)
}

// Contract 1 and 7, where the operator answers for a store that may lose what it acknowledged: each confirm card says so,
// and the bot sets nothing before the copy of the values from before has arrived. Putting back waits for nothing.
func TestACopyArrivesBeforeAnythingIsSet(t *testing.T) {
	in(t, func(n *night) {
		no := true
		kept := store.Flow{Store: lossy{n.file}}
		n.service = flow.New(flow.Config{Store: kept, Policy: policy(), Playbook: tree.Builtin(), Tree: builtin(n.t), Platforms: change.Platforms{"shop": n.shop}})
		n.worker = &handlers.Worker{Timers: kept, Service: n.service, Outbox: handlers.NewOutbox(kept, map[string]handlers.Sender{"terminal": deaf{n.screen, &no}})}
		steps := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
				if _, err := n.worker.Step(n.t.Context()); err != nil {
					n.t.Fatal(err)
				}
				n.service.Wait()
			}
		}
		press := func(label string) {
			nth++
			e := n.event("careful"+strings.Repeat("i", nth), "ana", flow.Press{Action: n.button(label)})
			if _, err := n.service.Accept(n.t.Context(), e); err != nil {
				n.t.Fatal(err)
			}
			n.service.Wait()
		}
		n.types("ana", "chat late")
		n.shows("Careful: what I remember may get lost (redis keeps no append-only file)")
		press("Close")
		steps(2 * time.Minute)
		n.wants(0)
		n.shows("Nothing is set yet: the copy of the values from before has not arrived")
		no = false
		steps(time.Minute)
		n.wants(3)
		no = true // and nobody asks for a copy on the way back
		press("Restore…")
		steps(10 * time.Second)
		press("Put everything back")
		steps(10 * time.Second)
		n.wants(6)
	})
}

// Given up before the copy arrived, nothing is ever set.
func TestACopyThatNeverArrivesSetsNothing(t *testing.T) {
	in(t, func(n *night) {
		no := true
		kept := store.Flow{Store: lossy{n.file}}
		n.service = flow.New(flow.Config{Store: kept, Policy: policy(), Playbook: tree.Builtin(), Tree: builtin(n.t), Platforms: change.Platforms{"shop": n.shop}})
		n.worker = &handlers.Worker{Timers: kept, Service: n.service, Outbox: handlers.NewOutbox(kept, map[string]handlers.Sender{"terminal": deaf{n.screen, &no}})}
		n.types("ana", "chat late")
		play := func(a flow.Action) {
			nth++
			if _, err := n.service.Accept(n.t.Context(), n.event("never"+strings.Repeat("i", nth), "ana", flow.Press{Action: a})); err != nil {
				n.t.Fatal(err)
			}
			for range 20 {
				n.service.Wait()
				if _, err := n.worker.Step(n.t.Context()); err != nil {
					n.t.Fatal(err)
				}
				time.Sleep(time.Second)
			}
		}
		play(n.button("Close"))
		begun, err := kept.Open(n.t.Context())
		if err != nil || len(begun) != 1 {
			n.t.Fatalf("%d outages are open (%v), want one", len(begun), err)
		}
		o, r, err := kept.Outage(n.t.Context(), begun[0].ID)
		if err != nil {
			n.t.Fatal(err)
		}
		play(flow.PutBack(o.Value, r.Value, time.Now())) // the list to press on waits behind the copy
		n.wants(0)
		no = false
		n.later(time.Minute)
		n.wants(0)
		open, err := kept.Open(n.t.Context())
		if err != nil || len(open) != 0 {
			n.t.Errorf("%d outages are open (%v), want none", len(open), err)
		}
	})
}
