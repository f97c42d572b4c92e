package store_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"

	"switchback/bot/change"
	"switchback/handlers/flags"
	"switchback/store"
)

// Pages go on being answered while Redis is killed with -9, hangs, and is back: from memory, and with a word of it in the
// health. What one bot sets, the other answers.
func TestRedisFlagsAway(t *testing.T) {
	s := startServer(t)
	apps := []flags.Target{{Kind: flags.Chat, ID: "web-shop", Origins: []string{"*"}}}
	var bots []*flags.Endpoints
	var kept []*store.Flags
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	t.Cleanup(stop)
	for range 2 {
		f := store.NewFlags(openRedis(t, store.RedisConfig{URL: s.url()}))
		e, err := flags.NewEndpoints(flags.Config{Targets: apps, Store: f})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
		running.Go(func() { e.Run(ctx) })
		bots, kept = append(bots, e), append(kept, f)
	}
	closed := func(e *flags.Endpoints) bool {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/flags/chat/web-shop", nil))
		return strings.HasPrefix(w.Body.String(), `{"open":false`)
	}
	write := func(by int, want, was string) {
		t.Helper()
		p := flags.New(apps, kept[by])
		if err := p.Write(ctx, shop, change.Value{Raw: []byte(want)}, change.Value{Raw: []byte(was)}); err != nil {
			t.Fatalf("Write %s: %v", want, err)
		}
	}
	well := func(e *flags.Endpoints) func() bool { return func() bool { return e.Health().Err == nil } }
	ill := func(e *flags.Endpoints) func() bool { return func() bool { return e.Health().Err != nil } }

	write(0, "closed", "open")
	for _, e := range bots {
		eventually(t, "chat to be closed", func() bool { return closed(e) })
	}
	s.Kill()
	for _, e := range bots {
		eventually(t, "the health to say that Redis is away", ill(e))
		if !closed(e) {
			t.Error("with Redis away chat is open again at once")
		}
	}
	s.Start(t)
	for _, e := range bots {
		eventually(t, "the health to say that Redis is back", well(e))
	}
	s.Signal(t, syscall.SIGSTOP)
	for _, e := range bots {
		eventually(t, "the health to say that Redis hangs", ill(e))
		if !closed(e) {
			t.Error("with Redis hanging chat is open again at once")
		}
	}
	s.Signal(t, syscall.SIGCONT)
	for _, e := range bots {
		eventually(t, "Redis to go on", well(e))
	}
	write(1, "open", "closed")
	for _, e := range bots {
		eventually(t, "chat to be open", func() bool { return !closed(e) })
	}
}
