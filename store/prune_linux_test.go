package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/config"
	"switchback/store"
	"switchback/store/storetest"
)

// alone is what a command needs that works on a store without the bot.
type alone interface {
	store.Store
	Prune(ctx context.Context, docs []store.Check, logs []string, said store.Entry) (int, error)
	Take(ctx context.Context, timer string, life time.Duration) (store.Claim, bool, error)
}

// alones opens each store that such a command may have; it may be opened again.
func alones(t *testing.T) map[string]func(t *testing.T) alone {
	t.Helper()
	dir, url := t.TempDir(), storetest.Redis(t)
	return map[string]func(t *testing.T) alone{
		"file": func(t *testing.T) alone {
			t.Helper()
			f, err := store.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = f.Close() })
			return f
		},
		"redis": func(t *testing.T) alone {
			t.Helper()
			return openRedis(t, store.RedisConfig{URL: config.Secret(url)})
		},
	}
}

func logNames(t *testing.T, s store.Store) []string {
	t.Helper()
	all, err := s.Audit(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range all {
		out = append(out, e.Log+" "+string(e.Data))
	}
	return out
}

func TestPrune(t *testing.T) {
	for name, open := range alones(t) {
		t.Run(name, func(t *testing.T) {
			f := open(t)
			ctx := t.Context()
			for _, key := range []string{"old", "older", "kept"} {
				c := store.Commit{
					Checks: []store.Check{{Key: key}}, Puts: []store.Put{{Key: key, Data: []byte("x")}},
					Audit: []store.Entry{{Log: "log:" + key, Data: []byte("1")}, {Log: "log:" + key, Data: []byte("2")}},
				}
				if _, err := f.Commit(ctx, c); err != nil {
					t.Fatal(err)
				}
			}
			docs, err := f.Get(ctx, "old", "older")
			if err != nil {
				t.Fatal(err)
			}
			checks := []store.Check{{Key: "old", Version: docs[0].Version}, {Key: "older", Version: docs[1].Version + 1}}
			said := store.Entry{Log: "prune", Data: []byte("gone")}
			all := []string{"log:old 1", "log:old 2", "log:older 1", "log:older 2", "log:kept 1", "log:kept 2"}

			if n, err := f.Prune(ctx, checks, []string{"log:old", "log:older"}, said); n != 0 || !errors.Is(err, store.ErrConflict) {
				t.Errorf("Prune with a version from before = %d, %v; want ErrConflict", n, err)
			}
			if diff := cmp.Diff(all, logNames(t, f)); diff != "" {
				t.Errorf("the audit log after a conflict (-want +got):\n%s", diff)
			}
			if _, err := f.Prune(ctx, checks, nil, store.Entry{}); !errors.Is(err, store.ErrInvalid) {
				t.Errorf("Prune without a word about it = %v, want ErrInvalid", err)
			}
			checks[1].Version--
			if n, err := f.Prune(ctx, checks, []string{"log:old", "log:older", "log:none"}, said); n != 4 || err != nil {
				t.Fatalf("Prune = %d, %v; want 4 entries", n, err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			f = open(t)
			keys, err := f.List(ctx, "")
			if diff := cmp.Diff([]string{"kept"}, keys); err != nil || diff != "" {
				t.Errorf("documents after Prune: %v (-want +got):\n%s", err, diff)
			}
			if diff := cmp.Diff([]string{"log:kept 1", "log:kept 2", "prune gone"}, logNames(t, f)); diff != "" {
				t.Errorf("the audit log after Prune (-want +got):\n%s", diff)
			}
		})
	}
}

// More entries than fit into one page, and on Lua's stack.
func TestPruneOfALongLog(t *testing.T) {
	for name, open := range alones(t) {
		t.Run(name, func(t *testing.T) {
			f := open(t)
			const n = 10_500
			c := store.Commit{Audit: []store.Entry{{Log: "kept", Data: []byte("1")}}}
			for range n {
				c.Audit = append(c.Audit, store.Entry{Log: "old", Data: []byte("x")})
			}
			if _, err := f.Commit(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if got, err := f.Prune(t.Context(), nil, []string{"old"}, store.Entry{Log: "prune", Data: []byte("gone")}); got != n || err != nil {
				t.Errorf("Prune = %d, %v; want %d entries", got, err, n)
			}
			if diff := cmp.Diff([]string{"kept 1", "prune gone"}, logNames(t, f)); diff != "" {
				t.Errorf("the audit log after Prune (-want +got):\n%s", diff)
			}
		})
	}
}

// A command takes the work that it is for, under a lease like any other, and leaves the rest alone.
func TestTake(t *testing.T) {
	for name, open := range alones(t) {
		t.Run(name, func(t *testing.T) {
			f := open(t)
			ctx := t.Context()
			past := time.Now().Add(-time.Minute)
			timers := []store.Timer{{ID: "mine", At: past}, {ID: "other", At: past}, {ID: "later", At: time.Now().Add(time.Hour)}}
			if _, err := f.Commit(ctx, store.Commit{Timers: timers}); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"later", "none"} {
				if c, ok, err := f.Take(ctx, name, time.Hour); ok || err != nil {
					t.Errorf("Take %s = %+v, %v; want nothing", name, c, err)
				}
			}
			mine, ok, err := f.Take(ctx, "mine", time.Hour)
			if !ok || err != nil || mine.ID != "mine" {
				t.Fatalf("Take = %+v, %t, %v", mine, ok, err)
			}
			if c, ok, err := f.Take(ctx, "mine", time.Hour); ok || err != nil {
				t.Errorf("Take of what somebody has = %+v, %v; want nothing", c, err)
			}
			claims, err := f.Claim(ctx, time.Hour, 10)
			if err != nil || len(claims) != 1 || claims[0].ID != "other" {
				t.Errorf("Claim = %+v, %v; want the other one alone", claims, err)
			}
			for _, want := range []error{nil, store.ErrFenced} {
				c := store.Commit{Lease: &store.Lease{Timer: mine.ID, Token: mine.Token}, Timers: []store.Timer{{ID: mine.ID}}}
				if _, err := f.Commit(ctx, c); !errors.Is(err, want) {
					t.Errorf("Commit under the lease = %v, want %v", err, want)
				}
			}
		})
	}
}
