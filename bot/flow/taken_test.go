package flow_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/bot/tree"
	"switchback/handlers"
	"switchback/store"
)

// away is a store that does not answer as long as gone says so.
type away struct {
	store.Store
	gone *bool
}

var errAway = errors.New("no answer")

func (a away) Commit(ctx context.Context, c store.Commit) (uint64, error) {
	if *a.gone {
		return 0, errAway
	}
	return a.Store.Commit(ctx, c)
}

// R61: whoever got the way by hand while the store was away is offered, once it is back, to have it taken over.
func TestTheStoreIsBack(t *testing.T) {
	in(t, func(n *night) {
		gone := true
		kept := store.Flow{Store: away{n.file, &gone}}
		n.service = flow.New(flow.Config{Store: kept, Policy: policy(), Playbook: tree.Builtin(), Tree: builtin(n.t), Platforms: change.Platforms{"shop": byHand{n.shop}}})
		n.worker = &handlers.Worker{Timers: kept, Service: n.service, Outbox: handlers.NewOutbox(kept, map[string]handlers.Sender{"terminal": n.screen})}
		for _, who := range []string{"ana", "ana", "mallory"} {
			e := n.event("typed", who, flow.Command{Words: []string{"chat", "late"}})
			if _, err := n.service.Accept(n.t.Context(), e); !errors.Is(err, errAway) {
				n.t.Fatalf("Accept = %v, want that the store is away", err)
			}
			if c := n.service.Offline(n.t.Context(), e); strings.Contains(strings.Join(c.Text, "\n"), "It is done already") == (who == "mallory") {
				n.t.Errorf("the way by hand does not say what comes after it: %q", c.Text)
			}
		}
		n.later(0)
		if len(n.screen.cards) != 0 {
			n.t.Errorf("shown while the store was away: %q", titles(n.screen.cards))
		}
		gone = false
		n.later(0)
		n.shows("I can remember for you again")
		if len(n.screen.cards) != 1 {
			n.t.Errorf("shown: %q, want one card, to @ana", titles(n.screen.cards))
		}
		n.presses("ana", n.button("Show me where it stands"), nil)
		a := n.button("It is done already")
		a.Verb = "done-send"
		n.presses("ana", a, map[string]string{"which": "one\ntwo", "shop/one/hours": "08:00-20:00", "shop/one/message": "Hello! <b>&"})
		n.wants(0)
		open, err := kept.Open(n.t.Context())
		if err != nil || len(open) != 1 {
			n.t.Fatalf("%d outages are open (%v), want 1", len(open), err)
		}
		_, r, err := kept.Outage(n.t.Context(), open[0].ID)
		if err != nil {
			n.t.Fatal(err)
		}
		for k, want := range map[change.Key]string{
			"shop/one/hours": "set: 08:00-20:00, says @ana", "shop/one/message": "set: Hello! <b>&, says @ana", "shop/two/hours": "adopted",
		} {
			st, _ := r.Value.Step(k)
			got := string(st.State)
			if st.Before != nil {
				got += ": " + st.Before.Value.Text + ", says " + st.Before.By
			}
			if got != want {
				n.t.Errorf("%s is %s, want %s", k, got, want)
			}
		}
	})
}
