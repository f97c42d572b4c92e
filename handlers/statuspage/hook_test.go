package statuspage

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/config"
	"switchback/bot/incident"
	"switchback/handlers/statuspage/statuspagetest"
)

const (
	secretNow = "kJ4v9QmZ2rX7tB1nW8sY3uE6aD0"
	secretOld = "9f86d081884c7d659a2feaa0c55ad015"
)

func TestHook(t *testing.T) {
	var log bytes.Buffer
	var kept []incident.Notice
	broken := false
	h, err := Handler(Hooks{
		Pages:  incident.Routing{Pages: []incident.Page{{ID: "gladly", URL: "https://gladly.statuspage.io"}}},
		Secret: config.Secret(secretNow + ", " + secretOld),
		Accept: func(_ context.Context, page string, n incident.Notice) error {
			if broken {
				return errors.New("the disk is full")
			}
			kept = append(kept, n)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := zerolog.New(&log).WithContext(t.Context())
	path := HookPath + "gladly/" + secretNow
	for _, test := range []struct {
		name, method, path, body string
		broken                   bool
		want, kept               int
	}{
		{"an incident", "POST", path, incidentHook, false, 200, 1},
		{"the secret before", "POST", HookPath + "gladly/" + secretOld, incidentHook, false, 200, 1},
		{"a kind that nobody knows", "POST", path, `{"maintenance":{}}`, false, 200, 1},
		{"a wrong secret", "POST", HookPath + "gladly/" + secretNow[:26], incidentHook, false, 404, 0},
		{"both secrets", "POST", HookPath + "gladly/" + secretNow + ", " + secretOld, incidentHook, false, 404, 0},
		{"no secret", "POST", HookPath + "gladly/", incidentHook, false, 404, 0},
		{"another page", "POST", HookPath + "acme/" + secretNow, incidentHook, false, 404, 0},
		{"a wrong secret is 404 whatever the method", "GET", HookPath + "gladly/x", "", false, 404, 0},
		{"a look at it", "GET", path, "", false, 405, 0},
		{"too large", "POST", path, `{"x":"` + strings.Repeat("x", maxHook) + `"}`, false, 413, 0},
		{"as large as may be", "POST", path, `{"x":"` + strings.Repeat("x", maxHook-8) + `"}`, false, 200, 1},
		{"no JSON", "POST", path, "payload=x", false, 400, 0},
		{"it cannot be kept", "POST", path, incidentHook, true, 503, 0},
	} {
		kept, broken = nil, test.broken
		r := httptest.NewRequestWithContext(ctx, test.method, "/", strings.NewReader(test.body))
		r.URL.Path = test.path
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != test.want || len(kept) != test.kept {
			t.Errorf("%s: %d, kept %d; want %d, kept %d", test.name, w.Code, len(kept), test.want, test.kept)
		}
		for _, secret := range []string{secretNow, secretOld, "unsubscribe", "j0vqr9kl3513"} {
			if strings.Contains(log.String(), secret) || strings.Contains(w.Body.String(), secret) {
				t.Fatalf("%s: %q is in a log or an answer:\n%s%s", test.name, secret, log.String(), w.Body)
			}
		}
	}
}

// Without a secret nothing is taken; a weak one is refused at the start, and not shown.
func TestSecrets(t *testing.T) {
	for _, secret := range []string{"short", "9f86d081884c7d659a2feaa0c55ad01", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", secretNow + ",", "a/b/" + secretNow} {
		_, err := Handler(Hooks{Secret: config.Secret(secret)})
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("secret %q: error %v, want one that does not show it", secret, err)
		}
	}
	h, err := Handler(Hooks{Pages: incident.Routing{Pages: []incident.Page{{ID: "gladly"}}}})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, HookPath+"gladly/x", strings.NewReader("{}")))
	if w.Code != http.StatusNotFound {
		t.Errorf("without a secret: %d, want 404", w.Code)
	}
}

// A storm is taken in; a flood is not.
func TestHookFlood(t *testing.T) {
	in := &intake{counts: map[string]*count{}}
	at, taken := time.Now(), 0
	for range 2 * perMinute {
		if in.room("gladly", at) {
			taken++
		}
	}
	if taken != perMinute || !in.room("other", at) || !in.room("gladly", at.Add(time.Minute)) {
		t.Errorf("%d of %d were taken, want %d, and others' and the next minute's too", taken, 2*perMinute, perMinute)
	}
}

// The stand-in's notifications arrive as the page sends them, again while they fail, and end in quarantine.
func TestSubscriber(t *testing.T) {
	var failing atomic.Bool
	failing.Store(true)
	got := make(chan incident.Notice, 100)
	done := make(chan struct{}, 100)
	h, err := Handler(Hooks{
		Pages: incident.Routing{Pages: []incident.Page{{ID: "gladly", URL: "https://gladly.statuspage.io"}}}, Secret: secretNow,
		Accept: func(_ context.Context, _ string, n incident.Notice) error {
			if failing.Load() {
				done <- struct{}{}
				return errors.New("away")
			}
			got <- n
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	defer s.Close()
	p := statuspagetest.New("Gladly", "Voice")
	defer p.Close()
	sub := p.Subscribe(s.URL+HookPath+"gladly/"+secretNow, s.Client())
	id := p.Open("Calls fail", "minor", "investigating", "Looking.")
	for range 9 { // with the first that makes ten failures
		p.Update(id, "investigating", "Still looking.")
	}
	for range 10 {
		<-done
	}
	for !sub.Quarantined() {
		time.Sleep(time.Millisecond) // the answer is on its way back
	}
	failing.Store(false)
	p.Update(id, "identified", "Nobody hears this.")
	sub.Reactivate()
	p.Update(id, "resolved", "Fixed.", statuspagetest.Set{Component: "Voice", Status: "operational"})
	if n := <-got; n.Incident == nil || n.Incident.State() != incident.Resolved || len(n.Incident.Updates) != 12 {
		t.Errorf("after the quarantine came %+v, want the end with the whole history", n)
	}
}
