package flow_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"switchback/bot/config"
	"switchback/store"
	"switchback/store/storetest"
)

// outside is where a history's store is: a real server, whose clock goes with the history's. Its client runs outside of
// the bubble in which the history has its time, so that the bubble waits for answers as long as they take.
type outside struct {
	url   config.Secret
	set   func(time.Time)
	calls chan func()
	done  chan chan struct{}
}

// newOutside starts a server that dies with the test.
func newOutside(t *testing.T) *outside {
	t.Helper()
	url, set := storetest.RedisWithClock(t)
	o := &outside{url: config.Secret(url), set: set, calls: make(chan func()), done: make(chan chan struct{}, 8)}
	for range cap(o.done) {
		o.done <- make(chan struct{})
		go func() {
			for f := range o.calls {
				f()
			}
		}()
	}
	t.Cleanup(func() { close(o.calls) })
	return o
}

// do calls f at the history's time.
func (o *outside) do(f func()) {
	now, done := time.Now(), <-o.done
	o.calls <- func() {
		o.set(now)
		f()
		done <- struct{}{}
	}
	<-done
	o.done <- done
}

// far is a store there. What ends the bubble's contexts does not reach it.
type far struct {
	*store.Redis
	at *outside
}

func (s far) Get(_ context.Context, keys ...string) (docs []store.Doc, err error) {
	s.at.do(func() { docs, err = s.Redis.Get(context.Background(), keys...) })
	return docs, err
}

func (s far) List(_ context.Context, prefix string) (names []string, err error) {
	s.at.do(func() { names, err = s.Redis.List(context.Background(), prefix) })
	return names, err
}

func (s far) Commit(_ context.Context, c store.Commit) (n uint64, err error) {
	s.at.do(func() { n, err = s.Redis.Commit(context.Background(), c) })
	return n, err
}

func (s far) Claim(_ context.Context, d time.Duration, n int) (claims []store.Claim, err error) {
	s.at.do(func() { claims, err = s.Redis.Claim(context.Background(), d, n) })
	return claims, err
}

func (s far) Audit(_ context.Context, after uint64, n int) (entries []store.Logged, err error) {
	s.at.do(func() { entries, err = s.Redis.Audit(context.Background(), after, n) })
	return entries, err
}

func (s far) Health(context.Context) (h store.Health, err error) {
	s.at.do(func() { h, err = s.Redis.Health(context.Background()) })
	return h, err
}

func (s far) Glance(_ context.Context, keys []string, prefix string, guess []string) (g store.Glance, err error) {
	s.at.do(func() { g, err = s.Redis.Glance(context.Background(), keys, prefix, guess) })
	return g, err
}

func (s far) Close() (err error) {
	s.at.do(func() { err = s.Redis.Close() })
	return err
}

// The same on a real Redis.
func TestRandomHistoriesOnRedis(t *testing.T) {
	free := make(chan *outside, 2)
	for range cap(free) {
		free <- newOutside(t)
	}
	check(t, 10, 2000, func(t *testing.T, h history) []string {
		t.Helper()
		o := <-free
		defer func() { free <- o }()
		prefix := fmt.Sprintf("h%d", time.Now().UnixNano())
		return h.play(t, noBug, func() store.Store {
			s := far{at: o}
			var err error
			o.do(func() {
				s.Redis, err = store.OpenRedis(context.Background(), store.RedisConfig{URL: o.url, Prefix: prefix})
			})
			if err != nil {
				t.Fatal(err)
			}
			return s
		})
	})
}
