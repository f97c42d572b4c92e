package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/handlers/slack/slacktest"
	"switchback/store"
	"switchback/store/storetest"
)

// Redis is emptied under two bots, and the open outage is taken back by hand. Both end, so that whatever runs them starts
// them anew; a new one works with what is there, and shows the outage that was taken back.
func TestServeAfterRedisWasEmptied(t *testing.T) {
	t.Parallel()
	at := storetest.StartRedis(t).Addr
	url := "redis://" + at
	n := acmeInSlack(t, slacktest.Config{NoRateLimits: true})
	one, two := n.serve("REDIS_URL="+url), n.serve("REDIS_URL="+url)
	n.look(one.url)
	n.Within(time.Minute)
	n.ana.Types("#support", "/outage chat late")
	n.ana.Sees("Web shop", "open → closed").Press("Close Web shop now")
	n.support.Shows("Web shop", "Restore…").Thread().Shows("What was there before")
	st, err := environment{RedisURL: config.Secret(url)}.open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	open, err := store.Flow{Store: st}.Open(t.Context())
	if err != nil || len(open) != 1 {
		t.Fatalf("open: %v, %v; want one", open, err)
	}
	_, r, err := store.Flow{Store: st}.Outage(t.Context(), open[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	file := copyOf(t, open[0], r.Value)
	_ = st.Close()

	emptied(t, at)
	document := filepath.Join(t.TempDir(), "acme.yaml")
	if err := os.WriteFile(document, []byte(acme), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := bot(t, "import", "--live", "--config", document, file)
	cmd.Env = append(cmd.Env, "REDIS_URL="+url)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "A bot that knew the other one ends by itself: start it again.") {
		t.Fatalf("bot import: %v\n%s", err, out)
	}
	for _, p := range []*served{one, two} {
		select {
		case <-p.over:
			if p.err == nil {
				t.Error("it ended as if all were well")
			}
		case <-time.After(time.Minute):
			t.Fatal("it goes on, and hears nothing")
		}
	}
	n.look(n.serve("REDIS_URL=" + url).url)
	n.support.Shows("Web shop", "needs your answer: it shows open", "Restore…")
}

// While it has not ended yet, it says that it is not ready, and to whoever presses what the cause is, and nothing that is
// not so.
func TestReadyAndOfflineAfterRedisWasEmptied(t *testing.T) {
	t.Parallel()
	at := storetest.StartRedis(t).Addr
	st, err := environment{RedisURL: config.Secret("redis://" + at)}.open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	s := &server{store: st}
	service := flow.New(flow.Config{Store: store.Flow{Store: st}})
	e := flow.Event{ID: "press", At: time.Now(), By: flow.Person{Account: "slack:U0ANA", Member: true}, What: flow.Press{}}
	if _, err := st.Commit(t.Context(), store.Commit{Op: "first", Nonce: store.NewNonce()}); err != nil {
		t.Fatal(err)
	}
	if err := s.ready(t.Context()); err != nil {
		t.Errorf("ready before it was emptied: %v", err)
	}
	emptied(t, at)
	if err := s.ready(t.Context()); err == nil || !strings.Contains(err.Error(), "it is empty, and was") {
		t.Errorf("ready: %v; want the cause", err)
	}
	if _, err := service.Accept(t.Context(), e); !errors.Is(err, flow.ErrLost) {
		t.Errorf("Accept: %v; want ErrLost", err)
	}
	text := strings.Join(service.Offline(t.Context(), e).Text, "\n")
	if !strings.Contains(text, "My store has lost what it knew") || strings.Contains(text, "Nothing that is on record is lost") {
		t.Errorf("who presses reads\n%s", text)
	}
}

// emptied empties a Redis.
func emptied(t *testing.T, at string) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: at})
	defer client.Close()
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
}
