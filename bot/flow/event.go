package flow

import (
	"encoding/json"
	"fmt"
	"time"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/tree"
)

// Person is somebody as a decision sees them: looked up anew for every event.
type Person struct {
	ID        string `json:"id"`               // immutable: the name in the organisation's people, else the account
	Account   string `json:"account"`          // "terminal:sam", as the platform proved it
	Name      string `json:"name"`             // as people see it: "@sam"
	Zone      string `json:"zone,omitzero"`    // IANA; empty: the organisation's
	Email     string `json:"-"`                // verified, for this decision alone; empty: not known
	Member    bool   `json:"member,omitzero"`  // a full member of the own organisation
	Responder bool   `json:"respond,omitzero"` // may confirm, restore, extend, take over
	Restorer  bool   `json:"restore,omitzero"` // may put back: was a responder when that was last known
	Unknown   string `json:"unknown,omitzero"` // why it is not known what they may; empty: it is known
	Admin     bool   `json:"admin,omitzero"`   // may click in the platform's settings
}

// Place is where a card is shown. Thread names the message (by our own id) whose thread it is; Person is set where
// only one person sees it: in a channel, or without one directly.
type Place struct {
	Platform string `json:"platform"`
	Channel  string `json:"channel,omitzero"`
	Thread   string `json:"thread,omitzero"`
	In       string `json:"in,omitzero"`     // the thread in which it was typed or pressed: its root, as Sent names it
	Person   string `json:"person,omitzero"` // an account
}

// Capability is a way of answering an event that its chat platform lends for a while. Whoever has it can write in the
// bot's name, so it lies in the store only as long as what it serves, and nowhere else.
type Capability struct {
	URL     string    `json:"url"`
	Message string    `json:"message,omitzero"` // our id of the message that was pressed, where it can be replaced
	Ends    time.Time `json:"ends"`
}

// PagerPlatform is the place of reminders that a pager should ring for.
const PagerPlatform = "pager"

// Event is something that happened, with all that a decision needs to know of the world.
type Event struct {
	ID    string
	At    time.Time
	By    Person
	Place Place
	Reply *Capability // nil: the platform lent none
	What  What
	Desk  Desk      // filled in by the Service for each decision, never stored
	Until time.Time // how long the surface waits for a form, never stored; after it a card offers the form
}

// Desk is what lies on the desk beside an event: the other documents that a decision looks at.
type Desk struct {
	Open    []Outage                         // open outages, oldest first; for a drill with the drills
	Drills  []Outage                         // open drills
	Past    []Outage                         // all there ever were, oldest first; only where words or a look at what is ready ask for them
	Walk    *Walk                            // the walk that the person is in the middle of; nil: none
	Held    map[change.Key]string            // which open outage holds a resource of this event
	Left    map[change.Key]change.LeftBehind // what earlier outages left behind
	Asked   map[change.Key]Asked             // who asked for the flags of the outage
	Guide   map[change.Key]change.Guide      // what people need for the guided steps of the outage
	Pages   []Sight                          // the status pages, as they were read last
	Gone    map[string]bool                  // people with a part in the outage who may not act here any more, by id; only for Due
	Outside map[string]bool                  // places of the outage where people of other organisations read along, or may, by lane
	Unread  map[string]bool                  // those of them of which nobody can say now who reads there
	Named   map[string]Person                // who is meant by the accounts that a press names
	Said    map[change.Key]change.Word       // what people said of the settings that were read in a drill; only for who wants to keep the values
	Asker   Person                           // who asked for a second person, as they are now; only for a walk where four eyes are wanted
	HowTo   string                           // how to create the phone menu for an outage
	Works   bool                             // changes may be made: the store is healthy
	Why     string                           // why not; or what somebody answers for
}

// Asked is how often a page or a phone menu asked for a flag. The zero value is never.
type Asked struct {
	Last    time.Time
	In5Min  int
	Unknown bool // it could not be found out
}

func (d Desk) held(k change.Key) string { return d.Held[k] }

// What is the body of an event.
//
//sumtype:decl
type What interface{ what() }

// Command is words typed after /outage, or to the bot.
type Command struct {
	Words []string `json:"words"`
}

// Press is a button pressed, or a form sent.
type Press struct {
	Action Action            `json:"action"`
	Fields map[string]string `json:"fields,omitzero"` // a form's values by input id; Many: lines
}

// Catalogue is what can be set: the answer to List.
type Catalogue struct {
	Resources []change.Resource `json:"resources"`
	Plan      []change.Step     `json:"plan"`
	Menus     []string          `json:"menus,omitzero"` // of the phone menus that the plan's clicks select, those that nobody ever said to be published
	Error     string            `json:"error,omitzero"` // why it could not be listed or planned
	Asked     int               `json:"asked,omitzero"` // List's
}

// Readings are present values: the answer to Read.
type Readings struct {
	For    string                      `json:"for"`
	At     time.Time                   `json:"at,omitzero"`    // when it was asked: what happens from then on may not be in the values
	Asked  int                         `json:"asked,omitzero"` // Read's
	By     Person                      `json:"by"`             // who asked
	Place  Place                       `json:"place"`
	Values map[change.Key]change.Value `json:"values"`
	Errors map[change.Key]string       `json:"errors,omitzero"`
}

// Due is a timer that fired. Its name is one that Remind set.
type Due struct {
	Timer string `json:"timer"`
}

// Begun is a confirmed walk: the first event of an outage, or an addition to it.
type Begun struct {
	Walk  Walk          `json:"walk"`
	Leaf  tree.Node     `json:"leaf"`
	Todos []Todo        `json:"todos"`
	Steps []change.Step `json:"steps"`
	Taken []change.Key  `json:"taken,omitzero"` // of these somebody said that they are done by hand already
}

// Stepped is progress of a change, or of something that it depends on: the record that comes with it holds what is new.
type Stepped struct {
	Outage string `json:"outage"`
}

func (Command) what()     {}
func (Press) what()       {}
func (Catalogue) what()   {}
func (Readings) what()    {}
func (Due) what()         {}
func (Begun) what()       {}
func (Stepped) what()     {}
func (Noticed) what()     {}
func (Look) what()        {}
func (PageRead) what()    {}
func (PageSaid) what()    {}
func (Took) what()        {}
func (Undelivered) what() {}
func (Returned) what()    {}

// Effect is something to be done because of a decision. Its id is the event's id and its number, which is the op id of
// what it causes: repeating it is harmless.
//
//sumtype:decl
type Effect interface{ effect() }

// Show shows a card: the message of this id at this place is edited, or posted if there is none.
type Show struct {
	Message string    `json:"message"`
	Place   Place     `json:"place"`
	Card    card.Card `json:"card"`
	Quiet   bool      `json:"quiet,omitzero"` // nobody's device should ring
	// Broadcast: in a thread, and where the platform can in its channel too.
	Broadcast bool     `json:"broadcast,omitzero"`
	Mention   []string `json:"mention,omitzero"`
	Rings     bool     `json:"rings,omitzero"`  // somebody counts on it: what does not arrive in two minutes was not given
	Closes    bool     `json:"closes,omitzero"` // says how a message ended, and nothing where that was never sent
}

// Form opens a form for the person who pressed, once, on the surface that they pressed on.
type Form struct {
	Card card.Card `json:"card"`
}

// List asks for the catalogue and a plan for these actions; the answer is a Catalogue.
type List struct {
	Asked   int               `json:"asked,omitzero"` // comes back with the answer
	Actions []string          `json:"actions"`
	Targets []string          `json:"targets,omitzero"`
	ByHand  []string          `json:"by_hand,omitzero"` // of the targets that have a flag, those that a person does all the same
	Inputs  map[string]string `json:"inputs,omitzero"`
	From    time.Time         `json:"from"`
	Until   time.Time         `json:"until"`
	Drill   bool              `json:"drill,omitzero"`
}

// Read asks for present values; the answer is Readings with the same For.
type Read struct {
	For   string       `json:"for"`
	Asked int          `json:"asked,omitzero"` // comes back with the answer
	Keys  []change.Key `json:"keys"`
}

// Start makes an outage of a confirmed walk, or adds to the one it joins.
type Start struct {
	Steps []change.Step
	Taken map[change.Key]string // of these somebody says that they are done by hand already, and what was there before; "": not known yet
}

// Restore puts steps back; no keys means all.
type Restore struct {
	Keys []change.Key
	By   string
}

// Resume applies a person's answer to one step.
type Resume struct {
	Key    change.Key
	Seen   change.State
	Answer change.Answer
	Value  change.Value
	Reason string
}

// Hand is what a person did to one guided step, or said about it.
type Hand struct {
	Key   change.Key
	Apply func(change.Step) (change.Step, error)
}

// Know keeps what somebody said of a setting in peace time.
type Know struct {
	Key  change.Key
	Word change.Word
}

// Nudge lets the other open outages look again: whether people can log in has changed.
type Nudge struct{}

// Remind sets a timer of this walk or outage; a zero time removes it.
type Remind struct {
	Timer string
	At    time.Time
}

// Audit adds to the audit log.
type Audit struct {
	What string            `json:"what"`
	Data map[string]string `json:"data,omitzero"`
}

// Enter starts a walk from an outage or an incident: into the tree, in the name of the person who pressed.
type Enter struct {
	Join     string   // the outage that it adds to
	At       string   // the node to begin at …
	Words    []string // … or words that lead to it
	Until    time.Time
	Drill    bool      // to practise
	Incident string    // the incident that it comes from
	Since    time.Time // when that began
}

func (Show) effect()    {}
func (Form) effect()    {}
func (List) effect()    {}
func (Read) effect()    {}
func (Start) effect()   {}
func (Restore) effect() {}
func (Resume) effect()  {}
func (Hand) effect()    {}
func (Know) effect()    {}
func (Nudge) effect()   {}
func (Remind) effect()  {}
func (Audit) effect()   {}
func (Enter) effect()   {}
func (Consult) effect() {}
func (Say) effect()     {}
func (Forget) effect()  {}
func (Point) effect()   {}

// envelope is an Event as it lies in the inbox.
type envelope struct {
	ID    string          `json:"id"`
	At    time.Time       `json:"at"`
	By    Person          `json:"by"`
	Place Place           `json:"place"`
	Reply *Capability     `json:"reply,omitzero"`
	Kind  string          `json:"kind"`
	What  json.RawMessage `json:"what"`
}

// MarshalJSON writes the event without its Desk.
func (e Event) MarshalJSON() ([]byte, error) {
	what, err := json.Marshal(e.What)
	if err != nil {
		return nil, err
	}
	return json.Marshal(envelope{e.ID, e.At, e.By, e.Place, e.Reply, fmt.Sprintf("%T", e.What), what})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *Event) UnmarshalJSON(data []byte) error {
	var in envelope
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	what, err := decodeWhat(in.Kind, in.What)
	if err != nil {
		return fmt.Errorf("event %s: %w", in.ID, err)
	}
	*e = Event{ID: in.ID, At: in.At, By: in.By, Place: in.Place, Reply: in.Reply, What: what}
	return nil
}

func decodeWhat(kind string, data []byte) (What, error) {
	switch kind {
	case "flow.Command":
		return decode[Command](data)
	case "flow.Press":
		return decode[Press](data)
	case "flow.Catalogue":
		return decode[Catalogue](data)
	case "flow.Readings":
		return decode[Readings](data)
	case "flow.Due":
		return decode[Due](data)
	case "flow.Begun":
		return decode[Begun](data)
	case "flow.Stepped":
		return decode[Stepped](data)
	case "flow.Noticed":
		return decode[Noticed](data)
	case "flow.Look":
		return decode[Look](data)
	case "flow.PageRead":
		return decode[PageRead](data)
	case "flow.PageSaid":
		return decode[PageSaid](data)
	case "flow.Took":
		return decode[Took](data)
	case "flow.Undelivered":
		return decode[Undelivered](data)
	case "flow.Returned":
		return decode[Returned](data)
	}
	return nil, fmt.Errorf("unknown kind of event %q", kind)
}

func decode[T What](data []byte) (What, error) {
	var v T
	err := json.Unmarshal(data, &v)
	return v, err
}
