package slacktest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"

	"switchback/handlers/slack/slacktest"
)

// The example of https://docs.slack.dev/authentication/verifying-requests-from-slack
func TestSignature(t *testing.T) {
	const body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	const want = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
	if got := slacktest.Sign("8f742231b10e8888abcd99yyyzzz85a5", time.Unix(1531420618, 0), body); got != want {
		t.Errorf("Sign = %s, want %s", got, want)
	}
}

// received is what a bot got, checked by slack-go.
type received struct {
	path   string
	header http.Header
	body   string
	valid  bool
}

// listener is a bot that notes what it gets and answers as the test says.
type listener struct {
	mu     sync.Mutex
	got    []received
	answer func(w http.ResponseWriter, r received)
}

func listen(t *testing.T, s *slacktest.Slack) *listener {
	t.Helper()
	l := &listener{answer: func(http.ResponseWriter, received) {}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		in := received{path: r.URL.Path, header: r.Header, body: string(body)}
		if v, err := slack.NewSecretsVerifier(r.Header, s.Config().SigningSecret); err == nil {
			_, _ = v.Write(body)
			in.valid = v.Ensure() == nil
		}
		l.mu.Lock()
		l.got = append(l.got, in)
		answer := l.answer
		l.mu.Unlock()
		answer(w, in)
	}))
	t.Cleanup(server.Close)
	s.Connect(slacktest.At(server.URL))
	return l
}

func (l *listener) all() []received {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.got)
}

func (l *listener) last() received {
	got := l.all()
	return got[len(got)-1]
}

func (r received) payload(t *testing.T) slack.InteractionCallback {
	t.Helper()
	form, err := url.ParseQuery(r.body)
	if err != nil {
		t.Fatal(err)
	}
	var in slack.InteractionCallback
	if err := json.Unmarshal([]byte(form.Get("payload")), &in); err != nil {
		t.Fatal(err)
	}
	return in
}

// until waits for a condition of the workspace.
func until(t *testing.T, s *slacktest.Slack, what string, holds func() bool) {
	t.Helper()
	over := time.After(20 * time.Second)
	for {
		changed := s.Changed()
		if holds() {
			return
		}
		select {
		case <-changed:
		case <-over:
			t.Fatalf("%s: not within 20 s; sent %+v", what, s.Deliveries())
		}
	}
}

func TestWhatSlackSends(t *testing.T) {
	s := acme(t, slacktest.Config{})
	api, ctx := client(s), t.Context()
	l := listen(t, s)
	verify := func(d slacktest.Delivery, err error) received {
		t.Helper()
		if err != nil || !d.OK() {
			t.Fatalf("%+v, %v", d, err)
		}
		if !l.last().valid {
			t.Errorf("%s was not signed well", d.Kind)
		}
		return l.last()
	}

	in := verify(s.Command(ctx, "U0ANA", "C0SUPPORT", "/outage chat <late> for @support-oncall in #support"))
	form, err := url.ParseQuery(in.body)
	if err != nil {
		t.Fatal(err)
	}
	want := "chat &lt;late&gt; for <!subteam^S0SUPPORTONCALL|@support-oncall> in <#C0SUPPORT|support>"
	if got := form.Get("text"); got != want || form.Get("command") != "/outage" || form.Get("user_id") != "U0ANA" || form.Get("channel_name") != "support" {
		t.Errorf("command = %v, want the text %q", form, want)
	}

	_, ts, err := api.PostMessageContext(ctx, "C0PARTNER", slack.MsgOptionText("x", false), slack.MsgOptionBlocks(button("Restore…", "r1")))
	if err != nil {
		t.Fatal(err)
	}
	m, _ := s.Message("C0PARTNER", ts)
	press := verify(s.Press(ctx, "U0PAT", m, "Restore…")).payload(t)
	if press.User.TeamID != "T0PARTNER" || press.Team.ID != "T0ACME" || press.Message.Timestamp != ts || press.Container.IsEphemeral || press.ActionCallback.BlockActions[0].Value != "r1" {
		t.Errorf("an external press = %+v", press)
	}
	if _, err := s.Press(ctx, "U0BEN", m, "No such button"); err == nil {
		t.Error("pressed a button that is not there")
	}
	if _, err := api.PostEphemeralContext(ctx, "C0SUPPORT", "U0ANA", slack.MsgOptionBlocks(button("Go", "1"))); err != nil {
		t.Fatal(err)
	}
	alone := s.Messages("C0SUPPORT")[0]
	press = verify(s.Press(ctx, "U0ANA", alone, "Go")).payload(t)
	if !press.Container.IsEphemeral || press.Message.Timestamp != "" || press.Container.MessageTs != alone.TS {
		t.Errorf("a press on an ephemeral message = %+v, want no message in it", press)
	}
	if _, err := s.Press(ctx, "U0BEN", alone, "Go"); err == nil {
		t.Error("@ben pressed what only @ana sees")
	}

	cut := verify(s.Shortcut(ctx, "U0ANA", "report")).payload(t)
	if cut.Type != slack.InteractionTypeShortcut || cut.CallbackID != "report" || cut.TriggerID == "" {
		t.Errorf("shortcut = %+v", cut)
	}
	cut = verify(s.ShortcutOn(ctx, "U0ANA", m, "timeline")).payload(t)
	if cut.Type != slack.InteractionTypeMessageAction || cut.Message.Timestamp != ts || cut.ResponseURL == "" {
		t.Errorf("message shortcut = %+v", cut)
	}

	if _, d, err := s.Say(ctx, "U0PAT", "C0PARTNER", ts, "@switchback help"); err != nil || !d.OK() {
		t.Fatal(d, err)
	}
	outer, err := slackevents.ParseEvent(json.RawMessage(l.last().body), slackevents.OptionNoVerifyToken())
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := outer.InnerEvent.Data.(*slackevents.AppMentionEvent); !ok || e.ThreadTimeStamp != ts || e.User != "U0PAT" || e.SourceTeam != "T0PARTNER" || e.Text != "<@"+slacktest.BotUser+"> help" {
		t.Errorf("mention = %+v", outer.InnerEvent.Data)
	}
	if _, d, err := s.Say(ctx, "U0ANA", "C0GENERAL", "", "@switchback help"); err != nil || d.Kind != "" {
		t.Errorf("the bot heard a mention in a channel that it is not in: %+v, %v", d, err)
	}
	direct := s.Direct("U0ANA")
	if _, d, err := s.Say(ctx, "U0ANA", direct.ID, "", "hello"); err != nil || d.Kind != "event message" || !strings.Contains(d.Body, `"channel_type":"im"`) {
		t.Errorf("a direct message = %+v, %v", d, err)
	}
	if _, _, err := api.PostMessageContext(ctx, direct.ID, slack.MsgOptionText("hello to you", false)); err != nil {
		t.Fatal(err)
	}
	until(t, s, "the bot hears itself", func() bool {
		d := s.Deliveries()
		return strings.Contains(d[len(d)-1].Body, "hello to you") && strings.Contains(d[len(d)-1].Body, slacktest.BotID)
	})

	for kind, d := range map[string]slacktest.Delivery{
		"app_home_opened": s.OpenHome(ctx, "U0ANA"), "member_joined_channel": s.Join(ctx, "U0GUS", "C0GENERAL"), "member_left_channel": s.Leave(ctx, "U0GUS", "C0GENERAL"),
		"channel_left": s.Leave(ctx, slacktest.BotUser, "C0PARTNER"), "group_archive": s.Archive(ctx, "U0ANA", "C0SECRET"), "channel_unshared": s.Unshare(ctx, "C0PARTNER"),
		"channel_shared": s.Share(ctx, "C0SUPPORT"), "channel_archive": s.Archive(ctx, "U0ANA", "C0GENERAL"), "user_change": s.Deactivate(ctx, "U0BEN"),
		"subteam_members_changed": s.SetGroup(ctx, "S0SUPPORTONCALL", "U0ANA"),
	} {
		if !d.OK() || d.Kind != "event "+kind || !strings.Contains(d.Body, `"type":"`+kind+`"`) {
			t.Errorf("%s = %+v", kind, d)
		}
	}
	if _, err := s.Command(ctx, "U0BEN", "C0SUPPORT", "/outage"); err == nil {
		t.Error("a deactivated person typed a command")
	}
	if d, err := s.Command(ctx, "U0PAT", "C0PARTNER", "/outage"); err != nil || d.Kind != "" {
		t.Errorf("an external person's command reached the bot: %+v, %v", d, err)
	}
	revoked, gone := s.Uninstall(ctx)
	if revoked.Kind != "event tokens_revoked" || gone.Kind != "event app_uninstalled" {
		t.Errorf("uninstall sent %q and %q", revoked.Kind, gone.Kind)
	}
}

func TestTwoBotsTakeTurns(t *testing.T) {
	s := acme(t, slacktest.Config{})
	first := listen(t, s)
	one := s.App()
	second := listen(t, s)
	s.Connect(one, s.App())
	for range 4 {
		if d, err := s.Command(t.Context(), "U0ANA", "C0SUPPORT", "/outage"); err != nil || !d.OK() {
			t.Fatal(d, err)
		}
	}
	if a, b := len(first.all()), len(second.all()); a != 2 || b != 2 {
		t.Errorf("they took %d and %d commands, want 2 and 2", a, b)
	}
}

func TestSendingWhatSlackNeverWould(t *testing.T) {
	s := acme(t, slacktest.Config{})
	l := listen(t, s)
	u := s.App().CommandURL
	for _, row := range []struct {
		name    string
		request slacktest.Request
		valid   bool
	}{
		{"as it should be", slacktest.Request{}, true},
		{"another secret", slacktest.Request{Secret: "other"}, false},
		{"unsigned", slacktest.Request{Signature: "none"}, false},
		{"made up", slacktest.Request{Signature: "v0=" + strings.Repeat("0", 64)}, false},
		{"six minutes old", slacktest.Request{At: time.Now().Add(-6 * time.Minute)}, false},
		{"six minutes early", slacktest.Request{At: time.Now().Add(6 * time.Minute)}, false},
	} {
		row.request.URL, row.request.Body = u, "command=%2Foutage"
		if d := s.Send(t.Context(), row.request); d.Status != http.StatusOK || l.last().valid != row.valid {
			t.Errorf("%s: valid %v, want %v (%+v)", row.name, l.last().valid, row.valid, d)
		}
	}
}

func TestPeopleAreToldOfFailure(t *testing.T) {
	s := acme(t, slacktest.Config{AnswerWithin: 50 * time.Millisecond})
	ctx := t.Context()
	l := listen(t, s)
	release := make(chan struct{})
	defer close(release)
	for _, row := range []struct {
		answer func(http.ResponseWriter, received)
		want   string
	}{
		{func(http.ResponseWriter, received) { <-release }, `/outage failed with the error "operation_timeout"`},
		{func(w http.ResponseWriter, _ received) { w.WriteHeader(http.StatusInternalServerError) }, `/outage failed with the error "dispatch_failed"`},
		{func(w http.ResponseWriter, _ received) { _, _ = io.WriteString(w, "said *at once*") }, "said at once"},
		{func(w http.ResponseWriter, _ received) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"blocks":[{"type":"nonsense"}]}`)
		}, `/outage failed with the error "dispatch_unknown_error"`},
	} {
		l.mu.Lock()
		l.answer = row.answer
		l.mu.Unlock()
		if _, err := s.Command(ctx, "U0ANA", "C0SUPPORT", "/outage"); err != nil {
			t.Fatal(err)
		}
		seen := s.Visible("U0ANA")
		if diff := cmp.Diff([]string{row.want}, s.Lines(seen[len(seen)-1], "U0ANA")); diff != "" {
			t.Errorf("@ana is told (-want +got):\n%s", diff)
		}
		if len(s.Visible("U0BEN")) > 0 {
			t.Error("@ben was told too")
		}
	}
}

func TestEventsAreSentAgain(t *testing.T) {
	s := acme(t, slacktest.Config{AnswerWithin: 50 * time.Millisecond, EventRetries: []time.Duration{0, time.Millisecond, time.Millisecond}})
	l := listen(t, s)
	release := make(chan struct{})
	defer close(release)
	var n atomic.Int32
	l.answer = func(w http.ResponseWriter, _ received) {
		switch n.Add(1) {
		case 1:
			<-release
		case 2:
			w.WriteHeader(http.StatusBadGateway)
		}
	}
	if d := s.OpenHome(t.Context(), "U0ANA"); d.Err != slacktest.TimedOut {
		t.Fatalf("the first delivery = %+v, want no answer", d)
	}
	until(t, s, "sent three times", func() bool { return len(s.Deliveries()) == 3 })
	var got [][]string
	ids := map[string]bool{}
	for _, in := range l.all() {
		got = append(got, []string{in.header.Get("X-Slack-Retry-Num"), in.header.Get("X-Slack-Retry-Reason")})
		var e struct {
			ID string `json:"event_id"`
		}
		if err := json.Unmarshal([]byte(in.body), &e); err != nil {
			t.Fatal(err)
		}
		ids[e.ID] = true
	}
	if diff := cmp.Diff([][]string{{"", ""}, {"1", "http_timeout"}, {"2", "http_error"}}, got); diff != "" {
		t.Errorf("retry headers (-want +got):\n%s", diff)
	}
	if len(ids) != 1 {
		t.Errorf("the same event came under the ids %v", ids)
	}

	l.mu.Lock()
	l.answer = func(w http.ResponseWriter, _ received) {
		w.Header().Set("X-Slack-No-Retry", "1")
		w.WriteHeader(http.StatusBadRequest)
	}
	l.mu.Unlock()
	if d := s.OpenHome(t.Context(), "U0ANA"); !d.NoRetry {
		t.Errorf("= %+v, want that it is not sent again", d)
	}
}

func TestHandshake(t *testing.T) {
	s := acme(t, slacktest.Config{})
	l := listen(t, s)
	if _, passed := s.Verify(t.Context()); passed {
		t.Error("passed without an answer")
	}
	l.answer = func(w http.ResponseWriter, r received) {
		var in struct {
			Challenge string `json:"challenge"`
		}
		if err := json.Unmarshal([]byte(r.body), &in); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, in.Challenge)
	}
	if d, passed := s.Verify(t.Context()); !passed || !l.last().valid {
		t.Errorf("= %+v, want it signed and passed", d)
	}
}
