package flags_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"switchback/bot/change"
	"switchback/handlers/flags"
)

// moody is a store that can be away, slow, and unable to understand one flag.
type moody struct {
	flags.Store
	away, hangs atomic.Bool
	odd         atomic.Value // change.Key
	calls       atomic.Int64
}

func (m *moody) All(ctx context.Context, keys []change.Key) (map[change.Key]string, error) {
	m.calls.Add(1)
	if m.hangs.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if m.away.Load() {
		return nil, errors.New("connection refused")
	}
	all, err := m.Store.All(ctx, keys)
	if k, ok := m.odd.Load().(change.Key); ok {
		delete(all, k)
	}
	return all, err
}

// night is a bot whose endpoints run, in a synctest bubble: requests go straight to the handler.
type night struct {
	*flags.Endpoints
	t     *testing.T
	store *moody
	log   *log
	begin time.Time
}

func begin(t *testing.T, c flags.Config) *night {
	t.Helper()
	s, _ := openStore(t, t.TempDir())
	n := &night{t: t, store: &moody{Store: s}, log: &log{}, begin: time.Now()}
	c.Targets, c.Store, c.Secret = targets(), n.store, secret
	n.Endpoints = endpoints(t, c)
	return n
}

// run runs the endpoints, and returns what ends them.
func (n *night) run() func() {
	ctx, stop := context.WithCancel(zerolog.New(n.log).WithContext(n.t.Context()))
	ended := make(chan struct{})
	go func() {
		n.Run(ctx)
		close(ended)
	}()
	synctest.Wait()
	return func() {
		stop()
		<-ended
	}
}

func (n *night) close() {
	n.t.Helper()
	p := flags.New(targets(), n.store.Store)
	write(n.t, p, shop, closed, open)
	write(n.t, p, orders, voicemail, normal)
}

// meet is what a visitor and a caller meet.
func (n *night) meet(visitor, caller string) {
	n.t.Helper()
	get := func(path string) string {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Origin", shopOrigin)
		r.SetBasicAuth("ivr", "right:horse")
		w := httptest.NewRecorder()
		n.ServeHTTP(w, r)
		_, body, _ := strings.Cut(w.Body.String(), ":")
		word, _, _ := strings.Cut(body, ",")
		return http.StatusText(w.Code) + " " + word
	}
	got := []string{get("/flags/chat/web-shop"), get("/flags/voice?number=+16505550101")}
	if diff := cmp.Diff([]string{visitor, caller}, got); diff != "" {
		n.t.Errorf("after %s visitor and caller meet (-want +got):\n%s", time.Since(n.begin), diff)
	}
}

const (
	chatOpen, usualMenu    = "OK true", `OK "normal"`
	chatClosed, toMessages = "OK false", `OK "voicemail"`
	noChat, noVoice        = "Service Unavailable true", `Service Unavailable "normal"`
)

// A change is answered within two seconds by every replica, and no request asks the store.
func TestAnswersFromMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := begin(t, flags.Config{})
		n.meet(noChat, noVoice) // not read yet: let through
		defer n.run()()
		n.meet(chatOpen, usualMenu)
		n.close()
		time.Sleep(1500 * time.Millisecond) // and between two readings from here on
		reads := n.store.calls.Load()
		for range 100 {
			n.meet(chatClosed, toMessages)
		}
		if got := n.store.calls.Load(); got != reads {
			t.Errorf("200 questions cost %d readings of the store", got-reads)
		}
		time.Sleep(time.Minute)
		if got := n.store.calls.Load() - reads; got != 60 {
			t.Errorf("%d readings in a minute, want one a second", got)
		}
		if h := n.Health(); h.Err != nil || h.LetThrough || time.Since(h.Read) > time.Second {
			t.Errorf("Health = %+v", h)
		}
	})
}

// The store goes away with chat closed: what was last known is answered for ten minutes, then customers are let through;
// the operators are told in a line a minute.
func TestStoreAwayEndsInOpen(t *testing.T) {
	for how, away := range map[string]func(*moody) *atomic.Bool{
		"away": func(m *moody) *atomic.Bool { return &m.away },
		"hung": func(m *moody) *atomic.Bool { return &m.hangs },
	} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := begin(t, flags.Config{})
				n.close()
				defer n.run()()
				time.Sleep(10 * time.Second)
				away(n.store).Store(true)
				time.Sleep(9*time.Minute + 30*time.Second)
				n.meet(chatClosed, toMessages)
				if h := n.Health(); h.Err == nil || h.LetThrough || time.Until(h.Until) > 30*time.Second {
					t.Errorf("while the last state counts, Health = %+v", h)
				}
				time.Sleep(time.Minute)
				n.meet(noChat, noVoice)
				if h := n.Health(); h.Err == nil || !h.LetThrough {
					t.Errorf("after it, Health = %+v", h)
				}
				time.Sleep(4*time.Minute + 15*time.Second)
				lines := strings.Split(strings.TrimSpace(n.log.String()), "\n")
				if got := len(lines); got != 15 {
					t.Errorf("%d lines in a quarter of an hour, want one a minute:\n%s", got, n.log)
				}
				for i, want := range map[int]string{0: "what was last known until then", 14: "customers are let through"} {
					if i < len(lines) && !strings.Contains(lines[i], want) {
						t.Errorf("line %d says %s, want %s", i, lines[i], want)
					}
				}
				away(n.store).Store(false)
				time.Sleep(4 * time.Second)
				n.meet(chatClosed, toMessages)
				if h := n.Health(); h.Err != nil || h.LetThrough {
					t.Errorf("when it is back, Health = %+v", h)
				}
				if !strings.Contains(n.log.String(), "can be read again") {
					t.Errorf("nothing says that it is over:\n%s", n.log)
				}
				counts := map[string]uint64{}
				n.Counts(func(name, _ string, n uint64) { counts[name] = n })
				for name, want := range map[string]uint64{"flags_let_through_total": 2, "flags_answered_old_total": 2, "flags_chat_answered_total": 2, "flags_voice_answered_total": 2} {
					if counts[name] != want {
						t.Errorf("%s = %d, want %d", name, counts[name], want)
					}
				}
			})
		})
	}
}

// Two replicas, one of them cut off from the store: it says so, and answers what was true when it last read, then open.
func TestReplicaBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := begin(t, flags.Config{Keep: time.Minute})
		n.close()
		defer n.run()()
		other := begin(t, flags.Config{})
		other.store.Store = n.store.Store
		defer other.run()()
		n.store.away.Store(true)
		p := flags.New(targets(), other.store.Store)
		write(t, p, shop, open, closed)
		time.Sleep(30 * time.Second)
		n.meet(chatClosed, toMessages)
		other.meet(chatOpen, toMessages)
		if n.Health().Err == nil {
			t.Error("the replica behind says that all is well")
		}
		time.Sleep(31 * time.Second)
		n.meet(noChat, noVoice)
	})
}

// A flag that a newer version wrote is not understood: customers of that target are let through, after a while, and
// those of the others are not.
func TestOddFlagIsNotGuessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := begin(t, flags.Config{Keep: time.Minute})
		n.close()
		defer n.run()()
		n.store.odd.Store(shop)
		time.Sleep(30 * time.Second)
		n.meet(chatClosed, toMessages)
		time.Sleep(31 * time.Second)
		n.meet(noChat, toMessages)
		if h := n.Health(); h.Err == nil || !strings.Contains(h.Err.Error(), string(shop)) || !h.LetThrough {
			t.Errorf("Health = %+v, want an error that names %s", h, shop)
		}
	})
}

// Asking costs nothing but memory: the store hears of it once a second.
func TestAskedIsToldOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := begin(t, flags.Config{})
		stop := n.run()
		total := func() int {
			_, _, total, err := n.store.Asked(t.Context(), shop)
			if err != nil {
				t.Fatal(err)
			}
			return total
		}
		for range 100 {
			n.meet(chatOpen, usualMenu)
		}
		if got := total(); got != 0 {
			t.Errorf("%d told at once", got)
		}
		time.Sleep(time.Second + time.Millisecond)
		if got := total(); got != 100 {
			t.Errorf("%d told after a second, want 100", got)
		}
		n.meet(chatOpen, usualMenu)
		stop()
		if got := total(); got != 101 {
			t.Errorf("%d told at the end, want 101", got)
		}
	})
}
