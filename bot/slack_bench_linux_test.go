package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	slackgo "github.com/slack-go/slack"

	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/handlers/slack/slacktest"
	"switchback/store/storetest"
)

// asking sends signed requests, each with a trigger of its own.
type asking struct {
	b      *testing.B
	client http.Client
	secret string
	n      atomic.Int64
}

func newAsking(b *testing.B, n *slackNight) *asking {
	b.Helper()
	return &asking{b: b, secret: n.slack.Config().SigningSecret, client: http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
}

// send sends one request, and returns when it was answered.
func (a *asking) send(to string, body url.Values) {
	now, text := time.Now(), body.Encode()
	r, err := http.NewRequest(http.MethodPost, to, strings.NewReader(text))
	if err != nil {
		a.b.Error(err)
		return
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Slack-Request-Timestamp", strconv.FormatInt(now.Unix(), 10))
	r.Header.Set("X-Slack-Signature", slacktest.Sign(a.secret, now, text))
	resp, err := a.client.Do(r)
	if err != nil {
		a.b.Error(err)
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		a.b.Errorf("status %d", resp.StatusCode)
	}
}

func (a *asking) command(to string) {
	a.send(to+"/slack/commands", url.Values{
		"command": {"/outage"}, "text": {"help"}, "team_id": {"T0ACME"}, "user_id": {"U0ANA"}, "user_name": {"ana"}, "channel_id": {"C0SUPPORT"},
		"channel_name": {"support"}, "api_app_id": {slacktest.AppID}, "trigger_id": {fmt.Sprint("1.2.", a.n.Add(1))},
	})
}

// press is of a button whose outage is no more: it is taken in and decided, and changes nothing.
func (a *asking) press(to string) {
	action := flow.Action{Outage: "chat-00000000", Verb: "look"}.Encode()
	payload := fmt.Sprintf(`{"type":"block_actions","team":{"id":"T0ACME"},"user":{"id":"U0ANA","team_id":"T0ACME"},"api_app_id":%q,"trigger_id":"1.3.%d",`+
		`"container":{"type":"message","message_ts":"1.000001","channel_id":"C0SUPPORT"},"channel":{"id":"C0SUPPORT"},`+
		`"actions":[{"type":"button","block_id":"b","action_id":"a","value":%q,"action_ts":"1.000002"}]}`, slacktest.AppID, a.n.Add(1), action)
	a.send(to+"/slack/interactions", url.Values{"payload": {payload}})
}

// at8 sends from eight connections, and reports how many are answered in a second.
func (a *asking) at8(b *testing.B, send func()) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	var all sync.WaitGroup
	b.ResetTimer()
	for range 8 {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				send()
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}

// bare is a handler that only verifies and parses, with slack-go's own functions.
func bare(secret string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		v, err := slackgo.NewSecretsVerifier(r.Header, secret)
		if err == nil {
			_, _ = v.Write(body)
			err = v.Ensure()
		}
		if err != nil {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		if _, err := url.ParseQuery(string(body)); err != nil {
			http.Error(w, "no", http.StatusBadRequest)
		}
	})
}

// BenchmarkSlackAnswers is from a signed request to its 200, over loopback HTTP: by a bare handler, and by the bot, which
// has it in a real Redis by then (append-only file, every second) and goes on working on it, as does the Slack that it
// answers, on the same cores.
func BenchmarkSlackAnswers(b *testing.B) {
	n := acmeInSlack(b, slacktest.Config{NoRateLimits: true})
	n.env.DataDir, n.env.RedisURL = "", config.Secret(storetest.Redis(b))
	n.quiet = true
	n.start()
	b.Cleanup(func() { n.end() })
	a := newAsking(b, n)
	plain := httptest.NewServer(bare(a.secret))
	b.Cleanup(plain.Close)
	b.Run("bare/8", func(b *testing.B) { a.at8(b, func() { a.command(plain.URL) }) })
	b.Run("command/8", func(b *testing.B) { a.at8(b, func() { a.command(n.url) }) })
	b.Run("press/8", func(b *testing.B) { a.at8(b, func() { a.press(n.url) }) })
	for name, to := range map[string]string{"bare": plain.URL, "command": n.url} {
		b.Run(name+"/500 a second", func(b *testing.B) {
			var mu sync.Mutex
			var took []time.Duration
			var all sync.WaitGroup
			tick := time.NewTicker(2 * time.Millisecond)
			defer tick.Stop()
			b.ResetTimer()
			for range b.N {
				<-tick.C
				all.Go(func() {
					start := time.Now()
					a.command(to)
					mu.Lock()
					took = append(took, time.Since(start))
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

// BenchmarkServeMemory is what bot serve keeps in memory with 200 walks under way.
func BenchmarkServeMemory(b *testing.B) {
	var memory float64
	for b.Loop() {
		n := acmeInSlack(b, slacktest.Config{NoRateLimits: true})
		p := n.serve("REDIS_URL=" + storetest.Redis(b))
		n.look(p.url)
		n.Within(time.Minute)
		for i := range 200 {
			id := fmt.Sprintf("U0WALK%d", i)
			u := n.slack.AddUser(slacktest.User{ID: id})
			n.slack.ChangeChannel("C0SUPPORT", func(c *slacktest.Channel) { c.Members = append(c.Members, id) })
			n.Person(u.Name).Types("#support", "/outage chat late")
		}
		for i := range 200 {
			n.Person(fmt.Sprintf("u0walk%d", i)).Alone("Web shop", "open → closed")
		}
		memory = max(memory, resident(b, p.cmd.Process.Pid))
		p.terminate()
	}
	b.ReportMetric(memory, "MiB")
}
