package store_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"switchback/bot/config"
	"switchback/store"
	"switchback/store/storetest"
)

// 25 hours and then a week of the real scripts on the real server, whose clock the test sets: three processes ask all
// the time what is due. A timer in 14 hours is handed out once, and not early; work whose owner died comes back when its
// lease has run out; work that is extended stays where it is; and an event that was taken in is known for seven days.
// The long run asks every 5 seconds, the gate every minute.
func TestDaysOnRedis(t *testing.T) {
	every := time.Minute
	if os.Getenv("PROOF") != "" {
		every = 5 * time.Second
	}
	url, set := storetest.RedisWithClock(t)
	start := time.Date(2000, time.April, 1, 12, 0, 0, 0, time.UTC)
	set(start)
	var all []*store.Redis
	for range 3 {
		s, err := store.OpenRedis(t.Context(), store.RedisConfig{URL: config.Secret(url), Prefix: "days"})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		all = append(all, s)
	}
	const lease = 30 * time.Second
	due := start.Add(14 * time.Hour)
	event := store.Commit{
		Op: "press:1", Nonce: store.NewNonce(),
		Timers: []store.Timer{{ID: "later", At: due}, {ID: "orphan", At: start}, {ID: "kept", At: start}},
	}
	if _, err := all[0].Commit(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	given := map[string][]time.Time{}
	var kept *store.Lease
	for at := start; at.Before(start.Add(25 * time.Hour)); at = at.Add(every) {
		set(at)
		for i, s := range all {
			claims, err := s.Claim(t.Context(), max(lease, every+time.Second), 8)
			if err != nil {
				t.Fatalf("%v: %v", at, err)
			}
			for _, c := range claims {
				given[c.ID] = append(given[c.ID], at)
				l := &store.Lease{Timer: c.ID, Token: c.Token}
				switch c.ID {
				case "later":
					if _, err := s.Commit(t.Context(), store.Commit{Lease: l, Timers: []store.Timer{{ID: c.ID}}}); err != nil {
						t.Errorf("process %d at %v: %v", i, at, err)
					}
				case "kept":
					kept = l
				}
			}
		}
		if kept != nil {
			kept.Extend = max(lease, every+time.Second)
			if _, err := all[0].Commit(t.Context(), store.Commit{Lease: kept}); err != nil {
				t.Fatalf("extend at %v: %v", at, err)
			}
		}
	}
	if got := given["later"]; len(got) != 1 || got[0].Before(due) || got[0].Sub(due) > every {
		t.Errorf("due at %v, and given at %v; want once", due, got)
	}
	if got := len(given["kept"]); got != 1 {
		t.Errorf("what was extended all the time was given %d times, want 1", got)
	}
	orphan := given["orphan"]
	for i := 1; i < len(orphan); i++ {
		if d := orphan[i].Sub(orphan[i-1]); d < lease {
			t.Errorf("an orphan was given twice within %v", d)
			break
		}
	}
	if want := int(25 * time.Hour / (2 * max(lease, every))); len(orphan) < want {
		t.Errorf("an orphan came back %d times, want at least %d", len(orphan), want)
	}
	t.Logf("25 h on Redis, asked every %v by 3: an orphan came back %d times", every, len(orphan))
	again := event
	again.Nonce, again.Timers = store.NewNonce(), nil
	for _, tt := range []struct {
		after time.Duration
		want  error
	}{{7*24*time.Hour - time.Second, store.ErrReplayed}, {7*24*time.Hour + time.Second, nil}} {
		set(start.Add(tt.after))
		if _, err := all[1].Commit(t.Context(), again); !errors.Is(err, tt.want) {
			t.Errorf("the same event %v later = %v, want %v", tt.after, err, tt.want)
		}
	}
}
