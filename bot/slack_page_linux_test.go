package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"switchback/bot/config"
	"switchback/bot/incident"
	"switchback/handlers/slack/slacktest"
	"switchback/handlers/statuspage"
	"switchback/handlers/statuspage/statuspagetest"
	"switchback/store/storetest"
)

// pageNight is a workspace, a status page and a bot between them: all of it real HTTP.
type pageNight struct {
	*slackNight
	page *statuspagetest.Page
	at   string // where the page is
}

func withPage(tb testing.TB) *pageNight {
	tb.Helper()
	n := &pageNight{slackNight: inSlack(tb), page: statuspagetest.New("Gladly", "Channels / Voice", "Channels / Chat", "Reports")}
	web := httptest.NewServer(n.page)
	tb.Cleanup(web.Close)
	tb.Cleanup(n.page.Close)
	n.at = web.URL
	n.end()
	n.edit = func(o *organisation) { o.Pages = n.routing() }
	n.env.PagesSecret = hookSecret
	n.start()
	return n
}

func (n *pageNight) routing() incident.Routing {
	return incident.Routing{Pages: []incident.Page{{
		ID: "gladly", Name: "Gladly", URL: n.at, Link: "https://status.gladly.com",
		Components: []incident.Part{{Name: "Voice", For: []string{"voice"}}, {Name: "Chat", For: []string{"chat"}}},
	}}}
}

func (n *pageNight) hook() string { return n.url + statuspage.HookPath + "gladly/" + hookSecret }

// From the page to Slack and back: told at once, the branch started from its message, worse, over, restored.
func TestSlackPage(t *testing.T) {
	n := withPage(t)
	n.page.Subscribe(n.hook(), http.DefaultClient)
	id := n.page.Open("Chats arrive late", "minor", "investigating", "We look into <b>it</b>.<br>@channel <!here>", statuspagetest.Set{Component: "Chat", Status: "degraded_performance"})
	root := n.support.Shows("Gladly's page: Chats arrive late", "Investigating", "Start the chat playbook", "Not affecting us")
	if text := root.Notice() + root.String(); strings.Contains(text, "<!here>") || strings.Contains(text, "@channel") || strings.Contains(text, "<b>") {
		t.Errorf("markup or a mention came through: %s", text)
	}
	root.As(n.ana).Press("Start the chat playbook")
	n.ana.Sees("What happens in chat?").Press("Customers cannot start a chat, or chats reach agents late")
	n.ana.Sees("Web shop", "open → closed", "Gladly's page: “Chats arrive late”").Press("Close Web shop now")
	home := n.support.Shows("CHAT", "Gladly's page: Chats arrive late", "Restore…")
	n.support.Shows("Gladly's page: Chats arrive late", "Being worked on: CHAT")

	n.page.Update(id, "identified", "More of them.", statuspagetest.Set{Component: "Chat", Status: "major_outage"})
	n.support.Shows("Worse: Chat: degraded performance → major outage", "More of them.") // in the channel, not only in the thread
	n.page.Update(id, "resolved", "Fixed.", statuspagetest.Set{Component: "Chat", Status: "operational"})
	n.support.Shows("Gladly says resolved", "Restore chat?", "Still down for us").As(n.sam).Press("Restore…")
	home.Thread().Shows("Gladly's page: nothing reported, “Chats arrive late” is over since", "Put everything back now").As(n.sam).Press("Put everything back now")
	n.support.Shows("open again")
	if c := n.support.Count("Over: resolved"); c != 1 {
		t.Errorf("%d messages tell the end, want the one that was there", c)
	}
	root.Thread().Shows("We look into it.")
}

var origin = regexp.MustCompile(`http://[0-9.]+:[0-9]+`)

// serve runs the bot as a process of its own over the night's folder.
func (n *pageNight) serve(t *testing.T) *process {
	t.Helper()
	yaml := acme + "  pages: [{id: gladly, name: Gladly, url: '" + n.at + "', components: [{name: Chat, for: [chat]}]}]\n"
	cmd := bot(t, "serve")
	cmd.Env = append(cmd.Env, "DATA_DIR="+n.env.DataDir, "CONFIG_YAML="+yaml, "LISTEN_ADDR=127.0.0.1:0", "STATUSPAGE_WEBHOOK_SECRET="+hookSecret,
		"SLACK_BOT_TOKEN="+n.env.SlackToken.Reveal(), "SLACK_SIGNING_SECRET="+n.env.SlackSigningSecret.Reveal(), "SLACK_API_URL="+n.env.SlackAPI, "SLACK_RESPONSE_HOSTS="+n.env.SlackHosts[0])
	cmd.Stderr = io.Discard
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t, cmd, in, bufio.NewReader(out)}
	n.url = origin.FindString(p.until("http://"))
	return p
}

// The bot is killed with -9 after it took a notification in: each incident is posted exactly once all the same, whether
// Slack had not heard of it, had heard of it and not answered, or anything in between.
func TestSlackPageKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("what a dead process had claimed is free after half a minute")
	}
	n := withPage(t)
	n.Within(time.Minute)
	n.end()
	faults := []slacktest.Fault{{Kind: slacktest.Broken, Method: "chat.postMessage", Times: -1}, {Kind: slacktest.Lost, Method: "chat.postMessage"}, {}}
	if os.Getenv("PROOF") == "" { // what a dead process had claimed is free after half a minute, each time
		faults = faults[1:2]
	}
	for round, fault := range faults {
		p := n.serve(t)
		if fault.Kind != "" {
			n.slack.Fail(fault)
		}
		name := fmt.Sprintf("Round %d fails", round)
		lost := n.page.Subscribe(n.hook(), http.DefaultClient)
		n.page.Open(name, "minor", "investigating", "Looking.", statuspagetest.Set{Component: "Chat", Status: "degraded_performance"})
		for lost.Delivered() == 0 {
			time.Sleep(time.Millisecond) // until it answers 200
		}
		if fault.Kind == slacktest.Lost {
			for len(n.slack.Calls("chat.postMessage")) == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		time.Sleep(time.Duration(rand.IntN(40)) * time.Millisecond) // anywhere in what follows
		p.kill()
		lost.Lose(true)
		n.slack.Heal()
		p = n.serve(t)
		n.support.Shows("Gladly's page: "+name, "Start the chat playbook")
		n.page.Turn("Chat", "operational")
		p.kill()
	}
	p := n.serve(t)
	defer p.kill()
	for round := range faults {
		if c := n.support.Count(fmt.Sprintf("Gladly's page: Round %d fails", round)); c != 1 {
			t.Errorf("round %d stands %d times in the channel", round, c)
		}
	}
}

// Two processes share a Redis. Notifications come to both, and they read the page at the same time: one read is under
// way, each update is told once, and the thread is in order.
func TestSlackPageTwoReplicas(t *testing.T) {
	n := withPage(t)
	n.end()
	n.page.Slow(20 * time.Millisecond)
	n.env.RedisURL, n.env.DataDir = config.Secret(storetest.Redis(t)), ""
	n.start()
	first := n.url
	n.url = ""
	stop := n.stop
	n.start()
	defer n.end() // before Redis is taken away
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	n.page.Subscribe(n.hook(), http.DefaultClient)
	n.page.Subscribe(first+strings.TrimPrefix(n.hook(), n.url), http.DefaultClient)
	id := n.page.Open("Chats arrive late", "minor", "investigating", "Update 0.", statuspagetest.Set{Component: "Chat", Status: "degraded_performance"})
	root := n.support.Shows("Gladly's page: Chats arrive late", "Start the chat playbook")
	const updates = 12
	for i := 1; i <= updates; i++ {
		n.page.Update(id, "identified", fmt.Sprintf("Update %d.", i))
	}
	n.support.Shows("Gladly's page: Chats arrive late", fmt.Sprintf("Update %d.", updates))
	root.Thread().Shows(fmt.Sprintf("Update %d.", updates))
	if c := n.support.Count("Gladly's page: Chats arrive late"); c != 1 {
		t.Errorf("the incident stands %d times in the channel", c)
	}
	var told []string
	for _, m := range n.slack.Messages(n.support.ID()) {
		if m.Thread == root.Raw().TS && m.TS != m.Thread {
			told = append(told, regexp.MustCompile(`Update \d+`).FindString(strings.Join(n.slack.Lines(m, slacktest.BotUser), "\n")))
		}
	}
	var want []string
	for i := range updates + 1 {
		want = append(want, fmt.Sprintf("Update %d", i))
	}
	if !slices.Equal(told, want) {
		t.Errorf("the thread is %v\nwant %v", told, want)
	}
	if c := n.page.AtOnce(); c != 1 {
		t.Errorf("%d reads at once", c)
	}
}

// From a notification to 200, and to the first post on the stand-in: goal 100 ms in the median.
func BenchmarkPage(b *testing.B) {
	n := withPage(b)
	n.slack.Limit(false)
	sub := n.page.Subscribe("http://127.0.0.1:1", http.DefaultClient) // nobody: the benchmark sends itself
	sub.Lose(true)
	body := func(i int) []byte {
		id := n.page.Open(fmt.Sprintf("Incident %d fails", i), "minor", "investigating", "Looking.", statuspagetest.Set{Component: "Chat", Status: "degraded_performance"})
		data, err := json.Marshal(map[string]any{
			"page":     map[string]any{"id": n.page.ID()},
			"incident": map[string]any{"id": id, "name": fmt.Sprintf("Incident %d fails", i), "status": "investigating", "impact": "minor", "updated_at": time.Now().UTC().Format(time.RFC3339Nano)},
		})
		if err != nil {
			b.Fatal(err)
		}
		return data
	}
	var answered, posted []time.Duration
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		time.Sleep(2500 * time.Millisecond) // a channel takes one message a second: what is measured is the first
		data := body(i)
		b.StartTimer()
		begin := time.Now()
		resp, err := http.Post(n.hook(), "application/json", bytes.NewReader(data))
		if err != nil || resp.StatusCode != http.StatusOK {
			b.Fatal(resp, err)
		}
		resp.Body.Close()
		answered = append(answered, time.Since(begin))
		n.support.Shows(fmt.Sprintf("Gladly's page: Incident %d fails", i))
		posted = append(posted, time.Since(begin))
	}
	median := func(d []time.Duration) float64 {
		slices.Sort(d)
		return float64(d[len(d)/2].Microseconds()) / 1000
	}
	b.ReportMetric(median(answered), "ms-to-200")
	b.ReportMetric(median(posted), "ms-to-post")
}
