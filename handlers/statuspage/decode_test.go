package statuspage

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/incident"
)

func gladly() incident.Page {
	p, _ := incident.Routing{Pages: []incident.Page{{ID: "gladly", Name: "Gladly", URL: "https://gladly.statuspage.io"}}}.Find("gladly")
	return p
}

// The documented example of an incident notification
// (https://support.atlassian.com/statuspage/docs/enable-webhook-notifications), with what real ones have beside it: two
// zones in one body, CRLF, HTML, keys that nobody documents.
const incidentHook = `{
  "meta": {"unsubscribe": "http://statustest.flyingkleinbrothers.com:5000/?unsubscribe=j0vqr9kl3513", "documentation": "http://doers.statuspage.io/customer-notifications/webhooks/", "generated_at": "2026-11-23T17:42:10.114Z"},
  "page": {"id": "j2mfxwj97wnj", "status_indicator": "critical", "status_description": "Major System Outage"},
  "incident": {
    "backfilled": false, "created_at": "2026-11-23T12:38:17.000-05:00", "impact": "Critical", "impact_override": null,
    "monitoring_at": null, "postmortem_body": null, "postmortem_ignored": false, "resolved_at": null, "new_key": {"deep": [1]},
    "scheduled_auto_transition": false, "scheduled_for": null, "shortlink": "http://j.mp/18zyDQx", "status": "identified", "updated_at": "2026-11-23T17:42:00Z",
    "id": "lbkhbwn21v5q", "organization_id": "j2mfxwj97wnj", "name": "Inbound <b>calls</b> fail &amp; ring out",
    "incident_updates": [
      {"body": "Found it.<br />A carrier.\r\nMore at 18:00.", "created_at": "2026-11-23T17:42:00Z", "display_at": "2026-11-23T17:41:00Z", "status": "identified", "id": "u2", "updated_at": "2026-11-23T17:42:00Z", "wants_twitter_update": false,
       "affected_components": [{"code": "c1", "name": "Channels - Voice", "old_status": "operational", "new_status": "major_outage"}, {"code": "c2", "name": "Chat", "old_status": "operational", "new_status": "operational"}]},
      {"body": "Looking.", "created_at": "2026-11-23T12:38:17.000-05:00", "display_at": "2026-11-23T12:38:17.000-05:00", "status": "investigating", "id": "u1", "updated_at": "2026-11-23T17:38:17Z", "deliver_notifications": false,
       "affected_components": [{"name": "No components were affected by this update."}]}
    ],
    "components": [{"id": "c1", "name": "Voice", "status": "major_outage", "group_id": null}]
  }
}`

func TestDecodeIncident(t *testing.T) {
	at := time.Date(2026, 11, 23, 17, 42, 11, 0, time.UTC)
	n, err := decodeNotice(gladly(), []byte(incidentHook), at)
	if err != nil {
		t.Fatal(err)
	}
	begin, found := time.Date(2026, 11, 23, 17, 38, 17, 0, time.UTC), time.Date(2026, 11, 23, 17, 42, 0, 0, time.UTC)
	want := incident.Notice{At: at, PageID: "j2mfxwj97wnj", Incident: &incident.Snapshot{
		Page: "gladly", ID: "lbkhbwn21v5q", Via: incident.ByHook, At: at, Name: "Inbound calls fail & ring out", Status: "identified", Impact: "critical",
		Link:       "https://gladly.statuspage.io/incidents/lbkhbwn21v5q", // never where a body says, but for the vendor's own short links
		Components: []incident.Component{{ID: "c1", Name: "Voice", Status: "major_outage"}},
		Updates: []incident.Update{
			{ID: "u1", Status: "investigating", Text: "Looking.", Created: begin, Silent: true},
			{ID: "u2", Status: "identified", Text: "Found it.\nA carrier.\nMore at 18:00.", Created: found, Shown: found.Add(-time.Minute), Changes: []incident.Change{{ID: "c1", Name: "Channels - Voice", From: "operational", To: "major_outage"}}},
		},
		Created: begin, Edited: found,
	}}
	if diff := cmp.Diff(want, n); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if data, err := json.Marshal(n); err != nil || strings.Contains(string(data), "unsubscribe") {
		t.Errorf("the way to end the subscription is kept (%v): %s", err, data)
	}
}

func TestDecodeNotice(t *testing.T) {
	at := time.Now()
	component := `{"page":{"id":"p"},"component_update":{"id":"x","component_id":"c1","old_status":"operational","new_status":"Major_Outage","created_at":"2026-11-23T12:00:00Z"},"component":{"id":"c1","name":"Voice","status":"major_outage"}}`
	for _, test := range []struct {
		name, body string
		want       incident.Notice
		fails      bool
	}{
		{"a component", component, incident.Notice{At: at, PageID: "p", Change: &incident.Change{ID: "c1", Name: "Voice", From: "operational", To: "Major_Outage"}}, false},
		{"a kind that nobody knows", `{"page":{"id":"p"},"maintenance":{"id":"m"}}`, incident.Notice{At: at, PageID: "p"}, false},
		{"nothing", `{}`, incident.Notice{At: at}, false},
		{"wrong types all over", `{"page":7,"incident":"x","component_update":[],"component":true}`, incident.Notice{At: at}, false},
		{"an incident with little", `{"incident":{"id":77,"incident_updates":[{"body":"Hm."},null,"x"],"components":"none","created_at":"yesterday"}}`, incident.Notice{At: at, Incident: &incident.Snapshot{
			Page: "gladly", ID: "77", Via: incident.ByHook, At: at.UTC().Round(0), Link: "https://gladly.statuspage.io/incidents/77",
			Updates: []incident.Update{{ID: "/-62135596800", Text: "Hm."}},
		}}, false},
		{"a list", `[{"incident":{"id":"x"}}]`, incident.Notice{}, true},
		{"half of it", component[:len(component)-5], incident.Notice{}, true},
		{"two", component + component, incident.Notice{}, true},
		{"no JSON", "incident=x", incident.Notice{}, true},
		{"nothing at all", "", incident.Notice{}, true},
	} {
		got, err := decodeNotice(gladly(), []byte(test.body), at)
		if (err != nil) != test.fails {
			t.Errorf("%s: error %v, want one: %v", test.name, err, test.fails)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestLink(t *testing.T) {
	p := gladly()
	p.Link = "https://status.gladly.com"
	for _, test := range []struct{ id, shortlink, want string }{
		{"x1", "https://stspg.io/abc?u=subscriber", "https://stspg.io/abc"},
		{"x1", "https://gladly.statuspage.io/incidents/x1#top", "https://gladly.statuspage.io/incidents/x1"},
		{"x1", "https://status.gladly.com/i/x1", "https://status.gladly.com/i/x1"},
		{"x1", "https://stspg.io.evil.example/abc", "https://status.gladly.com/incidents/x1"},
		{"x1", "https://stspg.io@evil.example/abc", "https://status.gladly.com/incidents/x1"},
		{"x1", "https://stspg.io:8443/abc", "https://status.gladly.com/incidents/x1"},
		{"x1", "javascript:alert(1)", "https://status.gladly.com/incidents/x1"},
		{"../x 1", "", "https://status.gladly.com"},
	} {
		if got := linkOf(p, wireIncident{ID: text(test.id), Shortlink: text(test.shortlink)}); got != test.want {
			t.Errorf("%s of %s: %s, want %s", test.shortlink, test.id, got, test.want)
		}
	}
}

func FuzzDecodeNotice(f *testing.F) {
	f.Add([]byte(incidentHook))
	f.Add([]byte(`{"component_update":{"component_id":"c","new_status":"<!here>"},"component":{"name":"<!channel>\u0002c1\u0003"}}`))
	f.Add([]byte(`{"incident":{"id":"a","name":"@channel","incident_updates":[{"body":"&lt;!here&gt;","created_at":"2026-11-23T12:00:00Z"}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		n, err := decodeNotice(gladly(), body, time.Unix(1700000000, 0))
		if err != nil {
			return
		}
		if n.Change != nil {
			safe(t, n.Change.Name, n.Change.From, n.Change.To)
		}
		if n.Incident != nil {
			safeSnapshot(t, *n.Incident)
		}
	})
}

func FuzzDecodeSummary(f *testing.F) {
	f.Add([]byte(`{"page":{"id":"p","name":"Gladly"},"status":{"indicator":"none","description":"All Systems Operational"},"components":[{"id":"g","name":"Channels","group":true},{"id":"c1","name":"Voice","group_id":"g","status":"operational"}],"incidents":[],"scheduled_maintenances":[]}`))
	f.Add([]byte(`{"page":{"id":"p"},"incidents":[{"id":"01JD3ZK","name":"<at>x</at>","status":"INVESTIGATING","incident_updates":[]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := decodeSummary(body)
		if err != nil {
			return
		}
		all := components(s.Components)
		for _, c := range all {
			safe(t, c.Name, c.Group)
		}
		for _, w := range append(s.Incidents, s.Maintenances...) {
			safeSnapshot(t, snapshot(gladly(), w, all).Clean())
		}
	})
}

func safeSnapshot(t *testing.T, s incident.Snapshot) {
	t.Helper()
	safe(t, s.ID, s.Name, s.Status, s.Impact)
	if !strings.HasPrefix(s.Link, "https://gladly.statuspage.io") && !strings.HasPrefix(s.Link, "https://stspg.io/") {
		t.Errorf("a link to %q", s.Link)
	}
	for _, u := range s.Updates {
		safe(t, u.Status, u.Text)
	}
	again, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back incident.Snapshot
	if err := json.Unmarshal(again, &back); err != nil || cmp.Diff(s, back) != "" {
		t.Errorf("it cannot be kept (%v):\n%s", err, cmp.Diff(s, back))
	}
}

func safe(t *testing.T, texts ...string) {
	t.Helper()
	for _, s := range texts {
		if strings.ContainsAny(s, "\x02\x03") || !utf8.ValidString(s) {
			t.Errorf("text %q", s)
		}
	}
}
