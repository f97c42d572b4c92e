package incident

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func after(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

// history draws the life of one incident as the page tells it: all versions of it, the oldest first.
func history(t *rapid.T) []Snapshot {
	texts := rapid.SampledFrom([]string{"", "Calls fail.", "We found it.", "Fixed. Root cause: a certificate."})
	status := rapid.SampledFrom([]string{"investigating", Identified, Monitoring, Resolved, Postmortem, "Being Repaired", ""})
	impact := rapid.SampledFrom([]string{"none", "minor", "major", "critical", "severe"})
	state := rapid.SampledFrom([]string{Operational, "degraded_performance", "major_outage", ""})
	zone := rapid.SampledFrom([]*time.Location{time.UTC, time.FixedZone("", -4*3600)})
	s := Snapshot{Page: "gladly", ID: rapid.SampledFrom([]string{"x1", "01JD3ZK"}).Draw(t, "id"), Created: noon}
	var all []Snapshot
	clock := 0
	for range rapid.IntRange(1, 8).Draw(t, "versions") {
		clock += rapid.IntRange(1, 30).Draw(t, "minutes")
		now := after(clock).In(zone.Draw(t, "zone"))
		s.Updates, s.Components = slices.Clone(s.Updates), slices.Clone(s.Components)
		switch rapid.IntRange(0, 3).Draw(t, "what") {
		case 0, 1: // several updates may stand in one minute, and some vendors give them no id
			for range rapid.IntRange(1, 2).Draw(t, "updates") {
				u := Update{ID: fmt.Sprintf("u%d", len(s.Updates)), Status: status.Draw(t, "status"), Text: texts.Draw(t, "text"), Created: now}
				if rapid.IntRange(0, 4).Draw(t, "anonymous") == 0 {
					u.ID, u.Created = "", now.Add(time.Duration(len(s.Updates))*time.Second)
				}
				s.Updates = append(s.Updates, u)
				s.Status = u.Status
			}
		case 2: // an old update is rewritten, also after the end
			if len(s.Updates) > 0 {
				i := rapid.IntRange(0, len(s.Updates)-1).Draw(t, "which")
				s.Updates[i].Text, s.Updates[i].Edited = texts.Draw(t, "text")+"!", now
			}
		case 3:
			s.Name, s.Impact = texts.Draw(t, "name"), impact.Draw(t, "impact")
			s.Components = []Component{{ID: "c1", Name: "Voice", Status: state.Draw(t, "state")}}
		}
		s.Edited = now
		all = append(all, s)
	}
	return all
}

// Whatever of the notifications comes, in whatever order and however often: once the page has been read, the incident
// is what the page says; each update was told once; and they were told in the order in which they became known.
func TestMergeAnyDelivery(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		versions := history(t)
		var said []Snapshot // what arrives: some versions twice, some never, in any order
		for i, v := range versions {
			for range rapid.IntRange(0, 2).Draw(t, "times") {
				v.Via, v.At = ByHook, after(i)
				if rapid.IntRange(0, 3).Draw(t, "read") == 0 {
					v.Via = ByRead // the page was read in between, perhaps from a cache
				}
				said = append(said, v)
			}
		}
		said = rapid.Permutation(said).Draw(t, "order")
		last := versions[len(versions)-1]
		last.Via, last.At = ByRead, last.Edited.Add(time.Second)
		said = append(said, last)

		var i Incident
		told := map[string]bool{}
		for _, s := range said {
			next := Merge(i, s)
			if again := Merge(next, s); cmp.Diff(next, again) != "" {
				t.Fatalf("the same once more changed it:\n%s", cmp.Diff(next, again))
			}
			for _, h := range Happened(i, next) {
				if h.Kind != Updated {
					continue
				}
				if told[h.Update.ID] {
					t.Fatalf("update %s is told twice", h.Update.ID)
				}
				told[h.Update.ID] = true
			}
			i = next
		}

		want := Merge(Incident{}, last)
		i.Old = nil // what the page does not list any more depends on what came
		if diff := cmp.Diff(want, i); diff != "" {
			t.Fatalf("after the read (-page +ours):\n%s", diff)
		}
		if !i.Confirmed() {
			t.Fatal("the page was read, and it is not confirmed")
		}
		for _, u := range want.Now().Updates {
			if !told[u.ID] {
				t.Fatalf("update %s was never told", u.ID)
			}
		}
	})
}

func read(minutes int, status string, updates ...Update) Snapshot {
	s := Snapshot{Page: "gladly", ID: "x1", Via: ByRead, At: after(minutes), Name: "Calls fail", Status: status, Impact: "minor", Created: noon, Edited: after(minutes), Updates: updates}
	return s
}

func hook(minutes int, status string, updates ...Update) Snapshot {
	s := read(minutes, status, updates...)
	s.Via = ByHook
	return s
}

func say(id string, minutes int, status, text string) Update {
	return Update{ID: id, Status: status, Text: text, Created: after(minutes)}
}

// A notification is a hint: it counts until the page had time to say the same.
func TestMergeHints(t *testing.T) {
	first := say("u1", 0, "investigating", "Calls fail.")
	t.Run("confirmed by the next read", func(t *testing.T) {
		i := Merge(Merge(Incident{}, read(0, "investigating", first)), hook(3, Resolved, first, say("u2", 3, Resolved, "Fixed.")))
		if i.Confirmed() || i.Phase() != Over {
			t.Errorf("after the notification: confirmed %v, %s; want false, over", i.Confirmed(), i.Phase())
		}
		i = Merge(i, read(3, Resolved, first, say("u2", 3, Resolved, "Fixed.")))
		if !i.Confirmed() || i.Phase() != Over {
			t.Errorf("after the read: confirmed %v, %s; want true, over", i.Confirmed(), i.Phase())
		}
	})
	t.Run("the page says something else", func(t *testing.T) { // somebody knows the address
		i := Merge(Merge(Incident{}, read(0, "investigating", first)), hook(10000, Resolved, first, say("forged", 10000, Resolved, "Go home.")))
		i.Hint.At = after(3)
		page := read(4, "investigating", first)
		if i = Merge(i, page); i.Phase() != Over || i.Confirmed() {
			t.Errorf("a minute later: %s, confirmed %v; want over, not confirmed: the page may be cached", i.Phase(), i.Confirmed())
		}
		page.At = after(8)
		if i = Merge(i, page); i.Phase() != Ongoing || !i.Confirmed() {
			t.Errorf("five minutes later: %s, confirmed %v; want ongoing, confirmed", i.Phase(), i.Confirmed())
		}
	})
	t.Run("the page never knew it", func(t *testing.T) {
		i := Merge(Incident{}, hook(0, "investigating", first))
		if i = Absent(i, after(1)); i.Gone {
			t.Error("gone after a minute: the page may be cached")
		}
		if i = Absent(i, after(5)); !i.Gone || i.Confirmed() {
			t.Errorf("gone %v, confirmed %v; want gone, not confirmed", i.Gone, i.Confirmed())
		}
	})
}

// Absence is no end; and what comes back is not gone.
func TestAbsent(t *testing.T) {
	i := Merge(Incident{}, read(0, "investigating"))
	for _, at := range []int{1, 30} {
		if i = Absent(i, after(at)); i.Phase() != Ongoing {
			t.Errorf("missing for %d min: %s, want ongoing", at-1, i.Phase())
		}
	}
	i = Absent(i, after(31))
	if i.Phase() != Over || !i.Ended().Equal(after(1)) {
		t.Errorf("missing for 30 min: %s since %v, want over since the first miss", i.Phase(), i.Ended())
	}
	if i = Merge(i, read(0, "investigating")); i.Phase() != Ongoing {
		t.Errorf("listed again: %s, want ongoing", i.Phase())
	}
}

// A page that is cached somewhere shows the version before for a while; a page that took something back shows it longer.
func TestMergeStaleReads(t *testing.T) {
	old, now := read(0, "investigating"), read(5, Resolved)
	i := Merge(Merge(Incident{}, old), now)
	old.At = after(6)
	if i = Merge(i, old); i.Phase() != Over {
		t.Errorf("an older version a minute later: %s, want over", i.Phase())
	}
	old.At = after(15)
	if i = Merge(i, old); i.Phase() != Ongoing {
		t.Errorf("an older version after ten minutes: %s, want ongoing", i.Phase())
	}
}

func BenchmarkMerge(b *testing.B) { // 1,000 incidents with 20 updates each, read again
	var was []Incident
	var page []Snapshot
	for n := range 1000 {
		s := Snapshot{Page: "gladly", ID: fmt.Sprintf("incident-%d", n), Via: ByRead, At: noon, Name: "Calls fail", Status: Monitoring, Impact: "major", Created: noon}
		for u := range 20 {
			s.Updates = append(s.Updates, say(fmt.Sprintf("%d/%d", n, u), u, Monitoring, "We are looking into it, and tell you more in half an hour."))
		}
		was = append(was, Merge(Incident{}, s))
		s.Updates = append(slices.Clone(s.Updates), say(fmt.Sprintf("%d/new", n), 30, Resolved, "It works again."))
		s.Status, s.Edited = Resolved, after(30)
		page = append(page, s)
	}
	for b.Loop() {
		for n, s := range page {
			if len(Happened(was[n], Merge(was[n], s))) == 0 {
				b.Fatal("nothing happened")
			}
		}
	}
}
