package try

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"switchback/handlers/slack/slacktest"
)

// A message over Slack's limits is refused as Slack would, is shown with Slack's own words, and the token is hidden.
func TestWireShowsRefusals(t *testing.T) {
	const token = "xoxb-0123456789abcdef"
	w := &wire{changed: func() {}, hide: strings.NewReplacer(token, shownSecret).Replace}
	slack := slacktest.New(slacktest.Config{BotToken: token})
	defer slack.Close()
	slack.AddChannel(slacktest.Channel{ID: supportID, Name: "support", Members: []string{slacktest.BotUser}})
	server := httptest.NewServer(w.serve(slackSide, slack))
	defer server.Close()
	divider := `{"type":"divider"},`
	blocks := "[" + strings.TrimSuffix(strings.Repeat(divider, 51), ",") + "]"
	for _, form := range []url.Values{
		{"token": {token}, "channel": {supportID}, "text": {"Settings &gt; Voice"}},
		{"token": {token}, "channel": {supportID}, "text": {"too much"}, "blocks": {blocks}},
	} {
		resp, err := http.PostForm(server.URL+"/api/chat.postMessage", form)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	all := w.all()
	if len(all) != 2 {
		t.Fatalf("%d exchanges are kept, want 2", len(all))
	}
	if bad, good := all[0], all[1]; !strings.HasPrefix(bad.Trouble, "invalid_blocks; ") || good.Trouble != "" || good.About != "Settings > Voice" || good.Proof != "secret" {
		t.Errorf("the log shows\n%+v and\n%+v", bad, good)
	}
	if request, _, ok := w.texts(all[1].N); !ok || strings.Contains(request, token) || !strings.Contains(request, "token: "+shownSecret) {
		t.Errorf("the request reads %q", request)
	}
}

// The embedded renderer of Teams cards is Microsoft's own, byte for byte.
func TestAdaptiveCards(t *testing.T) {
	theirs, err := os.ReadFile("../../.ci/teams/node_modules/adaptivecards/dist/adaptivecards.min.js")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("missing: npm ci --prefix .ci/teams (%v)", err)
		}
		t.Skip("missing: npm ci --prefix .ci/teams")
	}
	ours, err := files.ReadFile("page/adaptivecards.js")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ours, theirs) {
		t.Error("page/adaptivecards.js is not adaptivecards 3.0.6")
	}
}
