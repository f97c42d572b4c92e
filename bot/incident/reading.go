package incident

import (
	"slices"
	"time"
)

// Reading is what a page said when it was read: all that is open, what was lately, and the state of its components.
type Reading struct {
	At         time.Time   `json:"at"`
	PageID     string      `json:"page_id"`           // the page's own
	Name       string      `json:"name,omitzero"`     // as the page calls itself
	Headline   string      `json:"headline,omitzero"` // "All Systems Operational"
	Components []Component `json:"components,omitzero"`
	Incidents  []Snapshot  `json:"incidents,omitzero"` // each once
}

// Notice is what a notification said: about an incident, or about a component alone, which names no incident. One of a
// kind that is not known says nothing, and is a reason to read the page.
type Notice struct {
	At       time.Time `json:"at"`
	PageID   string    `json:"page_id,omitzero"`
	Incident *Snapshot `json:"incident,omitzero"`
	Change   *Change   `json:"change,omitzero"`
}

// Unread is why a page could not be read. It is an error.
type Unread struct {
	Why   string
	After time.Duration // the page wants to be left alone for so long; 0: it did not say
}

func (u Unread) Error() string { return u.Why }

// Newest leaves one snapshot of each incident, the newest; of two that are equally new the one that stands later.
func Newest(all []Snapshot) []Snapshot {
	var out []Snapshot
	for _, s := range all {
		i := slices.IndexFunc(out, func(have Snapshot) bool { return have.ID == s.ID })
		switch {
		case i < 0:
			out = append(out, s)
		case !s.rank().Before(out[i].rank()):
			out[i] = s
		}
	}
	return out
}
