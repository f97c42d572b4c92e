package gladly_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/config"
	"switchback/bot/gladly"
	"switchback/bot/gladly/gladlytest"
	"switchback/bot/sim"
)

const token = "t0ken-of-acme"

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// api is a client of the organisation's API, in memory.
func api(t *testing.T, g *gladlytest.Gladly, c gladly.Credentials) *gladly.API {
	t.Helper()
	served := g.API(gladlytest.Credentials{Email: "bot@acme.example", Token: token})
	a, err := gladly.NewAPI(c, sim.Local(served))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func credentials() gladly.Credentials {
	return gladly.Credentials{URL: "https://acme.gladly.example", Email: "bot@acme.example", Token: token}
}

func TestAccount(t *testing.T) {
	for _, base := range []string{"https://acme.gladly.example", "https://acme.gladly.example/", "https://acme.gladly.example/api/v1/"} {
		synctest.Test(t, func(t *testing.T) {
			g := gladlytest.New(gladlytest.Setup{Zone: zone(t, "America/Los_Angeles")})
			c := credentials()
			c.URL = base
			got, err := api(t, g, c).Account(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"org_1", "acme", "America/Los_Angeles"}, []string{got.ID, got.Name, got.Zone.String()}); diff != "" {
				t.Errorf("at %s (-want +got):\n%s", base, diff)
			}
		})
	}
}

// What goes wrong, how often it is tried, how long that takes at most, and that nothing tells the token.
func TestAccountTrouble(t *testing.T) {
	status := func(code int, headers ...string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(code)
		}
	}
	body := func(text string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
	}
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	tests := []struct {
		name    string
		with    func(*gladly.Credentials)
		faults  []func(http.ResponseWriter, *http.Request)
		want    error
		says    string
		asked   int
		atLeast time.Duration
		atMost  time.Duration
	}{
		{name: "a wrong token", with: func(c *gladly.Credentials) { c.Token = "t0ken-of-another" }, want: gladly.ErrCredentials, asked: 1},
		{name: "a user without the permission", faults: repeat(1, status(403)), want: gladly.ErrForbidden, asked: 1},
		{name: "moved", faults: repeat(1, status(301, "Location", "https://elsewhere.example")), says: "status 301", asked: 1},
		{name: "no JSON", faults: repeat(1, body("<html>")), says: "not understood", asked: 1},
		{name: "a zone nobody knows", faults: repeat(1, body(`{"timezone": "Mars/Olympus"}`)), says: `"Mars/Olympus"`, asked: 1},
		{name: "no zone", faults: repeat(1, body(`{}`)), says: "time zone", asked: 1},
		{name: "errors once, in either form", faults: repeat(1, status(503)), asked: 2, atMost: 2 * time.Second},
		{name: "the line is cut twice", faults: repeat(2, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), asked: 3, atMost: 4 * time.Second},
		{name: "it hangs once", faults: repeat(1, hang), asked: 2, atLeast: 5 * time.Second, atMost: 7 * time.Second},
		{name: "it hangs for ever", faults: repeat(9, hang), want: context.DeadlineExceeded, asked: 5, atLeast: 25 * time.Second, atMost: 41 * time.Second},
		{name: "too many requests, once", faults: repeat(1, status(429)), asked: 2, atMost: 2 * time.Second},
		{name: "too many requests, with a word on when", faults: repeat(1, status(429, "Retry-After", "7")), asked: 2, atLeast: 7 * time.Second, atMost: 8 * time.Second},
		{name: "a word that nobody could wait for", faults: repeat(1, status(429, "Retry-After", "86400")), asked: 2, atLeast: 30 * time.Second, atMost: 31 * time.Second},
		{name: "too many requests, always", faults: repeat(9, status(429)), want: gladly.ErrBusy, asked: 5, atMost: 16 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, c := gladlytest.New(gladlytest.Setup{Zone: time.UTC}), credentials()
				if test.with != nil {
					test.with(&c)
				}
				for _, f := range test.faults {
					g.Fail(f)
				}
				began := time.Now()
				_, err := api(t, g, c).Account(t.Context())
				took := time.Since(began)
				switch {
				case test.want != nil && !errors.Is(err, test.want), test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)):
					t.Errorf("Account = %v, want %v %s", err, test.want, test.says)
				case test.want == nil && test.says == "" && err != nil:
					t.Errorf("Account = %v, want none", err)
				}
				if err != nil && (strings.Contains(err.Error(), "t0ken") || strings.Contains(err.Error(), "gladly.example")) {
					t.Errorf("the error tells the token or the address: %v", err)
				}
				if got := g.Asked(); got != test.asked {
					t.Errorf("asked %d times, want %d", got, test.asked)
				}
				if took < test.atLeast || took > test.atMost {
					t.Errorf("it took %v, want %v to %v", took, test.atLeast, test.atMost)
				}
			})
		})
	}
}

func repeat[T any](n int, v T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// Others use the organisation's ten requests a second as well: we take two at most, and step back when they run out.
func TestTheLimitIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gladlytest.New(gladlytest.Setup{Zone: time.UTC})
		a := api(t, g, credentials())
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { _, _ = a.Account(ctx) })
		}
		all.Wait()
		if got := g.Asked(); got > 21 {
			t.Errorf("%d requests in ten seconds, want 21 at most", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		g := gladlytest.New(gladlytest.Setup{Zone: time.UTC})
		a := api(t, g, credentials())
		g.Spend(gladlytest.PerSecond)
		began := time.Now()
		if _, err := a.Account(t.Context()); err != nil {
			t.Errorf("Account after a busy second = %v", err)
		}
		if got := g.Asked(); got != 2 || time.Since(began) < time.Second {
			t.Errorf("asked %d times in %v, want twice and a second between", got, time.Since(began))
		}
	})
}

func TestNewAPIRefuses(t *testing.T) {
	for name, c := range map[string]gladly.Credentials{
		"no address":               {Email: "a@b.example", Token: token},
		"no encryption":            {URL: "http://acme.gladly.example", Email: "a@b.example", Token: token},
		"a password in it":         {URL: "https://a:" + token + "@acme.gladly.example", Email: "a@b.example", Token: token},
		"a host of a similar name": {URL: "http://localhost.evil.example", Email: "a@b.example", Token: token},
		"no token":                 {URL: "https://acme.gladly.example", Email: "a@b.example"},
	} {
		if _, err := gladly.NewAPI(c, nil); err == nil || strings.Contains(err.Error(), token) {
			t.Errorf("%s: NewAPI = %v, want an error that tells no token", name, err)
		}
	}
	// A stand-in on the same machine needs no encryption, and the token does not follow a redirect.
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("followed to %s", r.URL) }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusFound))
	defer server.Close()
	a, err := gladly.NewAPI(gladly.Credentials{URL: server.URL, Email: "a@b.example", Token: config.Secret(token)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Account(t.Context()); err == nil || !strings.Contains(err.Error(), "302") {
		t.Errorf("Account behind a redirect = %v, want its status", err)
	}
}

func TestZoneWarning(t *testing.T) {
	now := time.Date(2026, 11, 25, 23, 10, 0, 0, time.UTC)
	for _, test := range []struct{ document, gladly, want string }{
		{"America/Los_Angeles", "America/Los_Angeles", ""},
		{"US/Pacific", "America/Los_Angeles", ""},
		{"America/New_York", "America/Los_Angeles", "zone is America/New_York in the document and America/Los_Angeles in Gladly"},
		// The same time in November, not in summer.
		{"America/Phoenix", "America/Denver", "on 2027-03-14 it is 16:10 in the one and 17:10 in the other"},
		// The same time of day, a day apart.
		{"Pacific/Honolulu", "Pacific/Kiritimati", "zone is"},
	} {
		got := gladly.Account{Zone: zone(t, test.gladly)}.ZoneWarning(zone(t, test.document), now)
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s in the document, %s in Gladly: %q, want %q", test.document, test.gladly, got, test.want)
		}
	}
}

// TestNothingIsWrittenByAPI: business hours have an API, and close neither phones nor chat; a bot that wrote them would
// change answers and statistics, and leave customers in the queue. So this package sends nothing but a GET, and has no
// setting for them.
func TestNothingIsWrittenByAPI(t *testing.T) {
	for _, k := range newCrew(t).keys {
		if strings.Contains(string(k), "business") {
			t.Errorf("%s is a setting", k)
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"MethodPut", "MethodPost", "MethodPatch", "MethodDelete", "business-hours"} {
			if strings.Contains(string(data), word) {
				t.Errorf("%s has %s in it", file, word)
			}
		}
	}
}
