// Package incident knows what a status page said, in one form for every vendor.
//
// What a page says about one incident, in a notification or when it is read, is a Snapshot: the incident with its whole
// history. Snapshots come twice, late, in any order, or not at all; Merge makes one Incident of them, and Happened tells
// what is new in it. Routing says whom it concerns. Texts in a Snapshot are plain: Plain has taken the markup out.
//
// Statuses, impacts and component states are the page's own words in lower case. Unknown ones are kept.
package incident

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Words of Atlassian Statuspage, which most pages speak
// (https://support.atlassian.com/statuspage/docs/create-and-update-incidents).
const (
	Identified = "identified"
	Monitoring = "monitoring"
	Resolved   = "resolved"
	Postmortem = "postmortem"

	Scheduled = "scheduled"
	Verifying = "verifying"
	Completed = "completed"

	Operational = "operational"
)

// Via is how a snapshot came.
type Via string

// The ways. A read of the page is what the page says; a notification is a hint, for anybody can send one who knows the
// address.
const (
	ByRead Via = "read"
	ByHook Via = "hook"
)

// Component is a part of the service, with its state.
type Component struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Group  string `json:"group,omitzero"`
	Status string `json:"status,omitzero"`
}

// Change is a component that changed its state.
type Change struct {
	ID   string `json:"id"` // the component's
	Name string `json:"name,omitzero"`
	From string `json:"from,omitzero"`
	To   string `json:"to"`
}

// Update is one message of the page about an incident.
type Update struct {
	ID      string    `json:"id"`
	Status  string    `json:"status,omitzero"`
	Text    string    `json:"text,omitzero"` // plain
	Created time.Time `json:"created,omitzero"`
	Edited  time.Time `json:"edited,omitzero"` // when it was last changed
	Shown   time.Time `json:"shown,omitzero"`  // the time that the page shows, where it is another one than Created
	Changes []Change  `json:"changes,omitzero"`
	Silent  bool      `json:"silent,omitzero"` // the page notified nobody of it
}

// At is the time that people read beside the update.
func (u Update) At() time.Time {
	if !u.Shown.IsZero() {
		return u.Shown
	}
	return u.Created
}

// same reports whether people read the same in both.
func (u Update) same(v Update) bool {
	return u.Status == v.Status && u.Text == v.Text && slices.Equal(u.Changes, v.Changes)
}

// Snapshot is all that a page says about one incident at one moment. Updates are the oldest first.
type Snapshot struct {
	Page string    `json:"page,omitzero"` // ours: Page.ID of the Routing
	ID   string    `json:"id,omitzero"`   // the page's own, of any form
	Via  Via       `json:"via,omitzero"`
	At   time.Time `json:"at,omitzero"` // when it was read, or came

	Name       string      `json:"name,omitzero"`
	Status     string      `json:"status,omitzero"`
	Impact     string      `json:"impact,omitzero"`
	Link       string      `json:"link,omitzero"` // for people; only ever on the page's own host
	Components []Component `json:"components,omitzero"`
	Updates    []Update    `json:"updates,omitzero"`

	Created    time.Time `json:"created,omitzero"`
	Started    time.Time `json:"started,omitzero"`
	Edited     time.Time `json:"edited,omitzero"`
	Resolved   time.Time `json:"resolved,omitzero"`
	From       time.Time `json:"from,omitzero"`  // of a maintenance, as planned
	Until      time.Time `json:"until,omitzero"` // of a maintenance, as planned
	Backfilled bool      `json:"backfilled,omitzero"`
	Report     time.Time `json:"report,omitzero"` // when a postmortem was published
}

// Phase is how far an incident has come.
type Phase string

// The phases. What is no longer going on may begin again.
const (
	Planned Phase = "planned" // a maintenance that has not begun
	Ongoing Phase = "ongoing"
	Over    Phase = "over"
)

// State is the incident's own status, or that of its newest update where it has none.
func (s Snapshot) State() string {
	if s.Status == "" && len(s.Updates) > 0 {
		return s.Updates[len(s.Updates)-1].Status
	}
	return s.Status
}

// Phase tells how far the incident has come. An unknown status is one of an incident that goes on.
func (s Snapshot) Phase() Phase {
	switch s.State() {
	case Resolved, Postmortem, Completed:
		return Over
	case Scheduled:
		return Planned
	}
	return Ongoing
}

// Maintenance reports whether it was planned. Old maintenances have no impact of that name, so their times count too.
func (s Snapshot) Maintenance() bool {
	switch s.State() {
	case Scheduled, Verifying, Completed, "in_progress":
		return true
	}
	return !s.From.IsZero() || s.Impact == "maintenance"
}

// Since is when it began, or is planned to begin.
func (s Snapshot) Since() time.Time {
	switch {
	case !s.Started.IsZero():
		return s.Started
	case s.Maintenance() && !s.From.IsZero():
		return s.From
	case !s.Created.IsZero():
		return s.Created
	case len(s.Updates) > 0:
		return s.Updates[0].At()
	}
	return s.At
}

// Ended is when it was over; zero where it is not.
func (s Snapshot) Ended() time.Time {
	if s.Phase() != Over {
		return time.Time{}
	}
	if !s.Resolved.IsZero() {
		return s.Resolved
	}
	var end time.Time // the page says nothing: when it first said that it was over, since it last said that it was not
	for _, u := range s.Updates {
		switch over := (Snapshot{Status: u.Status}).Phase() == Over; {
		case !over:
			end = time.Time{}
		case end.IsZero():
			end = u.At()
		}
	}
	if end.IsZero() {
		end = s.rank()
	}
	return end
}

// Newest is the newest update that says something; ok is false where none does.
func (s Snapshot) Newest() (u Update, ok bool) {
	for _, u := range slices.Backward(s.Updates) {
		if u.Text != "" {
			return u, true
		}
	}
	return Update{}, false
}

// Affected are the components that it is about: those that the page lists with it, or else those that its updates name.
func (s Snapshot) Affected() []Component {
	if len(s.Components) > 0 {
		return s.Components
	}
	var out []Component
	for _, u := range s.Updates {
		for _, c := range u.Changes {
			i := slices.IndexFunc(out, func(have Component) bool { return have.ID == c.ID && have.Name == c.Name })
			if i < 0 {
				out = append(out, Component{ID: c.ID, Name: c.Name})
				i = len(out) - 1
			}
			out[i].Status = c.To
		}
	}
	return out
}

// rank orders the snapshots of one incident: the newest moment that it speaks of. No page says a sequence number.
func (s Snapshot) rank() time.Time {
	out := s.Created
	later := func(t time.Time) {
		if t.After(out) {
			out = t
		}
	}
	later(s.Edited)
	later(s.Report)
	for _, u := range s.Updates {
		later(u.Created)
		later(u.Edited)
	}
	return out
}

// Clean brings a snapshot into its one form: updates have ids and stand once, the oldest first; words are in lower case;
// times are UTC.
func (s Snapshot) Clean() Snapshot {
	s.Status, s.Impact = word(s.Status), word(s.Impact)
	for _, t := range []*time.Time{&s.Created, &s.Started, &s.Edited, &s.Resolved, &s.From, &s.Until, &s.Report, &s.At} {
		*t = utc(*t)
	}
	s.Components = slices.Clone(s.Components)
	for i := range s.Components {
		s.Components[i].Status = word(s.Components[i].Status)
	}
	s.Updates = slices.Clone(s.Updates)
	for i := range s.Updates {
		u := &s.Updates[i]
		u.Status, u.Created, u.Edited, u.Shown = word(u.Status), utc(u.Created), utc(u.Edited), utc(u.Shown)
		if u.Edited.Equal(u.Created) {
			u.Edited = time.Time{}
		}
		u.Changes = slices.DeleteFunc(slices.Clone(u.Changes), func(c Change) bool { return c.From == c.To })
		if len(u.Changes) == 0 {
			u.Changes = nil
		}
		if u.ID == "" {
			u.ID = fmt.Sprintf("%s/%d", u.Status, u.At().Unix())
		}
	}
	slices.SortStableFunc(s.Updates, func(a, b Update) int { return a.Created.Compare(b.Created) })
	seen := make(map[string]int, len(s.Updates))
	once := s.Updates[:0]
	for _, u := range s.Updates {
		if i, twice := seen[u.ID]; twice { // the newer version counts
			if !once[i].Edited.After(u.Edited) {
				once[i] = u
			}
			continue
		}
		seen[u.ID] = len(once)
		once = append(once, u)
	}
	if s.Updates = once; len(once) == 0 {
		s.Updates = nil
	}
	if len(s.Components) == 0 {
		s.Components = nil
	}
	return s
}

func word(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Round(0)
}

// severity orders impacts; unknown ones are not ordered.
func severity(impact string) (int, bool) {
	i := slices.Index([]string{"none", "minor", "major", "critical"}, impact)
	return i, i >= 0
}

// health orders the states of components, the best first; unknown ones are not ordered.
func health(status string) (int, bool) {
	i := slices.Index([]string{Operational, "under_maintenance", "degraded_performance", "partial_outage", "major_outage"}, status)
	return i, i >= 0
}

// worse compares two words of one scale: above 0 means that now is worse than was. Where either is unknown it is 0.
func worse(scale func(string) (int, bool), was, now string) int {
	a, ok := scale(was)
	b, ok2 := scale(now)
	if !ok || !ok2 {
		return 0
	}
	return cmp.Compare(b, a)
}

// Words writes one of the page's words as people do: "degraded performance".
func Words(s string) string { return strings.ReplaceAll(s, "_", " ") }
