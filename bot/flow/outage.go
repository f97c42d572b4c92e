package flow

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/tree"
)

const (
	outageSchema = 1
	quick        = 10 * time.Second // a change that takes longer is told when it is done
	againFor     = 24 * time.Hour   // how long an ended outage offers to begin again

	ladderTimer   = "ladder"      // the next reminder of the deadline
	questionTimer = "question"    // the next question of a wait
	threadTimer   = "thread"      // the open question goes to the thread
	silentTimer   = "unconfirmed" // nobody answered for a day
	midnightTimer = "midnight"    // a weekday begins that is not covered
	dayTimer      = "day"         // another weekday has begun
	copyTimer     = "copy"        // the copy of the values from before has had time to arrive
	handsTimer    = "hands"       // somebody took something and does not answer
	makerTimer    = "maker"       // somebody makes a phone menu and does not answer
	settleTimer   = "settle"      // read again what was written
	todoTimer     = "todo"        // ask once what is left to do
)

// Outage is what was made of a confirmed change or an accepted wait. Whether its settings are being changed, are set
// or restored is derived from its record and stored nowhere else.
type Outage struct {
	Schema   int       `json:"schema"`
	ID       string    `json:"id"`
	Channel  string    `json:"channel"` // voice, chat, …
	Leaf     tree.Node `json:"leaf"`    // as it was in the playbook then
	Playbook string    `json:"playbook"`
	Owner    Person    `json:"owner"`
	Offered  *Person   `json:"offered,omitzero"`   // asked to take it over; nil: nobody
	Since    time.Time `json:"since"`              // customers are hit since
	Began    time.Time `json:"began"`              // declared
	Walked   time.Time `json:"walked,omitzero"`    // somebody began to look
	Deadline time.Time `json:"deadline,omitzero"`  // zero: nothing was changed
	Rung     int       `json:"rung,omitzero"`      // the next rung of the ladder …
	LadderAt time.Time `json:"ladder_at,omitzero"` // … and when it is given
	Asking   Asking    `json:"asking,omitzero"`
	Message  string    `json:"message,omitzero"` // what visitors read meanwhile; empty: nothing of ours
	Home     Place     `json:"home"`
	Routed   []Place   `json:"routed,omitzero"` // other places that show it: a link home, or all of it on another chat platform
	Told     Told      `json:"told,omitzero"`
	For      string    `json:"for,omitzero"`     // for whom we wait, where a person found out; else the leaf says it
	Links    []Link    `json:"links,omitzero"`   // incidents on status pages that it is linked to
	Copy     *Copy     `json:"copy,omitzero"`    // the newest copy of the values from before; nil: none yet
	IVRs     []IVR     `json:"ivrs,omitzero"`    // phone menus that were asked about
	Helpers  []Helper  `json:"helpers,omitzero"` // asked to click, and for nothing else
	Todos    []Todo    `json:"todos,omitzero"`
	Timeline []Line    `json:"timeline"`
	Ended    *End      `json:"ended,omitzero"` // nil while it is open
	Drill    bool      `json:"drill,omitzero"`
	Head     string    `json:"head,omitzero"` // of its audit chain

	careful string // what the store may lose, because somebody answers for it; never stored

	asked map[change.Key]Asked // as it was then; never stored
	now   time.Time            // of the decision that draws it, in the organisation's zone; never stored
}

// Asking is the clock of a wait.
type Asking struct {
	N      int       `json:"n,omitzero"`      // questions asked
	Open   bool      `json:"open,omitzero"`   // the last one has no answer
	Thread bool      `json:"thread,omitzero"` // it went to the thread too
	Silent int       `json:"silent,omitzero"` // unanswered in a row
	Heard  time.Time `json:"heard,omitzero"`  // the last answer, or the beginning
	Works  string    `json:"works,omitzero"`  // who said that it works again, while settings are still to be put back
	Next   time.Time `json:"next,omitzero"`
	Said   string    `json:"said,omitzero"` // what the page said, above the question
	Over   time.Time `json:"over,omitzero"` // when the page said that it is over
}

// Told is what people were already told about, so that they are told once.
type Told struct {
	Phase change.Phase            `json:"phase,omitzero"`
	Asked map[change.Key]string   `json:"asked,omitzero"` // the question open for a step
	Drift map[change.Key][]string `json:"drift,omitzero"` // values found by settle checks
	First time.Time               `json:"first,omitzero"` // when customers first noticed …
	All   time.Time               `json:"all,omitzero"`   // … and all that was confirmed had its effect
	Kept  string                  `json:"kept,omitzero"`  // what became of the values that were read in a drill
	Looks []string                `json:"looks,omitzero"` // screens at which somebody was asked to look as a customer
	Hands []Busy                  `json:"hands,omitzero"` // whose card shows something to do
	Lists []string                `json:"lists,omitzero"` // what a restore would put back: the messages that still ask

	Voicemail int `json:"voicemail,omitzero"` // how often the team of the Voice inbox was told: odd while voicemails arrive there

	Unnamed string               `json:"unnamed,omitzero"` // the steps of which it was asked what was there before …
	Which   string               `json:"which,omitzero"`   // … and which of two values should come back
	Lost    map[string]time.Time `json:"lost,omitzero"`    // by lane: when people were told that a place cannot be reached
	Hurried string               `json:"hurried,omitzero"` // the reminder that was not given, and went to others too
}

// Busy is somebody who was shown what to do on one screen.
type Busy struct {
	Who    change.Holder `json:"who"`
	Screen string        `json:"screen"`
}

// Helper is somebody who was asked to do the clicks of one screen.
type Helper struct {
	Who    Person `json:"who"`
	Screen string `json:"screen"`
}

// Todo is something left to do afterwards. It never holds the outage open.
type Todo struct {
	ID   string    `json:"id"`
	Text string    `json:"text"`
	By   string    `json:"by,omitzero"`
	At   time.Time `json:"at,omitzero"`
}

// Line is one entry of the timeline. A wrong one is struck, not removed.
type Line struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	ID     string    `json:"id,omitzero"` // whose it is: names are anybody's
	What   string    `json:"what"`        // "extend", "note", …
	Text   string    `json:"text"`
	Struck string    `json:"struck,omitzero"` // by whom
}

// End is how an outage ended.
type End struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	How    string    `json:"how"` // restored, left, works, abandoned, unconfirmed
	Reason string    `json:"reason,omitzero"`
}

// StepOutage decides what an event means for an outage; r is its record as it is with that event. It does no I/O and
// reads no clock: the same input gives the same answer.
func StepOutage(p Policy, o Outage, r change.Record, e Event) (Outage, []Effect, error) {
	o.now, o.asked, o.careful = e.At.In(p.Location()), e.Desk.Asked, ""
	if e.Desk.Works {
		o.careful = e.Desk.Why
	}
	attests := e.By.Responder || e.By.Admin
	begun, _ := e.What.(Begun)
	drill := o.Drill || begun.Walk.Drill
	if drill {
		p, e = p.drilling(), e.drilling()
	}
	s := stepping{policy: p, o: o, r: r, e: e, attests: attests}
	if s.overtaken() { // whatever it was that happened
		if _, ok := e.What.(Press); ok {
			s.tell(card.Card{Title: headline(s.o, s.r), Text: []string{"This drill is over: " + s.o.Ended.Reason + ". Nothing was changed by your press."}})
		}
		s.withHome()
		return s.o, marked(s.out), nil
	}
	if lane := o.Home.Lane(); o.ID != "" && e.Desk.Outside[lane] && !e.Desk.Unread[lane] { // before anything is said to its thread
		s.moveOut()
	}
	switch what := e.What.(type) {
	case Begun:
		s.begun(what)
		s.overtaken()
	case Stepped:
		s.stepped()
	case Press:
		s.press(what)
	case Readings:
		s.readings(what)
	case Due:
		s.due(what)
	case Undelivered:
		s.undelivered(what)
	case Returned:
		s.returned(what)
	case PageSaid:
		s.pageSaid(what)
	case Command, Catalogue, Noticed, Look, PageRead, Took:
		return o, nil, fmt.Errorf("outage %s: %T is no event of an outage", o.ID, what)
	}
	if _, ok := e.What.(Press); ok && !answers(s.out) && !s.changed { // an empty form, for one
		s.tell(card.Card{Title: "Nothing was changed by your press", Text: []string{headline(s.o, s.r)}, Buttons: []card.Button{s.button("look", "", "Look")}})
	}
	s.withHome()
	s.mirror()
	if drill {
		s.out = marked(s.out)
	}
	return s.o, s.out, nil
}

// answers reports whether a person sees something come of it, now or when it is done.
func answers(out []Effect) bool {
	return slices.ContainsFunc(out, func(e Effect) bool {
		switch e.(type) {
		case Show, Form, Read, Restore, Resume, Enter, Hand:
			return true
		case List, Start, Know, Nudge, Remind, Audit, Consult, Say, Forget, Point:
		}
		return false
	})
}

// withHome shows the outage's message where it has something new to say: first, so that what goes to its thread finds it.
func (s *stepping) withHome() {
	if !s.changed {
		return
	}
	homes := []Effect{Show{Message: s.home(), Place: s.o.Home, Card: homeCard(s.policy, s.o, s.r)}}
	for _, place := range s.o.Routed {
		homes = append(homes, Show{Message: s.home(), Place: place, Card: routedCard(s.policy, s.o, s.r, place)})
	}
	s.out = append(homes, s.out...)
}

// mirror shows what goes to the outage's thread in its threads on the other chat platforms too: whoever is there can
// work on it. What rings does so once; where it does not arrive it is given elsewhere.
func (s *stepping) mirror() {
	var out []Effect
	for _, e := range s.out {
		out = append(out, e)
		show, ok := e.(Show)
		if !ok || show.Rings || show.Place != s.thread() {
			continue
		}
		for _, place := range s.o.elsewhere() {
			show.Place = place
			out = append(out, show)
		}
	}
	s.out = out
}

// elsewhere are the threads of the outage on other chat platforms than its home's, where all of it is shown.
func (o Outage) elsewhere() []Place {
	var out []Place
	for _, p := range o.Routed {
		if p.Platform != o.Home.Platform {
			p.Thread = HomeMessage + o.ID
			out = append(out, p)
		}
	}
	return out
}

// stepping is one StepOutage at work.
type stepping struct {
	policy  Policy
	o       Outage
	r       change.Record
	e       Event
	out     []Effect
	changed bool // the home message has something new to say
	attests bool // the person may say what a setting is in peace time: by their own right, not a drill's
}

func (s *stepping) do(e ...Effect) { s.out = append(s.out, e...) }

// HomeMessage begins our id of an outage's message.
const HomeMessage = "home:"

func (s *stepping) home() string { return HomeMessage + s.o.ID }

func (s *stepping) message(name string) string { return s.o.ID + "/" + name }

func (s *stepping) thread() Place {
	p := s.o.Home
	p.Thread = s.home()
	return p
}

func (s *stepping) owner() Place {
	platform, _, _ := strings.Cut(s.o.Owner.Account, ":")
	return Place{Platform: platform, Person: s.o.Owner.Account}
}

// note adds to the timeline and the audit log.
func (s *stepping) note(what, format string, args ...any) {
	by := s.e.By.Name
	if by == "" {
		by = "the bot"
	}
	s.line(Line{At: s.e.At, By: by, ID: s.e.By.ID, What: what, Text: fmt.Sprintf(format, args...)})
}

// notice is note for what the bot did by itself, whoever made the event.
func (s *stepping) notice(what, format string, args ...any) {
	s.line(Line{At: s.e.At, By: "the bot", What: what, Text: fmt.Sprintf(format, args...)})
}

func (s *stepping) line(l Line) {
	s.o.Timeline = append(slices.Clone(s.o.Timeline), l)
	s.do(Audit{What: l.What, Data: map[string]string{"text": l.Text}})
	s.changed = true
}

// last is the newest line of the timeline of this kind.
func (s *stepping) last(what string) Line {
	for _, l := range slices.Backward(s.o.Timeline) {
		if l.What == what {
			return l
		}
	}
	return Line{At: s.o.Began, By: s.o.Owner.Name}
}

// tell shows something to the person of the event alone.
func (s *stepping) tell(c card.Card) {
	c.Drill = s.o.Drill
	s.do(Show{Message: "note:" + s.e.ID, Place: private(s.e), Card: c})
}

func (s *stepping) post(name string, at Place, c card.Card) {
	c.Drill = s.o.Drill
	s.do(Show{Message: s.message(name), Place: at, Card: c})
}

func (s *stepping) begun(b Begun) {
	w := b.Walk
	if s.o.ID == "" {
		leaf := b.Leaf
		s.o = Outage{
			now:   s.o.now,
			asked: s.o.asked, careful: s.o.careful,
			Schema: outageSchema, ID: w.Outage, Channel: leaf.Channel, Leaf: leaf, Playbook: w.Playbook, Owner: w.By,
			Since: w.Inputs.Since, Began: s.e.At, Todos: b.Todos, Message: w.Inputs.Message,
			Asking: Asking{Heard: s.e.At}, For: w.Inputs.For, Walked: w.Began, Drill: w.Drill,
		}
		if w.Drill {
			s.o.Todos = nil // no customer was kept waiting
			s.do(Remind{drillTimer, s.e.At.Add(drillLife)})
		}
		s.moveIn(w.Place)
		s.note("begun", "%s", leaf.Title)
		s.linkOpen(w.Incident)
		if leaf.Channel == "login" || !w.Drill && slices.ContainsFunc(s.e.Desk.Drills, func(o Outage) bool { return o.Channel == leaf.Channel }) {
			s.do(Nudge{})
		}
		if leaf.Kind == tree.Wait {
			s.ask(s.e.At)
		}
	} else {
		if b.Leaf.ID != s.o.Leaf.ID {
			s.turned(b)
		}
		s.o.Message = cmp.Or(w.Inputs.Message, s.o.Message)
		s.note("added", "%s added to it: %s", w.By.Name, cmp.Or(names(b.Steps), b.Leaf.Title))
	}
	s.menus(w.Menus)
	if len(b.Taken) > 0 {
		done := slices.DeleteFunc(slices.Clone(b.Steps), func(st change.Step) bool { return !slices.Contains(b.Taken, st.Key) })
		s.note("taken over", "done by hand already, says %s: %s", w.By.Name, card.Shorten(names(done), 500))
	}
	switch q := w.Second; {
	case !q.settled():
	case q.By != "":
		s.note("second", "%s agreed as the second person", q.By)
	default:
		s.note("alone", "went on alone, without a second person: %s", q.Alone)
	}
	if len(b.Steps) > 0 && w.Inputs.Until.After(s.o.Deadline) {
		s.deadline(w.Inputs.Until)
		s.afterHours()
	}
	if s.o.careful != "" && len(waitsForCopy(s.r)) > 0 {
		s.do(Remind{copyTimer, s.e.At.Add(copyFor)})
	}
	s.stepped()
	s.midnight()
	s.changed = true
}

// moveIn finds the outage's home, where all of it is shown, and the other places that show it. Where people of other
// organisations read along is no home.
func (s *stepping) moveIn(begun Place) {
	if s.o.Drill {
		s.moveInDrill(begun)
		return
	}
	var ok bool
	if s.o.Home, ok = s.policy.homeOf(s.o.Channel, begun, s.e.Desk); !ok {
		s.o.Home = s.owner()
	}
	s.o.Routed = nil
	if begun.In, begun.Person = "", ""; begun.Channel != "" && begun.Platform != s.o.Home.Platform && !s.e.Desk.Outside[begun.Lane()] {
		s.o.Routed = []Place{begun} // all of it is shown there too: whoever began it may be on no other chat platform
	}
	for _, platform := range append([]string{begun.Platform}, s.policy.Surfaces...) {
		for _, p := range s.policy.routed(s.o.Channel, platform) {
			if p != s.o.Home && !slices.Contains(s.o.Routed, p) {
				s.o.Routed = append(s.o.Routed, p)
			}
		}
	}
}

// homeOf is where all of an outage may be shown that somebody begins in a place. It reports false where people of other
// organisations read along everywhere. A channel of which nobody knows now who reads there is better than none: what goes
// there waits until it is known, and a home for one person alone would stay one.
func (p Policy) homeOf(channel string, begun Place, d Desk) (Place, bool) {
	begun.In, begun.Person = "", ""
	ours := append(p.routed(channel, begun.Platform), p.inside(begun.Platform))
	for _, platform := range p.Surfaces { // somebody's direct messages are no place for the whole of it
		ours = append(ours, p.routed(channel, platform)...)
	}
	inside := func(p Place) bool { return p.Channel != "" && !d.Outside[p.Lane()] }
	unread := func(p Place) bool { return p.Channel != "" && d.Unread[p.Lane()] }
	for _, may := range []func(Place) bool{inside, unread} {
		if i := slices.IndexFunc(ours, may); i >= 0 {
			return ours[i], true
		}
	}
	return begun, inside(begun) || unread(begun)
}

// moveOut leaves a home that is shared with another organisation now. What is open is asked anew where it goes on.
func (s *stepping) moveOut() {
	old := s.o.Home
	s.moveIn(Place{Platform: old.Platform})
	if s.o.Home != old {
		s.notice("moved", "people of other organisations may read %s; its home is %s now", s.placeWord(old), s.placeWord(s.o.Home))
		s.o.Told.Asked, s.o.Told.Unnamed, s.o.Told.Which = nil, "", ""
		s.o.IVRs = slices.Clone(s.o.IVRs)
		for i := range s.o.IVRs {
			s.o.IVRs[i].Shown = ""
		}
		defer s.askAll()
		if !s.o.Drill && !slices.Contains(s.o.Routed, old) {
			s.o.Routed = append(s.o.Routed, old) // it shows how it ends
		}
	}
}

// turned follows an outage that became another one: back into the tree, same outage.
func (s *stepping) turned(b Begun) {
	s.o.Leaf = b.Leaf
	for _, t := range b.Todos {
		if !slices.ContainsFunc(s.o.Todos, func(have Todo) bool { return have.ID == t.ID }) {
			s.o.Todos = append(slices.Clone(s.o.Todos), t)
		}
	}
	s.o.Asking = Asking{N: s.o.Asking.N, Heard: s.e.At}
	s.do(Remind{Timer: questionTimer}, Remind{Timer: threadTimer}, Remind{Timer: silentTimer})
	if (s.o.Channel == "login") != (b.Leaf.Channel == "login") {
		s.do(Nudge{})
	}
	s.o.Channel = b.Leaf.Channel
	if b.Leaf.Kind == tree.Wait {
		s.ask(s.e.At)
	}
}

// deadline moves the deadline, and the ladder of reminders with it.
func (s *stepping) deadline(at time.Time) {
	s.o.Deadline, s.o.Rung = at, 0
	for s.rung(s.o.Rung).Before(s.e.At) && s.rung(s.o.Rung).Before(s.o.Deadline) {
		s.o.Rung++ // a warning that lies in the past is not given
	}
	s.remind(s.rung(s.o.Rung))
}

// afterHours asks, while the team works, who looks after a deadline at which it does not.
func (s *stepping) afterHours() {
	at := s.o.Deadline
	if s.o.Drill || !s.policy.IsOpen(s.e.At) || s.policy.IsOpen(at) {
		return
	}
	deadline := strconv.FormatInt(at.Unix(), 10)
	s.post("late/"+deadline, s.owner(), card.Card{
		Title: "I ask at " + card.Day(at) + ", when you are closed. Who looks after it then?",
		Text:  []string{"You do, unless you say something else."},
		Buttons: []card.Button{
			{Label: "Hand over…", Opens: true, Action: s.act("handover", asIs, "")},
			{Label: "Ask at opening time: " + card.Day(s.policy.NextOpening(at)), Action: s.act("extend", deadline, "open")},
		},
	})
}

// rung is when the i-th rung of the ladder falls due; the last one repeats.
func (s *stepping) rung(i int) time.Time {
	l := s.policy.Ladder
	if len(l) == 0 {
		return s.o.Deadline
	}
	if i < len(l) {
		return s.o.Deadline.Add(l[i].at())
	}
	last := l[len(l)-1]
	every := time.Duration(max(last.Every, 0))
	if every == 0 {
		every = 24 * time.Hour
	}
	return s.o.Deadline.Add(last.at() + time.Duration(i-len(l)+1)*every)
}

// askAll shows what waits for an answer in the thread, each once.
func (s *stepping) askAll() {
	s.questions()
	s.askBefore()
	s.askWhich()
	s.askMenus()
	s.hands()
	s.askToTry()
}

// stepped tells what is new in the record, once.
func (s *stepping) stepped() {
	s.changed = true
	s.askAll()
	s.voiceInbox()
	s.effects()
	s.lookAgain()
	phase := s.r.Phase()
	before := s.o.Told.Phase
	if phase == before {
		return
	}
	s.o.Told.Phase = phase
	switch phase {
	case change.Asking:
		s.settled()
	case change.Changed:
		if before == change.Asking || s.e.At.Sub(s.o.Began) > quick { // nobody is watching any more
			s.post("set", s.thread(), card.Card{Tone: card.Done, Title: headline(s.o, s.r), Text: []string{whenWord(s.policy, s.o)}})
		}
		s.settled()
	case change.Ended:
		s.restored()
	case change.Nothing, change.Changing, change.Restoring:
	}
}

// lookAgain comes back to a flag that nobody has asked for yet: soon at first, because somebody is watching.
func (s *stepping) lookAgain() {
	var next time.Duration
	for _, st := range s.r.Steps {
		a, flag := s.o.asked[st.Key]
		age := s.e.At.Sub(st.At)
		if !flag || st.State != change.IsSet || st.Back || a.Last.After(st.At) || age >= time.Hour {
			continue
		}
		if age < time.Minute {
			next = 15 * time.Second
			break
		}
		next = time.Minute
	}
	if next > 0 {
		s.do(Remind{settleTimer, s.e.At.Add(next)})
	}
}

// settled sets what follows once the engine has done what it can: look again at what was written, and ask before the
// next weekday begins.
func (s *stepping) settled() {
	s.do(Remind{settleTimer, s.e.At.Add(time.Minute)})
	s.lookAgain()
	s.midnight()
}

// questions asks about each step that cannot go on without a person, and closes questions that were answered.
func (s *stepping) questions() {
	asked := map[change.Key]string{}
	for _, t := range change.Next(s.r) {
		st, _ := s.r.Step(t.Key)
		if t.Do != change.DoAsk || st.State == change.Failed || st.State == change.Unknown { // these have cards of their own
			continue
		}
		asked[t.Key] = string(st.State) + strconv.FormatBool(st.Back) + nanos(st.At)
		if s.o.Told.Asked[t.Key] != asked[t.Key] {
			s.post("ask/"+string(t.Key), s.thread(), stepCard(s.o, st))
		}
	}
	for _, st := range s.r.Steps { // in the order of the steps, so that the same input gives the same answer
		if _, was := s.o.Told.Asked[st.Key]; was && asked[st.Key] == "" {
			s.closes("ask/"+string(st.Key), s.thread(), card.Card{Title: stepName(st), Text: []string{stepWord(st) + by(st)}})
		}
	}
	for _, back := range []bool{false, true} {
		s.failures(asked, back)
	}
	if s.o.Told.Asked = asked; len(asked) == 0 {
		s.o.Told.Asked = nil
	}
}

// failures asks once about all steps that did not work, when the engine has nothing left to try.
func (s *stepping) failures(asked map[change.Key]string, back bool) {
	name := change.Key("failed/" + strconv.FormatBool(back))
	steps := failed(s.r, back)
	was := s.o.Told.Asked[name]
	switch {
	case len(steps) == 0 && was != "":
		s.closes(string(name)+"/"+was, s.thread(), card.Card{Title: "Answered, by " + cmp.Or(s.e.By.Name, "the bot"), Text: []string{headline(s.o, s.r)}})
	case len(steps) > 0 && engineWork(s.r):
		if was != "" {
			asked[name] = was
		}
	case len(steps) > 0:
		asked[name] = failedState(steps)
		if was != asked[name] {
			s.post(string(name)+"/"+asked[name], s.thread(), failedCard(s.o, steps, back))
		}
	}
}

func failed(r change.Record, back bool) []change.Step {
	var out []change.Step
	for _, st := range r.Steps {
		if st.State == change.Failed && st.Back == back {
			out = append(out, st)
		}
	}
	return out
}

func by(st change.Step) string {
	if st.By == "" {
		return ""
	}
	return " (" + st.By + ")"
}

// restored ends the outage once every step is back or left by name.
func (s *stepping) restored() {
	if s.o.Ended != nil {
		return
	}
	if s.o.Leaf.Kind == tree.Wait && s.o.Asking.Works == "" { // nobody said yet that it works again
		s.o.Deadline = time.Time{}
		s.do(Remind{Timer: ladderTimer}, Remind{Timer: midnightTimer}, Remind{Timer: dayTimer}, Remind{settleTimer, s.e.At.Add(time.Minute)})
		return
	}
	how := "left"
	for _, st := range s.r.Steps {
		if st.State == change.Restored {
			how = "restored"
		}
	}
	s.finish(how, s.last("restore").By, "")
}

// finish ends the outage and says what is left to do.
func (s *stepping) finish(how, who, reason string) {
	s.o.Ended = &End{At: s.e.At, By: who, How: how, Reason: reason}
	s.o.Asking.Open, s.o.Asking.Next, s.o.Offered = false, time.Time{}, nil
	s.note("ended", "%s", endWord(s.o))
	if s.o.Channel == "login" {
		s.do(Nudge{})
	}
	s.unaskAll(endWord(s.o) + ".")
	for _, l := range s.o.Links {
		s.do(Point{l.Page, l.ID})
	}
	for _, t := range []string{ladderTimer, questionTimer, threadTimer, silentTimer, midnightTimer, handsTimer, makerTimer, dayTimer} {
		s.do(Remind{Timer: t})
	}
	if s.o.Drill {
		s.do(Remind{Timer: drillTimer})
		s.result()
		return
	}
	if how == "restored" {
		s.do(Remind{settleTimer, s.e.At.Add(time.Minute)})
	}
	if len(s.o.Todos) > 0 {
		s.do(Remind{todoTimer, s.policy.NextOpening(s.e.At)})
	}
	if who != s.o.Owner.Name {
		left := "Nothing left for you."
		if len(s.o.Todos) > 0 {
			left = "What is left to do is listed in " + card.Channel(s.o.Home.Channel) + "."
		}
		s.post("ended", s.owner(), card.Card{Tone: card.Done, Title: headline(s.o, s.r), Text: []string{endWord(s.o) + ". " + left}})
	}
}

// ask sets the time of the next question.
func (s *stepping) ask(from time.Time) {
	every := s.o.Leaf.Every
	if len(every) == 0 {
		return
	}
	next := from.Add(time.Duration(every[min(s.o.Asking.N, len(every)-1)]))
	s.o.Asking.Next = s.policy.NextOpen(next)
	s.do(Remind{questionTimer, s.o.Asking.Next})
	s.changed = true
}

// answered closes the open question and takes its buttons away.
func (s *stepping) answered(text string) {
	q := &s.o.Asking
	if q.Open {
		s.closeQuestion(card.Card{Title: s.o.Leaf.Again.Text, Text: []string{text}})
	}
	q.Open, q.Thread, q.Silent, q.Heard = false, false, 0, s.e.At
	q.Said, q.Over = "", time.Time{}
	s.do(Remind{Timer: threadTimer}, Remind{Timer: silentTimer})
	s.changed = true
}

func (s *stepping) due(d Due) {
	if d.Timer == settleTimer {
		s.settle()
		s.changed = len(s.o.asked) > 0 // somebody may have asked by now
		s.askToTry()
		s.voiceInbox()
		s.effects()
		s.lookAgain()
		return
	}
	if d.Timer == todoTimer {
		s.leftToDo()
		return
	}
	if s.o.Ended != nil || s.o.Leaf.Again == nil && (d.Timer == questionTimer || d.Timer == threadTimer || d.Timer == silentTimer) {
		return
	}
	s.left()
	switch d.Timer {
	case questionTimer:
		s.question()
	case threadTimer:
		s.toThread()
	case silentTimer:
		if s.r.Phase() == change.Nothing || s.r.Phase() == change.Ended {
			s.finish("unconfirmed", "the bot", "")
		}
	case ladderTimer:
		s.climb()
	case midnightTimer:
		s.beforeMidnight()
	case handsTimer:
		s.timeOut()
	case makerTimer:
		s.lateMakers()
	case copyTimer:
		s.noCopy()
	case dayTimer:
		s.midnight()
		s.changed = true
	case drillTimer:
		s.endDrill("it was " + words(s.e.At.Sub(s.o.Began)) + " old")
	}
}

// left takes ownership and claims from people who may no longer act here: at every timer, not only when they press.
func (s *stepping) left() {
	for _, st := range s.r.Steps {
		if st.Holder == nil || !s.e.Desk.Gone[st.Holder.ID] {
			continue
		}
		at, who := s.e.At, st.Holder.Name
		if s.apply(st.Key, func(st change.Step) (change.Step, error) { return change.GiveBack(st, at) }) {
			s.note("gave back", "%s: %s can no longer act here; it is free again", stepName(st), who)
		}
	}
	s.freeMakers(func(m IVR) bool { return s.e.Desk.Gone[m.Maker.ID] }, "can no longer act here")
	s.beginMakers(func(m IVR) bool { return m.made() && m.Since.IsZero() }) // an older version did not say since when
	if !s.r.Open() || s.o.Drill || !s.e.Desk.Gone[s.o.Owner.ID] {
		return
	}
	platform, _, _ := strings.Cut(s.o.Owner.Account, ":")
	for _, name := range append([]string{s.policy.Backup}, s.policy.Responders...) {
		next, ok := s.policy.reached(name, platform)
		if !ok || !next.Responder || next.ID == s.o.Owner.ID || s.e.Desk.Gone[next.ID] {
			continue
		}
		old := s.o.Owner.Name
		s.o.Owner, s.o.Offered = next, nil
		s.note("owner", "%s can no longer act here; %s looks after it now", old, next.Name)
		s.post("owner/"+s.e.ID, s.owner(), card.Card{
			Tone: card.Warning, Title: old + " can no longer act here; you look after " + s.o.ID + " now",
			Text:    []string{headline(s.o, s.r), whenWord(s.policy, s.o)},
			Buttons: []card.Button{s.button("look", "", "Look"), {Label: "Hand over…", Opens: true, Action: s.act("handover", asIs, "")}},
		})
		return
	}
}

func questionName(n int) string { return "q" + strconv.Itoa(n) }

func threadName(n int) string { return "t" + strconv.Itoa(n) }

// closeQuestion takes the buttons of the open question away, wherever it was asked.
func (s *stepping) closeQuestion(c card.Card) {
	q := s.o.Asking
	s.closes(questionName(q.N), s.owner(), c)
	for _, platform := range s.policy.Surfaces {
		if p, ok := s.policy.Named(s.o.Owner.ID, platform); ok && p.Account != "" && p.Account != s.o.Owner.Account {
			s.closes(questionName(q.N), Place{Platform: platform, Person: p.Account}, c)
		}
	}
	if q.Thread {
		s.closes(threadName(q.N), s.thread(), c)
	}
}

// toThread asks the open question in the thread too.
func (s *stepping) toThread() {
	if q := &s.o.Asking; q.Open && !q.Thread {
		q.Thread = true
		s.ring(threadName(q.N), s.thread(), questionCard(s.o), nil)
		s.changed = true
	}
}

func (s *stepping) question() {
	q := &s.o.Asking
	if q.Open { // the one before had no answer
		q.Silent++
		s.closeQuestion(card.Card{Title: s.o.Leaf.Again.Text, Text: []string{"Not answered; asked again at " + card.Clock(s.e.At) + "."}})
	} else { // the first that may stay without an answer
		s.do(Remind{silentTimer, s.unconfirmedAt()})
	}
	q.N++
	q.Open, q.Thread = true, false
	s.ring(questionName(q.N), s.owner(), questionCard(s.o), nil)
	s.do(Remind{threadTimer, s.e.At.Add(time.Duration(s.policy.AskThreadAfter))})
	s.ask(s.e.At)
}

// climb gives the present rung of the ladder. One whose moment passed while something was away is not given late: one
// line sums up the rest.
func (s *stepping) climb() {
	if len(s.policy.Ladder) == 0 || !s.r.Open() {
		return
	}
	missed := 0
	for !s.rung(s.o.Rung + 1).After(s.e.At) {
		if s.rung(s.o.Rung).Before(s.o.LadderAt) { // held back on purpose, outside opening hours
			missed--
		}
		s.o.Rung++
		missed++
	}
	over := s.e.At.Sub(s.o.Deadline)
	if s.policy.RestoreByItself == atDeadline && over >= 0 && s.r.Phase() == change.Changed {
		s.note("restore", "put back at the deadline, as the organisation says")
		s.o.Rung++
		s.remind(s.rung(s.o.Rung)) // if it gets stuck, somebody is asked
		s.do(Restore{By: "the organisation's rule"})
		return
	}
	c := deadlineCard(s.policy, s.o, s.r, over, missed)
	s.give(reminderName(s.o.Deadline, s.o.Rung), c, s.audience(s.o.Rung), s.o.Rung >= pagerRung)
	s.o.Rung++
	next := s.rung(s.o.Rung)
	if s.o.Rung >= len(s.policy.Ladder) && !s.policy.PageAtNight {
		next = s.policy.NextOpen(next)
	}
	s.remind(next)
	s.changed = true
}

const pagerRung = 2 // from which on a pager rings too

// reminderName begins the names of the messages of one rung: new ones each time, because an edited one rings nowhere.
func reminderName(deadline time.Time, rung int) string {
	return fmt.Sprintf("deadline/%d/%d/", deadline.Unix(), rung)
}

// audience is to whom a rung goes at this time of day.
func (s *stepping) audience(rung int) []string {
	to := s.policy.Ladder[min(rung, len(s.policy.Ladder)-1)].To
	if slices.Contains(to, "group") && !s.policy.PageAtNight && !s.policy.IsOpen(s.e.At) {
		return []string{"owner"}
	}
	return slices.Clone(to)
}

// give gives a reminder.
func (s *stepping) give(name string, c card.Card, to []string, pager bool) {
	for _, where := range to {
		switch where {
		case "owner":
			s.ring(name+where, s.owner(), c, nil)
		case "thread":
			s.ring(name+where, s.thread(), c, nil)
		case "channel":
			var mention []string
			if s.policy.Backup != "" {
				mention = []string{s.policy.Backup}
			}
			s.ring(name+where, s.o.Home, c, mention)
		case "group":
			s.ring(name+where, s.o.Home, c, s.policy.responders())
		}
	}
	if pager && s.policy.Escalate {
		s.ring(name+"pager", Place{Platform: PagerPlatform, Channel: "pager"}, c, nil)
	}
}

// remind sets the time of the next rung.
func (s *stepping) remind(at time.Time) {
	s.o.LadderAt = at
	s.do(Remind{ladderTimer, at})
}

// midnight sets the question that comes half an hour before a weekday begins which is not covered, and the moment at
// which the headline may not be true any more.
func (s *stepping) midnight() {
	last, days := s.lastDay()
	if days == 0 {
		return
	}
	today := s.o.now
	s.do(Remind{dayTimer, time.Date(today.Year(), today.Month(), today.Day()+1, 0, 0, 0, 0, today.Location())})
	if days < 7 {
		s.do(Remind{midnightTimer, beginning(last.AddDate(0, 0, 1)).Add(-30 * time.Minute)})
	}
}

// beginning is the first moment of a date: some days have no midnight.
func beginning(day time.Time) time.Time {
	t := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, day.Location())
	for t.Day() != day.Day() {
		t = t.Add(time.Hour)
	}
	return t
}

// lastDay is the beginning of the last date that open steps cover, and how many dates they cover.
func (s *stepping) lastDay() (last time.Time, days int) {
	seen := map[string]bool{}
	for _, st := range s.r.Steps {
		day, err := time.ParseInLocation(time.DateOnly, st.Day, s.policy.Location())
		if err != nil || !st.Open() {
			continue
		}
		seen[st.Day] = true
		if day.After(last) {
			last = day
		}
	}
	return last, len(seen)
}

func (s *stepping) beforeMidnight() {
	last, _ := s.lastDay()
	next := last.AddDate(0, 0, 1)
	if last.IsZero() || !s.r.Open() {
		return
	}
	if s.o.Deadline.Before(next) && s.e.At.Before(s.o.Deadline) {
		s.do(Remind{midnightTimer, s.o.Deadline}) // only an outage past its deadline would cross it
		return
	}
	c := midnightCard(s.o, next, s.e.At)
	s.post("midnight/"+next.Format(time.DateOnly), s.thread(), c)
	s.post("midnight-owner/"+next.Format(time.DateOnly), s.owner(), c)
}

// settle reads again what was written: a write that timed out may land late.
func (s *stepping) settle() {
	var keys []change.Key
	for _, st := range s.r.Steps {
		if st.Way != change.Guided && (st.State == change.IsSet || st.State == change.Restored && st.Before != nil) {
			keys = append(keys, st.Key)
		}
	}
	if len(keys) > 0 {
		s.do(Read{For: "settle", Keys: keys})
	}
	var since time.Time
	for _, st := range s.r.Steps {
		if st.At.After(since) {
			since = st.At
		}
	}
	switch age := s.e.At.Sub(since); {
	case age < time.Minute: // it came for a flag that nobody had asked for
		s.do(Remind{settleTimer, since.Add(time.Minute)})
	case age < 4*time.Minute:
		s.do(Remind{settleTimer, s.e.At.Add(4 * time.Minute)})
	}
}

func (s *stepping) readings(r Readings) {
	switch r.For {
	case "restore":
		s.e.By = r.By
		s.o.Told.Lists = append(slices.Clone(s.o.Told.Lists), "restore/"+s.e.ID)
		s.post("restore/"+s.e.ID, s.thread(), restoreCard(s.policy, s.o, s.r, r, s.e.Desk.Pages, s.e.At))
	case "settle":
		for _, st := range s.r.Steps {
			now, ok := r.Values[st.Key]
			if !ok || st.At.After(r.At) || slices.Contains(s.o.Told.Drift[st.Key], now.Text) {
				continue
			}
			switch {
			case st.State == change.IsSet && !now.Equal(st.Want):
				s.drift(st, now, "Somebody changed it since. Nothing is overwritten; before I put it back I ask you.")
			case st.State == change.Restored && st.Before != nil && now.Equal(st.Want):
				s.drift(st, now, "It was put back, and now shows the outage's value again: an earlier write may have landed late. Please look.")
			case st.State == change.Restored && st.Before != nil && st.Set == nil && !now.Equal(st.Before.Value): // nobody had looked at its end
				s.drift(st, now, "Somebody changed it since I read it. Nothing is overwritten. Before, it showed: "+card.Shorten(firstLine(st.Before.Value.Text), 200))
			}
		}
	}
}

func (s *stepping) drift(st change.Step, now change.Value, text string) {
	drift := maps.Clone(s.o.Told.Drift)
	if drift == nil {
		drift = map[change.Key][]string{}
	}
	drift[st.Key] = append(slices.Clone(drift[st.Key]), now.Text)
	s.o.Told.Drift = drift
	s.note("drift", "%s now shows %q", stepName(st), now.Text)
	c := card.Card{Tone: card.Warning, Title: stepName(st) + " now shows: " + card.Shorten(firstLine(now.Text), 60), Text: []string{text}, Buttons: []card.Button{s.button("look", "", "Look")}}
	s.post("drift/"+string(st.Key), s.thread(), c)
}

func (s *stepping) button(verb, state, label string) card.Button {
	return card.Button{Label: label, Action: Action{Outage: s.o.ID, Verb: verb, State: state}.Encode()}
}

func (s *stepping) leftToDo() {
	var left []string
	for _, t := range s.o.Todos {
		if t.By == "" {
			left = append(left, t.Text)
		}
	}
	if len(left) > 0 {
		s.post("todo", s.owner(), todoCard(s.o))
	}
}
