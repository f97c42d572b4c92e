package ops_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"switchback/bot/flow"
	"switchback/handlers/ops"
)

func sources() ops.Sources {
	late := flow.Outage{ID: "chat-secret1", Owner: flow.Person{Name: "@ana"}, Deadline: time.Now().Add(-time.Hour)}
	return ops.Sources{
		Open:    func(context.Context) ([]flow.Outage, error) { return []flow.Outage{late, {ID: "sms-1"}}, nil },
		Healthy: func(context.Context) (bool, string) { return false, "full" },
		Waiting: func(context.Context) (map[string]flow.Queue, error) {
			return map[string]flow.Queue{"slack": {Cards: 3, Oldest: time.Now().Add(-time.Minute)}}, nil
		},
		Flags: func(each func(name, help string, n uint64)) { each("flags_chat_answered_total", "Answers.", 7) },
		Pages: func(context.Context) (map[string]time.Time, error) {
			return map[string]time.Time{"gladly": time.Now()}, nil
		},
	}
}

func scrape(t *testing.T, m *ops.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestMetrics(t *testing.T) {
	m := ops.New(sources())
	h := m.Measure("slack", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/slack/commands", nil))
	got := scrape(t, m)
	for _, want := range []string{
		"switchback_outages_open 2\n", "switchback_outages_overdue 1\n", "switchback_store_changes_allowed 0\n",
		`switchback_cards_waiting{platform="slack"} 3` + "\n", `switchback_cards_waiting_seconds{platform="slack"} `, "switchback_flags_chat_answered_total 7\n",
		`switchback_page_read_seconds{page="gladly"}`, `switchback_request_seconds_count{code="403",from="slack"} 1` + "\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for _, never := range []string{"secret1", "ana", "/slack/commands"} {
		if strings.Contains(got, never) {
			t.Errorf("%q is among the metrics", never)
		}
	}
}

// While the store is away the rest is still told.
func TestMetricsWithoutAStore(t *testing.T) {
	s := sources()
	away := errors.New("away")
	s.Open = func(context.Context) ([]flow.Outage, error) { return nil, away }
	s.Waiting = func(context.Context) (map[string]flow.Queue, error) { return nil, away }
	got := scrape(t, ops.New(s))
	if strings.Contains(got, "outages_open") || !strings.Contains(got, "switchback_store_changes_allowed 0") || !strings.Contains(got, "flags_chat") {
		t.Errorf("scraped:\n%s", got)
	}
}
