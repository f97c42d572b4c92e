package ops_test

import (
	"context"
	"errors"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/handlers/ops"
)

const hostile = "\n<b>Hello!</b></textarea><script>alert(1)</script>\n  We are & stay \"closed\" 😀\n"

func sheet() flow.Sheet {
	return flow.Sheet{
		ID: "chat-46l48nm9", Todos: []string{"Answer the refused chats"},
		Title: "CHAT – Web shop CLOSED · Help centre STILL OPEN", Text: []string{"@ana looks after it. I ask at 06:10; nothing reopens by itself."}, Notes: []string{"Affecting customers since Wed 25 Nov 23:02"},
		Rows: []flow.SheetRow{
			{Name: "Web shop, chat", State: "done 23:12", Open: true, Before: "open", Known: true, From: "read by the bot, Wed 25 Nov 23:11", Set: "closed"},
			{
				Name: "Help centre, message", State: "done 23:20 by @admin", Open: true, Before: hostile, Known: true, From: "noted by @admin, Wed 25 Nov 23:18", Set: "Chat is down",
				Path: "Settings > Glad App > Help centre > Configure > Chat Unavailable", Click: "copy the text below into the message, and save",
			},
			{Name: "Help centre, Thu 26 Nov", State: "next", Set: "Closed"},
		},
	}
}

func asked(t *testing.T, p *ops.Page, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

// What was there before is given back byte for byte, and nothing that somebody typed becomes HTML.
func TestPage(t *testing.T) {
	var away error
	p, err := ops.NewPage(ops.PageConfig{
		Name: "acme & sons", Zone: time.UTC, Password: "sixteen characters", Sheets: func(context.Context) ([]flow.Sheet, error) { return []flow.Sheet{sheet()}, away },
		Key: func(context.Context) (config.Secret, error) { return "key", away },
	})
	if err != nil {
		t.Fatal(err)
	}
	link := ops.Link("https://bot.example.com/", "key", "chat-46l48nm9")
	w := asked(t, p, httptest.NewRequest(http.MethodGet, link, nil))
	body := w.Body.String()
	if to := os.Getenv("PAGE_TO"); to != "" { // to look at it
		if err := os.WriteFile(to, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fields := regexp.MustCompile(`(?s)<textarea[^>]*>\n(.*?)</textarea>`).FindAllStringSubmatch(body, -1)
	if w.Code != http.StatusOK || len(fields) != 2 || html.UnescapeString(fields[1][1]) != hostile || strings.Contains(body, "<script") {
		t.Errorf("status %d, and the page reads:\n%s", w.Code, body)
	}
	for header, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Content-Security-Policy": "default-src 'none'"} {
		if got := w.Header().Get(header); !strings.Contains(got, want) {
			t.Errorf("%s is %q", header, got)
		}
	}
	if w := asked(t, p, httptest.NewRequest(http.MethodPost, link, nil)); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
	away = errors.New("redis: secret")
	if w := asked(t, p, httptest.NewRequest(http.MethodGet, link, nil)); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("without a store: %d %s", w.Code, w.Body)
	}
}

func TestPagePassword(t *testing.T) {
	if _, err := ops.NewPage(ops.PageConfig{Password: "short"}); !errors.Is(err, ops.ErrPassword) {
		t.Errorf("a short password: %v", err)
	}
	p, err := ops.NewPage(ops.PageConfig{Zone: time.UTC, Sheets: func(context.Context) ([]flow.Sheet, error) { return []flow.Sheet{sheet()}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	if w := asked(t, p, httptest.NewRequest(http.MethodGet, "/ops", nil)); w.Code != http.StatusNotFound {
		t.Errorf("without a password the list of all gives %d", w.Code)
	}
}
