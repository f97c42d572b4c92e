package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/config"
	"switchback/handlers/slack/slacktest"
	"switchback/handlers/statuspage"
	"switchback/handlers/statuspage/statuspagetest"
	"switchback/handlers/teams/teamstest"
	"switchback/store/storetest"
)

// heap is everything that left the program, by where it went.
type heap struct {
	mu   sync.Mutex
	told map[string]*bytes.Buffer
}

func (h *heap) add(where string, data []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.told == nil {
		h.told = map[string]*bytes.Buffer{}
	}
	if h.told[where] == nil {
		h.told[where] = &bytes.Buffer{}
	}
	h.told[where].Write(data)
}

// writer is one of the places.
func (h *heap) writer(where string) io.Writer { return onHeap{h, where} }

type onHeap struct {
	*heap
	where string
}

func (w onHeap) Write(p []byte) (int, error) {
	w.add(w.where, p)
	return len(p), nil
}

// listens is a server that asks nobody, and keeps all that it is sent but the credentials, which are for it.
func (h *heap) listens(t *testing.T, where string, status int) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Header.Del("Authorization")
		h.add(where, fmt.Appendf(body, "%s %s %v", r.Method, r.URL, r.Header))
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// secret draws a secret that is found wherever it goes, also in the middle of something.
func secret(before string) config.Secret { return config.Secret(before + "canary" + rand.Text()) }

// Contract 12: of no secret that the program knows does a byte come out: not in a message, a log line, an error, the audit
// log, the metrics or a manifest. A whole night, on which everything fails once.
func TestSecretsStayIn(t *testing.T) {
	t.Parallel()
	var told heap
	e := environment{
		RedisPrefix: "night", MetricsAddr: storetest.FreeAddr(t), ListenAddr: storetest.FreeAddr(t),
		SlackToken: secret("xoxb-"), SlackSigningSecret: secret(""), SlackAppToken: secret("xapp-"), TeamsPassword: secret(""),
		GladlyToken: secret(""), FlagsSecret: secret("ivr:"), PagesSecret: secret(""), OpsPassword: secret(""), GladlyEmail: "bot@acme.example",
	}
	redisPassword, pagerKey, value := secret(""), secret(""), secret("")
	canaries := map[string]string{"the password of Redis": redisPassword.Reveal(), "the pager's key": pagerKey.Reveal()}

	redis := storetest.StartRedis(t)
	redis.Kill()
	redisDir := t.TempDir()
	redis.Start(t, "--requirepass", redisPassword.Reveal(), "--dir", redisDir)
	e.RedisURL = config.Secret("redis://:" + redisPassword.Reveal() + "@" + redis.Addr)
	e.EscalateURL = config.Secret("http://switchback:" + pagerKey.Reveal() + "@" + told.listens(t, "pager", http.StatusInternalServerError) + "/hook")
	e.GladlyURL = "http://" + told.listens(t, "gladly", http.StatusForbidden)
	fields := reflect.ValueOf(e)
	for i := range fields.NumField() {
		if s, ok := reflect.TypeAssert[config.Secret](fields.Field(i)); ok {
			_, key, _ := strings.Cut(s.Reveal(), "canary")
			if key == "" {
				t.Errorf("%s is a secret without a canary: give it one here", fields.Type().Field(i).Name)
			}
			canaries[fields.Type().Field(i).Name] = "canary" + key
		}
	}

	n := acmeInSlack(t, slacktest.Config{
		BotToken: e.SlackToken.Reveal(), SigningSecret: e.SlackSigningSecret.Reveal(), AppToken: e.SlackAppToken.Reveal(), NoRateLimits: true,
	})
	e.SlackAPI, e.SlackHosts = n.slack.APIURL(), []string{strings.TrimPrefix(n.slack.URL(), "http://")}
	ms := teamstest.New(teamstest.Config{Password: e.TeamsPassword.Reveal(), NoRateLimits: true})
	if err := ms.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ms.Close)
	ana := ms.AddUser(teamstest.User{Name: "ana"})
	ms.AddGroup(teamstest.Group{ID: teamsSupport, Name: "support", Kind: teamstest.Channel, Team: teamsSupport, Members: []string{ana.ID}})
	e.TeamsApp, e.TeamsTenant, e.TeamsOpenID, e.TeamsTokens, e.TeamsHosts = ms.Config().App, ms.Config().Tenant, ms.OpenIDURL(), ms.TokenURL(), []string{ms.Host()}
	page := statuspagetest.New("Gladly", "Channels / Voice", "Channels / Chat")
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		told.add("page", fmt.Appendf(nil, "%s %v", r.URL, r.Header))
		page.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	t.Cleanup(page.Close)
	// Others read along in the channel of support: what a setting holds is not for them.
	n.slack.ChangeChannel("C0SUPPORT", func(c *slacktest.Channel) { c.Shared = true })
	n.slack.AddChannel(slacktest.Channel{ID: "C0INSIDE", Name: "inside", Members: []string{"U0ANA", "U0SAM", slacktest.BotUser}})
	e.ConfigYAML = strings.NewReplacer(
		"slack: U0ANA,", "slack: U0ANA, teams: "+ana.Object+",", "Hello!", value.Reveal(),
		"channels: [{slack: C0SUPPORT}]", `channels: [{slack: C0SUPPORT, teams: "`+teamsSupport+`"}]`+"\n  inside: {slack: C0INSIDE}",
	).Replace(acme) + "  pages: [{id: gladly, name: Gladly, url: '" + web.URL + "', components: [{name: Chat, for: [chat]}]}]\n"
	e.PublicURL = "http://" + e.ListenAddr

	n.env = e
	vars := variables(e)
	var running sync.WaitGroup
	run := func(change string, args ...string) {
		t.Helper()
		cmd := bot(t, args...)
		cmd.Env = append(append(cmd.Env, vars...), change)
		cmd.Stdout, cmd.Stderr = told.writer("bot "+args[0]), told.writer("bot "+args[0])
		running.Go(func() { _ = cmd.Run() }) // also where it fails
	}
	server := bot(t, "serve")
	server.Env = append(server.Env, vars...)
	server.Stdout, server.Stderr = told.writer("log"), told.writer("log")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ask := func(path, user, password string) int {
		req, err := http.NewRequest(http.MethodGet, e.PublicURL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if user != "" {
			req.SetBasicAuth(user, password)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		told.add("answers", fmt.Appendf(body, "%s %v", resp.Status, resp.Header))
		return resp.StatusCode
	}
	waitUntil(t, "the bot to serve", func() bool { return ask("/readyz", "", "") == http.StatusOK })
	n.slack.Connect(slacktest.At(e.PublicURL))
	n.look(e.PublicURL)
	n.Within(time.Minute)
	ms.Connect(e.PublicURL + "/api/messages")
	if err := ms.Install(t.Context(), "ana", "support"); err != nil {
		t.Fatal(err)
	}

	// The night. Every part fails once, in each of its ways.
	for kind, method := range map[slacktest.FaultKind]string{ // at different lanes, since each of them waits after it
		slacktest.Cut: "chat.postMessage", slacktest.Broken: "chat.postEphemeral", slacktest.TooMany: "response_url", slacktest.Refused: "chat.update",
	} {
		n.slack.Fail(slacktest.Fault{Kind: kind, Method: method, Error: "fatal_error"})
	}
	ms.Fail(teamstest.Fault{Status: http.StatusInternalServerError, Times: 2})
	ms.Fail(teamstest.Fault{Drop: true})
	hook := e.PublicURL + statuspage.HookPath + "gladly/"
	page.Subscribe(hook+e.PagesSecret.Reveal(), http.DefaultClient)
	page.Subscribe(hook+e.PagesSecret.Reveal()[1:], http.DefaultClient) // almost
	for _, trouble := range []statuspagetest.Trouble{{Status: 500}, {HTML: true}, {Redirect: e.GladlyURL}} {
		page.Break(trouble)
		run("", "doctor")
		running.Wait()
	}
	page.Break(statuspagetest.Trouble{})
	page.Open("Chats arrive late", "minor", "investigating", "We look into it.", statuspagetest.Set{Component: "Chat", Status: "degraded_performance"})
	for _, bad := range []slacktest.Request{
		{URL: e.PublicURL + "/slack/commands", Body: "command=/outage", Secret: "another"},
		{URL: e.PublicURL + "/slack/commands", Body: "command=/outage&token=" + e.SlackSigningSecret.Reveal(), Signature: "none"},
		{URL: e.PublicURL + "/slack/interactions", Body: "payload=%7B"},
		{URL: e.PublicURL + "/slack/events", Body: "{", ContentType: "application/json"},
	} {
		n.slack.Send(t.Context(), bad)
	}
	ms.SendBody(t.Context(), []byte(`{"type":"message"}`), "Bearer "+e.TeamsPassword.Reveal())
	ms.IssuerAway(true)
	ms.RevokeTokens()
	if _, err := ms.Say(t.Context(), "ana", "support", "", "@Switchback outage status"); err != nil {
		t.Fatal(err)
	}
	ms.IssuerAway(false)
	user, password, _ := strings.Cut(e.FlagsSecret.Reveal(), ":")
	ask("/flags/voice?number=%2B16505550101", user, password)
	ask("/flags/voice?number=%2B16505550101", user, password[1:])
	ask("/flags/voice?number=%2B16505550101&key="+password, "", "")

	inside := n.Channel("inside")
	n.ana.Types("#inside", "/outage chat late")
	n.ana.Sees("Web shop", "open → closed").Press("Close Web shop now")
	home := inside.Shows("Web shop", "closed", "Restore…")
	n.support.Shows("CHAT")
	ask("/ops", "any", e.OpsPassword.Reveal())
	ask("/ops", "any", e.OpsPassword.Reveal()[1:])
	ask("/ops/"+e.OpsPassword.Reveal()+"/mark", "", "")
	run("", "page")
	run("", "outages", "--live", "--json")
	run("", "doctor", "--json")
	running.Wait()
	redis.Kill()
	n.ana.TryTypes("#inside", "/outage status") // the store is away
	ask("/readyz", "", "")
	for _, args := range [][]string{{"doctor"}, {"outages", "--live"}, {"audit", "verify", "--live"}, {"serve"}} {
		run("", args...)
	}
	running.Wait()
	redis.Start(t)
	waitUntil(t, "the store to be back", func() bool { return ask("/readyz", "", "") == http.StatusOK })
	home.As(n.sam).Press("Restore…")
	home.Thread().Shows("Put everything back now").As(n.sam).Press("Put everything back now")
	inside.Shows("open again", "Restored")

	for _, args := range [][]string{
		{"audit", "export", "--live"},
		{"audit", "verify", "--live"},
		{"outages", "--live"},
		{"manifest", "slack", "--url", "https://bot.example.com"},
		{"manifest", "slack", "--socket"},
		{"manifest", "teams", "--app-id", e.TeamsApp, "--url", "https://bot.example.com", "--out", filepath.Join(t.TempDir(), "app.zip")},
		{"check"},
		{"config", "example"},
		{"restore", "--live", "nothing"},
		{"version"},
		{"--help"},
	} {
		run("", args...)
	}
	for _, wrong := range []string{ // each a mistake that somebody makes
		"REDIS_URL=redis://:" + secret("").Reveal() + redisPassword.Reveal() + "@" + redis.Addr, "REDIS_URL=" + redisPassword.Reveal(),
		"REDIS_URL=redis://" + redisPassword.Reveal() + "%zz@host", "ESCALATE_URL=ftp://" + pagerKey.Reveal(), "FLAGS_SECRET=" + password,
		"STATUSPAGE_WEBHOOK_SECRET=canary", "SLACK_BOT_TOKEN=" + e.SlackToken.Reveal() + "x", "TEAMS_APP_ID=", "GLADLY_API_URL=ftp://x", "REDIS_CLUSTER=" + redisPassword.Reveal(),
	} {
		run(wrong, "doctor")
		run(wrong, "serve")
	}
	running.Wait()
	if resp, err := http.Get("http://" + e.MetricsAddr + "/metrics"); err != nil {
		t.Error(err)
	} else {
		_, _ = io.Copy(told.writer("metrics"), resp.Body)
		resp.Body.Close()
	}
	if err := server.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = server.Wait()

	for _, d := range n.slack.Deliveries() {
		told.add("answers", []byte(d.Answer))
	}
	for _, d := range ms.Deliveries() {
		told.add("answers", fmt.Appendf(nil, "%+v", d.Answer))
	}
	for _, c := range n.slack.Calls("") {
		data, err := json.Marshal(c.Args)
		if err != nil {
			t.Fatal(err)
		}
		told.add("Slack", data)
		if c.Args["channel"] == "C0SUPPORT" && strings.Contains(string(data), value.Reveal()) {
			t.Errorf("what a setting holds was posted where others read along: %s", data)
		}
	}
	for _, c := range ms.Calls() {
		told.add("Teams", []byte(c.Path+c.Body))
	}
	for i, token := range ms.Tokens() {
		canaries[fmt.Sprint("token of Teams ", i)] = token
	}
	// What is thrown together in a hurry, as by a panic.
	org, _, err := e.organisation()
	if err != nil {
		t.Fatal(err)
	}
	built, err := newServer(e, org, nil, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		told.add("dump", fmt.Appendf(nil, verb, e))
	}
	told.add("dump", fmt.Appendf(nil, "%v %+v", built.env, org))
	if data, err := json.Marshal(e); err != nil {
		t.Error(err)
	} else {
		told.add("dump", data)
	}
	files, err := filepath.Glob(redisDir + "/*/*")
	if err != nil || len(files) == 0 {
		t.Errorf("no files of Redis: %v", err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		told.add("store", data)
	}

	// Lent by Slack, to be used and never written down by the log or an error. The store has them for half an hour.
	lent := map[string]bool{}
	for _, d := range n.slack.Deliveries() {
		for _, part := range strings.FieldsFunc(d.Body, func(r rune) bool { return strings.ContainsRune(`&="\`, r) }) {
			if strings.Contains(part, "%2Factions%2F") || strings.Contains(part, "%2Fcommands%2F") {
				lent[part[strings.LastIndex(part, "%2F")+3:]] = true
			}
		}
	}
	if len(lent) == 0 {
		t.Error("Slack lent no address")
	}
	for where, what := range told.told {
		for name, canary := range canaries {
			if bytes.Contains(what.Bytes(), []byte(canary)) {
				t.Errorf("%s: %s is there:\n%s", where, name, around(what.String(), canary))
			}
		}
		if where == "store" || where == "Slack" {
			continue
		}
		for one := range lent {
			if strings.Contains(what.String(), one) {
				t.Errorf("%s: an address that Slack lent is there:\n%s", where, around(what.String(), one))
			}
		}
	}
	for _, where := range []string{"log", "Slack", "Teams", "answers", "page", "gladly", "metrics", "bot audit", "bot doctor", "bot manifest", "bot serve"} {
		if what := told.told[where]; what == nil || what.Len() < 100 {
			t.Errorf("nothing was looked at from: %s", where)
		}
	}
}

// variables are an environment as a process gets it.
func variables(e environment) (out []string) {
	v := reflect.ValueOf(e)
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("env")
		switch value := v.Field(i).Interface().(type) {
		case config.Secret:
			out = append(out, name+"="+value.Reveal())
		case []string:
			out = append(out, name+"="+strings.Join(value, ","))
		case string:
			out = append(out, name+"="+value)
		}
	}
	return out
}

// around is where a text stands.
func around(all, text string) string {
	at := strings.Index(all, text)
	return all[max(0, at-200):min(len(all), at+len(text)+50)]
}

// waitUntil asks again and again, with a breath between.
func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}
