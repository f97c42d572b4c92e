package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"switchback/handlers/slack/slacktest"
	"switchback/handlers/slack/slacktest/story"
	"switchback/handlers/statuspage"
	"switchback/handlers/statuspage/statuspagetest"
	"switchback/handlers/teams/teamstest"
	"switchback/store/storetest"
)

// These tests run the service as people run it: one process on a folder, or two on a Redis, between a Slack workspace and
// a status page. All that a bot says to Slack, to the page and to Redis passes a gate, and at one of these moments
// something is killed with kill -9.

// deadAt is when that happens: at the nth message of a kind.
type deadAt struct {
	kind string
	n    int // from 1
	kill string
}

func (m deadAt) String() string { return fmt.Sprintf("%s %d, %s killed", m.kind, m.n, m.kill) }

// The kinds of moments: a call has come to Slack, or was carried out and not yet answered; likewise for a read of the
// page, and for a commit in Redis.
const (
	toSlack     = "call to Slack"
	fromSlack   = "answer of Slack"
	toPage      = "read of the page"
	fromPage    = "answer of the page"
	toRedis     = "commit in Redis"
	fromRedis   = "answer of Redis"
	theBot      = "its bot"
	redisItself = "redis-server"
)

// deadly is such a night.
type deadly struct {
	*slackNight
	page   *statuspagetest.Page
	redis  *storetest.Server // nil: one bot, on a folder
	teams  *teamstest.Teams  // nil: Slack alone
	vars   [][]string        // of each bot
	moment deadAt

	mu      sync.Mutex
	seen    map[string]int
	over    bool // nothing happens any more, or not yet
	came    bool
	away    map[string]bool // by kind: nothing passes
	bots    []*served
	failed  error
	mending sync.WaitGroup // what was killed is being started again
}

// passes counts a message, and reports whether it may pass: at the moment it does not, and what is to be killed was.
func (k *deadly) passes(kind string, bot int) bool {
	k.mu.Lock()
	if k.away[kind] {
		k.mu.Unlock()
		return false
	}
	if !k.over {
		k.seen[kind]++
	}
	now := !k.over && kind == k.moment.kind && k.seen[kind] == k.moment.n
	if now {
		k.came = true
		k.mending.Add(1)
	}
	k.mu.Unlock()
	if !now {
		return true
	}
	defer k.mending.Done()
	if k.moment.kill == redisItself {
		k.redis.Kill()
		k.mending.Go(func() { k.redis.Start(k.t) })
		return false
	}
	k.mu.Lock()
	bots := len(k.bots)
	k.mu.Unlock()
	for i := range bots {
		if i == bot || bot < 0 { // a link that Slack gave out does not tell whose call it is
			k.again(i)
		}
	}
	return false
}

// again kills a bot and starts it anew.
func (k *deadly) again(i int) {
	k.mu.Lock()
	old := k.bots[i]
	k.mu.Unlock()
	old.kill()
	k.mending.Go(func() {
		p, err := k.tryServe(k.vars[i]...)
		k.mu.Lock()
		defer k.mu.Unlock()
		if err != nil {
			k.failed = err
			return
		}
		k.bots[i] = p
	})
}

// gate lies between a bot, or anybody, and a service.
func (k *deadly) gate(to, from string, bot int, service http.Handler) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !k.passes(to, bot) {
			panic(http.ErrAbortHandler)
		}
		answer := httptest.NewRecorder()
		service.ServeHTTP(answer, r)
		if !k.passes(from, bot) {
			panic(http.ErrAbortHandler)
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	k.t.Cleanup(s.Close)
	return s.URL
}

// isCommit recognises a commit among what a bot says to Redis.
func isCommit(request []byte) bool { return bytes.Contains(request, []byte(`{"lineage":`)) }

// newDeadly begins such a night: in Redis or in a folder, with Teams beside Slack or without. Of these kinds nothing
// passes from the beginning.
func newDeadly(t *testing.T, inRedis, withTeams bool, at deadAt, away ...string) *deadly {
	t.Helper()
	k := &deadly{moment: at, over: true, away: map[string]bool{}, page: statuspagetest.New("Gladly", "Channels / Voice", "Channels / Chat")}
	t.Cleanup(k.page.Close)
	for _, kind := range away {
		k.away[kind] = true
	}
	k.slackNight = &slackNight{t: t}
	var workspace http.Handler
	links := k.gate(toSlack, fromSlack, -1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { workspace.ServeHTTP(w, r) }))
	k.slackNight = acmeInSlack(t, slacktest.Config{BaseURL: links, NoRateLimits: true})
	workspace = k.slack
	bots := 1
	if inRedis {
		bots = 2
		k.redis = storetest.StartRedisAt(t, storetest.Loopback(t), "--appendfsync", "always")
	}
	doc, more := acme, []string(nil)
	if withTeams {
		doc, more = k.tenant(t)
	}
	dir := t.TempDir()
	var apps []slacktest.App
	for i := range bots {
		page := k.gate(toPage, fromPage, i, k.page)
		vars := []string{
			"STATUSPAGE_WEBHOOK_SECRET=" + hookSecret,
			"SLACK_API_URL=" + k.gate(toSlack, fromSlack, i, k.slack) + "/api/", "SLACK_RESPONSE_HOSTS=" + strings.TrimPrefix(links, "http://"),
			"CONFIG_YAML=" + doc + "  pages: [{id: gladly, name: Gladly, url: '" + page + "', components: [{name: Chat, for: [chat]}]}]\n",
		}
		vars = append(vars, more...)
		if inRedis {
			line := storetest.StartLine(t, k.redis.Addr, func(request []byte, reply bool) bool {
				if !isCommit(request) {
					return true
				}
				return k.passes(map[bool]string{false: toRedis, true: fromRedis}[reply], i)
			})
			vars = append(vars, "REDIS_URL=redis://"+line.Addr)
		} else {
			vars = append(vars, "DATA_DIR="+dir)
		}
		first := k.starts(append(slices.Clone(vars), "LISTEN_ADDR="+storetest.Loopback(t)+":0"))
		k.vars = append(k.vars, append(vars, "LISTEN_ADDR="+strings.TrimPrefix(first.url, "http://")))
		k.mu.Lock()
		k.bots = append(k.bots, first)
		k.mu.Unlock()
		apps = append(apps, slacktest.At(k.bots[i].url))
		k.page.Subscribe(k.bots[i].url+statuspage.HookPath+"gladly/"+hookSecret, http.DefaultClient)
	}
	k.slack.Connect(apps...)
	k.mu.Lock()
	k.over, k.seen = false, map[string]int{} // what comes before is no part of the night
	k.mu.Unlock()
	k.look("")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("ana sees\n%s", k.everything("U0ANA"))
		}
	})
	k.Within(2 * time.Minute)
	return k
}

// tenant is a tenant of Teams with the same people, in which the bot is in the channel of support.
func (k *deadly) tenant(t *testing.T) (doc string, vars []string) {
	t.Helper()
	k.teams = teamstest.New(teamstest.Config{NoRateLimits: true})
	if err := k.teams.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.teams.Close)
	ana, sam := k.teams.AddUser(teamstest.User{Name: "ana"}), k.teams.AddUser(teamstest.User{Name: "sam"})
	k.teams.AddGroup(teamstest.Group{ID: teamsSupport, Name: "support", Kind: teamstest.Channel, Team: teamsSupport, Members: []string{ana.ID, sam.ID}})
	c := k.teams.Config()
	doc = strings.NewReplacer(
		"slack: U0ANA,", "slack: U0ANA, teams: "+ana.Object+",", "slack: U0SAM,", "slack: U0SAM, teams: "+sam.Object+",",
		"channels: [{slack: C0SUPPORT}]", `channels: [{slack: C0SUPPORT, teams: "`+teamsSupport+`"}]`,
	).Replace(acme)
	return doc, []string{
		"TEAMS_APP_ID=" + c.App, "TEAMS_APP_PASSWORD=" + c.Password, "TEAMS_TENANT_ID=" + c.Tenant,
		"TEAMS_OPENID_URL=" + k.teams.OpenIDURL(), "TEAMS_TOKEN_URL=" + k.teams.TokenURL(), "TEAMS_SERVICE_HOSTS=" + k.teams.Host(),
	}
}

// starts starts a bot; one that died of what happens at its start is started once more, as every platform does.
func (k *deadly) starts(vars []string) *served {
	k.t.Helper()
	p, err := k.tryServe(vars...)
	if err != nil {
		k.mending.Wait()
		p, err = k.tryServe(vars...)
	}
	if err != nil {
		k.t.Fatal(err)
	}
	return p
}

// press presses a button as people do: where Slack says that it did not work, or the bot that it could not take it in,
// once more, a moment later. It returns when the person sees these texts.
func (k *deadly) press(m *story.Message, by *story.Person, label string, then ...string) {
	k.t.Helper()
	end := time.After(2 * time.Minute)
	for {
		refused := k.count(by, "was not taken in")
		pressed := m.As(by).TryPress(label).OK()
		for changed := k.slack.Changed(); pressed && k.count(by, then...) == 0 && k.count(by, "was not taken in") == refused; changed = k.slack.Changed() {
			select {
			case <-changed:
			case <-end:
				k.t.Fatalf("%s pressed %s, and got no answer; shown is\n%s", by.ID(), label, k.everything(by.ID()))
			}
		}
		if pressed && k.count(by, then...) > 0 {
			return
		}
		k.mending.Wait()
	}
}

// count is how many of the messages that somebody sees have all these texts.
func (k *deadly) count(who *story.Person, texts ...string) (n int) {
	for _, m := range k.slack.Visible(who.ID()) {
		shown := strings.Join(k.slack.Lines(m, who.ID()), "\n")
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(shown, text) }) {
			n++
		}
	}
	return n
}

// customers is what the web shop's page is told by a bot.
func (k *deadly) customers(i int) string {
	k.mu.Lock()
	url := k.bots[i].url
	k.mu.Unlock()
	resp, err := http.Get(url + "/flags/chat/web-shop")
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return fmt.Sprint(resp.Status, " ", string(text), err)
}

// customersSee waits until each bot tells the web shop's page what it should.
func (k *deadly) customersSee(what string, fits func(string) bool) {
	k.t.Helper()
	end := time.Now().Add(2 * time.Minute)
	for i := range k.bots {
		for now := k.customers(i); !fits(now); now = k.customers(i) {
			if time.Now().After(end) {
				k.t.Errorf("bot %d tells the web shop %s, want %s", i, now, what)
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// night goes from the page's word to the end of the restore: every press has an answer that the person waits for.
func (k *deadly) night() {
	k.t.Helper()
	before := ""
	k.customersSee("something", func(now string) bool { before = now; return strings.HasPrefix(now, "200 OK") })
	id := k.page.Open("Chats arrive late", "minor", "investigating", "We look into it.", statuspagetest.Set{Component: "Chat", Status: "degraded_performance"})
	root := k.support.Shows("Gladly's page: Chats arrive late", "Start the chat playbook")
	k.press(root, k.ana, "Start the chat playbook", "What happens in chat?")
	k.press(k.ana.Sees("What happens in chat?"), k.ana, "Customers cannot start a chat, or chats reach agents late", "Web shop", "open → closed")
	k.press(k.ana.Sees("Web shop", "open → closed"), k.ana, "Close Web shop now", "CHAT", "Restore…")
	home := k.support.Shows("CHAT", "Gladly's page: Chats arrive late", "Restore…")
	home.Thread().Shows("What was there before")
	k.customersSee("closed", func(now string) bool { return strings.HasPrefix(now, `200 OK {"open":false`) })
	k.page.Update(id, "resolved", "Fixed.", statuspagetest.Set{Component: "Chat", Status: "operational"})
	k.press(k.support.Shows("Gladly says resolved", "Restore chat?"), k.sam, "Restore…", "Put everything back now")
	k.press(home.Thread().Shows("Put everything back now"), k.sam, "Put everything back now", "open again", "Restored")
	k.support.Shows("open again", "Restored")
	k.ends(before)
}

// ends looks at what is left: everything as before, nothing open, no message twice, no gap in the audit log.
func (k *deadly) ends(before string) {
	k.t.Helper()
	k.mu.Lock()
	k.over = true
	k.mu.Unlock()
	k.mending.Wait()
	if k.failed != nil {
		k.t.Fatal(k.failed)
	}
	k.customersSee(before, func(now string) bool { return now == before })
	k.once()
	for _, b := range k.bots {
		b.terminate()
	}
	for args, want := range map[string]string{"outages --live": "Nothing is open.\n", "audit verify --live": "ok: "} {
		cmd := bot(k.t, strings.Fields(args)...)
		cmd.Env = append(cmd.Env, k.vars[0]...)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), want) {
			k.t.Errorf("bot %s: %v\n%s", args, err, out)
		}
	}
}

// Contract 1: whatever is killed and whenever, what was taken in is done, once, and the way back is exact. The moments
// are all there are: a night on which nothing is killed counts them.
func TestServeOutlives(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		inRedis bool
		moments []deadAt // that the gate has time for
	}{
		{"one bot, on a folder", false, []deadAt{{fromSlack, 12, theBot}}},
		{"two bots, on Redis", true, []deadAt{{toRedis, 28, theBot}, {toRedis, 49, redisItself}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if os.Getenv("PROOF") != "" {
				test.moments = moments(t, test.inRedis)
			}
			for _, at := range test.moments {
				t.Run(at.String(), func(t *testing.T) {
					t.Parallel()
					k := newDeadly(t, test.inRedis, false, at)
					k.night()
					if !k.came {
						t.Log("this night had no such moment")
					}
				})
			}
		})
	}
}

// moments are all moments of a night on which nothing is killed.
func moments(t *testing.T, inRedis bool) (out []deadAt) {
	t.Helper()
	k := newDeadly(t, inRedis, false, deadAt{})
	k.night()
	t.Log(k.seen)
	for _, kind := range []string{toSlack, fromSlack, toPage, fromPage, toRedis, fromRedis} {
		for n := range k.seen[kind] {
			out = append(out, deadAt{kind, n + 1, theBot})
			if kind == toRedis || kind == fromRedis {
				out = append(out, deadAt{kind, n + 1, redisItself})
			}
		}
	}
	return out
}
