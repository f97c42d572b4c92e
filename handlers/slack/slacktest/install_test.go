package slacktest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/handlers/slack/slacktest"
)

func TestInstall(t *testing.T) {
	var c slacktest.Config
	err := c.Install([]byte(`{
		"features": {"slash_commands": [{"command": "/incident"}]},
		"oauth_config": {"scopes": {"bot": ["commands", "chat:write"]}},
		"settings": {"event_subscriptions": {"bot_events": ["app_home_opened", "message.im"]}}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	s := acme(t, c)
	listen(t, s)
	ctx := t.Context()
	if d := s.OpenHome(ctx, "U0ANA"); d.Kind != "event app_home_opened" || !d.OK() {
		t.Errorf("opened the home tab: %+v", d)
	}
	if _, d, err := s.Say(ctx, "U0ANA", s.Direct("U0ANA").ID, "", "hello"); err != nil || d.Kind != "event message" {
		t.Errorf("a direct message: %+v, %v", d, err)
	}
	if _, d, err := s.Say(ctx, "U0ANA", "C0SUPPORT", "", "@switchback hello"); err != nil || d.Kind != "" {
		t.Errorf("a mention that it did not subscribe to: %+v, %v", d, err)
	}
	if d, err := s.Command(ctx, "U0ANA", "C0SUPPORT", "/incident"); err != nil || !d.OK() || d.Kind != "command" {
		t.Errorf("its command: %+v, %v", d, err)
	}
	if d, err := s.Command(ctx, "U0ANA", "C0SUPPORT", "/outage"); err != nil || d.Kind != "" {
		t.Errorf("no command of its: %+v, %v", d, err)
	}
	if err := c.Install([]byte("no manifest")); err == nil {
		t.Error("installed what is no manifest")
	}
}

// direct sends requests straight to a handler: no sockets, which do not work in a bubble.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w.Result(), r.Context().Err()
}

// Slack sends an event three times more: at once, after one minute and after five.
func TestTheScheduleOfSlack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
		s := slacktest.New(slacktest.Config{BaseURL: "http://slack.example", Client: &http.Client{Transport: direct{away}}})
		defer s.Close()
		s.Connect(slacktest.At("http://bot.example"))
		s.AddUser(slacktest.User{Name: "ana"})
		start := time.Now()
		s.OpenHome(t.Context(), "U0ANA")
		time.Sleep(time.Hour)
		synctest.Wait()
		var got []time.Duration
		for _, d := range s.Deliveries() {
			got = append(got, d.At.Sub(start))
		}
		want := []time.Duration{0, 0, time.Minute, 6 * time.Minute}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("sent after (-want +got):\n%s", diff)
		}
	})
}
