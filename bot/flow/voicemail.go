package flow

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchback/bot/card"
	"switchback/bot/change"
)

// This file is for what clicking numbers to voicemail needs around it: that the phone menu which callers should hear
// exists, and that the team whose inbox the voicemails arrive in knows.

// IVR is a phone menu that callers should hear in the outage, and of which nobody had said that it exists and is
// published. Without that it cannot be selected for a number.
type IVR struct {
	Name  string    `json:"name"`
	Maker *Person   `json:"maker,omitzero"` // creates it; nil: nobody yet
	Since time.Time `json:"since,omitzero"` // when the maker said so
	By    string    `json:"by,omitzero"`    // who says that it is published; empty: nobody yet
	At    time.Time `json:"at,omitzero"`
	Shown string    `json:"shown,omitzero"` // what its card shows
}

// makeFor is how long somebody may be at making a phone menu without an answer: it takes longer than clicks.
const makeFor = 2 * holdFor

// ivrKey is the setting of which people say that it is published.
func ivrKey(name string) change.Key { return change.Key("ivr/" + name) }

// What people say of it: a word can be taken back.
const (
	published   = "published"
	unpublished = "not published"
)

// saidPublished reports whether somebody said that a phone menu is published, and nobody took it back.
func saidPublished(said map[change.Key]change.Word, menu string) bool {
	return string(said[ivrKey(menu)].Value.Raw) == published
}

// toVoicemail reports whether a step sends a number to a phone menu by hand.
func toVoicemail(st change.Step) bool {
	return st.Way == change.Guided && st.Action == change.PhonesToVoicemail
}

// menusOf are the phone menus that the clicks of a plan select.
func menusOf(steps []change.Step) []string {
	var out []string
	for _, st := range steps {
		if toVoicemail(st) && !slices.Contains(out, st.Want.Text) {
			out = append(out, st.Want.Text)
		}
	}
	return out
}

// menus takes up the phone menus of which nobody ever said that they exist.
func (s *stepping) menus(names []string) {
	for _, name := range names {
		if !slices.ContainsFunc(s.o.IVRs, func(m IVR) bool { return m.Name == name }) {
			s.o.IVRs = append(slices.Clone(s.o.IVRs), IVR{Name: name})
		}
	}
}

// missing reports whether a step waits until the phone menu that it selects is published.
func (s *stepping) missing(st change.Step) bool {
	return toVoicemail(st) && !st.Back && st.State == change.Recorded &&
		slices.ContainsFunc(s.o.IVRs, func(m IVR) bool { return m.Name == st.Want.Text && m.By == "" })
}

// askMenus asks first whether each menu is published. A number that has it selected proves that it is.
func (s *stepping) askMenus() {
	for i, m := range s.o.IVRs {
		if m.By == "" {
			for _, st := range s.r.Steps {
				if toVoicemail(st) && st.Want.Text == m.Name && (st.State == change.IsSet || st.State == change.Adopted) && st.By != "" {
					s.isPublished(i, st.By)
					break
				}
			}
		}
		m = s.o.IVRs[i]
		needed := slices.ContainsFunc(s.r.Steps, func(st change.Step) bool {
			return toVoicemail(st) && st.Want.Text == m.Name && st.ByHand() && !st.Back
		})
		state := m.By
		switch {
		case m.By != "":
		case !needed:
			state = "over"
		case s.resting():
			continue // nobody can look
		case m.Maker != nil:
			state = "made by " + m.Maker.ID
		default:
			state = "asked"
		}
		if state == m.Shown || m.Shown == "" && state != "asked" {
			continue
		}
		s.o.IVRs = slices.Clone(s.o.IVRs)
		s.o.IVRs[i].Shown = state
		if m.Shown == "over" && m.Maker != nil { // needed again
			s.beginMakers(func(again IVR) bool { return again.Name == m.Name })
		}
		s.post("ivr/"+strconv.Itoa(i), s.thread(), s.menuCard(i, needed))
	}
}

// made reports whether somebody is at making it, and it is still needed.
func (m IVR) made() bool { return m.Maker != nil && m.By == "" && m.Shown != "over" }

// freeMakers gives back the making of phone menus of which lost says that their maker is, and asks again.
func (s *stepping) freeMakers(lost func(m IVR) bool, why string) {
	given := false
	for i, m := range s.o.IVRs {
		if !m.made() || !lost(m) {
			continue
		}
		s.o.IVRs = slices.Clone(s.o.IVRs)
		s.o.IVRs[i].Maker, s.o.IVRs[i].Since = nil, time.Time{}
		s.note("ivr", "nobody creates the IVR %q now: %s %s", m.Name, m.Maker.Name, why)
		given = true
	}
	if given {
		s.askMenus()
	}
}

// lateMakers gives back what its maker had their time for. While nobody can log in, nobody is late.
func (s *stepping) lateMakers() {
	if s.resting() {
		s.beginMakers(IVR.made)
		return
	}
	s.freeMakers(func(m IVR) bool { return s.e.At.Sub(m.Since) >= makeFor }, "did not answer")
	s.watchMakers()
}

// beginMakers lets the time of makers begin now.
func (s *stepping) beginMakers(which func(m IVR) bool) {
	begun := false
	for i, m := range s.o.IVRs {
		if which(m) {
			s.o.IVRs = slices.Clone(s.o.IVRs)
			s.o.IVRs[i].Since, begun = s.e.At, true
		}
	}
	if begun {
		s.watchMakers()
	}
}

// watchMakers looks again when the first of those who are at it has had their time.
func (s *stepping) watchMakers() {
	var next time.Time
	for _, m := range s.o.IVRs {
		if end := m.Since.Add(makeFor); m.made() && (next.IsZero() || end.Before(next)) {
			next = end
		}
	}
	if !next.IsZero() {
		s.do(Remind{makerTimer, next})
	}
}

func (s *stepping) menuCard(i int, needed bool) card.Card {
	m := s.o.IVRs[i]
	name := "“" + card.Shorten(plain(m.Name), 60) + "”"
	switch {
	case m.By != "":
		return card.Card{Tone: card.Done, Title: name + " exists and is published", Text: []string{"Says " + m.By + " " + card.Clock(m.At) + ". It is kept for the next outage."}}
	case !needed:
		return card.Card{Title: "Whether " + name + " exists is of no matter any more"}
	}
	do := func(verb, label string, style card.Style) card.Button {
		return card.Button{Label: label, Style: style, Action: Action{Outage: s.o.ID, Verb: verb, State: asIs, Arg: strconv.Itoa(i)}.Encode()}
	}
	c := card.Card{
		Tone: card.Warning, Title: "First: does the IVR " + name + " exist, and is it published?",
		Text: []string{
			"Nobody has said so yet, and callers can only be sent to one that is. Look at Settings > IVR.",
			"If it is missing, one of you creates it; the others note meanwhile what each number shows.",
		},
		Buttons: []card.Button{do("ivr-yes", "Yes, it is published", card.Primary), do("ivr-make", "No: I create it", card.Plain)},
	}
	if m.Maker != nil {
		c.Title = card.Shorten(m.Maker.Name+" creates the IVR "+name, card.MaxTitle)
		c.Text = []string{"The others note meanwhile what each number shows. The clicks come when it is published."}
		text := strings.ReplaceAll(s.e.Desk.HowTo, `"Voicemail Only"`, `"`+plain(m.Name)+`"`)
		c.Text = append(c.Text, paragraphs(text)...)
		free := Action{Outage: s.o.ID, Verb: "ivr-free", State: m.Maker.ID, Arg: strconv.Itoa(i)}.Encode()
		c.Buttons = []card.Button{do("ivr-yes", "It is published", card.Primary), {Label: "I cannot: somebody else", Action: free}}
	}
	return c
}

// menu takes what somebody says about a phone menu.
func (s *stepping) menu(a Action) {
	by := s.e.By
	i, err := strconv.Atoi(a.Arg)
	helper := slices.ContainsFunc(s.o.Helpers, func(h Helper) bool { return h.Who.ID == by.ID })
	switch {
	case err != nil || i < 0 || i >= len(s.o.IVRs):
		s.tell(homeCard(s.policy, s.o, s.r))
		return
	case !by.Responder && !by.Restorer && !by.Admin && by.ID != s.o.Owner.ID && !helper:
		s.refuse()
		return
	case s.o.Ended != nil || s.o.IVRs[i].By != "":
		m := s.o.IVRs[i]
		s.tell(card.Card{Title: "That question is no longer open", Text: []string{cmp.Or(m.By, "Nobody") + " said that it is published. Nothing was changed by your press."}})
		return
	}
	m := s.o.IVRs[i]
	s.o.IVRs = slices.Clone(s.o.IVRs)
	switch a.Verb {
	case "ivr-make":
		if m.Maker != nil {
			s.tell(card.Card{Title: m.Maker.Name + " creates it already", Text: []string{"Please note meanwhile what the numbers show."}})
			return
		}
		s.o.IVRs[i].Maker, s.o.IVRs[i].Since = &by, s.e.At
		s.note("ivr", "%s creates the IVR %q", by.Name, m.Name)
		s.watchMakers()
	case "ivr-free":
		if m.Maker == nil || late(a, m.Maker.ID) {
			who := "Nobody creates it now"
			if m.Maker != nil {
				who = m.Maker.Name + " creates it now"
			}
			s.tell(card.Card{Title: who, Text: []string{"That card was of earlier. Nothing was changed by your press."}})
			return
		}
		s.o.IVRs[i].Maker, s.o.IVRs[i].Since = nil, time.Time{}
		s.note("ivr", "nobody creates the IVR %q now", m.Name)
	case "ivr-yes":
		s.isPublished(i, by.Name)
		s.clicksFor(m.Name)
	}
	s.askMenus()
	s.hands()
}

// isPublished keeps somebody's word, for this outage and the next.
func (s *stepping) isPublished(i int, by string) {
	s.o.IVRs = slices.Clone(s.o.IVRs)
	m := &s.o.IVRs[i]
	m.By, m.At = by, s.e.At
	s.note("ivr", "the IVR %q exists and is published, says %s", m.Name, by)
	s.do(Know{ivrKey(m.Name), change.Word{Value: change.Value{Raw: []byte(published), Text: published}, By: by, At: s.e.At}})
}

// clicksFor shows their clicks to those who waited for a phone menu.
func (s *stepping) clicksFor(name string) {
	at := s.e.At
	for _, st := range s.r.Steps {
		if !toVoicemail(st) || st.Want.Text != name || st.State != change.Recorded || st.Holder == nil {
			continue
		}
		busy := s.on(s.screen(st), func(other change.Step) bool {
			return heldBy(st.Holder.ID)(other) && (other.State == change.Planned || other.State == change.Unknown)
		})
		if len(busy) == 0 {
			s.apply(st.Key, func(st change.Step) (change.Step, error) { return change.Clicking(st, at) })
		}
	}
	s.do(Remind{handsTimer, at.Add(holdFor)})
}

// voiceInbox tells the team of the default Voice inbox when voicemails begin to arrive there, and when that is over.
func (s *stepping) voiceInbox() {
	var heard []string
	open := false
	for _, st := range s.r.Steps {
		if st.Action != change.PhonesToVoicemail {
			continue
		}
		open = open || st.Open()
		if targetTruth(s.o, s.r, st) == effectOf(st.Action).set && !slices.Contains(heard, st.Label) {
			heard = append(heard, st.Label)
		}
	}
	begun := s.o.Told.Voicemail%2 == 1
	c := card.Card{Title: "Voicemails arrive in your inbox now", Tone: card.Warning}
	switch {
	case !begun && len(heard) > 0:
		c.Text = []string{
			"Since " + card.Clock(s.e.At) + " callers of " + some(heard, len(heard), "numbers") + " hear voicemail, and more numbers may follow. What they leave arrives in the default Voice inbox.",
			"I tell you when it is over. " + s.o.Owner.Name + " looks after it (" + s.o.ID + ").",
		}
	case begun && !open:
		c.Tone, c.Title = card.Done, "It is over: no more voicemails from this outage"
		c.Text = []string{"Since " + card.Clock(s.e.At) + " calls go where they went before. The voicemails that were left wait in the default Voice inbox for an answer (" + s.o.ID + ")."}
		var left []string
		for _, st := range s.r.Steps {
			elsewhere := st.Now != nil && !st.Now.Equal(st.Want)
			if st.Action == change.PhonesToVoicemail && st.State == change.Left && !elsewhere && !slices.Contains(left, st.Label) {
				left = append(left, st.Label)
			}
		}
		if len(left) > 0 {
			c.Title = "It is over, but not for all numbers"
			c.Text = append(c.Text, "Left as they are by name, perhaps on voicemail: "+card.Shorten(list(left), 500)+".")
		}
	default:
		return
	}
	s.o.Told.Voicemail++
	for _, p := range s.policy.voiceInbox(s.o.Home.Platform) {
		s.post("voice-inbox/"+strconv.Itoa(s.o.Told.Voicemail), p, c)
	}
}

// VoiceInbox is who answers the voicemails of the default Voice inbox.
type VoiceInbox struct {
	People   []string `yaml:"people" jsonschema_description:"Names from people, each told directly."`
	Slack    string   `yaml:"slack" jsonschema_description:"Or a Slack channel."`
	Teams    string   `yaml:"teams" jsonschema_description:"Or a Teams channel."`
	Terminal string   `yaml:"terminal" jsonschema_description:"Or a channel of bot chat."`
}

// voiceInbox is where that team is told: people on the chat platform of the outage where they have an account there, and
// their channel.
func (p Policy) voiceInbox(platform string) []Place {
	var out []Place
	for _, name := range p.VoiceInbox.People {
		i := slices.IndexFunc(p.People, func(s Someone) bool { return s.Name == name })
		if i < 0 {
			continue
		}
		accounts := p.People[i].accounts()
		here := slices.IndexFunc(accounts, func(a string) bool { return strings.HasPrefix(a, platform+":") })
		if len(accounts) > 0 {
			account := accounts[max(here, 0)]
			on, _, _ := strings.Cut(account, ":")
			out = append(out, Place{Platform: on, Person: account})
		}
	}
	channels := Route{Slack: p.VoiceInbox.Slack, Teams: p.VoiceInbox.Teams, Terminal: p.VoiceInbox.Terminal}
	if here := channels.on(platform); here.Channel != "" {
		return append(out, here)
	}
	for _, other := range []string{"slack", "teams", "terminal"} {
		if there := channels.on(other); there.Channel != "" {
			out = append(out, there)
		}
	}
	return out
}
