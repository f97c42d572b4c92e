package flow

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchback/bot/card"
	"switchback/bot/incident"
)

const (
	watchSchema = 1

	pollOpen   = time.Minute      // between two reads while something is open
	pollQuiet  = 2 * time.Minute  // else, and up to pollSpread more
	pollSpread = 3 * time.Minute  // so that not everybody reads at once
	pollSoon   = 15 * time.Second // after a notification that the page does not show yet
	pollLeast  = time.Minute      // after a read that failed; doubles …
	pollMost   = 15 * time.Minute // … up to this
	readFresh  = 20 * time.Second // who wants to know now takes a read as old as this
	readLost   = 2 * time.Minute  // a read that did not come back is given up

	silentFor  = 5 * time.Minute  // a page that cannot be read for so long is told on what it said …
	silentTold = 15 * time.Minute // … and in the channel
	looseFor   = 90 * time.Second // components wait so long for the incident that explains them
	looseNear  = 15 * time.Minute // an incident that names none explains those that changed around its beginning
	missedMost = 3                // updates that a read found and no notification brought …
	missedFor  = time.Hour        // … for so long: the page has given the subscription up
	lateFor    = 24 * time.Hour   // what began and ended while nobody looked is told up to here
	keptFor    = 45 * 24 * time.Hour
	foldFrom   = 4 // updates that are known at once become one message

	pollTimer = "poll"
)

// Watch is a status page as it is watched: how it answers, and what it said last, in short.
type Watch struct {
	Schema     int                  `json:"schema"`
	Page       string               `json:"page"`            // Page.ID of the routing
	Pinned     string               `json:"pinned,omitzero"` // the page's own id, from the first read
	Strange    string               `json:"strange,omitzero"`
	First      time.Time            `json:"first,omitzero"`   // when it was first read
	Read       time.Time            `json:"read,omitzero"`    // when it was read last
	Failing    time.Time            `json:"failing,omitzero"` // since when it cannot be read; zero: it can
	Why        string               `json:"why,omitzero"`
	Fails      int                  `json:"fails,omitzero"`
	Reading    string               `json:"reading,omitzero"` // the read under way; there is never more than one
	Since      time.Time            `json:"since,omitzero"`   // when that began
	Again      bool                 `json:"again,omitzero"`   // something came meanwhile
	Hints      []incident.Snapshot  `json:"hints,omitzero"`   // from notifications, until the page was asked
	Changes    []incident.Change    `json:"changes,omitzero"` // the same, of components
	Hooked     time.Time            `json:"hooked,omitzero"`  // the last notification
	Missed     int                  `json:"missed,omitzero"`
	MissedAt   time.Time            `json:"missed_at,omitzero"`
	Components []incident.Component `json:"components,omitzero"`
	Loose      map[string]time.Time `json:"loose,omitzero"` // components that no incident explains, since when
	Group      string               `json:"group,omitzero"` // the case that stands for them; "" none
	Briefs     []Brief              `json:"briefs,omitzero"`
	Told       map[string]time.Time `json:"told,omitzero"` // what the channel was told of the page itself
	Head       string               `json:"head,omitzero"` // of its audit chain
}

// Case is an incident and what was told of it.
type Case struct {
	Schema   int               `json:"schema"`
	Incident incident.Incident `json:"incident"`
	N        int               `json:"n"`                 // counts what happened to it
	Worse    int               `json:"worse,omitzero"`    // counts how often it got worse
	Places   []Place           `json:"places,omitzero"`   // where its message stands
	Told     map[string]bool   `json:"told,omitzero"`     // updates; false: as one of several in one message
	NotUs    *Word             `json:"not_us,omitzero"`   // nil: nobody said so
	Outages  []string          `json:"outages,omitzero"`  // those that were told of it
	Reported bool              `json:"reported,omitzero"` // a postmortem was told
}

// Word is what a person said, and when.
type Word struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Brief is an incident in short, as other decisions see it.
type Brief struct {
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	State     string         `json:"state,omitzero"`
	Phase     incident.Phase `json:"phase"` // as the page itself says
	Since     time.Time      `json:"since"`
	Ended     time.Time      `json:"ended,omitzero"`
	Branches  []string       `json:"branches,omitzero"`
	Guess     bool           `json:"guess,omitzero"`
	Confirmed bool           `json:"confirmed,omitzero"`
	NotUs     bool           `json:"not_us,omitzero"`
	Gone      bool           `json:"gone,omitzero"`
	Hidden    bool           `json:"hidden,omitzero"` // does not concern us, or is planned work that is not near
}

// claims reports whether an incident stands against restoring a branch.
func (b Brief) claims(branch string) bool {
	return b.Phase == incident.Ongoing && !b.NotUs && slices.Contains(b.Branches, branch)
}

// Sight is a status page on the desk of a decision.
type Sight struct {
	Page  incident.Page
	Watch Watch
}

// Noticed is a notification of a page.
type Noticed struct {
	Page   string          `json:"page"`
	Notice incident.Notice `json:"notice"`
}

// Look wants a page to be read now.
type Look struct {
	Page string `json:"page"`
}

// PageRead is what a read of a page found, or why there was none.
type PageRead struct {
	Page    string            `json:"page"`
	Reading *incident.Reading `json:"reading,omitzero"`
	Why     string            `json:"why,omitzero"`
	After   time.Duration     `json:"after,omitzero"` // the page wants to be left alone for so long
}

// Took says that something about an outage has changed that an incident's message shows.
type Took struct {
	Page   string `json:"page"`
	ID     string `json:"id"`
	Outage string `json:"outage"`
}

// Consult asks a page; the answer is a PageRead. Open are the incidents that should be in it.
type Consult struct {
	Open []string
}

// Forget drops a case that ended long ago.
type Forget struct {
	ID string
}

// Say tells an outage what a page said.
type Say struct {
	Outage string
	Said   PageSaid
}

// StepPage decides what an event means for a status page and its incidents; cases are those that the event may touch.
// It returns the cases that have changed. Like all that decide it does no I/O and reads no clock.
func StepPage(p Policy, page incident.Page, w Watch, cases map[string]Case, e Event) (Watch, map[string]Case, []Effect, error) {
	s := paging{policy: p, page: page, w: w, cases: cases, changed: map[string]Case{}, e: e}
	s.w.Schema, s.w.Page = max(s.w.Schema, watchSchema), page.ID
	switch what := e.What.(type) {
	case Look:
		if e.At.Sub(w.Read) >= readFresh {
			s.consult()
		}
	case Due:
		s.consult()
	case Noticed:
		s.noticed(what.Notice)
	case PageRead:
		s.read(what)
	case Took:
		s.took(what)
	case Press:
		s.press(what.Action)
	case Command, Catalogue, Readings, Begun, Stepped, PageSaid, Undelivered, Returned:
		return w, nil, nil, fmt.Errorf("page %s: %T is no event of a page", page.ID, what)
	}
	return s.w, s.changed, s.out, nil
}

// paging is one StepPage at work.
type paging struct {
	policy  Policy
	page    incident.Page
	w       Watch
	cases   map[string]Case
	changed map[string]Case
	e       Event
	out     []Effect
	redraw  bool // how the page answers has changed, and messages say so
}

func (s *paging) do(e ...Effect) { s.out = append(s.out, e...) }

func (s *paging) key(id string) string { return s.page.ID + "/" + id }

func rootOf(key string) string { return "incident:" + key }

// consult reads the page, unless that is under way.
func (s *paging) consult() {
	if s.w.Reading != "" && s.e.At.Sub(s.w.Since) < readLost {
		s.do(Remind{pollTimer, s.w.Since.Add(readLost)})
		return
	}
	s.w.Reading, s.w.Since, s.w.Again = s.e.ID, s.e.At, false
	var open []string
	for _, b := range s.w.Briefs {
		if b.Phase != incident.Over && b.ID != s.w.Group {
			open = append(open, b.ID)
		}
	}
	s.do(Consult{Open: open}, Remind{pollTimer, s.e.At.Add(readLost)})
}

// noticed keeps what a notification said until the page was asked: a hint is told with the page's own word, or, where
// the page does not answer, as not confirmed.
func (s *paging) noticed(n incident.Notice) {
	s.w.Hooked, s.w.Missed, s.w.MissedAt = s.e.At, 0, time.Time{}
	if s.w.Told["hooks"] != (time.Time{}) {
		s.tellPage("hooks", card.Card{Tone: card.Done, Title: possessive(s.page.Name) + " page sends notifications again", Text: []string{"Since " + card.Day(s.e.At) + "."}})
		s.forget("hooks")
	}
	if n.PageID == "" || s.pinned() == "" || n.PageID == s.pinned() { // else it is another page's
		if n.Incident != nil {
			s.w.Hints = incident.Newest(append(slices.Clone(s.w.Hints), *n.Incident))
		}
		if n.Change != nil {
			s.w.Changes = append(slices.Clone(s.w.Changes), *n.Change)
		}
	}
	if s.w.Reading != "" && s.e.At.Sub(s.w.Since) < readLost {
		s.w.Again = true
		return
	}
	s.consult()
}

func (s *paging) pinned() string { return cmp.Or(s.page.PageID, s.w.Pinned) }

// read takes in what the page said, and what notifications had said before it was asked.
func (s *paging) read(r PageRead) {
	if s.w.Reading == "" {
		return // taken in before
	}
	began := s.w.Since
	s.w.Reading, s.w.Since = "", time.Time{}
	if r.Reading != nil && s.pinned() != "" && r.Reading.PageID != s.pinned() {
		s.strange(r.Reading.PageID)
		r = PageRead{Page: r.Page, Why: "another page answers at its address"}
	}
	now := map[string]incident.Incident{}
	for id, c := range s.cases {
		now[id] = c.Incident
	}
	var later []incident.Snapshot
	for _, h := range s.w.Hints {
		if r.Reading != nil && h.At.After(began) { // the next read has the page's word on it
			later = append(later, h)
			continue
		}
		if _, known := now[h.ID]; known || !s.old(h) {
			now[h.ID] = incident.Merge(now[h.ID], h)
		}
	}
	s.w.Hints = later
	if r.Reading == nil {
		s.failed(r)
		for _, c := range s.w.Changes {
			s.turn(c)
		}
	} else {
		s.listen(*r.Reading, now)
	}
	s.w.Changes = nil
	s.explain(now)
	for _, id := range slices.SortedFunc(maps.Keys(now), func(a, b string) int {
		return strings.Compare(now[a].Now().Since().Format(time.RFC3339)+a, now[b].Now().Since().Format(time.RFC3339)+b)
	}) {
		s.tell(id, now[id])
	}
	s.missing()
	s.tidy()
	if s.w.Again || len(s.w.Hints) > 0 {
		s.consult()
		return
	}
	s.do(Remind{pollTimer, s.next(r.After)})
}

// listen merges a reading.
func (s *paging) listen(r incident.Reading, now map[string]incident.Incident) {
	if !s.w.Failing.IsZero() {
		s.recovered()
	}
	s.w.Pinned, s.w.Read, s.w.Fails = cmp.Or(s.w.Pinned, r.PageID), r.At, 0
	s.w.Components = r.Components
	found := map[string]bool{}
	for _, snap := range r.Incidents {
		found[snap.ID] = true
		was, known := now[snap.ID]
		if !known && s.old(snap) {
			continue
		}
		s.count(was, snap)
		now[snap.ID] = incident.Merge(was, snap)
	}
	for id, i := range now {
		if !found[id] && id != s.w.Group {
			now[id] = incident.Absent(i, s.e.At)
		}
	}
	if s.w.First.IsZero() {
		s.w.First = s.e.At
	}
}

// old reports whether an incident that is not known yet is none to be told: the first read tells what is open, and
// nothing is told of what was entered for the record.
func (s *paging) old(snap incident.Snapshot) bool {
	end := snap.Ended()
	return snap.Backfilled || !end.IsZero() && (s.w.First.IsZero() || end.Before(s.w.First) || s.e.At.Sub(end) > lateFor)
}

// count counts updates that a read found and no notification brought.
func (s *paging) count(was incident.Incident, snap incident.Snapshot) {
	if s.w.Hooked.IsZero() || was.ID == "" && snap.Phase() == incident.Over {
		return
	}
	for _, h := range incident.Happened(was, incident.Merge(was, snap)) {
		if h.Kind != incident.Updated || h.Update.Silent {
			continue
		}
		if s.w.Missed++; s.w.MissedAt.IsZero() {
			s.w.MissedAt = s.e.At
		}
	}
}

// missing says once that the page seems to have given up on us.
func (s *paging) missing() {
	if s.w.Missed < missedMost || s.e.At.Sub(s.w.MissedAt) < missedFor || !s.w.Told["hooks"].IsZero() {
		return
	}
	s.mark("hooks")
	s.tellPage("hooks", card.Card{
		Tone: card.Warning, Title: "Notifications of " + possessive(s.page.Name) + " page do not arrive any more",
		Text: []string{
			fmt.Sprintf("The last one came at %s; since then reading the page found %d updates that it had not told me. Nothing is lost: I read the page all the time, only some minutes later.", card.Day(s.w.Hooked), s.w.Missed),
			"Pages give up on an address that did not answer for an hour. Subscribe again, as the README says under “Status pages”.",
		},
	})
}

// failed notes that the page could not be read. What it said before still stands, with the time of the last read.
func (s *paging) failed(r PageRead) {
	s.w.Fails++
	s.w.Why = r.Why
	if s.w.Failing.IsZero() {
		s.w.Failing = s.e.At
	}
	away := s.e.At.Sub(s.w.Failing)
	if away >= silentFor && s.w.Told["silent"].IsZero() {
		s.redraw = true
		s.mark("silent")
	}
	if away >= silentTold && s.w.Told["failing"].IsZero() {
		s.mark("failing")
		s.tellPage("failing", card.Card{
			Tone: card.Warning, Title: possessive(s.page.Name) + " page cannot be read",
			Text: []string{"Since " + card.Day(s.w.Failing) + ": " + s.w.Why + ". I go on trying. What I say of it meanwhile is from " + readAt(s.w) + ". " + s.page.Link},
		})
	}
}

func (s *paging) recovered() {
	if !s.w.Told["failing"].IsZero() {
		s.tellPage("failing", card.Card{
			Tone: card.Done, Title: possessive(s.page.Name) + " page can be read again",
			Text: []string{"It could not be read from " + card.Day(s.w.Failing) + " to " + card.Day(s.e.At) + ": " + s.w.Why + "."},
		})
	}
	s.redraw = !s.w.Told["silent"].IsZero()
	s.w.Failing, s.w.Why, s.w.Strange = time.Time{}, "", ""
	s.forget("failing")
	s.forget("silent")
	s.forget("strange")
}

// strange says once that another page answers.
func (s *paging) strange(id string) {
	s.w.Strange = id
	if !s.w.Told["strange"].IsZero() {
		return
	}
	s.mark("strange")
	s.tellPage("strange", card.Card{
		Tone: card.Trouble, Title: "Another page answers at the address of " + possessive(s.page.Name) + " page",
		Text: []string{"It says that it is " + strconv.Quote(id) + "; so far it was " + strconv.Quote(s.pinned()) + ". I believe nothing of it. If that is right, set page_id in the organisation document."},
	})
}

// mark notes that the channel was told something of the page itself; forget lets it be told again.
func (s *paging) mark(what string) {
	s.w.Told = maps.Clone(s.w.Told)
	if s.w.Told == nil {
		s.w.Told = map[string]time.Time{}
	}
	s.w.Told[what] = s.e.At
}

func (s *paging) forget(what string) {
	s.w.Told = maps.Clone(s.w.Told)
	delete(s.w.Told, what)
}

// tellPage shows something about the page itself where what concerns nobody for certain is shown.
func (s *paging) tellPage(what string, c card.Card) {
	name := "page:" + s.page.ID + "/" + what + "/" + strconv.FormatInt(s.w.Told[what].Unix(), 36)
	for _, place := range s.withInside(s.common()) {
		s.do(Show{Message: name, Place: place, Card: c, Quiet: true})
	}
}

// turn takes a component's state from a notification while the page cannot be read.
func (s *paging) turn(c incident.Change) {
	s.w.Components = slices.Clone(s.w.Components)
	for i, have := range s.w.Components {
		if have.ID == c.ID {
			s.w.Components[i].Status = strings.ToLower(c.To)
			return
		}
	}
	s.w.Components = append(s.w.Components, incident.Component{ID: c.ID, Name: c.Name, Status: strings.ToLower(c.To)})
}

// explain looks for components that are not well and that no incident speaks of. They wait a while for one; then one
// case stands for all of them, however many they are.
func (s *paging) explain(now map[string]incident.Incident) {
	spoken := func(c incident.Component, since time.Time) string {
		for id, i := range now {
			n := i.Now()
			if id == s.w.Group || i.Phase() == incident.Over && s.e.At.Sub(i.Ended()) > looseNear {
				continue
			}
			all := n.Affected()
			near := since.Sub(n.Since()).Abs() <= looseNear
			if len(all) == 0 && near || slices.ContainsFunc(all, func(a incident.Component) bool { return a.ID == c.ID }) {
				return n.Name
			}
		}
		return ""
	}
	loose, due, explained := map[string]time.Time{}, false, ""
	var group []incident.Component
	for _, c := range s.w.Components {
		if c.Status == "" || c.Status == incident.Operational {
			continue
		}
		since, ok := s.w.Loose[c.ID]
		if !ok {
			since = s.e.At
		}
		if by := spoken(c, since); by != "" {
			explained = by
			continue
		}
		loose[c.ID] = since
		group = append(group, c)
		due = due || s.e.At.Sub(since) >= looseFor
	}
	if s.w.Loose = loose; len(loose) == 0 {
		s.w.Loose = nil
	}
	if s.w.Group == "" && !due {
		return
	}
	if s.w.Group == "" {
		first := s.e.At
		for _, at := range loose {
			if at.Before(first) {
				first = at
			}
		}
		s.w.Group = "components-" + strconv.FormatInt(first.Unix(), 36)
	}
	was := now[s.w.Group]
	snap := groupOf(was.Now(), group, explained, s.e.At)
	snap.Page, snap.ID, snap.Link = s.page.ID, s.w.Group, s.page.Link
	now[s.w.Group] = incident.Merge(was, snap)
	if len(group) == 0 {
		s.w.Group = ""
	}
}

// groupOf is the incident that stands for components which none explains.
func groupOf(was incident.Snapshot, group []incident.Component, explained string, at time.Time) incident.Snapshot {
	s := was
	s.Via, s.At, s.Status = incident.ByRead, at, "no incident reported yet"
	if s.Created.IsZero() {
		s.Created = at
	}
	var words, names []string
	for _, c := range group {
		names = append(names, c.Name)
		words = append(words, c.Name+": "+incident.Words(c.Status))
	}
	if len(names) > 3 {
		names = append(names[:2], fmt.Sprintf("%d more", len(names)-2))
	}
	if len(words) > 20 {
		words = append(words[:20], fmt.Sprintf("and %d more", len(words)-20))
	}
	text := strings.Join(words, "\n")
	switch {
	case len(group) > 0:
		s.Components = group
		s.Name = list(names) + map[bool]string{true: " is not well", false: " are not well"}[len(group) == 1]
		s.Impact = incident.ImpactOf(group)
	case explained != "":
		s.Status, text = incident.Resolved, "Now reported as: "+explained
	default:
		s.Status, text = incident.Resolved, "All of them work again."
	}
	if n := len(s.Updates); n == 0 || s.Updates[n-1].Text != text {
		s.Updates = append(slices.Clone(s.Updates), incident.Update{ID: strconv.Itoa(n), Status: s.Status, Text: text, Created: at})
		s.Edited = at
	}
	if len(group) == 0 {
		s.Components = slices.Clone(s.Components)
		for i := range s.Components {
			s.Components[i].Status = incident.Operational
		}
	}
	return s
}

// next is when the page is read again. after is how long it wants to be left alone.
func (s *paging) next(after time.Duration) time.Time {
	h := fnv.New32a()
	_, _ = fmt.Fprint(h, s.page.URL, s.e.At.UnixNano())
	jitter := time.Duration(h.Sum32() % 1000)
	busy := len(s.e.Desk.Open) > 0 || slices.ContainsFunc(s.w.Briefs, func(b Brief) bool { return b.Phase == incident.Ongoing })
	wait := pollQuiet + jitter*pollSpread/1000
	if busy || len(s.w.Loose) > 0 {
		wait = pollOpen
	}
	if s.w.Fails > 0 {
		wait = min(pollLeast<<min(s.w.Fails-1, 4), pollMost) + jitter*10*time.Millisecond
	} else if slices.ContainsFunc(s.w.Briefs, func(b Brief) bool { return !b.Confirmed && !b.Gone }) {
		wait = pollSoon
	}
	at := s.e.At.Add(max(wait, after))
	for _, b := range s.w.Briefs { // planned work is told on time
		if c, ok := s.caseOf(b.ID); ok && b.Phase == incident.Planned && s.w.Fails == 0 {
			if remind := s.page.RemindAt(c.Incident.Now()); remind.After(s.e.At) && remind.Before(at) {
				at = remind
			}
		}
	}
	return at
}

func (s *paging) caseOf(id string) (Case, bool) {
	if c, ok := s.changed[id]; ok {
		return c, true
	}
	c, ok := s.cases[id]
	return c, ok
}

// tidy forgets what ended long ago.
func (s *paging) tidy() {
	s.w.Briefs = slices.DeleteFunc(slices.Clone(s.w.Briefs), func(b Brief) bool {
		gone := b.Phase == incident.Over && s.e.At.Sub(b.Ended) > keptFor
		if gone {
			s.do(Forget{b.ID})
			delete(s.changed, b.ID)
		}
		return gone
	})
}
