package store_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/store"
)

// What is at hand for one decision is what the store held at that moment; everything else is as it is now, and a commit
// finds out what has changed.
func TestNear(t *testing.T) {
	s := startServer(t)
	r := openRedis(t, store.RedisConfig{URL: s.url()})
	ctx := t.Context()
	kept := store.Flow{Store: r}
	outage := func(id string) flow.Doc[flow.Outage] { return flow.Doc[flow.Outage]{Value: flow.Outage{ID: id}} }
	for _, id := range []string{"a", "b"} {
		o, rec := outage(id), flow.Doc[change.Record]{Value: change.Record{Outage: id}}
		if err := kept.Save(ctx, flow.Save{Outage: &o, Record: &rec}); err != nil {
			t.Fatal(err)
		}
	}
	ids := func(open []flow.Outage, err error) []string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, o := range open {
			out = append(out, o.ID)
		}
		return out
	}
	s.do(t, "script", "flush") // a server that was started anew knows no scripts
	for range 2 {
		near, open, err := kept.Near(ctx, flow.Ahead{Outage: "a", Walk: "none"}, []string{"b", "long-gone"})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"a", "b"}, open); diff != "" {
			t.Errorf("open (-want +got):\n%s", diff)
		}
		seen, rec, err := near.Outage(ctx, "a")
		if err != nil || seen.Version == 0 || rec.Version == 0 {
			t.Fatalf("Outage at hand = %+v, %+v, %v", seen, rec, err)
		}
		now, _, err := kept.Outage(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		now.Value.Rung++
		if err := kept.Save(ctx, flow.Save{Outage: &now}); err != nil { // somebody else
			t.Fatal(err)
		}
		if err := near.Save(ctx, flow.Save{Outage: &seen}); !errors.Is(err, flow.ErrConflict) {
			t.Errorf("Save of what has changed since = %v, want a conflict", err)
		}
		if diff := cmp.Diff([]string{"a", "b"}, ids(near.Open(ctx))); diff != "" {
			t.Errorf("Open at hand (-want +got):\n%s", diff)
		}
		if ok, why := near.Healthy(ctx); !ok {
			t.Errorf("Healthy = %s", why)
		}
		if w, err := near.Work(ctx, "none"); err != nil || w.Version != 0 {
			t.Errorf("what is not at hand = %+v, %v", w, err)
		}
	}
	s.do(t, "flushall")
	if _, _, err := kept.Near(ctx, flow.Ahead{Outage: "a"}, nil); !errors.Is(err, store.ErrStateLost) {
		t.Errorf("Near of an emptied store = %v, want ErrStateLost", err)
	}
}
