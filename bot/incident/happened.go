package incident

import (
	"fmt"
	"slices"
	"strings"
)

// Kind is what happened to an incident.
type Kind string

// What can happen, in the order in which Happened lists it.
const (
	Opened     Kind = "opened"     // it is known from now on, and goes on
	Announced  Kind = "announced"  // a maintenance is known from now on
	Missed     Kind = "missed"     // it is known from now on, and is over already
	Began      Kind = "began"      // a planned maintenance
	Reopened   Kind = "reopened"   // it was over
	Worsened   Kind = "worsened"   // its impact, a component's state, or another component
	Improved   Kind = "improved"   // and nothing worsened
	Updated    Kind = "updated"    // a new update
	Rewritten  Kind = "rewritten"  // an update that was known has another text
	Ended      Kind = "ended"      // the page says that it is over
	Withdrawn  Kind = "withdrawn"  // the page does not list it any more, and never said that it was over
	Reported   Kind = "reported"   // a postmortem was published
	Confirmed  Kind = "confirmed"  // the page says what only a notification had said
	Touched    Kind = "touched"    // anything else that people see: a name, a component that is better
	Backfilled Kind = "backfilled" // entered for the record after the fact: nobody is told
)

// Happening is one thing that happened.
type Happening struct {
	Kind   Kind
	Update Update // of Updated and Rewritten
	Text   string // of Worsened: what
}

// Happened lists what happened between two states of an incident; was may be the zero Incident. Each update is Updated
// at most once in the life of an incident.
func Happened(was, now Incident) []Happening {
	a, b := was.Now(), now.Now()
	if b.Backfilled {
		if was.ID == "" {
			return []Happening{{Kind: Backfilled}}
		}
		return nil
	}
	var out []Happening
	add := func(k Kind) { out = append(out, Happening{Kind: k}) }
	from, to := was.Phase(), now.Phase()
	switch {
	case was.ID == "" && to == Over:
		add(Missed)
	case was.ID == "" && to == Planned:
		add(Announced)
	case was.ID == "":
		add(Opened)
	case from == Over && to != Over:
		add(Reopened)
	case from == Planned && to == Ongoing:
		add(Began)
	}
	if was.ID != "" && to != Over {
		if what, better := compare(a, b); what != "" {
			out = append(out, Happening{Kind: Worsened, Text: what})
		} else if better {
			add(Improved)
		}
	}
	out = append(out, updates(was, now)...)
	switch {
	case was.ID == "" || from == Over || to != Over:
	case now.Gone:
		add(Withdrawn)
	default:
		add(Ended)
	}
	if was.ID != "" {
		reported := func(s Snapshot) bool { return s.State() == Postmortem || !s.Report.IsZero() }
		if reported(b) && !reported(a) {
			add(Reported)
		}
		if now.Confirmed() && !was.Confirmed() {
			add(Confirmed)
		}
		if len(out) == 0 && touched(a, b) {
			add(Touched)
		}
	}
	return out
}

// updates lists the new and the rewritten ones.
func updates(was, now Incident) []Happening {
	known := map[string]Update{}
	for _, u := range slices.Concat(was.Old, was.Said.Updates, was.Now().Updates) { // the last is what people saw
		known[u.ID] = u
	}
	var out []Happening
	for _, u := range now.Now().Updates {
		switch old, ok := known[u.ID]; {
		case !ok:
			out = append(out, Happening{Kind: Updated, Update: u})
		case !u.same(old):
			out = append(out, Happening{Kind: Rewritten, Update: u})
		}
	}
	return out
}

// compare says in words what is worse, or else whether something is better.
func compare(a, b Snapshot) (what string, better bool) {
	var out []string
	switch n := worse(severity, a.Impact, b.Impact); {
	case n > 0:
		out = append(out, fmt.Sprintf("impact %s → %s", Words(a.Impact), Words(b.Impact)))
	case n < 0:
		better = true
	}
	old := map[string]Component{}
	for _, c := range a.Affected() {
		old[c.key()] = c
	}
	for _, c := range b.Affected() {
		was, known := old[c.key()]
		switch n := worse(health, was.Status, c.Status); {
		case !known && c.Status != Operational:
			out = append(out, strings.TrimSuffix(c.Name+" too: "+Words(c.Status), ": "))
		case n > 0:
			out = append(out, fmt.Sprintf("%s: %s → %s", c.Name, Words(was.Status), Words(c.Status)))
		case n < 0:
			better = true
		}
	}
	if most := 5; len(out) > most {
		out = append(out[:most], fmt.Sprintf("and %d more", len(out)-most))
	}
	return strings.Join(out, ", "), better
}

// key names a component; some vendors give no ids.
func (c Component) key() string {
	if c.ID != "" {
		return c.ID
	}
	return strings.ToLower(c.Name)
}

func touched(a, b Snapshot) bool {
	return a.Name != b.Name || a.State() != b.State() || a.Impact != b.Impact || a.Link != b.Link ||
		!a.From.Equal(b.From) || !a.Until.Equal(b.Until) || !a.Since().Equal(b.Since()) ||
		b.Phase() != Over && !slices.Equal(a.Components, b.Components) // pages list them as they are now, for old incidents too
}

// ImpactOf is the impact of components that no incident speaks of: by the worst of them.
func ImpactOf(all []Component) string {
	worst := 0
	for _, c := range all {
		if n, known := health(c.Status); known {
			worst = max(worst, n)
		}
	}
	return []string{"none", "maintenance", "minor", "major", "critical"}[worst]
}
