package main

import (
	"archive/zip"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
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

// The package is written where it is wanted, and what comes next stands beside it.
func TestManifestTeams(t *testing.T) {
	const app = "b07b07b0-0000-4000-8000-000000000b07"
	file := filepath.Join(t.TempDir(), "switchback.zip")
	status, out, errs := calls(t, "manifest", "teams", "--app-id", app, "--url", "https://bot.example.com", "--out", file)
	if status != 0 || out != file+"\n" || !strings.Contains(errs, "https://bot.example.com/api/messages") || !strings.Contains(errs, "TEAMS_TENANT_ID") {
		t.Errorf("status %d, printed %q and %q", status, out, errs)
	}
	z, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if len(z.File) != 3 {
		t.Errorf("the package has %d files, want the manifest and two icons", len(z.File))
	}
	for _, args := range [][]string{{}, {"--app-id", app}, {"--app-id", "x", "--url", "https://bot.example.com"}, {"--app-id", app, "--url", "http://bot.example.com"}} {
		args = append([]string{"manifest", "teams", "--out", filepath.Join(t.TempDir(), "x.zip")}, args...)
		if status, out, errs := calls(t, args...); status == 0 || out != "" || errs == "" {
			t.Errorf("bot %s: status %d, printed %q and %q", args, status, out, errs)
		}
	}
}
