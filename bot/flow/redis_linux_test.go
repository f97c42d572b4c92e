package flow_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"switchback/bot/change"
	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/bot/tree"
	"switchback/store"
	"switchback/store/storetest"
)

// redisURL starts a redis-server that dies with the test, and returns its address.
func redisURL(t *testing.T) config.Secret {
	t.Helper()
	return config.Secret(storetest.Redis(t))
}

func onRedis(url config.Secret, prefix string) func(t *testing.T) store.Store {
	return func(t *testing.T) store.Store {
		t.Helper()
		s, err := store.OpenRedis(t.Context(), store.RedisConfig{URL: url, Prefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// The crash sweep on Redis: the next process waits for the dead one's lease, and nothing else is different.
func TestCrashSweepOnRedis(t *testing.T) {
	url := redisURL(t)
	for i, w := range ways() {
		stride := 11
		switch {
		case os.Getenv("PROOF") != "":
			stride = 1
		case i > 0:
			stride = 31
		}
		for m, mode := range modes() {
			t.Run(w.name+", stopped "+mode, func(t *testing.T) {
				t.Parallel()
				for at := 1 + m; ; at += stride {
					n := nightOn(t, &stops{at: at, mode: mode}, onRedis(url, fmt.Sprintf("sweep-%d-%d-%d", i, m, at)))
					n.lease = 200 * time.Millisecond
					if err := n.outage(w, false); err != nil {
						t.Errorf("call %d: %v", at, err)
					}
					for _, wrong := range n.verdict() {
						t.Errorf("call %d: %s", at, wrong)
					}
					reached := n.stops.at == -1
					n.end()
					if !reached || t.Failed() {
						return
					}
				}
			})
		}
	}
}

// Many presses of one confirm (a thousand in the long run), at three processes that share one Redis: it happens once, and each of the others
// gets an answer.
func TestManyConfirmsAtThreeProcesses(t *testing.T) {
	presses := 300
	if os.Getenv("PROOF") != "" {
		presses = 1000
	}
	url := redisURL(t)
	n := nightOn(t, &stops{at: -1}, onRedis(url, "race"))
	n.start()
	n.types("ana", "chat late")
	confirm := n.button("Close")
	var services []*flow.Service
	for range 3 {
		kept := store.Flow{Store: onRedis(url, "race")(t)}
		services = append(services, flow.New(flow.Config{
			Store: kept, Policy: policy(), Playbook: tree.Builtin(), Tree: builtin(t), Platforms: change.Platforms{"shop": n.shop},
		}))
	}
	before := len(n.screen.posts)
	var all sync.WaitGroup
	for i := range presses {
		all.Go(func() {
			done, err := services[i%3].Accept(context.WithoutCancel(t.Context()), n.event(fmt.Sprintf("press%d", i), "ana", flow.Press{Action: confirm}))
			if err != nil {
				t.Errorf("press %d: %v", i, err)
				return
			}
			<-done
		})
	}
	all.Wait()
	for _, s := range services {
		s.Wait()
	}
	if err := n.worker.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.wants(3)
	answers := 0
	for id := range n.screen.posts {
		if strings.Contains(id, "note:press") {
			answers++
		}
	}
	if answers != presses-1 {
		t.Errorf("%d of the %d who came too late got an answer (%d messages before)", answers, presses-1, before)
	}
	open, err := store.Flow{Store: n.file}.Open(t.Context())
	if err != nil || len(open) != 1 {
		t.Errorf("%d outages are open (%v), want 1", len(open), err)
	}
}
