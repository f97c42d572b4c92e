package slacktest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"switchback/handlers/slack/slacktest"
)

// call calls a method with a JSON body and returns what was wrong: the first message or the error.
func call(t *testing.T, s *slacktest.Slack, method, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.APIURL()+method, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.Config().BotToken)
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out struct {
		Error    string `json:"error"`
		Metadata struct {
			Messages []string `json:"messages"`
		} `json:"response_metadata"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	if len(out.Metadata.Messages) > 0 {
		return out.Metadata.Messages[0]
	}
	return out.Error
}

// trigger lets @ana type a command and returns the trigger that came with it.
func trigger(t *testing.T, s *slacktest.Slack) string {
	t.Helper()
	var id string
	bot := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		id = r.PostForm.Get("trigger_id")
	}))
	defer bot.Close()
	s.Connect(slacktest.At(bot.URL))
	if d, err := s.Command(t.Context(), "U0ANA", "C0SUPPORT", "/outage"); err != nil || !d.OK() {
		t.Fatalf("command: %+v, %v", d, err)
	}
	return id
}

func form(title string) slack.ModalViewRequest {
	return slack.ModalViewRequest{Type: slack.VTModal, Title: plain(title), Blocks: slack.Blocks{BlockSet: []slack.Block{section("x")}}}
}

func TestTriggers(t *testing.T) {
	c := &clock{t: time.Date(2026, 11, 25, 18, 0, 0, 0, time.UTC)}
	s := acme(t, slacktest.Config{Now: c.now})
	api, ctx := client(s), t.Context()
	id := trigger(t, s)
	opened, err := api.OpenViewContext(ctx, id, form("First"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.OpenViewContext(ctx, id, form("Again")); code(err) != "exchanged_trigger_id" {
		t.Errorf("used twice: %v", err)
	}
	late := trigger(t, s)
	c.pass(3*time.Second + time.Millisecond)
	if _, err := api.OpenViewContext(ctx, late, form("Late")); code(err) != "expired_trigger_id" {
		t.Errorf("after three seconds: %v", err)
	}
	if _, err := api.OpenViewContext(ctx, "1.2.3", form("Made up")); code(err) != "invalid_trigger_id" {
		t.Errorf("made up: %v", err)
	}
	if v, open := s.Form("U0ANA"); !open || v.Title != "First" || v.ID != opened.ID {
		t.Errorf("the open form is %+v, want the first", v)
	}

	changed, err := api.UpdateViewContext(ctx, form("Second"), "", opened.Hash, opened.ID)
	if err != nil || changed.Hash == opened.Hash {
		t.Fatalf("views.update = %+v, %v, want a new hash", changed, err)
	}
	if _, err := api.UpdateViewContext(ctx, form("Third"), "", opened.Hash, opened.ID); code(err) != "hash_conflict" {
		t.Errorf("views.update with the old hash: %v", err)
	}
	if _, err := api.PushViewContext(ctx, trigger(t, s), form("Pushed")); code(err) != "not_found" {
		t.Errorf("views.push with the trigger of a command: %v", err)
	}
	if _, err := s.CloseForm(ctx, "U0ANA"); err != nil {
		t.Fatal(err)
	}
	if _, err := api.UpdateViewContext(ctx, form("Closed"), "", "", opened.ID); code(err) != "not_found" {
		t.Errorf("views.update of a closed form: %v", err)
	}
}

func TestHome(t *testing.T) {
	s := acme(t, slacktest.Config{})
	api, ctx := client(s), t.Context()
	home := slack.PublishViewContextRequest{UserID: "U0ANA", View: slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: []slack.Block{section("Nothing is open")}}}}
	first, err := api.PublishViewContext(ctx, home)
	if err != nil {
		t.Fatal(err)
	}
	home.Hash = &first.Hash
	if _, err := api.PublishViewContext(ctx, home); err != nil {
		t.Fatal(err)
	}
	if _, err := api.PublishViewContext(ctx, home); code(err) != "hash_conflict" {
		t.Errorf("published over somebody else's: %v", err)
	}
	s.SetHome(false)
	if _, err := api.PublishViewContext(ctx, home); code(err) != "not_enabled" {
		t.Errorf("published with the tab off: %v", err)
	}
}
