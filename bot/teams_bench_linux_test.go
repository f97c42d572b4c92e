package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"switchback/bot/config"
	"switchback/handlers/teams/teamstest"
	"switchback/store/storetest"
)

// many adds that many people, each with a chat of their own with the bot.
func (n *twoNight) many(people int) []string {
	var out []string
	for i := range people {
		out = append(out, n.teams.AddUser(teamstest.User{Name: fmt.Sprint("walk", i)}).Name)
	}
	return out
}

// BenchmarkTeamsAnswers is from a signed activity to its 200, over loopback HTTP, at 200 a second: of one that nobody
// keeps, which is the validator alone, and of a message, which is in a real Redis by then (append-only file, every
// second). The bot goes on working on it, as does the Teams that it answers, on the same cores.
func BenchmarkTeamsAnswers(b *testing.B) {
	n := acmeInTeams(b, teamstest.Config{NoRateLimits: true}, false)
	n.env.DataDir, n.env.RedisURL = "", config.Secret(storetest.Redis(b))
	n.quiet = true
	n.start(n.doc)
	b.Cleanup(func() { n.end() })
	people := n.many(200)
	token := "Bearer " + n.teams.Sign(teamstest.Token{})
	client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	send := func(kind string, i int) time.Duration {
		body, err := json.Marshal(n.teams.Activity(kind, people[i%len(people)], "", func(a map[string]any) { a["text"] = "outage help" }))
		if err != nil {
			b.Error(err)
			return 0
		}
		r, err := http.NewRequest(http.MethodPost, n.url+"/api/messages", strings.NewReader(string(body)))
		if err != nil {
			b.Error(err)
			return 0
		}
		r.Header.Set("Authorization", token)
		start := time.Now()
		resp, err := client.Do(r)
		if err != nil {
			b.Error(err)
			return 0
		}
		took := time.Since(start)
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			b.Errorf("status %d", resp.StatusCode)
		}
		return took
	}
	send("typing", 0) // the issuer's keys are there
	for name, kind := range map[string]string{"validator": "typing", "inbox": "message"} {
		b.Run(name+"/200 a second", func(b *testing.B) {
			var mu sync.Mutex
			var took []time.Duration
			var all sync.WaitGroup
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			b.ResetTimer()
			for i := range b.N {
				<-tick.C
				all.Go(func() {
					d := send(kind, i)
					mu.Lock()
					took = append(took, d)
					mu.Unlock()
				})
			}
			all.Wait()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
		})
	}
}

// BenchmarkTeamsMemory is what bot serve keeps in memory with 200 people in the middle of a walk in Teams.
func BenchmarkTeamsMemory(b *testing.B) {
	var memory float64
	for b.Loop() {
		n := acmeInTeams(b, teamstest.Config{NoRateLimits: true}, false)
		p := n.serve("REDIS_URL=" + storetest.Redis(b))
		n.look(p.url)
		n.Within(time.Minute)
		for some := range slices.Chunk(n.many(200), 20) { // Microsoft takes 50 calls in a second
			for _, name := range some {
				n.Person(name).Says("", "outage chat late")
			}
			for _, name := range some {
				n.Person(name).Alone("Web shop", "open → closed")
			}
		}
		memory = max(memory, resident(b, p.cmd.Process.Pid))
		p.terminate()
	}
	b.ReportMetric(memory, "MiB")
}
