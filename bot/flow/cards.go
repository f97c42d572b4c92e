package flow

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/tree"
)

func askCard(w Walk, n tree.Node) card.Card {
	c := card.Card{Title: n.Text}
	for i, o := range n.Options {
		c.Buttons = append(c.Buttons, card.Button{Label: o.Label, Action: w.action("go", strconv.Itoa(i))})
	}
	return withBack(w, c)
}

// withBack adds the way back where there is room for it.
func withBack(w Walk, c card.Card) card.Card {
	if len(c.Buttons) < card.MaxButtons && len(w.Path) > 1 && w.Join == "" {
		c.Buttons = append(c.Buttons, card.Button{Label: "Back", Action: w.action("back", "")})
	}
	return c
}

func adviseCard(w Walk, n tree.Node) card.Card {
	return withBack(w, card.Card{Title: card.Shorten(n.Title, card.MaxTitle), Text: paragraphs(n.Text), Notes: source(n)})
}

func paragraphs(text string) []string {
	var out []string
	for p := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, card.Shorten(p, card.MaxText))
		}
	}
	return out
}

func source(n tree.Node) []string {
	if n.Source == "" {
		return nil
	}
	return []string{"From the playbook: " + n.Source}
}

// waitCard is the confirm card of a wait: what the playbook says, for whom we wait, and what can be done from here.
func waitCard(p Policy, w Walk, n tree.Node, e Event) card.Card {
	c := card.Card{Title: card.Shorten(n.Title, card.MaxTitle), Text: paragraphs(n.Text)}
	c.Text = append(c.Text, waitingFor(p, n, ""))
	if m := meanwhile(n, e.Desk.Open); m != "" {
		c.Text = append(c.Text, m)
	}
	next := e.At.Add(15 * time.Minute)
	if len(n.Every) > 0 {
		next = p.NextOpen(e.At.Add(time.Duration(n.Every[0])))
	}
	accept := card.Button{Label: "We wait: ask me whether it works again", Style: card.Primary, Action: w.action("accept", "")}
	c.Notes = append([]string{"Nothing is changed. I'll ask you at " + soon(next, e.At) + "."}, source(n)...)
	if len(e.Desk.Pages) > 0 {
		c.Notes = append(c.Notes, pageLines(p, e.Desk.Pages, n.Channel, e.At)...)
	}
	if ready := readable(w.Plan); len(ready) > 0 {
		c.Text = append(c.Text, carefulWord(e)...)
		c.Facts = planFacts(ready)
		label := doLabel(ready)
		c.Buttons = append(c.Buttons, card.Button{
			Label: label, Style: card.Danger, Action: w.action("confirm", ""),
			Sure: &card.Sure{Title: label + "?", Text: sureText(ready), Yes: "Yes, do it", No: "No"},
		}, card.Button{Label: "Change…", Action: w.action("change", ""), Opens: true})
		c.Notes[0] = "Without the first button nothing is changed. I'll ask you at " + soon(next, e.At) + "."
	}
	c.Buttons = append(c.Buttons, accept)
	if n.Tell != "" {
		c.Buttons = append(c.Buttons, card.Button{Label: "Tell customers", Action: w.action("tell", "")})
	}
	c.Buttons = append(c.Buttons,
		card.Button{Label: "Write to Gladly Support", Action: w.action("support", "")},
		card.Button{Label: "Is it only us?", Action: w.action("only-us", "")})
	return withBack(w, c)
}

// waitingFor says for whom we wait: as the playbook says, or whom a person found out to be the cause.
func waitingFor(p Policy, n tree.Node, found string) string {
	s := "We wait for " + whose(cmp.Or(found, n.For))
	if found == "" {
		s += ", as the playbook advises"
	}
	s += "."
	if contact := p.WaitingFor[cmp.Or(found, n.For)]; contact != "" {
		s += " Contact: " + contact + "."
	}
	return s
}

// meanwhile names other ways to reach customers that work now.
func meanwhile(n tree.Node, open []Outage) string {
	var use []string
	for _, ch := range n.Meanwhile {
		if ch != n.Channel && !slices.ContainsFunc(open, func(o Outage) bool { return o.Channel == ch }) {
			use = append(use, map[string]string{"voice": "call them", "email": "write an e-mail", "sms": "send an SMS", "chat": "use chat", "social": "use social messaging"}[ch])
		}
	}
	if len(use) == 0 {
		return ""
	}
	return "Meanwhile, to reach a customer: " + strings.Join(use, ", or ") + "."
}

func readable(plan []change.Step) []change.Step {
	return slices.DeleteFunc(slices.Clone(plan), func(st change.Step) bool { return st.Before == nil && st.Way != change.Guided })
}

// doLabel says what the bot will do, by the names of what changes; where those are too long for a button, it counts.
func doLabel(steps []change.Step) string {
	label := doWords(steps, func(labels []string, many string) string { return some(labels, len(labels), many) })
	if utf8.RuneCountInString(label) > card.MaxLabel {
		label = doWords(steps, counted)
	}
	return card.Shorten(label, card.MaxLabel)
}

func doWords(steps []change.Step, name func(labels []string, many string) string) string {
	var out []string
	for _, action := range change.Actions() {
		var labels []string
		for _, st := range steps {
			if st.Action == action && st.Way != change.Guided && !st.Before.Value.Equal(st.Want) && st.Ours == nil && !slices.Contains(labels, st.Label) {
				labels = append(labels, st.Label)
			}
		}
		if len(labels) > 0 {
			out = append(out, fmt.Sprintf(effectOf(action).do, name(labels, effectOf(action).many)))
		}
	}
	var clicks []string
	for _, st := range steps {
		if st.Way == change.Guided && !slices.Contains(clicks, st.Label) {
			clicks = append(clicks, st.Label)
		}
	}
	many := "settings"
	if len(steps) > 0 {
		many = effectOf(steps[len(steps)-1].Action).many
	}
	show := "how me the clicks for " + name(clicks, many)
	switch {
	case len(out) == 0 && len(clicks) == 0:
		return "Note that it is set already"
	case len(out) == 0:
		return "S" + show
	case len(clicks) > 0:
		out[len(out)-1] += ", then s" + show
	}
	label := out[0]
	if len(out) > 1 {
		label = strings.TrimSuffix(out[0], " now") + " and " + strings.ToLower(out[1][:1]) + out[1][1:]
	}
	return label
}

func sureText(steps []change.Step) string {
	many := fmt.Sprintf("%d settings change", len(steps))
	if len(steps) == 1 {
		many = "One setting changes"
	}
	return "Customers notice at once. " + many + "; what was there before is kept, and put back when you say so."
}

func planFacts(steps []change.Step) []card.Fact {
	return facts(steps, func(st change.Step) card.Fact {
		if st.Way == change.Guided {
			return card.Fact{How: "by a person in Gladly", Before: "to be noted in Gladly", After: quoted(st.Want)}
		}
		f := card.Fact{How: "by the bot, at once", Before: quoted(st.Before.Value), After: quoted(st.Want)}
		if st.Before.Value.Equal(st.Want) {
			f.How, f.Note = "", "already so: nothing is set, and it stays out of the restore until you say what was there before"
		}
		if st.Ours != nil {
			f.How, f.After, f.Note = "", "", "left by an earlier outage: nothing is set, and before the restore I ask what should come back"
		}
		return f
	})
}

// facts draws steps, those of one target that say the same as one line: "Web shop, Wed 25 Nov and Thu 26 Nov".
func facts(steps []change.Step, draw func(change.Step) card.Fact) []card.Fact {
	var out []card.Fact
	type line struct {
		label string
		fact  card.Fact
		names []string
	}
	var lines []line
	for _, st := range steps {
		f := draw(st)
		i := slices.IndexFunc(lines, func(l line) bool { return l.label == st.Label && l.fact == f })
		if i < 0 {
			lines = append(lines, line{label: st.Label, fact: f})
			i = len(lines) - 1
		}
		lines[i].names = append(lines[i].names, st.Name)
	}
	for i, l := range lines {
		if i == card.MaxFacts-1 && len(lines) > card.MaxFacts {
			return append(out, card.Fact{Name: fmt.Sprintf("and %d more", len(lines)-i)})
		}
		l.fact.Name = l.label + ", " + list(l.names)
		out = append(out, l.fact)
	}
	return out
}

// confirmCard shows every setting before → after, and what a press will do.
func confirmCard(p Policy, w Walk, n tree.Node, e Event, note string) card.Card {
	c := card.Card{Tone: card.Warning, Title: card.Shorten(n.Title, card.MaxTitle)}
	if note != "" {
		c.Text = append(c.Text, note)
	}
	c.Text = append(c.Text, "In Gladly it is "+e.At.In(p.Location()).Format("Mon 2 Jan 15:04")+" (you: "+card.Day(e.At)+").")
	c.Text = append(c.Text, carefulWord(e)...)
	steps := readable(w.Plan)
	c.Facts = planFacts(steps)
	for _, name := range slices.Sorted(maps.Keys(w.Unread)) {
		c.Facts = append(c.Facts, card.Fact{Name: name, Note: "could not be read: " + w.Unread[name]})
	}
	until := w.until(p, e.At)
	when := soon(until, e.At)
	ask := "Nothing reopens by itself: at " + when + " I ask you."
	if p.RestoreByItself == atDeadline {
		ask = "At " + when + " the bot puts it back by itself, unless somebody changed it."
	}
	if later := laterDays(steps, e.At.In(p.Location())); later != "" {
		ask = "Midnight there comes before " + when + ", so " + later + " is closed too. " + ask
	}
	var texts []string
	for _, st := range steps {
		text, asks := st.Want.Text, st.Way == change.Flag && n.Action == change.CloseChat
		if asks { // its page shows the text that goes with the switch
			text = visitorsRead(p, w, n, e)
		}
		if whole := "Customers will read: “" + text + "”"; text != "" && (asks || quoted(st.Want) != text) && !slices.Contains(texts, text) {
			texts = append(texts, text)
			c.Text = append(c.Text, card.Shorten(whole, card.MaxText))
		}
		for _, warning := range named(text, p, e.Desk.Open, n.Channel) {
			if !slices.Contains(c.Text, warning) {
				c.Text = append(c.Text, warning)
			}
		}
	}
	for _, m := range w.Menus {
		c.Notes = append(c.Notes, "I ask first whether the IVR “"+card.Shorten(plain(m), 60)+"” exists and is published: nobody has said so yet.")
	}
	deaf := mute(p, w, e)
	for _, st := range deaf {
		c.Text = append(c.Text, "Careful: "+muteWord(st, e.Desk.Asked[st.Key])+". To set it here would reach nobody.")
	}
	since := "now"
	if !w.Inputs.Since.IsZero() {
		since = card.Day(w.Inputs.Since)
	}
	c.Notes = append(c.Notes, ask, "Who notices: "+n.Affects+". Affecting customers since: "+since+".")
	for _, t := range paragraphs(n.Text) {
		c.Notes = append(c.Notes, "The playbook: "+t)
	}
	c.Notes = append(c.Notes, pageLines(p, e.Desk.Pages, n.Channel, e.At)...)
	edit := card.Button{Label: "Change…", Action: w.action("change", ""), Opens: true}
	back := card.Button{Label: "Back", Action: w.action("back", "")}
	switch {
	case len(w.Unread) > 0:
		c.Text = append(c.Text, "Some settings cannot be read. As long as the value before is not known, nothing is changed.")
		c.Buttons = []card.Button{{Label: "Read again", Style: card.Primary, Action: w.action("look", "")}, edit, back}
	case len(steps) == 0:
		c.Text = append(c.Text, "There is nothing left to change: "+n.Title+" is covered by the outage that is open.")
		c.Buttons = []card.Button{edit, back}
	default:
		label := doLabel(steps)
		do := card.Button{Label: label, Style: card.Primary, Action: w.action("confirm", "")}
		if byBot := slices.DeleteFunc(slices.Clone(steps), func(st change.Step) bool { return st.Way == change.Guided }); len(byBot) > 0 {
			do.Style, do.Sure = card.Danger, &card.Sure{Title: label + "?", Text: sureText(byBot), Yes: "Yes, do it", No: "No"}
		}
		if slices.ContainsFunc(steps, func(st change.Step) bool { return st.Way == change.Guided }) { // the others are read
			back = card.Button{Label: "It is done already: take it over…", Opens: true, Action: w.action("done", "")}
		}
		c.Buttons = []card.Button{
			do,
			edit,
			{Label: "Not yet: ask me again in " + words(time.Duration(p.NotYet)), Action: w.action("not-yet", "")},
			{Label: "Is it only us?", Action: w.action("only-us", "")},
			{Label: "Write to Gladly Support", Action: w.action("support", "")},
			back,
		}
		if len(deaf) > 0 { // the text for Support stands behind "Is it only us?" too
			var labels []string
			for _, st := range deaf {
				labels = append(labels, st.Label)
			}
			c.Buttons[4] = card.Button{Label: card.Shorten("By hand in Gladly instead: "+some(labels, len(labels), effectOf(n.Action).many), card.MaxLabel), Action: w.action("by-hand", "")}
		}
	}
	return c
}

// mute are the steps of a plan that would reach nobody, because a page or a phone menu does not ask, and that a person
// can do instead.
func mute(p Policy, w Walk, e Event) []change.Step {
	var out []change.Step
	for _, st := range w.Plan {
		a, ok := e.Desk.Asked[st.Key]
		if ok && p.silent(a, e.At) && slices.ContainsFunc(w.Resources, func(r change.Resource) bool {
			return r.Instead && r.Target == st.Target && r.Action == st.Action
		}) {
			out = append(out, st)
		}
	}
	return out
}

func muteWord(st change.Step, a Asked) string {
	who := st.Label + "'s page"
	if st.Action == change.PhonesToVoicemail {
		who = "the phone menu of " + st.Label
	}
	if a.Last.IsZero() {
		return who + " has never asked"
	}
	return who + " has not asked for 24 open hours, last " + card.Day(a.Last)
}

// soon is a time of day, with its date where it is not within half a day.
func soon(t, now time.Time) string {
	if t.Sub(now) < 12*time.Hour {
		return card.Clock(t)
	}
	return card.Day(t)
}

func statusPage(p Policy) string {
	if p.StatusPageURL == "" {
		return ""
	}
	return ": please look at " + p.StatusPageURL
}

// laterDays names the days of a plan after the first.
func laterDays(steps []change.Step, now time.Time) string {
	var out []string
	for _, st := range steps {
		if st.Day > now.Format(time.DateOnly) && !slices.Contains(out, st.Name) {
			out = append(out, st.Name)
		}
	}
	return list(out)
}

func alreadyOpen(w Walk, n tree.Node, o Outage) card.Card {
	c := card.Card{
		Tone: card.Warning, Title: "This is being worked on already", Drill: o.Drill,
		Text: []string{capital(o.Channel) + " – " + o.Leaf.Title + ". " + o.Owner.Name + " looks after it, since " + card.Day(o.Began) + " (" + o.ID + ")."},
	}
	look := Action{Outage: o.ID, Verb: "look"}.Encode()
	if n.Kind == tree.Change || len(n.Offer) > 0 {
		c.Buttons = append(c.Buttons, card.Button{Label: "Add to it", Style: card.Primary, Action: w.action("join", o.ID)},
			card.Button{Label: "Restore…", Action: Action{Outage: o.ID, Verb: "restore", State: asIs}.Encode()})
	}
	c.Buttons = append(c.Buttons, card.Button{Label: "Look", Action: look})
	return withBack(w, c)
}

// cannotLook is what a person gets when the settings cannot be read: the way by hand, as text.
func cannotLook(w Walk, n tree.Node, why string) card.Card {
	c := byHandCard(n, why)
	c.Buttons = append(c.Buttons, card.Button{Label: "Try again", Style: card.Primary, Action: w.action("look", "")})
	if n.Kind == tree.Wait {
		c.Buttons = append(c.Buttons, card.Button{Label: "We wait: ask me whether it works again", Action: w.action("accept", "")})
	}
	return withBack(w, c)
}

// byHandCard is that branch of the playbook as plain text, for when the bot can start nothing.
func byHandCard(n tree.Node, why string) card.Card {
	c := card.Card{Tone: card.Trouble, Title: card.Shorten(n.Title, card.MaxTitle), Text: []string{"I change nothing right now: " + why + "."}}
	c.Text = append(c.Text, paragraphs(n.Text)...)
	if len(n.ByHand) > 0 {
		c.Text = append(c.Text, "By hand, and write down each value that you find:")
		for i, s := range n.ByHand {
			c.Text = append(c.Text, strconv.Itoa(i+1)+". "+s)
		}
	}
	return c
}

// passedCard answers a press on a card that the walk has left behind.
func passedCard(w Walk, at Place) card.Card {
	text := "Nothing was changed. You have gone on since then."
	if w.Place.Platform != at.Platform {
		text = "Nothing was changed. You have gone on in " + capitalised(w.Place.Platform) + " since then."
	}
	return card.Card{
		Title: "That button is from an earlier step", Text: []string{text},
		Buttons: []card.Button{{Label: "Continue", Style: card.Primary, Action: Action{Walk: w.ID, Verb: "continue"}.Encode()}},
	}
}

func overCard(w Walk) card.Card {
	c := card.Card{Title: "This card is over: " + w.Ended, Text: []string{"Nothing was changed by your press. Type /outage to begin again."}}
	if w.Outage != "" {
		c.Title = "Confirmed already, by " + w.By.Name
		c.Text = []string{"It happened once, as " + w.Outage + ". Your press changed nothing more."}
		c.Buttons = []card.Button{{Label: "Look", Action: Action{Outage: w.Outage, Verb: "look"}.Encode()}}
	}
	return c
}

func refuseCard(p Policy, who Person) card.Card {
	if who.Unknown != "" {
		return card.Card{
			Tone: card.Warning, Title: "I cannot find out right now whether you are one of the responders",
			Text: []string{capitalised(who.Unknown) + ". " + list(at(p.responders())) + " can do it. Nothing was changed."},
		}
	}
	if len(p.responders()) == 0 {
		platform, id, _ := strings.Cut(who.Account, ":")
		name := strings.TrimPrefix(who.Name, "@")
		c := card.Card{Tone: card.Warning, Title: "Nobody may confirm a change yet", Text: []string{"The organisation document names no responders. Add to it, and start the bot again:"}}
		if !slices.ContainsFunc(p.People, func(s Someone) bool { return s.Name == who.ID }) {
			c.Text = append(c.Text, "people: [{name: "+name+", "+platform+": "+id+"}]")
		}
		c.Text = append(c.Text, "responders: ["+name+"]", "Nothing was changed.")
		return c
	}
	ask := list(at(p.responders()))
	if p.Backup != "" {
		ask = "@" + p.Backup
	}
	return card.Card{Tone: card.Warning, Title: "You are not one of the responders", Text: []string{"Responders are " + list(at(p.responders())) + "; ask " + ask + ". Nothing was changed."}}
}

// stranger is all that somebody from outside learns, and somebody of whom nothing can be found out now.
func stranger(p Policy, who Person) card.Card {
	if who.Unknown != "" {
		return card.Card{Title: "I cannot find out right now who you are", Text: []string{capitalised(who.Unknown) + ". Nothing was changed; please try again in a minute."}}
	}
	name := p.Name
	if name == "" {
		name = "the company"
	}
	return card.Card{Title: "This belongs to " + name + "'s support team. Your account cannot use it."}
}

func tellCard(p Policy, n tree.Node, open []Outage) card.Card {
	text := n.Tell
	if text == "" {
		text = "We are having technical difficulties. To reach us: {ways}."
	}
	text, ways := withWays(text, p, open, n.Channel), waysText(p, open, n.Channel)
	return card.Card{
		Title: "Tell customers", Text: []string{"Ready to copy. They name only the ways that work now."},
		Facts: []card.Fact{
			{Name: "Website banner", Note: text},
			{Name: "Social post", Note: text + " We will tell you here when it is over."},
			{Name: "E-mail reply", Note: "Thank you for your message. " + text + " We answer you as soon as we can."},
			{Name: "For agents to say", Note: "We know about it and are working on it. You can also " + ways + "."},
		},
		Notes: []string{"Afterwards, take down what you posted."},
	}
}

// named warns of ways to reach us that a text names although they do not work.
func named(text string, p Policy, open []Outage, channel string) []string {
	var out []string
	for _, w := range p.Ways {
		down := takesDown(channel, w.Channel) || slices.ContainsFunc(open, func(o Outage) bool { return takesDown(o.Channel, w.Channel) })
		if down && w.Text != "" && strings.Contains(text, w.Text) {
			out = append(out, "Careful: your text says “"+w.Text+"”, and that does not work now.")
		}
	}
	return out
}

func supportCard(p Policy, n tree.Node, since time.Time, e Event) card.Card {
	where := "Administrators and team managers file it inside Gladly."
	if n.Channel == "login" || p.SupportFormURL != "" {
		where = "If nobody can log in, use Gladly's form: " + cmp.Or(p.SupportFormURL, "support_form_url is not set in the organisation document") + ". If you can log in as an administrator or team manager, file it inside Gladly."
	}
	return card.Card{
		Title: "Write to Gladly Support",
		Text: []string{
			where,
			"Text to copy: Since " + since.In(p.Location()).Format("Mon 2 Jan 15:04 MST") + ": " + n.Title + ". Organisation: " + p.Name + ". Component: " + capital(n.Channel) + ". Reported by " + e.By.Name + ".",
		},
	}
}

// whose is somebody to wait for, in words.
func whose(who string) string {
	return cmp.Or(map[string]string{"it": "our own IT", "carrier": "the phone carrier", "network": "the social network"}[who], "Gladly")
}

func onlyUsCard(p Policy, w Walk, n tree.Node, e Event) card.Card {
	c := card.Card{
		Title: "Is it only us?",
		Text: append(pageLines(p, e.Desk.Pages, n.Channel, e.At),
			"Some problems do not come from Gladly. Before you close anything, try: the VPN off, a phone network instead of the office's, another site, a call from another carrier.",
			"If one of them works, it is ours: wait for the team that looks after it."),
	}
	for _, who := range []string{"it", "carrier"} {
		if contact := p.WaitingFor[who]; contact != "" {
			c.Facts = append(c.Facts, card.Fact{Name: map[string]string{"it": "Our IT", "carrier": "The phone carrier"}[who], Note: contact})
		}
		c.Buttons = append(c.Buttons, card.Button{Label: map[string]string{"it": "We wait for our IT", "carrier": "We wait for the carrier"}[who], Action: w.action("wait-for", who)})
	}
	c.Buttons = append(c.Buttons, card.Button{Label: "Go on", Action: w.action("go-on", "")},
		card.Button{Label: "Write to Gladly Support", Action: w.action("support", "")})
	return c
}

// whenWord says who looks after an outage and what happens next.
func whenWord(p Policy, o Outage) string {
	s := o.Owner.Name + " looks after it."
	switch {
	case o.Ended != nil:
		return endWord(o) + "."
	case !o.Deadline.IsZero() && p.RestoreByItself == atDeadline:
		return s + " At " + card.Day(o.Deadline) + " the bot puts it back by itself, unless somebody changed it."
	case !o.Deadline.IsZero():
		s += " I ask at " + card.Day(o.Deadline) + "; nothing reopens by itself."
	}
	if !o.Asking.Next.IsZero() {
		s += " I ask " + o.Owner.Name + " at " + card.Day(o.Asking.Next) + " whether it works again."
	}
	if o.Asking.Silent >= 2 {
		s += " Nobody answered since " + card.Clock(o.Asking.Heard) + "."
	}
	return s
}

// homeCard is the outage's message as it is now.
func homeCard(p Policy, o Outage, r change.Record) card.Card {
	c := card.Card{Tone: card.Trouble, Drill: o.Drill, Title: headline(o, r), Outside: outsideWord(o)}
	c.Facts = facts(r.Steps, func(st change.Step) card.Fact {
		f := stepFact(st)
		if a, flag := o.asked[st.Key]; flag && st.State == change.IsSet {
			who := "its page"
			if st.Action == change.PhonesToVoicemail {
				who = "its phone menu"
			}
			if f.Note += "; "; o.Drill {
				f.Note += "in a drill " + who + " is taken to ask"
				return f
			}
			f.Note += askedWord(who, a, st.At, o.now)
		}
		return f
	})
	btn := func(verb, state, arg, label string, style card.Style) {
		c.Buttons = append(c.Buttons, card.Button{Label: label, Style: style, Action: Action{Outage: o.ID, Verb: verb, State: state, Arg: arg}.Encode()})
	}
	if o.Ended != nil {
		c.Tone = card.Done
		c.Text = append(c.Text, endWord(o)+".")
		if len(o.Todos) > 0 {
			c.Notes = append(c.Notes, "Left to do, for the customers between "+card.Day(o.Since)+" and "+card.Clock(o.Ended.At)+":")
		}
		for _, t := range o.Todos {
			if t.By != "" {
				c.Notes = append(c.Notes, "Done: "+t.Text+" ("+t.By+" "+card.Clock(t.At)+")")
				continue
			}
			c.Notes = append(c.Notes, "To do: "+t.Text)
			if len(c.Buttons) < card.MaxButtons {
				btn("todo", "", t.ID, card.Shorten("Done: "+t.Text, card.MaxLabel), card.Plain)
			}
		}
		if len(c.Buttons) < card.MaxButtons {
			btn("more", "", "", "More…", card.Plain)
		}
		c.Notes = append(c.Notes, o.ID)
		return c
	}
	if o.Leaf.Kind == tree.Wait {
		c.Text = append(c.Text, waitingFor(p, o.Leaf, o.For)+waited(r))
		if m := meanwhile(o.Leaf, nil); m != "" {
			c.Text = append(c.Text, m)
		}
	}
	c.Text = append(c.Text, whenWord(p, o))
	if o.careful != "" && len(waitsForCopy(r)) > 0 {
		c.Text = append(c.Text, "A copy of the values from before goes to the thread first; what the bot sets is set when it has arrived there.")
	}
	for _, l := range lastNotes(o) {
		c.Notes = append(c.Notes, card.Clock(l.At)+" "+l.By+": "+card.Shorten(l.Text, 200))
	}
	c.Notes = append(c.Notes, linkNotes(o)...)
	c.Notes = append(c.Notes, "Affecting customers since "+card.Day(o.Since)+" · "+o.ID)
	if r.Open() {
		if p := r.Phase(); p == change.Changed || p == change.Restoring {
			c.Tone = card.Warning
		}
		btn("restore", asIs, "", "Restore…", card.Primary)
		btn("extend", strconv.FormatInt(o.Deadline.Unix(), 10), "1h", "One hour more", card.Plain)
	} else {
		btn("works", strconv.Itoa(o.Asking.N), "", "Works again", card.Primary)
	}
	if o.Leaf.Kind == tree.Wait {
		btn("changed", strconv.Itoa(o.Asking.N), "", "It has changed…", card.Plain)
		if !r.Open() {
			btn("later", strconv.FormatInt(o.Asking.Next.Unix(), 10), "", "Ask me later", card.Plain)
		}
	}
	c.Buttons = append(c.Buttons, card.Button{Label: "Hand over…", Opens: true, Action: Action{Outage: o.ID, Verb: "handover", State: asIs}.Encode()})
	btn("tell", "", "", "Tell customers", card.Plain)
	btn("more", "", "", "More…", card.Plain)
	return c
}

// outsideWord is all that people of other organisations learn of an outage.
func outsideWord(o Outage) string {
	if o.Ended != nil {
		return capital(o.Channel) + " – ended " + card.Clock(o.Ended.At) + "."
	}
	return capital(o.Channel) + " – being worked on since " + card.Clock(o.Began) + "."
}

// routedCard is an outage's message in a place that is not its home: all of it on another chat platform, else the way
// there.
func routedCard(p Policy, o Outage, r change.Record, at Place) card.Card {
	c := homeCard(p, o, r)
	if at.Platform != o.Home.Platform {
		return c
	}
	text := whenWord(p, o)
	if o.Home.Channel != "" {
		text += " Everything else is in " + card.Channel(o.Home.Channel) + " (" + o.ID + ")."
	}
	return card.Card{
		Tone: c.Tone, Drill: o.Drill, Title: c.Title, Text: []string{text}, Outside: c.Outside,
		Buttons: []card.Button{{Label: "Look", Action: Action{Outage: o.ID, Verb: "look"}.Encode()}},
	}
}

// stepFact is one setting: before → after and how far it is, or what it is again.
func stepFact(st change.Step) card.Fact {
	switch {
	case st.State == change.Restored && st.Before != nil && st.Spared:
		return card.Fact{Note: quoted(st.Before.Value) + " when last looked at; never touched"}
	case st.State == change.Restored && st.Before != nil:
		return card.Fact{Note: quoted(st.Before.Value) + ", as before, " + card.Clock(st.At)}
	case st.State == change.Restored:
		return card.Fact{Note: "never touched"}
	case st.State == change.Planned && st.Way == change.Guided:
		return card.Fact{Before: "to be noted in Gladly", After: quoted(st.Want), Note: "waits for a person"}
	case st.Before == nil:
		return card.Fact{After: quoted(st.Want), Note: stepWord(st)}
	}
	return card.Fact{Before: quoted(st.Before.Value), After: quoted(st.Want), Note: stepWord(st)}
}

// askedWord is the proof that a flag reaches customers, or that it does not.
func askedWord(who string, a Asked, set, now time.Time) string {
	switch {
	case a.Unknown:
		return "whether " + who + " asks is not known now"
	case a.Last.IsZero():
		return who + " has never asked"
	case !a.Last.After(set):
		return who + " has not asked since, last " + card.Day(a.Last)
	}
	times := strconv.Itoa(a.In5Min) + " times"
	if a.In5Min == 1 {
		times = "once"
	}
	return fmt.Sprintf("%s asked %s in 5 min, last %d s ago", who, times, int(now.Sub(a.Last).Seconds()))
}

func waited(r change.Record) string {
	if len(r.Steps) == 0 {
		return " Nothing was changed."
	}
	return ""
}

func lastNotes(o Outage) []Line {
	var out []Line
	for _, l := range o.Timeline {
		if (l.What == "note" || l.What == "alone") && l.Struck == "" {
			out = append(out, l)
		}
	}
	return out[max(0, len(out)-3):]
}

func moreCard(p Policy, o Outage, r change.Record) card.Card {
	c := card.Card{Title: headline(o, r), Text: []string{whenWord(p, o)}}
	for i, l := range o.Timeline {
		line := card.Clock(l.At) + " " + l.By + ": " + card.Shorten(l.Text, 200)
		if l.Struck != "" {
			line += " (struck by " + l.Struck + ")"
		}
		if len(o.Timeline)-i <= 15 {
			c.Notes = append(c.Notes, line)
		}
	}
	btn := func(verb, state, arg, label string, opens bool) {
		c.Buttons = append(c.Buttons, card.Button{Label: label, Opens: opens, Action: Action{Outage: o.ID, Verb: verb, State: state, Arg: arg}.Encode()})
	}
	btn("note", asIs, "", "Add a line…", true)
	if o.Ended != nil {
		btn("again", "", "", "Begin again", false)
		return c
	}
	btn("since", asIs, "", "Since when…", true)
	if r.Open() {
		btn("add", asIs, "", "Add numbers or apps…", false)
		btn("extend", strconv.FormatInt(o.Deadline.Unix(), 10), "open", "Until opening time", false)
	}
	btn("take", asIs, "", "I look after it", false)
	btn("abandon", asIs, "", "Give up the way back…", true)
	return c
}

// stepCard asks about one step that cannot go on by itself.
func stepCard(o Outage, st change.Step) card.Card {
	c := card.Card{Tone: card.Warning, Title: card.Shorten(stepName(st), 100)}
	state := string(st.State) + "/" + strconv.FormatBool(st.Back)
	btn := func(verb, arg, label string, style card.Style, opens bool) {
		c.Buttons = append(c.Buttons, card.Button{Label: label, Style: style, Opens: opens, Action: Action{Outage: o.ID, Verb: verb, Key: string(st.Key), State: state, Arg: arg}.Encode()})
	}
	if st.Before != nil {
		c.Facts = append(c.Facts, card.Fact{Name: "Before the outage", Note: quoted(st.Before.Value)})
	}
	c.Facts = append(c.Facts, card.Fact{Name: "Set for the outage", Note: quoted(st.Want)})
	if st.Now != nil {
		c.Facts = append(c.Facts, card.Fact{Name: "Now", Note: quoted(*st.Now)})
	}
	leave := "Leave it as it is…"
	switch {
	case st.State == change.Adopted:
		c.Title += ": what was there before?"
		c.Text = []string{"It showed the outage's value already when we began, so nothing was set. Should something else come back?"}
		leave = "It was like this: leave it…"
		if st.Known != nil && !st.Known.Equal(st.Want) {
			btn("put-known", "", card.Shorten("Put back: "+quoted(*st.Known), card.MaxLabel), card.Primary, false)
		}
		btn("name", "", "Another value…", card.Plain, true)
		btn("name-later", "", "Find out later", card.Plain, false)
	case st.Before == nil:
		c.Title += ": the value before is not on record"
		c.Text = []string{"I do not guess. Say what it was, or leave it as it is."}
		btn("name", "", "The value before was…", card.Plain, true)
	case st.Back:
		c.Title += " was changed by somebody else"
		c.Text = []string{"Nothing is overwritten without your word."}
		btn("overwrite", fingerprint(st), card.Shorten("Put back: "+quoted(st.Before.Value), card.MaxLabel), card.Danger, false)
		c.Buttons[0].Sure = sureOver(st, st.Before.Value)
		leave = card.Shorten("Keep what it shows now: "+quoted(*st.Now)+"…", card.MaxLabel)
	default:
		if backAlready(st) {
			c.Title += " shows again what was there before"
		} else {
			c.Title += " was changed by somebody else meanwhile"
		}
		c.Text = []string{"Nothing is overwritten without your word."}
		btn("overwrite", fingerprint(st), card.Shorten("Set it all the same: "+quoted(st.Want), card.MaxLabel), card.Danger, false)
		c.Buttons[0].Sure = sureOver(st, st.Want)
	}
	btn("leave", "", leave, card.Plain, true)
	return c
}

// backAlready reports whether what was found in the way is the value before: nobody need have set it, it may have been
// lost with the store.
func backAlready(st change.Step) bool {
	return st.Now != nil && st.Before != nil && st.Now.Equal(st.Before.Value)
}

// sureOver is asked before the bot sets something over what somebody else set.
func sureOver(st change.Step, value change.Value) *card.Sure {
	text := "It becomes " + quoted(value) + "."
	switch {
	case backAlready(st):
		text = "It shows " + quoted(*st.Now) + " now. " + text
	case st.Now != nil:
		text = "Somebody else set it to " + quoted(*st.Now) + ". " + text
	}
	return &card.Sure{Title: "Overwrite " + stepName(st) + "?", Text: text, Yes: "Yes, overwrite it", No: "No"}
}

// failedCard asks once about all steps that did not work in one direction; there is at least one.
func failedCard(o Outage, steps []change.Step, back bool) card.Card {
	c := card.Card{Tone: card.Warning, Title: fmt.Sprintf("%d of the settings could not be set", len(steps)), Text: []string{"What was there before is on record. Whatever else was planned went on."}}
	if back {
		c.Title = fmt.Sprintf("%d of the settings could not be put back", len(steps))
	}
	c.Facts = facts(steps, func(st change.Step) card.Fact {
		f := card.Fact{Before: quoted(st.Want), Note: reason(st)}
		if st.Before != nil {
			f.Before, f.After = quoted(st.Before.Value), quoted(st.Want)
			if back {
				f.Before, f.After = f.After, f.Before
			}
		}
		return f
	})
	btn := func(verb, label string, style card.Style, opens bool) {
		c.Buttons = append(c.Buttons, card.Button{Label: label, Style: style, Opens: opens, Action: Action{Outage: o.ID, Verb: verb, State: failedState(steps), Arg: strconv.FormatBool(back)}.Encode()})
	}
	btn("retry", "Try again", card.Primary, false)
	if !back {
		c.Buttons = append(c.Buttons, card.Button{Label: "Undo what is done…", Action: Action{Outage: o.ID, Verb: "restore", State: asIs}.Encode()})
	}
	for _, st := range steps {
		if back && st.Before != nil && st.Before.By != change.ByAPI {
			c.Buttons = append(c.Buttons, card.Button{
				Label: card.Shorten("Another value for "+stepName(st)+"…", card.MaxLabel), Opens: true,
				Action: Action{Outage: o.ID, Verb: "name", Key: string(st.Key), State: string(st.State) + "/" + strconv.FormatBool(st.Back)}.Encode(),
			})
			break
		}
	}
	btn("leave-failed", "Leave them as they are…", card.Plain, true)
	return c
}

// failedState names a set of failed steps, so that an answer counts for the very ones that it was asked about.
func failedState(steps []change.Step) string {
	var b strings.Builder
	for _, st := range steps {
		b.WriteString(string(st.Key) + nanos(st.At) + "\n")
	}
	return shortID("", b.String())
}

func questionCard(o Outage) card.Card {
	btn := func(verb, label string, style card.Style) card.Button {
		return card.Button{Label: label, Style: style, Action: Action{Outage: o.ID, Verb: verb, State: strconv.Itoa(o.Asking.N)}.Encode()}
	}
	c := card.Card{
		Title: o.Leaf.Again.Text, Text: []string{capital(o.Channel) + " – " + o.Leaf.Title + ", since " + card.Day(o.Since) + "."},
		Buttons: []card.Button{btn("works", "Works again", card.Primary), btn("still", "Still broken", card.Plain), btn("changed", "It has changed…", card.Plain)},
	}
	if o.Asking.Said != "" {
		c.Text = append([]string{o.Asking.Said}, c.Text...)
	}
	return c
}

func deadlineCard(p Policy, o Outage, r change.Record, over time.Duration, missed int) card.Card {
	c := card.Card{Tone: card.Warning, Title: headline(o, r)}
	switch {
	case over < 0:
		c.Text = append(c.Text, "I ask at "+card.Clock(o.Deadline)+" whether it can be restored: in "+words(-over)+".")
	case over < time.Minute:
		c.Text = append(c.Text, "It is "+card.Clock(o.Deadline)+". Can it be restored? Nothing reopens by itself.")
	default:
		c.Text = append(c.Text, "The time ran out at "+card.Day(o.Deadline)+", "+words(over)+" ago, and nobody decided. "+o.Owner.Name+" looks after it"+backup(p, o)+".")
	}
	if missed > 0 {
		c.Text = append(c.Text, fmt.Sprintf("I was away: %d earlier reminders were not given.", missed))
	}
	if steps := unnamed(r); len(steps) > 0 {
		c.Text = append(c.Text, "Nobody said yet what was there before: "+card.Shorten(names(steps), 500)+".")
	}
	doubt := inDoubt(o, r)
	if len(doubt) > 0 {
		c.Text = append(c.Text, "Nobody said yet which value should come back: "+card.Shorten(names(doubt), 500)+".")
	}
	deadline := strconv.FormatInt(o.Deadline.Unix(), 10)
	c.Buttons = []card.Button{
		{Label: "Restore…", Style: card.Primary, Action: Action{Outage: o.ID, Verb: "restore", State: asIs}.Encode()},
		{Label: "One hour more", Action: Action{Outage: o.ID, Verb: "extend", State: deadline, Arg: "1h"}.Encode()},
		{Label: "Until opening time", Action: Action{Outage: o.ID, Verb: "extend", State: deadline, Arg: "open"}.Encode()},
		{Label: "Hand over…", Opens: true, Action: Action{Outage: o.ID, Verb: "handover", State: asIs}.Encode()},
	}
	if steps := unnamed(r); len(steps) > 0 {
		say := beforeButtons(o, steps)
		c.Buttons = append(c.Buttons, say[len(say)-1])
	}
	if len(doubt) > 0 {
		c.Buttons = append(c.Buttons, whichOneByOne(o, doubt))
	}
	return c
}

func backup(p Policy, o Outage) string {
	if p.Backup == "" || p.Backup == o.Owner.ID {
		return ""
	}
	return ", @" + p.Backup + " stands in"
}

func midnightCard(o Outage, next, now time.Time) card.Card {
	if now.After(next) { // it comes late
		next = time.Date(o.now.Year(), o.now.Month(), o.now.Day(), 0, 0, 0, 0, o.now.Location())
	}
	day := next.Format("Mon 2 Jan")
	until := next.AddDate(0, 0, 1).Add(-time.Minute)
	title, text := "In Gladly it is midnight in half an hour: "+day+" is not closed yet", "Without your word customers can write in again from then on."
	if !now.Before(next) {
		title, text = "In Gladly it is "+day+", and that day is not closed", "Customers can write in since midnight."
	}
	return card.Card{
		Tone: card.Warning, Title: title,
		Text: []string{text},
		Buttons: []card.Button{
			{Label: "Close " + day + " too", Style: card.Primary, Action: Action{Outage: o.ID, Verb: "next-day", State: asIs, Arg: until.Format(time.RFC3339)}.Encode()},
			{Label: "Restore…", Action: Action{Outage: o.ID, Verb: "restore", State: asIs}.Encode()},
		},
	}
}

// restoreCard shows each setting before / set / now, read just now, before anything is put back.
func restoreCard(p Policy, o Outage, r change.Record, now Readings, pages []Sight, at time.Time) card.Card {
	c := card.Card{Tone: card.Warning, Title: "Restore " + o.ID + "?", Text: []string{headline(o, r), "In Gladly it is " + at.In(p.Location()).Format("Mon 2 Jan 15:04") + "."}}
	asks := 0
	var open []change.Step
	for _, st := range r.Steps {
		if !st.Open() {
			continue
		}
		open = append(open, st)
		if v, read := now.Values[st.Key]; st.Before == nil && (st.Way != change.Guided || st.State == change.Adopted) || read && !v.Equal(st.Want) && !v.Equal(st.Before.Value) {
			asks++
		}
	}
	doubt := inDoubt(o, r)
	asks += len(doubt)
	c.Facts = facts(open, func(st change.Step) card.Fact {
		v, read := now.Values[st.Key]
		switch {
		case st.State == change.Adopted:
			return card.Fact{Before: quoted(st.Want), After: "?", Note: "was set already when we began: I ask you for the value"}
		case slices.ContainsFunc(doubt, func(d change.Step) bool { return d.Key == st.Key }):
			return card.Fact{How: "by a person in Gladly", Before: quoted(st.Want), After: "?", Note: twoWords(st) + ": I ask you which should come back"}
		case st.Way == change.Guided && st.Before != nil:
			return card.Fact{How: "by a person in Gladly", Before: quoted(st.Want), After: quoted(st.Before.Value)}
		case st.Way == change.Guided:
			return card.Fact{Note: "nobody clicked yet: nothing to put back"}
		case st.Before == nil:
			return card.Fact{Before: quoted(st.Want), After: "?", Note: "the value before is not on record: I ask you for it"}
		case !read:
			return card.Fact{Before: quoted(st.Want), After: quoted(st.Before.Value), Note: "cannot be read now: " + now.Errors[st.Key] + "; I try again"}
		case v.Equal(st.Before.Value):
			return card.Fact{After: quoted(v), Note: "is as before already"}
		case !v.Equal(st.Want):
			return card.Fact{Before: quoted(v), After: quoted(st.Before.Value), Note: "somebody changed it (we had set: " + quoted(st.Want) + "): I ask you"}
		}
		return card.Fact{Before: quoted(v), After: quoted(st.Before.Value)}
	})
	if asks > 0 {
		c.Notes = append(c.Notes, fmt.Sprintf("For %d of them I ask you before anything is overwritten.", asks))
	}
	if len(pages) > 0 {
		c.Notes = append(c.Notes, pageLines(p, pages, o.Channel, at)...)
	}
	c.Buttons = []card.Button{
		{
			Label: "Put everything back now", Style: card.Danger, Action: Action{Outage: o.ID, Verb: "putback", State: restoreState(r, at)}.Encode(),
			Sure: &card.Sure{Title: "Put everything back?", Text: "Each setting is compared first; what somebody else changed is not overwritten.", Yes: "Yes, put it back", No: "No"},
		},
		{Label: "Only some of it…", Opens: true, Action: Action{Outage: o.ID, Verb: "some", State: asIs}.Encode()},
		{Label: "Still down for us: one hour more", Action: Action{Outage: o.ID, Verb: "extend", State: strconv.FormatInt(o.Deadline.Unix(), 10), Arg: "1h"}.Encode()},
	}
	if len(notedSteps(r.Steps)) > 0 {
		c.Buttons = append(c.Buttons, mendButton(o))
	}
	if len(doubt) > 0 {
		c.Buttons = append(c.Buttons, whichOneByOne(o, doubt))
	}
	return c
}

// restoreState names what a restore was shown for, and when.
func restoreState(r change.Record, at time.Time) string {
	var b strings.Builder
	for _, st := range r.Steps {
		if st.Open() && !st.Back {
			b.WriteString(string(st.Key) + "\n")
		}
	}
	return shortID("", b.String()) + "/" + strconv.FormatInt(at.Unix(), 10)
}

func todoCard(o Outage) card.Card {
	c := card.Card{Title: "Left to do after " + capital(o.Channel) + " – " + card.Shorten(o.Leaf.Title, 80)}
	for _, t := range o.Todos {
		if t.By == "" && len(c.Buttons) < card.MaxButtons {
			c.Text = append(c.Text, t.Text)
			c.Buttons = append(c.Buttons, card.Button{Label: card.Shorten("Done: "+t.Text, card.MaxLabel), Action: Action{Outage: o.ID, Verb: "todo", Arg: t.ID}.Encode()})
		}
	}
	return c
}

func formCard(title, submit, action string, inputs ...card.Input) card.Card {
	return card.Card{Title: card.Shorten(title, card.MaxTitle), Form: &card.Form{Inputs: inputs, Submit: card.Shorten(submit, card.MaxLabel), Action: action}}
}
