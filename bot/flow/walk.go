package flow

import (
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

// Stage is where a walk stands beside its path.
type Stage string

// The stages of a walk.
const (
	Choosing  Stage = "choosing"  // a question or a text is shown
	Looking   Stage = "looking"   // the catalogue or the present values are being fetched
	Preview   Stage = "preview"   // what will change is shown, and waits for the confirm
	Checking  Stage = "checking"  // confirmed; the values are being read again
	Seconding Stage = "seconding" // confirmed by one person, and a second one is asked
	Resting   Stage = "resting"   // not yet: asked again by a timer
	Over      Stage = "over"
)

const (
	walkSchema = 1
	slowAfter  = 2 * time.Second  // then the person is told that the settings are being read
	walkLife   = 24 * time.Hour   // after its last turn
	freshFor   = 10 * time.Minute // how long a confirm counts for the preview that was shown

	endTimer    = "end"     // a walk's: nothing happened for 24 hours
	notYetTimr  = "not-yet" // a walk's: ask again
	slowTimer   = "slow"    // a walk's: the settings take long to read
	secondTimer = "second"  // a walk's: nobody has answered as the second person
)

// Walk is one person's way through one version of the playbook. It remembers its path, not only its position, so that
// it can be shown and explained.
type Walk struct {
	Schema    int               `json:"schema"`
	ID        string            `json:"id"`
	By        Person            `json:"by"`
	Place     Place             `json:"place"`
	Began     time.Time         `json:"began,omitzero"`
	Drill     bool              `json:"drill,omitzero"`
	Playbook  string            `json:"playbook"`       // version
	Path      []string          `json:"path"`           // node ids; the last is where it stands
	Card      int               `json:"card,omitzero"`  // counts its messages: a new one where the old would not be seen
	Turn      int               `json:"turn"`           // counts what was shown; a button of an earlier turn is late
	Asked     int               `json:"asked,omitzero"` // counts what was asked of the platforms; an earlier answer is late
	Stage     Stage             `json:"stage"`
	Join      string            `json:"join,omitzero"`     // the open outage that it adds to
	Incident  string            `json:"incident,omitzero"` // the one that it was started from
	Joined    bool              `json:"joined,omitzero"`   // the person knows of the open outage of this branch
	Inputs    Inputs            `json:"inputs"`
	Resources []change.Resource `json:"resources,omitzero"`
	Plan      []change.Step     `json:"plan,omitzero"` // as previewed, with the values read for it
	Unread    map[string]string `json:"unread,omitzero"`
	ShownAt   time.Time         `json:"shown_at,omitzero"` // when the values of the preview were read
	Menus     []string          `json:"menus,omitzero"`    // phone menus of which nobody ever said that they are published
	Second    *Second           `json:"second,omitzero"`   // nil: nobody was asked to be the second person
	Last      time.Time         `json:"last"`
	Ended     string            `json:"ended,omitzero"` // in words
	Outage    string            `json:"outage,omitzero"`
	Head      string            `json:"head,omitzero"` // of its audit chain
}

// Inputs are what a person may change on the confirm card. The zero value means the defaults.
type Inputs struct {
	Targets  []string      `json:"targets,omitzero"` // none: all
	ByHand   []string      `json:"by_hand,omitzero"` // targets whose page or phone menu does not ask, done by a person
	Message  string        `json:"message,omitzero"`
	Deadline time.Duration `json:"deadline,omitzero"` // after the preview
	Until    time.Time     `json:"until,omitzero"`    // a fixed deadline; overrides Deadline
	Since    time.Time     `json:"since,omitzero"`    // customers are hit since; zero: now
	For      string        `json:"for,omitzero"`      // for whom we wait, where somebody says so: it, carrier, network
}

// NewWalk begins a walk at a node of t. Its id comes from the event's, so that the same event makes the same walk.
func NewWalk(t tree.Tree, path []string, e Event) Walk {
	return Walk{
		Schema: walkSchema, ID: shortID("w", e.ID), By: e.By, Place: private(e), Began: e.At, Playbook: t.Version(),
		Path: path, Stage: Choosing, Last: e.At,
	}
}

// private is where only the person of an event sees a card.
func private(e Event) Place {
	return Place{Platform: e.Place.Platform, Channel: e.Place.Channel, In: e.Place.In, Person: e.By.Account}
}

func (w Walk) at() string { return w.Path[len(w.Path)-1] }

func (w Walk) message() string { return "walk:" + w.ID + "/" + strconv.Itoa(w.Card) }

func (w Walk) action(verb, arg string) string {
	return Action{Walk: w.ID, Verb: verb, State: strconv.Itoa(w.Turn), Arg: arg}.Encode()
}

// until is the deadline that the walk proposes.
func (w Walk) until(p Policy, now time.Time) time.Time {
	if w.Inputs.Until.After(now) {
		return w.Inputs.Until
	}
	d := w.Inputs.Deadline
	if d == 0 {
		d = time.Duration(p.Deadline)
	}
	return now.Add(d)
}

// StepWalk decides what an event means for a walk. It does no I/O and reads no clock: the same walk and event give the
// same answer.
func StepWalk(p Policy, t tree.Tree, w Walk, e Event) (Walk, []Effect, error) {
	if w.Drill {
		p, e = p.drilling(), e.drilling()
	}
	s := walking{policy: p, tree: t, w: w, e: e}
	switch what := e.What.(type) {
	case Command:
		s.enter()
	case Press:
		s.press(what)
	case Catalogue:
		s.catalogue(what)
	case Readings:
		s.readings(what)
	case Due:
		s.due(what)
	case Begun, Stepped, Noticed, Look, PageRead, PageSaid, Took, Undelivered, Returned:
		return w, nil, fmt.Errorf("walk %s: %T is no event of a walk", w.ID, what)
	}
	s.leftSecond(w)
	if w.Drill {
		s.out = marked(s.out)
	}
	return s.w, s.out, nil
}

// walking is one StepWalk at work.
type walking struct {
	policy Policy
	tree   tree.Tree
	w      Walk
	e      Event
	out    []Effect
}

func (s *walking) do(e ...Effect) { s.out = append(s.out, e...) }

func (s *walking) node() tree.Node {
	n, _ := s.tree.Node(s.w.at())
	return n
}

// show replaces the walk's card and moves its turn on, so that the buttons of the old one are late.
func (s *walking) show(draw func() card.Card) {
	s.w.Turn++
	s.w.Last = s.e.At
	s.do(Show{Message: s.w.message(), Place: s.w.Place, Card: draw()}, Remind{endTimer, s.e.At.Add(walkLife)}, Remind{Timer: slowTimer})
}

// tell shows the person something beside the walk's card, which stays as it is.
func (s *walking) tell(c card.Card) {
	s.do(Show{Message: "note:" + s.e.ID, Place: private(s.e), Card: c})
}

// end closes the walk with a last card.
func (s *walking) end(how string, c card.Card) {
	s.w.Stage, s.w.Ended, s.w.Resources = Over, how, nil
	s.w.Turn++
	s.do(Show{Message: s.w.message(), Place: s.w.Place, Card: c}, Remind{Timer: endTimer}, Remind{Timer: notYetTimr}, Remind{Timer: slowTimer},
		Audit{What: "walk ended", Data: map[string]string{"how": how}})
}

// enter shows the node at which the walk stands.
func (s *walking) enter() {
	n := s.node()
	s.w.Stage = Choosing
	s.do(Audit{What: "walked to", Data: map[string]string{"node": n.ID}})
	if o, ok := s.leafBusy(n); ok {
		s.end("a real outage of "+n.Channel+" is open", noDrillCard(o))
		return
	}
	if o, ok := s.open(n); ok && !s.w.Joined {
		s.show(func() card.Card { return alreadyOpen(s.w, n, o) })
		return
	}
	switch n.Kind {
	case tree.Ask:
		s.show(func() card.Card { return askCard(s.w, n) })
	case tree.Advise:
		s.show(func() card.Card { return adviseCard(s.w, n) })
	case tree.Change:
		s.look()
	case tree.Wait:
		if len(n.Offer) > 0 {
			s.look()
			return
		}
		s.show(func() card.Card { return s.practised(waitCard(s.policy, s.w, n, s.e)) })
	}
}

// practised is a card on which somebody may confirm.
func (s *walking) practised(c card.Card) card.Card {
	if s.w.Drill {
		return practising(c)
	}
	return c
}

// open is the running outage of a branch.
func (s *walking) open(n tree.Node) (Outage, bool) {
	for _, o := range s.e.Desk.Open {
		if o.Leaf.ID == n.ID && o.ID != s.w.Join {
			return o, true
		}
	}
	return Outage{}, false
}

// look asks for the catalogue and a plan; present values come after it.
func (s *walking) look() {
	n := s.node()
	actions := n.Offer
	if n.Kind == tree.Change {
		actions = []string{n.Action}
	}
	s.w.Stage, s.w.Plan = Looking, nil
	s.w.Turn++
	s.w.Asked++
	s.w.Last = s.e.At
	s.do(Remind{endTimer, s.e.At.Add(walkLife)}, Remind{slowTimer, s.e.At.Add(slowAfter)}, List{
		Asked: s.w.Asked, Actions: actions, Targets: s.w.Inputs.Targets, ByHand: s.w.Inputs.ByHand, From: s.e.At, Until: s.w.until(s.policy, s.e.At), Drill: s.w.Drill,
		Inputs: map[string]string{"message": s.message()},
	})
}

func (s *walking) message() string { return visitorsRead(s.policy, s.w, s.node(), s.e) }

// visitorsRead is what visitors read while chat is closed: what was typed, else the organisation's text.
func visitorsRead(p Policy, w Walk, n tree.Node, e Event) string {
	if w.Inputs.Message != "" {
		return w.Inputs.Message
	}
	return withWays(p.ChatMessage, p, e.Desk.Open, n.Channel)
}

func (s *walking) catalogue(c Catalogue) {
	if s.w.Stage != Looking || c.Asked != s.w.Asked {
		return
	}
	if c.Error != "" {
		s.w.Stage = Choosing
		s.show(func() card.Card { return cannotLook(s.w, s.node(), c.Error) })
		return
	}
	s.w.Resources, s.w.Menus = c.Resources, c.Menus
	if n := s.node(); n.Kind == tree.Change && !slices.ContainsFunc(c.Resources, func(r change.Resource) bool { return r.Action == n.Action }) {
		s.w.Stage = Choosing
		s.show(func() card.Card { return cannotLook(s.w, n, effectOf(n.Action).none) })
		return
	}
	s.w.Plan = slices.DeleteFunc(slices.Clone(c.Plan), func(st change.Step) bool { return s.e.Desk.held(st.Key) != "" })
	if s.node().Kind == tree.Wait { // what a person has to click waits, too
		s.w.Plan = slices.DeleteFunc(s.w.Plan, func(st change.Step) bool { return st.Way == change.Guided })
	}
	if other := s.holder(c.Plan); len(s.w.Plan) == 0 && other != "" {
		s.heldBy(other)
		return
	}
	if len(s.w.Plan) == 0 {
		s.w.ShownAt = s.e.At
		s.preview("")
		return
	}
	if len(readableKeys(s.w.Plan)) == 0 { // a person sees the values, right before the click
		s.w.ShownAt = s.e.At
		s.preview("")
		return
	}
	s.do(Read{For: "preview", Asked: s.w.Asked, Keys: readableKeys(s.w.Plan)})
}

// holder is the open outage, other than the one that the walk joins, that holds one of the steps' resources.
func (s *walking) holder(steps []change.Step) string {
	for _, st := range steps {
		if id := s.e.Desk.held(st.Key); id != "" && id != s.w.Join {
			return id
		}
	}
	return ""
}

func (s *walking) heldBy(id string) {
	for _, o := range s.e.Desk.Open {
		if o.ID == id {
			s.w.Stage, s.w.Joined = Choosing, false
			s.show(func() card.Card { return alreadyOpen(s.w, s.node(), o) })
			return
		}
	}
	s.w.Stage = Choosing
	s.show(func() card.Card {
		return cannotLook(s.w, s.node(), "another outage ("+id+") is changing these settings")
	})
}

func (s *walking) readings(r Readings) {
	switch {
	case r.Asked != s.w.Asked: // of a branch that was left, or of another confirm
	case r.For == "preview" && s.w.Stage == Looking:
		s.take(r)
		if s.holder(s.w.Plan) != "" { // since the list was made: what was read may be an outage's own values
			s.enter()
			return
		}
		s.preview("")
	case r.For == "confirm" && s.w.Stage == Checking:
		if s.e.At.Sub(s.w.ShownAt) > freshFor || !s.e.Desk.Works || !s.mayConfirm() {
			s.unsettle("it came too late")
			s.w.Card++ // the process was away, or something is not as it was: nothing happens on an old yes
			s.enter()
			return
		}
		before := s.w.Plan
		s.take(r)
		if s.holder(s.w.Plan) != "" { // what has changed is that somebody was first
			s.checked()
			return
		}
		if changed := differ(before, s.w.Plan); len(changed) > 0 || len(s.w.Unread) > 0 {
			s.unsettle("the settings had changed")
			s.preview("Changed since you looked: " + strings.Join(append(changed, slices.Sorted(maps.Keys(s.w.Unread))...), ", ") + ". Nothing was done; please look again.")
			return
		}
		s.checked()
	}
}

// mayConfirm reports whether those who said yes still may.
func (s *walking) mayConfirm() bool {
	if q := s.w.Second; q != nil && q.By != "" {
		return s.policy.approves(s.e.By) && s.e.Desk.Asker.Responder
	}
	return s.e.By.Responder
}

// check reads the values again before anything is done on a yes.
func (s *walking) check() {
	s.w.Stage = Checking
	s.w.Turn++ // the same button pressed again is late
	if len(readableKeys(s.w.Plan)) == 0 {
		s.checked()
		return
	}
	s.w.Asked++
	s.do(Read{For: "confirm", Asked: s.w.Asked, Keys: readableKeys(s.w.Plan)})
}

// checked goes on with a yes whose values are still the same.
func (s *walking) checked() {
	if id := s.holder(s.w.Plan); id != "" {
		s.unsettle("somebody else began it meanwhile")
		s.heldBy(id)
		return
	}
	if s.policy.FourEyes && !s.w.Second.settled() {
		s.askSecond()
		return
	}
	if s.e.By.ID == s.w.By.ID {
		s.w.By = s.e.By // from the account that they use now
	}
	s.confirmed(s.w.Plan)
}

// take puts the values read into the plan.
func (s *walking) take(r Readings) {
	s.w.Plan, s.w.Unread, s.w.ShownAt = slices.Clone(s.w.Plan), nil, s.e.At
	for i, st := range s.w.Plan {
		v, ok := r.Values[st.Key]
		if st.Way == change.Guided {
			continue
		}
		if !ok {
			if s.w.Unread == nil {
				s.w.Unread = map[string]string{}
			}
			s.w.Unread[st.Label+", "+st.Name] = r.Errors[st.Key]
			s.w.Plan[i].Before = nil
			continue
		}
		if left, ok := s.e.Desk.Left[st.Key]; ok && v.Equal(left.Value) {
			s.w.Plan[i].Ours = &left.Value
			if left.Before != nil {
				s.w.Plan[i].Known = &left.Before.Value
			}
		}
		s.w.Plan[i].Before = &change.Baseline{Value: v, By: change.ByAPI, At: r.At}
	}
}

func differ(a, b []change.Step) []string {
	var out []string
	for i, st := range a {
		if st.Way == change.Guided {
			continue
		}
		if st.Before == nil || b[i].Before == nil || !st.Before.Value.Equal(b[i].Before.Value) {
			out = append(out, st.Label+", "+st.Name)
		}
	}
	return out
}

// preview shows what will change. The ten minutes of a confirm count from the reading, not from the last look.
func (s *walking) preview(note string) {
	s.w.Stage = Preview
	n := s.node()
	s.show(func() card.Card {
		if n.Kind == tree.Wait {
			return s.practised(waitCard(s.policy, s.w, n, s.e))
		}
		return s.practised(confirmCard(s.policy, s.w, n, s.e, note))
	})
}

func (s *walking) press(p Press) {
	a := p.Action
	if a.Verb == "second-yes" || a.Verb == "second-no" {
		s.second(a)
		return
	}
	if s.e.By.ID != s.w.By.ID {
		s.tell(card.Card{Title: "This is " + s.w.By.Name + "'s card", Text: []string{"Type /outage to begin your own. Nothing was changed."}})
		return
	}
	if s.w.Stage == Over {
		s.tell(overCard(s.w))
		return
	}
	switch a.Verb { // of a card that stands beside the walk's: whatever its turn is
	case "continue", "menu":
		s.w.Place = private(s.e)
		s.w.Turn++
		s.w.Card++
		if a.Verb == "menu" {
			s.w.Path, s.w.Inputs, s.w.Plan = []string{s.tree.Start()}, Inputs{}, nil
			s.w.Join, s.w.Joined, s.w.Stage = "", false, Choosing
		}
		s.again()
		return
	case "cancel":
		s.end("cancelled", card.Card{Title: "Stopped. Nothing was changed."})
		return
	}
	if a.State != strconv.Itoa(s.w.Turn) && s.w.Stage == Checking {
		s.tell(card.Card{Tone: card.Working, Title: "Confirmed a moment ago, by " + s.w.By.Name, Text: []string{"The settings are being read once more. You need not do anything."}})
		return
	}
	if a.State != strconv.Itoa(s.w.Turn) { // the card of now stays as it is: somebody may be pressing it
		s.tell(passedCard(s.w, s.e.Place))
		return
	}
	n := s.node()
	switch a.Verb {
	case "go":
		i, err := strconv.Atoi(a.Arg)
		next, err2 := s.tree.Next(n.ID, i)
		if err != nil || err2 != nil {
			s.again()
			return
		}
		s.w.Path = append(slices.Clone(s.w.Path), next)
		s.w.Joined = false
		s.enter()
	case "back":
		if len(s.w.Path) > 1 {
			s.w.Path = s.w.Path[:len(s.w.Path)-1]
		}
		s.w.Joined, s.w.Plan = false, nil
		s.enter()
	case "join":
		if slices.ContainsFunc(s.e.Desk.Open, func(o Outage) bool { return o.ID == a.Arg }) {
			s.w.Join = a.Arg
		}
		s.w.Joined = true
		s.enter()
	case "look":
		s.look()
	case "tell":
		s.tell(tellCard(s.policy, n, s.e.Desk.Open))
	case "support":
		s.tell(supportCard(s.policy, n, s.since(), s.e))
	case "only-us":
		s.tell(onlyUsCard(s.policy, s.w, n, s.e))
	case "wait-for":
		s.waitFor(a.Arg)
	case "go-on":
		s.again()
	case "change":
		s.do(Form{Card: s.form(nil)})
	case "inputs":
		s.inputs(p.Fields)
	case "by-hand":
		for _, st := range mute(s.policy, s.w, s.e) {
			s.w.Inputs.ByHand = append(slices.Clone(s.w.Inputs.ByHand), st.Target)
		}
		s.look()
	case "not-yet":
		s.rest("Nothing was changed.")
	case "accept":
		s.accept()
	case "confirm":
		s.confirm()
	case "done", "done-send":
		s.takeOver(a, p.Fields)
	case "alone", "alone-send":
		s.alone(a, p.Fields["reason"])
	default:
		s.again()
	}
}

// again shows the present card once more. Values that may have changed are read anew.
func (s *walking) again() {
	if s.w.Stage == Choosing && s.w.Plan == nil || s.w.Stage == Preview && s.e.At.Sub(s.w.ShownAt) > freshFor {
		s.enter()
		return
	}
	switch s.w.Stage {
	case Preview:
		s.preview("")
	case Looking, Checking: // the answer is on its way, and shows the card
		s.tell(card.Card{Tone: card.Working, Title: "Reading the present settings…"})
	case Seconding:
		s.awaitSecond()
	case Choosing, Resting, Over:
		s.enter()
	}
}

func (s *walking) since() time.Time {
	if s.w.Inputs.Since.IsZero() {
		return s.e.At
	}
	return s.w.Inputs.Since
}

// waitFor waits for somebody else than the playbook says: it is ours. A change is not made meanwhile.
func (s *walking) waitFor(who string) {
	if who != "it" && who != "carrier" {
		s.again()
		return
	}
	if s.node().Kind == tree.Wait {
		s.w.Inputs.For = who
		s.accept()
		return
	}
	s.rest("We wait for " + whose(who) + ". Nothing was changed.")
}

// rest asks again after a while.
func (s *walking) rest(text string) {
	n, at := s.node(), s.e.At.Add(time.Duration(s.policy.NotYet))
	s.w.Stage, s.w.Plan = Resting, nil
	s.show(func() card.Card {
		return card.Card{
			Title:   n.Title,
			Text:    []string{text + " I ask you again at " + card.Clock(at) + "."},
			Buttons: []card.Button{{Label: "Ask me now", Action: s.w.action("look", "")}, {Label: "Stop", Action: s.w.action("cancel", "")}},
		}
	})
	s.do(Remind{notYetTimr, at})
}

// accept opens an outage that changes nothing: we wait.
func (s *walking) accept() {
	if s.node().Kind != tree.Wait {
		s.again()
		return
	}
	if i := slices.IndexFunc(s.e.Desk.Open, func(o Outage) bool { return o.ID == s.w.Join }); i >= 0 {
		if o := s.e.Desk.Open[i]; o.Leaf.ID != s.node().ID && !s.e.By.Responder && o.Owner.ID != s.e.By.ID {
			s.tell(refuseCard(s.policy, s.e.By)) // it would become another outage
			return
		}
	}
	if _, ok := s.open(s.node()); ok && !s.w.Joined { // somebody was first
		s.enter()
		return
	}
	s.confirmed(nil)
}

func (s *walking) confirm() {
	n := s.node()
	var open []change.Step
	for _, st := range s.w.Plan {
		if st.Before != nil || st.Way == change.Guided {
			open = append(open, st)
		}
	}
	switch {
	case s.w.Stage != Preview || len(open) == 0 || len(s.w.Unread) > 0:
		s.again()
	case !s.e.By.Responder:
		s.tell(refuseCard(s.policy, s.e.By))
	case !s.e.Desk.Works:
		s.tell(byHandCard(n, s.e.Desk.Why))
	case s.e.At.Sub(s.w.ShownAt) > freshFor:
		s.w.Stage = Looking
		s.tell(card.Card{Title: "You looked more than ten minutes ago", Text: []string{"Nothing was done yet. I read the settings again; please confirm what you see then."}})
		s.enter()
	default:
		s.check()
	}
}

// confirmed does what was confirmed.
func (s *walking) confirmed(steps []change.Step) { s.begin(Start{Steps: steps}) }

// begin ends the walk in an outage.
func (s *walking) begin(what Start) {
	if s.w.Inputs.Since.IsZero() {
		s.w.Inputs.Since = s.e.At
	}
	s.w.Inputs.Until = s.w.until(s.policy, s.e.At)
	if s.node().Action == change.CloseChat {
		s.w.Inputs.Message = s.message()
	}
	s.w.Outage = s.w.Join
	if s.w.Outage == "" {
		s.w.Outage = shortID(s.node().Channel+"-", s.w.ID)
	}
	where := "here"
	if home := s.policy.Home(s.node().Channel, s.w.Place.Platform).Channel; home != "" {
		where = card.Channel(home)
	}
	if s.w.Drill {
		if where = "your own messages"; s.policy.Drills.on(s.w.Place.Platform).Channel != "" {
			where = card.Channel(s.policy.Drills.on(s.w.Place.Platform).Channel)
		}
	}
	s.w.Plan = nil
	c := card.Card{
		Tone: card.Done, Title: s.node().Title,
		Text: []string{"Confirmed by " + s.w.By.Name + " at " + card.Clock(s.e.At) + ". Everything else is in " + where + " (" + s.w.Outage + ")."},
	}
	if s.w.Second.settled() {
		c.Text = append([]string{s.w.Second.Said}, c.Text...)
	}
	s.end("outage "+s.w.Outage, c)
	s.do(what)
}

func (s *walking) due(d Due) {
	if s.w.Stage == Over {
		return
	}
	switch d.Timer {
	case endTimer:
		s.end("nothing happened for a day", card.Card{Title: "This card is a day old", Text: []string{"Nothing was changed. Type /outage to begin again."}})
	case slowTimer: // not at once: where a message cannot be replaced it would stay there
		if s.w.Stage == Looking {
			s.show(func() card.Card {
				return card.Card{Tone: card.Working, Title: s.node().Title, Text: []string{"Reading the present settings…"}}
			})
		}
	case notYetTimr:
		if s.w.Stage != Resting {
			return
		}
		s.w.Card++ // an edited message rings nowhere
		s.enter()
	case secondTimer:
		s.secondDue()
	}
}

// form offers the inputs, each with its present value.
func (s *walking) form(errs map[string]string) card.Card {
	n := s.node()
	var targets []card.Option
	seen := map[string]bool{}
	for _, r := range s.w.Resources {
		if !seen[r.Target] && (r.Action == n.Action || slices.Contains(n.Offer, r.Action)) {
			seen[r.Target] = true
			targets = append(targets, card.Option{Value: r.Target, Label: card.Shorten(r.Label, card.MaxLabel)})
		}
	}
	chosen := s.w.Inputs.Targets
	if len(chosen) == 0 {
		for _, o := range targets {
			chosen = append(chosen, o.Value)
		}
	}
	inputs := []card.Input{{ID: "targets", Kind: card.Many, Label: "Which", Options: targets, Value: strings.Join(chosen, "\n"), Error: errs["targets"]}}
	if n.Action == change.CloseChat {
		inputs = append(inputs, card.Input{ID: "message", Kind: card.Long, Label: "What visitors read meanwhile", Value: s.message(), Error: errs["message"]})
	}
	deadline := s.w.Inputs.Deadline
	if deadline == 0 {
		deadline = time.Duration(s.policy.Deadline)
	}
	options := []card.Option{}
	for _, d := range []time.Duration{time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 24 * time.Hour} {
		options = append(options, card.Option{Value: d.String(), Label: words(d)})
	}
	if !slices.ContainsFunc(options, func(o card.Option) bool { return o.Value == deadline.String() }) {
		options = append(options, card.Option{Value: deadline.String(), Label: words(deadline)})
	}
	inputs = append(inputs,
		card.Input{ID: "deadline", Kind: card.Choice, Label: "Ask me to restore after", Options: options, Value: deadline.String(), Error: errs["deadline"]},
		card.Input{ID: "since", Kind: card.Text, Label: "Affecting customers since", Value: s.since().In(s.zone()).Format("15:04"), Hint: "15:04 on your clock", Error: errs["since"]},
	)
	return card.Card{Title: card.Shorten(n.Title, card.MaxTitle), Form: &card.Form{Inputs: inputs, Submit: "Show what will change", Action: s.w.action("inputs", "")}}
}

func (s *walking) zone() *time.Location { return s.e.By.Location(s.policy) }

// Location is the person's own time zone, else the organisation's.
func (p Person) Location(org Policy) *time.Location {
	if z, err := time.LoadLocation(p.Zone); err == nil && p.Zone != "" {
		return z
	}
	return org.Location()
}

func (s *walking) inputs(f map[string]string) {
	in, errs := s.w.Inputs, map[string]string{}
	if v, ok := f["targets"]; ok {
		in.Targets = nil
		for t := range strings.SplitSeq(v, "\n") {
			if t == "" {
				continue
			}
			if !slices.ContainsFunc(s.w.Resources, func(r change.Resource) bool { return r.Target == t }) {
				errs["targets"] = fmt.Sprintf("%q is not one of them", t)
			}
			in.Targets = append(in.Targets, t)
		}
		if len(in.Targets) == 0 {
			errs["targets"] = "choose at least one"
		}
	}
	if v, ok := f["message"]; ok {
		in.Message = v
		if strings.TrimSpace(v) == "" {
			errs["message"] = "customers need to read something"
		}
	}
	if v, ok := f["deadline"]; ok {
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 || d > 7*24*time.Hour {
			errs["deadline"] = "choose one of the times"
		}
		in.Deadline, in.Until = d, time.Time{}
	}
	if v, ok := f["since"]; ok {
		at, err := clockTime(v, s.e.At, s.zone())
		if err != nil {
			errs["since"] = err.Error()
		}
		in.Since = at
	}
	if len(errs) > 0 {
		form := s.form(errs)
		for i, input := range form.Form.Inputs { // what was typed comes back as it was typed
			if v, ok := f[input.ID]; ok {
				form.Form.Inputs[i].Value = v
			}
		}
		s.do(Form{Card: form})
		return
	}
	s.w.Inputs = in
	if s.w.Second != nil { // who was looked for was looked for something else
		q := *s.w.Second
		q.First = time.Time{}
		s.w.Second = &q
	}
	s.enter()
}

// clockTime reads "15:04" as the last such moment in zone, and "now".
func clockTime(v string, now time.Time, zone *time.Location) (time.Time, error) {
	v = strings.TrimSpace(v)
	if v == "" || strings.EqualFold(v, "now") {
		return now, nil
	}
	c, err := time.Parse("15:04", v)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a time like 15:04", v)
	}
	n := now.In(zone)
	at := time.Date(n.Year(), n.Month(), n.Day(), c.Hour(), c.Minute(), 0, 0, zone)
	if at.After(now) {
		at = time.Date(n.Year(), n.Month(), n.Day()-1, c.Hour(), c.Minute(), 0, 0, zone)
	}
	return at, nil
}

// readableKeys are those whose values the bot can read itself.
func readableKeys(steps []change.Step) []change.Key {
	var out []change.Key
	for _, s := range steps {
		if s.Way != change.Guided {
			out = append(out, s.Key)
		}
	}
	return out
}

func keys(steps []change.Step) []change.Key {
	out := make([]change.Key, len(steps))
	for i, s := range steps {
		out[i] = s.Key
	}
	return out
}
