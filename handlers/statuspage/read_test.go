package statuspage

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/incident"
	"switchback/handlers/statuspage/statuspagetest"
)

// serve puts a page on a loopback address, and returns a reader of it.
func serve(t *testing.T, p *statuspagetest.Page) *Reader {
	t.Helper()
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	t.Cleanup(p.Close)
	return NewReader(incident.Routing{Pages: []incident.Page{{ID: "gladly", URL: s.URL, Link: "https://status.gladly.com"}}}, nil)
}

func mustRead(t *testing.T, r *Reader, open ...string) incident.Reading {
	t.Helper()
	got, err := r.Read(t.Context(), "gladly", open)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func find(t *testing.T, r incident.Reading, id string) incident.Snapshot {
	t.Helper()
	i := slices.IndexFunc(r.Incidents, func(s incident.Snapshot) bool { return s.ID == id })
	if i < 0 {
		t.Fatalf("the reading does not have %s", id)
	}
	return r.Incidents[i]
}

func TestRead(t *testing.T) {
	p := statuspagetest.New("Gladly", "Channels / Voice", "Channels / Chat", "Login")
	r := serve(t, p)
	id := p.Open("Calls fail", "major", "investigating", "Looking.<br>Soon more.", statuspagetest.Set{Component: "Voice", Status: "major_outage"})
	planned := p.Schedule("Upgrade", "Chat may stop.", time.Now().Add(time.Hour), time.Now().Add(2*time.Hour), "Chat")

	got := mustRead(t, r)
	want := []incident.Component{{ID: p.Component("Voice"), Name: "Voice", Group: "Channels", Status: "major_outage"}, {ID: p.Component("Chat"), Name: "Chat", Group: "Channels", Status: "operational"}, {ID: p.Component("Login"), Name: "Login", Status: "operational"}}
	if diff := cmp.Diff(want, got.Components); diff != "" || got.PageID != p.ID() || got.Headline != "Partial System Outage" {
		t.Errorf("the page is %s, %q (-want +got):\n%s", got.PageID, got.Headline, diff)
	}
	s := find(t, got, id)
	if diff := cmp.Diff(want[:1], s.Components); diff != "" || s.Via != incident.ByRead || s.Updates[0].Text != "Looking.\nSoon more." || s.Link != "https://stspg.io/"+id {
		t.Errorf("the incident is %+v (-want +got components):\n%s", s, diff)
	}
	if s := find(t, got, planned); s.Phase() != incident.Planned || !s.Maintenance() {
		t.Errorf("the planned work is %s", s.Phase())
	}

	// What is over is no longer in the summary, and is read all the same.
	p.Update(id, "resolved", "Fixed.", statuspagetest.Set{Component: "Voice", Status: "operational"})
	p.Update(planned, "completed", "Done.")
	got = mustRead(t, r, id, planned)
	if s := find(t, got, id); s.Phase() != incident.Over {
		t.Errorf("the incident is %s, want over", s.Phase())
	}
	if s := find(t, got, planned); s.Phase() != incident.Over {
		t.Errorf("the planned work is %s, want over", s.Phase())
	}

	// What has not changed is not sent again; all planned work is read once an hour only.
	before := p.Unchanged()
	if again := mustRead(t, r); len(again.Incidents) != 1 || p.Unchanged() != before+2 {
		t.Errorf("read again: %d incidents, %d answers not sent; want 1 and 2", len(again.Incidents), p.Unchanged()-before)
	}
	if n := p.Reads("/api/v2/scheduled-maintenances.json"); n != 2 {
		t.Errorf("all planned work was read %d times, want 2", n)
	}
}

// A reading is as old as its first question: what the page says after it may not be in it.
func TestReadIsAsOldAsItsQuestion(t *testing.T) {
	p := statuspagetest.New("Gladly", "Voice")
	var asked time.Time
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.IsZero() {
			asked = time.Now()
		}
		p.ServeHTTP(w, r)
	}))
	defer s.Close()
	defer p.Close()
	got := mustRead(t, NewReader(incident.Routing{Pages: []incident.Page{{ID: "gladly", URL: s.URL}}}, nil))
	if got.At.After(asked) {
		t.Errorf("the reading is of %v after its first question came in", got.At.Sub(asked))
	}
}

// Other vendors speak the dialect with gaps.
func TestReadOtherVendors(t *testing.T) {
	p := statuspagetest.New("Langfuse", "API")
	p.Speak(statuspagetest.Dialect{Bare: true, ULIDs: true})
	r := serve(t, p)
	id := p.Open("API is slow", "minor", "investigating", "Looking.")
	s := find(t, mustRead(t, r), id)
	if len(id) != 18 || s.Components != nil || s.Link != "https://status.gladly.com/incidents/"+id {
		t.Errorf("%s: components %v, link %s", id, s.Components, s.Link)
	}
}

func TestReadTrouble(t *testing.T) {
	p := statuspagetest.New("Gladly", "Voice")
	r := serve(t, p)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request) { t.Error("another host was asked") }))
	defer other.Close()
	mustRead(t, r)
	for _, test := range []struct {
		name    string
		trouble statuspagetest.Trouble
		why     string
		after   time.Duration
	}{
		{"down", statuspagetest.Trouble{Status: 503, RetryAfter: "120"}, "it answers 503", 2 * time.Minute},
		{"too often", statuspagetest.Trouble{Status: 429, RetryAfter: "999999"}, "it answers 429", time.Hour},
		{"a wall", statuspagetest.Trouble{HTML: true}, "a wall against programs", 0},
		{"led away", statuspagetest.Trouble{Redirect: other.URL}, "leads to another address", 0},
	} {
		p.Break(test.trouble)
		_, err := r.Read(t.Context(), "gladly", nil)
		u, ok := errors.AsType[incident.Unread](err)
		if !ok || !strings.Contains(u.Why, test.why) || u.After != test.after {
			t.Errorf("%s: %v after %v, want %q after %v", test.name, err, u.After, test.why, test.after)
		}
		if err != nil && strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%s: the error shows an address: %v", test.name, err)
		}
	}
	p.Break(statuspagetest.Trouble{})
	mustRead(t, r)
}
