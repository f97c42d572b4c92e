package incident

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHappened(t *testing.T) {
	first, second := say("u1", 0, "investigating", "Calls fail."), say("u2", 5, Identified, "We found it.")
	with := func(s Snapshot, change func(*Snapshot)) Snapshot {
		change(&s)
		return s
	}
	voice := func(status string) func(*Snapshot) {
		return func(s *Snapshot) { s.Components = []Component{{ID: "c1", Name: "Voice", Status: status}} }
	}
	edited := first
	edited.Text, edited.Edited = "Calls fail, and SMS.", after(9)
	planned := func(s *Snapshot) { s.From, s.Until, s.Impact = after(60), after(120), "maintenance" }
	for _, test := range []struct {
		name string
		was  []Snapshot
		now  Snapshot
		want []Kind
		text string // of what is worse
	}{
		{"first seen", nil, read(0, "investigating", first), []Kind{Opened, Updated}, ""},
		{"first seen when it is over", nil, read(9, Resolved, first), []Kind{Missed, Updated}, ""},
		{"entered for the record", nil, with(read(0, Resolved, first), func(s *Snapshot) { s.Backfilled = true }), []Kind{Backfilled}, ""},
		{"nothing new", []Snapshot{read(0, "investigating", first)}, read(0, "investigating", first), nil, ""},
		{"another update", []Snapshot{read(0, "investigating", first)}, read(5, Identified, first, second), []Kind{Updated}, ""},
		{"the end", []Snapshot{read(0, Monitoring, first)}, read(5, Resolved, first, second), []Kind{Updated, Ended}, ""},
		{"back from monitoring", []Snapshot{read(0, Monitoring, first)}, read(5, "investigating", first, second), []Kind{Updated}, ""},
		{"reopened", []Snapshot{read(0, Resolved, first)}, read(5, "investigating", first, second), []Kind{Reopened, Updated}, ""},
		{"an unknown status goes on", []Snapshot{read(0, "investigating", first)}, read(5, "Being Repaired", first), []Kind{Touched}, ""},
		{"rewritten after the end", []Snapshot{read(0, Resolved, first)}, read(9, Resolved, edited), []Kind{Rewritten}, ""},
		{"a postmortem", []Snapshot{read(0, Resolved, first)}, read(9, Postmortem, first), []Kind{Reported}, ""},
		{"worse by impact", []Snapshot{read(0, Identified)}, with(read(5, Identified), func(s *Snapshot) { s.Impact = "critical" }), []Kind{Worsened}, "impact minor → critical"},
		{"worse by an unknown impact", []Snapshot{read(0, Identified)}, with(read(5, Identified), func(s *Snapshot) { s.Impact = "severe" }), []Kind{Touched}, ""},
		{"worse by a component", []Snapshot{with(read(0, Identified), voice("degraded_performance"))}, with(read(5, Identified), voice("major_outage")), []Kind{Worsened}, "Voice: degraded performance → major outage"},
		{"another component", []Snapshot{read(0, Identified)}, with(read(5, Identified), voice("partial_outage")), []Kind{Worsened}, "Voice too: partial outage"},
		{"better", []Snapshot{with(read(0, Identified), voice("major_outage"))}, with(read(5, Monitoring), voice(Operational)), []Kind{Improved}, ""},
		{"another name", []Snapshot{read(0, Identified)}, with(read(5, Identified), func(s *Snapshot) { s.Name = "Calls and SMS fail" }), []Kind{Touched}, ""},
		{"planned work", nil, with(read(0, Scheduled), planned), []Kind{Announced}, ""},
		{"planned work begins", []Snapshot{with(read(0, Scheduled), planned)}, with(read(60, "in_progress"), planned), []Kind{Began}, ""},
		{"planned work ends", []Snapshot{with(read(60, Verifying), planned)}, with(read(90, Completed), planned), []Kind{Ended}, ""},
		{"confirmed", []Snapshot{hook(0, Identified, first)}, read(0, Identified, first), []Kind{Confirmed}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var was Incident
			for _, s := range test.was {
				was = Merge(was, s)
			}
			var got []Kind
			text := ""
			for _, h := range Happened(was, Merge(was, test.now)) {
				got = append(got, h.Kind)
				text += h.Text
			}
			if diff := cmp.Diff(test.want, got); diff != "" || text != test.text {
				t.Errorf("(-want +got)\n%s text %q, want %q", diff, text, test.text)
			}
		})
	}
}

// An update that only a forged notification had comes off the thread's truth, and is not told again.
func TestHappenedForged(t *testing.T) {
	first := say("u1", 0, Identified, "Calls fail.")
	was := Merge(Merge(Incident{}, read(0, Identified, first)), hook(3, Resolved, first, say("forged", 3, Resolved, "All good.")))
	now := Merge(was, read(9, Identified, first))
	var got []Kind
	for _, h := range Happened(was, now) {
		got = append(got, h.Kind)
	}
	if diff := cmp.Diff([]Kind{Reopened, Confirmed}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if len(now.Old) != 1 || now.Old[0].ID != "forged" {
		t.Errorf("known and not listed: %v, want the forged one", now.Old)
	}
}
