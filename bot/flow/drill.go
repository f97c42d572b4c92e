package flow

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/config"
	"switchback/bot/tree"
)

// A drill is an outage on settings that are nobody's: flags under keys for which no page asks, and clicks that are read
// and not saved. It goes the same way as any other outage, is kept in the same store, and is marked on every card. What
// is different stands here.

const (
	drillLife  = 4 * time.Hour // after its beginning a drill ends by itself
	drillTimer = "drill"

	keepValues, forgetValues = "keep-values", "forget-values"
)

// drill begins one: the words lead into the playbook as they do after /outage.
func (s *Service) drill(ctx context.Context, b *batch, words []string, say func(card.Card)) error {
	if len(s.drills) == 0 {
		say(card.Card{Title: "Nobody can practise here", Text: []string{"This bot was started without anything to practise on."}})
		return nil
	}
	path, unknown := s.tree.Find(s.tree.Start(), words)
	if len(unknown) > 0 {
		hint := "Please choose."
		if did := config.Suggest(strings.ToLower(unknown[0]), s.tree.Words(path[len(path)-1])); did != "" {
			hint = "Did you mean: /outage drill " + strings.Join(append(slices.Clone(words[:len(words)-len(unknown)]), did), " ") + "?"
		}
		say(card.Card{Drill: true, Title: "I do not know “" + card.Shorten(plain(unknown[0]), 40) + "” here", Text: []string{hint}})
	}
	return s.newWalk(ctx, b, path, Enter{Drill: true})
}

// apart puts drills aside: no decision about the real company looks at them.
func (d *Desk) apart(open []Outage) {
	d.Open, d.Drills = nil, nil
	for _, o := range open {
		if o.Drill {
			d.Drills = append(d.Drills, o)
		} else {
			d.Open = append(d.Open, o)
		}
	}
}

// mine are the open drills of a person.
func (d Desk) mine(id string) []Outage {
	return slices.DeleteFunc(slices.Clone(d.Drills), func(o Outage) bool { return o.Owner.ID != id })
}

// shown is what a person sees of what is open: all that is real, and their own drills.
func (d Desk) shown(id string) []Outage { return slices.Concat(d.Open, d.mine(id)) }

// drilling is the policy of a drill: nobody but its starter hears of it, and nobody has to agree.
func (p Policy) drilling() Policy {
	p.FourEyes, p.Escalate, p.PageAtNight, p.RestoreByItself = false, false, false, ""
	p.VoiceInbox, p.Channels, p.Inside = VoiceInbox{}, nil, Route{}
	ladder := slices.Clone(p.Ladder)
	for i := range ladder {
		ladder[i].To = []string{"owner"}
	}
	p.Ladder = ladder
	return p
}

// drilling is the event of a drill: every full member may do all of it, and what is open are the real outages and the
// drills.
func (e Event) drilling() Event {
	e.By.Responder = e.By.Member
	e.Desk.Open = slices.Concat(e.Desk.Open, e.Desk.Drills)
	return e
}

// marked puts the mark of a drill on every card.
func marked(effects []Effect) []Effect {
	for i, effect := range effects {
		switch f := effect.(type) {
		case Show:
			f.Card.Drill = true
			effects[i] = f
		case Form:
			f.Card.Drill = true
			effects[i] = f
		case Audit, Consult, Enter, Forget, Hand, Know, List, Nudge, Point, Read, Remind, Restore, Resume, Say, Start: // show nothing
		}
	}
	return effects
}

// real is an open outage of a channel that is none of a drill.
func (d Desk) real(channel string) (Outage, bool) {
	i := slices.IndexFunc(d.Open, func(o Outage) bool { return !o.Drill && o.Channel == channel })
	if i < 0 {
		return Outage{}, false
	}
	return d.Open[i], true
}

// practising says on a confirm card that nothing will happen.
func practising(c card.Card) card.Card {
	c.Text = append([]string{"This is a drill: nothing is changed for customers, nothing is saved, and nobody else is told."}, c.Text...)
	for i, b := range c.Buttons {
		if b.Sure != nil {
			sure := *b.Sure
			sure.Text = "This is a drill: customers notice nothing."
			c.Buttons[i].Sure = &sure
		}
	}
	return c
}

// moveInDrill finds the home of a drill: its channel, else its starter alone sees it.
func (s *stepping) moveInDrill(begun Place) {
	s.o.Home, s.o.Routed = Place{Platform: begun.Platform, Person: s.o.Owner.Account}, nil
	if p := s.policy.Drills.on(begun.Platform); p.Channel != "" && !s.e.Desk.Outside[p.Lane()] {
		s.o.Home = p
	}
}

// overtaken ends a drill once a real outage of its channel is open.
func (s *stepping) overtaken() bool {
	if !s.o.Drill || s.o.Ended != nil {
		return false
	}
	o, ok := s.e.Desk.real(s.o.Channel)
	if ok {
		s.endDrill("a real outage of " + s.o.Channel + " began (" + o.ID + ", " + o.Owner.Name + " looks after it)")
	}
	return ok
}

// endDrill ends a drill early. What only flags remember is put back; what people read is left as it is.
func (s *stepping) endDrill(why string) {
	var flags []change.Key
	for _, st := range s.r.Steps {
		switch {
		case !st.Open():
		case st.Way == change.Guided:
			s.do(Resume{Key: st.Key, Seen: st.State, Answer: change.Leave, Reason: "the drill ended"})
		case !st.Back:
			flags = append(flags, st.Key)
		}
	}
	if len(flags) > 0 {
		s.do(Restore{Keys: flags, By: "the bot"})
	}
	s.finish("drill", "the bot", why)
}

// result tells how a drill went, once it is over: when customers would have noticed, and what was left open. No grades.
func (s *stepping) result() {
	if s.o.Ended.How == "drill" { // one line
		s.post("result", s.owner(), card.Card{Title: "The drill is over: " + s.o.Ended.Reason, Text: []string{"Nothing was changed."}})
		return
	}
	s.post("result", s.owner(), s.resultCard())
}

func (s *stepping) resultCard() card.Card {
	c := card.Card{Tone: card.Done, Title: "The drill is over"}
	first := "Nothing was set in it."
	if !s.o.Told.First.IsZero() {
		first = "First effect after " + stopwatch(s.o.Told.First.Sub(s.o.Walked)) + "."
	}
	left := "nothing"
	if steps := slices.DeleteFunc(slices.Clone(s.r.Steps), func(st change.Step) bool { return st.State == change.Restored }); len(steps) > 0 {
		left = card.Shorten(names(steps), 500)
	}
	c.Text = append(c.Text, first+" Left open: "+left+".")
	read := wordsRead(s.r)
	switch {
	case len(read) == 0:
	case s.o.Told.Kept != "":
		c.Text = append(c.Text, s.o.Told.Kept)
	default:
		c.Text = append(c.Text, "Keep the "+counted(make([]string, len(read)), "values")+" that were read as known values? An outage offers them as what to put back.")
		c.Facts = facts(read, func(st change.Step) card.Fact {
			return card.Fact{Before: quoted(st.Before.Value), Note: "read by " + st.Before.By}
		})
		c.Buttons = []card.Button{s.button(keepValues, "", "Keep"), s.button(forgetValues, "", "Forget")}
	}
	return c
}

// stopwatch says a short time to the second.
func stopwatch(d time.Duration) string {
	d = d.Round(time.Second)
	if d >= time.Hour {
		return words(d)
	}
	if m := int(d.Minutes()); m > 0 {
		return strconv.Itoa(m) + " min " + strconv.Itoa(int(d.Seconds())%60) + " s"
	}
	return strconv.Itoa(int(d.Seconds())) + " s"
}

// wordsRead are the steps whose value somebody read on a screen of the platform.
func wordsRead(r change.Record) []change.Step {
	return slices.DeleteFunc(slices.Clone(r.Steps), func(st change.Step) bool {
		_, stands := st.Key.Real()
		return !stands || st.Before == nil || st.Before.By == change.ByAPI
	})
}

// keep answers whether the values that were read in a drill are kept.
func (s *stepping) keep(a Action) {
	read := wordsRead(s.r)
	switch {
	case !s.o.Drill || s.o.Ended == nil || len(read) == 0:
		s.tell(homeCard(s.policy, s.o, s.r))
		return
	case s.o.Told.Kept != "":
		s.tell(card.Card{Title: "Answered already", Text: []string{s.o.Told.Kept}})
		return
	case a.Verb == keepValues && !s.attests:
		s.tell(card.Card{Tone: card.Warning, Title: "A responder or an administrator keeps values", Text: []string{
			"Responders are " + list(at(s.policy.responders())) + ". Nothing was kept; the question stays open.",
		}})
		return
	case a.Verb == forgetValues:
		s.o.Told.Kept = "Forgotten, says " + s.e.By.Name + " " + card.Clock(s.e.At) + "."
		s.note("forgotten", "the values that were read are forgotten, says %s", s.e.By.Name)
	default:
		s.keepWords(read)
	}
	s.post("result", s.owner(), s.resultCard())
}

// keepWords keeps what was read, but for settings of which somebody has said something since.
func (s *stepping) keepWords(read []change.Step) {
	var newer []string
	for _, st := range read {
		w := change.Word{Value: st.Before.Value, By: st.Before.By, At: st.Before.At, Listed: listedOf(st)}
		if said := s.e.Desk.Said[realKey(st.Key)]; said.Outdoes(w, s.e.At) {
			newer = append(newer, stepName(st)+" ("+quoted(said.Value)+", said "+said.By+" "+card.Day(said.At)+")")
			continue
		}
		s.do(Know{realKey(st.Key), w})
	}
	if len(newer) < len(read) {
		s.o.Told.Kept = "Kept as known values, says " + s.e.By.Name + " " + card.Clock(s.e.At) + "."
	}
	if len(newer) > 0 {
		s.o.Told.Kept = strings.TrimSpace(s.o.Told.Kept + " Not kept, because of a newer word: " + card.Shorten(list(newer), 500) + ".")
	}
	s.note("kept", "%s", s.o.Told.Kept)
}

// effects remembers when customers noticed first, and when all that was confirmed had its effect.
func (s *stepping) effects() {
	if len(s.r.Steps) == 0 || !s.o.Told.All.IsZero() {
		return
	}
	all := true
	for _, st := range s.r.Steps {
		set := targetTruth(s.o, s.r, st) == effectOf(st.Action).set
		if set && st.State != change.Adopted && s.o.Told.First.IsZero() {
			s.o.Told.First = s.e.At
		}
		all = all && set
	}
	if all {
		s.o.Told.All = s.e.At
	}
}

// leafBusy is a real outage because of which a branch is not drilled now.
func (s *walking) leafBusy(n tree.Node) (Outage, bool) {
	if !s.w.Drill || n.Channel == "" {
		return Outage{}, false
	}
	return s.e.Desk.real(n.Channel)
}

// noDrillCard says why there is no drill now.
func noDrillCard(o Outage) card.Card {
	return card.Card{
		Tone: card.Warning, Title: "No drill now: this is really being worked on",
		Text:    []string{capital(o.Channel) + " – " + o.Leaf.Title + ". " + o.Owner.Name + " looks after it, since " + card.Day(o.Began) + " (" + o.ID + ")."},
		Buttons: []card.Button{{Label: "Look", Action: Action{Outage: o.ID, Verb: "look"}.Encode()}},
	}
}
