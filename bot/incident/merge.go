package incident

import (
	"slices"
	"time"
)

const (
	// hintFor is how long a notification may say something that the page itself does not: pages are cached for a while.
	hintFor = 5 * time.Minute
	// staleFor is how long an older version of an incident is taken for a cached one.
	staleFor = 10 * time.Minute
	// goneAfter is how long an incident is missing before it counts as taken off the page.
	goneAfter = 30 * time.Minute
)

// Incident is what is known of one incident, from all that came.
type Incident struct {
	Page string `json:"page"`
	ID   string `json:"id"`

	Said    Snapshot  `json:"said,omitzero"`    // as the page itself said it last; zero: it never did
	Hint    *Snapshot `json:"hint,omitzero"`    // newer, by a notification alone
	Old     []Update  `json:"old,omitzero"`     // known once, and listed no more
	Missing time.Time `json:"missing,omitzero"` // since when a read does not find it
	Gone    bool      `json:"gone,omitzero"`    // taken off the page, which never said that it was over
}

// Now is the incident as it is, to the best of what is known.
func (i Incident) Now() Snapshot {
	if i.Hint != nil {
		return *i.Hint
	}
	return i.Said
}

// Confirmed reports whether the page itself says what Now says.
func (i Incident) Confirmed() bool { return i.Hint == nil && i.Said.ID != "" }

// Phase is Now's, and Over for what the page took away.
func (i Incident) Phase() Phase {
	if i.Gone {
		return Over
	}
	return i.Now().Phase()
}

// Ended is when it was over, or was taken off the page; zero where it is not.
func (i Incident) Ended() time.Time {
	if i.Gone {
		return i.Missing
	}
	return i.Now().Ended()
}

// Merge takes a snapshot in. What came before may be the zero Incident.
//
// Whatever the order, repetition or loss of notifications: once the page has been read, Now is what the page said.
func Merge(i Incident, s Snapshot) Incident {
	s = s.Clean()
	if i.ID == "" {
		i.Page, i.ID = s.Page, s.ID
	}
	switch {
	case s.Via == ByRead:
		i.Missing, i.Gone = time.Time{}, false
		if i.Hint != nil && !s.At.Before(i.Hint.At.Add(hintFor)) { // the page had its time
			i = i.drop()
		}
		if i.Said.ID == "" || !s.rank().Before(i.Said.rank()) || !s.At.Before(i.Said.rank().Add(staleFor)) {
			was := i.Said.Updates
			i.Said = s
			i.Said.At, i.Said.Via = time.Time{}, "" // the same whenever it was read
			i = i.keep(was)
		} else {
			i = i.keep(s.Updates)
		}
		if i.Hint != nil && !i.Hint.rank().After(i.Said.rank()) {
			i = i.drop()
		}
	case s.rank().After(i.Said.rank()) && (i.Hint == nil || s.rank().After(i.Hint.rank())):
		was := i.Hint
		i.Hint = &s
		if was != nil {
			i = i.keep(was.Updates)
		}
	default:
		i = i.keep(s.Updates)
	}
	return i.tidy()
}

// Absent notes that a read of the page at this time, which lists what is open and what was lately, did not find it.
// That is no end: only after a while it counts as taken off the page.
func Absent(i Incident, at time.Time) Incident {
	if i.Phase() == Over { // old ones are listed no longer
		return i
	}
	at = utc(at)
	if i.Missing.IsZero() {
		i.Missing = at
	}
	if i.Hint != nil && !at.Before(i.Hint.At.Add(hintFor)) && i.Said.ID != "" {
		i = i.drop().tidy()
	}
	never := i.Said.ID == "" && i.Hint != nil && !at.Before(i.Hint.At.Add(hintFor)) // nobody but a notification spoke of it
	if never || !at.Before(i.Missing.Add(goneAfter)) {
		i.Gone = true
	}
	return i
}

// drop forgets the hint; its updates stay known.
func (i Incident) drop() Incident {
	was := i.Hint.Updates
	i.Hint = nil
	return i.keep(was)
}

// keep remembers updates that were known.
func (i Incident) keep(updates []Update) Incident {
	if len(updates) > 0 {
		i.Old = append(slices.Clone(i.Old), updates...)
	}
	return i
}

// tidy leaves in Old only what is not listed now, each update once.
func (i Incident) tidy() Incident {
	if len(i.Old) == 0 {
		return i
	}
	listed := make(map[string]bool, len(i.Old))
	for _, u := range i.Now().Updates {
		listed[u.ID] = true
	}
	var old []Update
	for _, u := range slices.Backward(i.Old) { // the version known last
		if !listed[u.ID] {
			listed[u.ID] = true
			old = append(old, u)
		}
	}
	slices.SortStableFunc(old, func(a, b Update) int { return a.Created.Compare(b.Created) })
	i.Old = old
	return i
}
