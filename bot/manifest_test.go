package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"switchback/handlers"
	"switchback/handlers/slack"
)

// The manifest can go into a file as it is; what each part is for stands beside it.
func TestManifestSlack(t *testing.T) {
	for _, args := range [][]string{{"--url", "https://bot.example.com"}, {"--socket"}} {
		status, out, errs := calls(t, append([]string{"manifest", "slack"}, args...)...)
		if status != 0 || !json.Valid([]byte(out)) {
			t.Errorf("bot manifest slack %s: status %d, printed %s", args, status, out)
		}
		for _, all := range [][]slack.Reason{slack.Scopes(), slack.Events()} {
			for _, r := range all {
				if !strings.Contains(out, `"`+r.What+`"`) || !strings.Contains(errs, r.What) || !strings.Contains(errs, r.Why) {
					t.Errorf("bot manifest slack %s: %s is not asked for, or not explained", args, r.What)
				}
			}
		}
	}
	for _, args := range [][]string{{}, {"--url", "https://bot.example.com", "--socket"}, {"--url", "http://bot.example.com"}} {
		if status, out, errs := calls(t, append([]string{"manifest", "slack"}, args...)...); status == 0 || out != "" || errs == "" {
			t.Errorf("bot manifest slack %s: status %d, printed %q and %q", args, status, out, errs)
		}
	}
}

// Each address of the manifest is one where the bot listens to Slack.
func TestManifestNamesRoutes(t *testing.T) {
	_, out, _ := calls(t, "manifest", "slack", "--url", "https://bot.example.com")
	slackHears := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	routes := handlers.Routes{Slack: slackHears}.Handler()
	found := regexp.MustCompile(`"https://bot\.example\.com(/[^"]*)"`).FindAllStringSubmatch(out, -1)
	if len(found) != 3 {
		t.Fatalf("addresses of the manifest: %q, want three", found)
	}
	for _, address := range found {
		w := httptest.NewRecorder()
		routes.ServeHTTP(w, httptest.NewRequest(http.MethodPost, address[1], nil))
		if w.Code != http.StatusTeapot {
			t.Errorf("POST %s gives %d: Slack is not heard there", address[1], w.Code)
		}
	}
}
