package incident

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/config"
)

var branches = []string{"voice", "chat", "sms", "social", "email", "login"}

const someRouting = `
pages:
  - id: gladly
    name: Gladly
    url: https://gladly.statuspage.io/
    components:
      - {id: c1, for: [voice]}
      - {name: Glad App, group: Channels, for: [chat]}
      - {name: facebook messenger, for: [social]}
      - {name: WhatsApp, for: [social]}
      - {group: Core, for: [login, chat]}
      - {name: AI assist}
    titles:
      - {any: [call, calls, ivr], for: [voice]}
      - {any: [log in, login], for: [login]}
    severity: minor
    ignore: ["^_system_metadata:"]
    also:
      - {severity: critical, terminal: "#managers"}
`

func decode(t *testing.T, text string) (Routing, config.Problems) {
	t.Helper()
	d, problems := config.Parse("org.yaml", []byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var doc struct {
		Routing Routing `yaml:",inline"`
	}
	problems = d.Decode(&doc)
	return doc.Routing, append(problems, doc.Routing.Check(d, "", branches)...)
}

func TestMatch(t *testing.T) {
	r, problems := decode(t, someRouting)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	p, _ := r.Find("gladly")
	all := []Component{{ID: "c1", Name: "Telephony"}, {ID: "c2", Name: "Login", Group: "Core"}, {ID: "c3", Name: "Glad App", Group: "Channels"}}
	for _, test := range []struct {
		name string
		s    Snapshot
		want Match
	}{
		{"by id", Snapshot{Components: []Component{{ID: "c1", Name: "Voice, renamed"}}}, Match{Branches: []string{"voice"}, Ours: true}},
		{"by name and group", Snapshot{Components: []Component{{ID: "c3"}}}, Match{Branches: []string{"chat"}, Ours: true}},
		{"by the name of an update", Snapshot{Updates: []Update{{Changes: []Change{{Name: "Channels - Glad App", To: "major_outage"}}}}}, Match{Branches: []string{"chat"}, Ours: true}},
		{"two components of one branch", Snapshot{Components: []Component{{Name: "Facebook Messenger"}, {Name: "WhatsApp"}}}, Match{Branches: []string{"social"}, Ours: true}},
		{"by group, to two branches", Snapshot{Components: []Component{{ID: "c2"}}}, Match{Branches: []string{"login", "chat"}, Ours: true}},
		{"one that is not known", Snapshot{Components: []Component{{ID: "c9", Name: "Reports"}, {ID: "c1"}}}, Match{Branches: []string{"voice"}, Unmapped: []string{"Reports"}, Ours: true}},
		{"one that does not concern us", Snapshot{Components: []Component{{Name: "AI Assist"}}}, Match{}},
		{"a guess from the title", Snapshot{Name: "Inbound calls: errors"}, Match{Branches: []string{"voice"}, Guess: true, Ours: true}},
		{"a word within a word is no guess", Snapshot{Name: "Called functions are slow"}, Match{Ours: true}},
		{"two words", Snapshot{Name: "Agents cannot Log In"}, Match{Branches: []string{"login"}, Guess: true, Ours: true}},
	} {
		if diff := cmp.Diff(test.want, p.Match(test.s, all)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestPosts(t *testing.T) {
	r, _ := decode(t, someRouting)
	p, _ := r.Find("gladly")
	loud, off := p, p
	loud.Maintenance, off.Maintenance = "tell", "off"
	voice, nobody, guess := Match{Branches: []string{"voice"}, Ours: true}, Match{Ours: true}, Match{Branches: []string{"voice"}, Guess: true, Ours: true}
	planned := Snapshot{Status: Scheduled, From: after(120), Until: after(180)}
	begun := planned
	begun.Status = "in_progress"
	for _, test := range []struct {
		name string
		p    Page
		s    Snapshot
		m    Match
		now  time.Time
		want bool
	}{
		{"below the severity", p, Snapshot{Impact: "none"}, voice, noon, false},
		{"at the severity", p, Snapshot{Impact: "minor"}, nobody, noon, true},
		{"an unknown impact", p, Snapshot{Impact: "severe"}, nobody, noon, true},
		{"not ours", p, Snapshot{Impact: "critical"}, Match{}, noon, false},
		{"left out by its title", p, Snapshot{Impact: "critical", Name: "_system_metadata: x"}, nobody, noon, false},
		{"entered for the record", p, Snapshot{Impact: "critical", Backfilled: true}, voice, noon, false},
		{"planned work, far away", p, planned, voice, noon, false},
		{"planned work, near", p, planned, voice, after(60), true},
		{"planned work that touches nobody for certain", p, planned, guess, after(60), false},
		{"planned work that has begun", p, begun, voice, noon, true},
		{"planned work, told at once", loud, planned, nobody, noon, true},
		{"planned work, never", off, begun, voice, noon, false},
	} {
		if got := test.p.Posts(test.s, test.m, test.now); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	for impact, want := range map[string][]string{"critical": {"#managers"}, "major": nil, "severe": nil} {
		if diff := cmp.Diff(want, p.Channels(Snapshot{Impact: impact}, "terminal")); diff != "" {
			t.Errorf("more channels at %s (-want +got):\n%s", impact, diff)
		}
	}
}

func TestCheck(t *testing.T) {
	_, problems := decode(t, `
pages:
  - id: Gladly
    url: http://gladly.statuspage.io/api/v2
    kind: cachet
    severity: loud
    components: [{for: [voice]}, {name: Chat, for: [chatt]}]
    titles: [{any: [], for: [voice]}]
    ignore: ["("]
    also: [{slack: C1}]
  - {id: Gladly, url: "https://user@status.example"}
`)
	got := problems.Error()
	for _, want := range []string{
		`pages.0.id: want lower-case letters`, "pages.0.url: the address must begin with https", `pages.0.kind: "cachet"`, `pages.0.severity: "loud"`,
		"pages.0.components.0: names no component", `pages.0.components.1.for.0: "chatt" is not one of voice, chat`, `did you mean "chat"?`,
		"pages.0.titles.0: want words", `pages.0.ignore.0: "(" is not`, "pages.0.also.0: say from which", "pages.1.id: Gladly stands here twice", "pages.1.url: want an address",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("missing: %s", want)
		}
	}
	if t.Failed() {
		t.Logf("reported:\n%s", got)
	}
}
