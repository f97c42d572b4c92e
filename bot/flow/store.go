package flow

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"switchback/bot/card"
	"switchback/bot/change"
)

var (
	// ErrConflict means that somebody else saved first, and nothing was saved now: load and decide again.
	ErrConflict = errors.New("somebody else saved first")
	// ErrReplayed means that this event was taken in before.
	ErrReplayed = errors.New("taken in before")
	// ErrUnreadable means that a stored document cannot be read by this program: trying again is of no use.
	ErrUnreadable = errors.New("not readable")
	// ErrNewer means that a newer version of the program wrote a document: it may be looked at, and is not touched.
	ErrNewer = errors.New("written by a newer version of this program")
	// ErrInvalid means that a save can never be carried out as it is.
	ErrInvalid = errors.New("cannot be saved")
	// ErrFenced means that the work belongs to somebody else now, and nothing was saved.
	ErrFenced = errors.New("the work belongs to somebody else now")
	// ErrLost means that the store has forgotten what it had saved: this process works with it no more, a new one does.
	ErrLost = errors.New("the store is not the one that this process knew")
)

// Doc is a stored value with the version that a save checks. Version 0 means that there is none.
type Doc[T any] struct {
	Version uint64
	Value   T
}

// Ahead is what a decision is known to look at before it begins; empty: nothing of that kind.
type Ahead struct {
	Work, Walk, Outage string
	Person             string
	Pages              []string
}

// Store keeps everything. store.Flow satisfies it over any store.
type Store interface {
	// Near returns a store for one decision, which has at hand what lies ahead as it is now, the open outages, and whether
	// it is healthy; and the ids of the open outages, which make the next look shorter.
	Near(ctx context.Context, a Ahead, open []string) (Store, []string, error)
	Walk(ctx context.Context, id string) (Doc[Walk], error)
	// Outage returns an outage and its record in one view.
	Outage(ctx context.Context, id string) (Doc[Outage], Doc[change.Record], error)
	// Open returns the open outages, oldest first; All the ended ones too.
	Open(ctx context.Context) ([]Outage, error)
	All(ctx context.Context) ([]Outage, error)
	// Holders says which open outage holds each resource; those that nobody holds are missing.
	Holders(ctx context.Context, keys []change.Key) (map[change.Key]string, error)
	// Left says which resources earlier outages left with their own values.
	Left(ctx context.Context, keys []change.Key) (map[change.Key]change.LeftBehind, error)
	// Words is what people said of settings in peace time; those of which nobody did are missing.
	Words(ctx context.Context, keys []change.Key) (map[change.Key]change.Word, error)
	// Current is the walk that a person is in the middle of; "" means none.
	Current(ctx context.Context, person string) (string, error)
	// Playbook returns the bytes of a version in use; nil means that it is not kept.
	Playbook(ctx context.Context, version string) ([]byte, error)
	// MessageAt is our id of the outage's message that a place's platform calls by this name; "" means none.
	MessageAt(ctx context.Context, lane, ref string) (string, error)
	// Draft returns a form that came too late to be opened. Version 0 means that it is not kept any more.
	Draft(ctx context.Context, id string) (Doc[Draft], error)
	// Watches returns what is watched of each of these pages, in their order; version 0 means nothing yet.
	Watches(ctx context.Context, pages []string) ([]Doc[Watch], error)
	// Log returns the entries of one log of the audit log, oldest first.
	Log(ctx context.Context, name string) ([][]byte, error)
	// Upkeep is what is remembered of the monthly look at what is ready.
	Upkeep(ctx context.Context) (Doc[Upkeep], error)
	// Cases returns incidents of a page by their ids; those that are not kept are missing.
	Cases(ctx context.Context, page string, ids []string) (map[string]Doc[Case], error)
	Work(ctx context.Context, id string) (Doc[Work], error)
	// Pending lists the ids of all work that is not done.
	Pending(ctx context.Context) ([]string, error)
	// Settled reports whether nothing is left that the past caused: no work, and no card on its way.
	Settled(ctx context.Context) (bool, error)
	// Save is all or nothing and durable. It returns ErrConflict, ErrReplayed or ErrFenced where nothing was saved.
	Save(ctx context.Context, s Save) error
	// Origin names the store and how far it has come: a copy of the values from before says where it was made.
	Origin(ctx context.Context) (lineage string, counter uint64, err error)
	Claim(ctx context.Context, lease time.Duration, n int) ([]Claim, error)
	// Sent returns where a message of a lane went; version 0 means that it has not arrived.
	Sent(ctx context.Context, lane, message string) (Doc[Sent], error)
	// Healthy reports whether changes may be made, and in words why not. Where they may, why is what might get lost all
	// the same, because somebody answers for it; empty: nothing.
	Healthy(ctx context.Context) (ok bool, why string)
}

// Save is what one decision changes. Documents are checked against the version they were loaded with.
type Save struct {
	Op       string // once only; "" means that the documents' versions say so
	Lease    *Lease
	Walk     *Doc[Walk]
	Outage   *Doc[Outage]
	Record   *Doc[change.Record]
	Lock     []change.Key                      // resources taken for the outage …
	Free     []change.Key                      // … and given back
	Left     map[change.Key]*change.LeftBehind // what the outage leaves behind; nil: nothing any more
	Words    map[change.Key]change.Word        // what people said of peace time
	Watch    *Doc[Watch]
	Cases    []Doc[Case]
	Forgot   []Doc[Case] // that ended long ago
	Upkeep   *Doc[Upkeep]
	Current  *Current
	Playbook []byte // kept under its version, the walk's, if it is not there yet
	Work     []Work
	Done     *Doc[Work]
	Posts    []Post
	Draft    *Draft // a form that came too late to be opened
	Dropped  string // the id of a draft that nobody opened for a day
	Timers   []Timer
	Audit    []Entry
}

// Newer reports whether a newer version of the program wrote one of the documents: to save them would drop what this
// one does not know of.
func (s Save) Newer() bool {
	return s.Walk != nil && s.Walk.Value.Schema > walkSchema ||
		s.Outage != nil && s.Outage.Value.Schema > outageSchema ||
		s.Record != nil && s.Record.Value.Schema > change.Schema ||
		s.Watch != nil && s.Watch.Value.Schema > watchSchema ||
		s.Upkeep != nil && s.Upkeep.Value.Schema > upkeepSchema ||
		slices.ContainsFunc(slices.Concat(s.Cases, s.Forgot), func(c Doc[Case]) bool { return c.Value.Schema > watchSchema })
}

// Current says which walk a person is in the middle of.
type Current struct{ Person, Walk string }

// Work is something taken in or to be done: it stays in the store until its outcome is saved.
type Work struct {
	ID    string    `json:"id"`
	Event *Event    `json:"event,omitzero"` // something that came in
	Task  *Task     `json:"task,omitzero"`  // something to find out
	Drive string    `json:"drive,omitzero"` // the outage whose settings are to be changed
	After time.Time `json:"-"`              // when somebody else takes it over
}

// Task asks the platforms something for a walk or an outage.
type Task struct {
	Walk   string      `json:"walk,omitzero"`
	Outage string      `json:"outage,omitzero"`
	By     Person      `json:"by"`
	Place  Place       `json:"place"`
	Reply  *Capability `json:"reply,omitzero"`
	List   *List       `json:"list,omitzero"`
	Read   *Read       `json:"read,omitzero"`
	Page   string      `json:"page,omitzero"` // to be read …
	Open   []string    `json:"open,omitzero"` // … with these incidents
}

// Post is one card on its way to a place.
type Post struct {
	ID      string    `json:"id"`
	Place   Place     `json:"place"`
	Message string    `json:"message"`
	Card    card.Card `json:"card"`
	Quiet   bool      `json:"quiet,omitzero"`
	Mention []string  `json:"mention,omitzero"`
	// Broadcast: in a thread, and where the platform can in its channel too.
	Broadcast bool        `json:"broadcast,omitzero"`
	Rings     bool        `json:"rings,omitzero"`
	Closes    bool        `json:"closes,omitzero"`
	At        time.Time   `json:"at,omitzero"`    // since when it waits; the store says it
	Reply     *Capability `json:"reply,omitzero"` // nil: it is sent like any other message
}

// Draft is a form that its surface no longer waited for, with what was typed into it: a card offers to open it. Its id
// is that of the event that it answers.
type Draft struct {
	ID   string    `json:"id"`
	By   string    `json:"by"` // the person's id; nobody else may open it
	Card card.Card `json:"card"`
}

// Sent is where a message went, so that it can be edited.
type Sent struct {
	Ref  string     `json:"ref"`           // the platform's own name for it; "" means that it is gone there
	Card string     `json:"card"`          // a hash of what was sent last
	Root *card.Card `json:"root,omitzero"` // what was sent last, of a message that may have a thread: it is posted anew if it is gone
	Anew time.Time  `json:"anew,omitzero"` // when that was done
}

// Sending is how far the sending of one lane has come. Whoever sends takes the lane first, by saving this document at
// the version that was seen: so one process sends at a time, and one that was paused cannot record anything any more.
type Sending struct {
	Until  time.Time `json:"until,omitzero"`  // somebody sends, and is to be left alone until then
	After  time.Time `json:"after,omitzero"`  // nothing is sent before
	Paid   time.Time `json:"paid,omitzero"`   // up to when the platform's pace is used up
	Failed int       `json:"failed,omitzero"` // sends in a row whose outcome is unknown
	Tried  *Tried    `json:"tried,omitzero"`  // a new message on its way; if the sender is gone, nobody knows whether it arrived
}

// Away is since when no send to a chat platform worked.
type Away struct {
	Since time.Time `json:"since"`
	Last  time.Time `json:"last"` // when it was noticed last, to the minute
}

// Queue is what waits for one chat platform.
type Queue struct {
	Cards  int
	Oldest time.Time // since when the oldest waits
}

// Tried is a new message that may have arrived.
type Tried struct {
	Message string    `json:"message"`
	Card    string    `json:"card"` // the hash of what was sent
	At      time.Time `json:"at"`
}

// Turn is one save of whoever sends a lane: all or nothing.
type Turn struct {
	Lane    string
	Sending Doc[Sending] // as it becomes
	Done    []Doc[Post]  // taken off the lane
	Message string
	Sent    *Doc[Sent] // where Message went; nil: nothing new
	Work    []Work     // what follows from it
	Rest    *Rest      // the sender stops; nil: it goes on
}

// Rest ends a claim on a lane. Its timer is set to At, or removed where that is zero; where a post came meanwhile, the
// lane is due at once.
type Rest struct {
	Claim Claim
	At    time.Time
}

// Lane is the queue of everything that is sent to one place, in order. Threads share their channel's.
func (p Place) Lane() string {
	if p.Person != "" {
		return p.Platform + "/" + p.Person
	}
	return p.Platform + "/" + p.Channel
}

// Timer is a moment at which something is due. A zero time removes it.
type Timer struct {
	ID string
	At time.Time
}

// Timers have ids that say whose they are.
const (
	walkTimers   = "walk/"
	outageTimers = "outage/"
	pageTimers   = "page/"
	readyTimers  = "ready/"
	workTimers   = "work/"
	draftTimers  = "draft/"
	// LaneTimers are the outbox's.
	LaneTimers = "lane/"
)

// WorkTimer is the timer at which somebody else takes work over.
func WorkTimer(id string) string { return workTimers + id }

// Claim is a due timer leased to the caller.
type Claim struct {
	ID     string
	At     time.Time
	Token  uint64
	Leased time.Time     // when it was claimed …
	For    time.Duration // … and for how long
}

// Lease is a claim that a save makes sure of. Extend moves its end.
type Lease struct {
	Timer  string
	Token  uint64
	Extend time.Duration
}

// Entry is one line of the audit log of a walk or an outage.
type Entry struct {
	Log  string
	Data json.RawMessage
}

// splitTimer splits "outage/<id>/<name>".
func splitTimer(id string) (kind, doc, name string) {
	parts := strings.SplitN(id, "/", 3)
	if len(parts) < 3 {
		return "", "", ""
	}
	return parts[0] + "/", parts[1], parts[2]
}
