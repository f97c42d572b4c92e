package flow

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchback/bot/card"
	"switchback/bot/incident"
)

const (
	factsMost = 10            // components on one message
	overFor   = 6 * time.Hour // an end is still said so long
	newsMost  = 1000          // characters of the newest text on the message; its thread has all of it
)

func possessive(name string) string { return name + "'s" }

// caseCard is an incident's message as it is now.
func caseCard(page incident.Page, w Watch, c Case, open []Outage) card.Card {
	snap := c.Incident.Now()
	out := card.Card{Tone: caseTone(c.Incident), Title: card.Shorten(possessive(page.Name)+" page: "+cmp.Or(snap.Name, "an incident"), card.MaxTitle)}
	out.Text = append(out.Text, stateLine(c.Incident))
	if u, ok := snap.Newest(); ok && u.Status != incident.Postmortem {
		out.Text = append(out.Text, card.Clock(u.At())+" "+card.Shorten(strings.Join(strings.Fields(u.Text), " "), newsMost))
	}
	affected := snap.Affected()
	for i, a := range affected {
		if i == factsMost-1 && len(affected) > factsMost {
			out.Facts = append(out.Facts, card.Fact{Name: fmt.Sprintf("and %d more", len(affected)-i)})
			break
		}
		note := incident.Words(a.Status)
		over := c.Incident.Phase() == incident.Over
		if over { // how it is now is no news of this
			note = ""
		}
		if branches, known := page.BranchesOf(a, w.Components); !known {
			note += " (on no line of your map)"
		} else if len(branches) > 0 && !over {
			note += " (" + list(branches) + ")"
		}
		out.Facts = append(out.Facts, card.Fact{Name: cmp.Or(a.Name, a.ID), Note: strings.TrimSpace(note)})
	}
	m := page.Match(snap, w.Components)
	if m.Guess {
		out.Notes = append(out.Notes, "The page names no component. By its title it may be about "+list(m.Branches)+": a guess.")
	}
	if !c.Incident.Confirmed() && !c.Incident.Gone {
		out.Notes = append(out.Notes, "Not yet confirmed on the page: only a notification said so.")
	}
	if !w.Told["silent"].IsZero() && c.Incident.Phase() != incident.Over {
		out.Notes = append(out.Notes, "The page cannot be read since "+card.Clock(w.Failing)+"; this is what it said at "+readAt(w)+".")
	}
	for _, o := range linkedTo(page.ID+"/"+c.Incident.ID, open) {
		out.Notes = append(out.Notes, "Being worked on: "+capital(o.Channel)+" – "+o.Leaf.Title+", by "+o.Owner.Name+" ("+o.ID+").")
	}
	if c.NotUs != nil {
		watching := ""
		if c.Incident.Phase() != incident.Over {
			watching = " Still watching."
		}
		out.Notes = append(out.Notes, "Not affecting us, says "+c.NotUs.By+" "+card.Clock(c.NotUs.At)+"."+watching)
	}
	out.Notes = append(out.Notes, snap.Link)
	out.Buttons = caseButtons(page, w, c, open)
	out.Outside = out.Title + " – since " + card.Clock(snap.Since()) + "."
	if end := c.Incident.Ended(); !end.IsZero() {
		out.Outside = out.Title + " – over " + card.Clock(end) + "."
	}
	for i := range out.Notes {
		out.Notes[i] = card.Shorten(out.Notes[i], card.MaxText)
	}
	return out
}

func caseTone(i incident.Incident) card.Tone {
	snap := i.Now()
	switch {
	case i.Phase() == incident.Over:
		return card.Done
	case snap.Maintenance():
		return card.Info
	case snap.Impact == "major", snap.Impact == "critical":
		return card.Trouble
	}
	return card.Warning
}

// stateLine says how an incident stands.
func stateLine(i incident.Incident) string {
	snap := i.Now()
	state := capitalised(incident.Words(snap.State()))
	impact := ""
	if snap.Impact != "" && snap.Impact != "maintenance" {
		impact = ", impact " + incident.Words(snap.Impact)
	}
	switch {
	case i.Gone && i.Said.ID == "":
		return "The page does not show it: only a notification said so. Perhaps somebody else knows the address for notifications."
	case i.Gone:
		return "The page took it down at " + card.Day(i.Missing) + " and never said that it is over."
	case i.Phase() == incident.Over:
		took := ""
		if d := i.Ended().Sub(snap.Since()); d >= time.Minute {
			took = ", after " + words(d)
		}
		return "Over: " + strings.ToLower(state) + " " + card.Day(i.Ended()) + took + impact + "."
	case i.Phase() == incident.Planned:
		s := "Planned work, from " + card.Day(snap.From)
		if !snap.Until.IsZero() {
			s += " to " + card.Day(snap.Until)
		}
		return s + ". It may begin earlier."
	case snap.Maintenance():
		s := "Planned work, " + strings.ToLower(state) + " since " + card.Day(snap.Since())
		if !snap.Until.IsZero() {
			s += ", planned to end " + card.Day(snap.Until)
		}
		return s + "."
	}
	return cmp.Or(state, "Open") + impact + ", since " + card.Day(snap.Since()) + "."
}

// linkedTo are the open outages that an incident is linked to.
func linkedTo(key string, open []Outage) []Outage {
	var out []Outage
	for _, o := range open {
		if slices.ContainsFunc(o.Links, func(l Link) bool { return l.key() == key && l.NotOurs == "" }) {
			out = append(out, o)
		}
	}
	return out
}

// caseButtons are what can be done about an incident: the branch that it is about is proposed, unless it is being
// worked on. Nothing is proposed that the page itself does not say.
func caseButtons(page incident.Page, w Watch, c Case, open []Outage) []card.Button {
	i := c.Incident
	if i.Phase() != incident.Ongoing || !i.Confirmed() {
		return nil
	}
	key := page.ID + "/" + i.ID
	btn := func(verb, arg, label string, style card.Style) card.Button {
		return card.Button{Label: label, Style: style, Action: Action{Incident: key, Verb: verb, State: strconv.Itoa(c.Worse), Arg: arg}.Encode()}
	}
	if c.NotUs != nil {
		return []card.Button{btn("us", "", "It does affect us", card.Plain)}
	}
	m := page.Match(i.Now(), w.Components)
	worked := linkedTo(key, open)
	left := slices.DeleteFunc(slices.Clone(m.Branches), func(b string) bool {
		return slices.ContainsFunc(worked, func(o Outage) bool { return o.Channel == b })
	})
	var out []card.Button
	switch {
	case len(left) == 1 && !m.Guess:
		out = append(out, btn("start", left[0], "Start the "+branchName(left[0])+" playbook", card.Primary))
	case len(left) > 0 || len(worked) == 0:
		out = append(out, btn("start", "", "Start the playbook…", card.Primary))
	}
	for _, o := range worked {
		if len(out) < card.MaxButtons-1 {
			out = append(out, card.Button{Label: card.Shorten("Look: "+capital(o.Channel)+" "+o.ID, card.MaxLabel), Action: Action{Outage: o.ID, Verb: "look"}.Encode()})
		}
	}
	if len(worked) == 0 {
		out = append(out, btn("not-us", "", "Not affecting us", card.Plain))
	}
	return out
}

func branchName(b string) string {
	switch b {
	case "sms":
		return "SMS"
	case "email":
		return "e-mail"
	case "social":
		return "social messaging"
	}
	return b
}

// updateCard is one update in the thread.
func updateCard(u incident.Update) card.Card {
	c := card.Card{Title: card.Shorten(cmp.Or(capitalised(incident.Words(u.Status)), "Update"), card.MaxTitle-20) + ", " + card.Clock(u.At())}
	for p := range strings.SplitSeq(u.Text, "\n\n") {
		if p != "" {
			c.Text = append(c.Text, card.Shorten(p, card.MaxText))
		}
	}
	for i, ch := range u.Changes {
		if i == factsMost-1 && len(u.Changes) > factsMost {
			c.Facts = append(c.Facts, card.Fact{Name: fmt.Sprintf("and %d more", len(u.Changes)-i)})
			break
		}
		c.Facts = append(c.Facts, card.Fact{Name: cmp.Or(ch.Name, ch.ID), Before: cmp.Or(incident.Words(ch.From), "?"), After: incident.Words(ch.To)})
	}
	return c
}

// earlierCard is what was said before anybody here knew of it.
func earlierCard(news []incident.Update) card.Card {
	c := card.Card{Title: "What the page has said so far"}
	total := 0
	for _, u := range slices.Backward(news) {
		line := card.Clock(u.At()) + " " + capitalised(incident.Words(u.Status)) + ": " + card.Shorten(u.Text, 400)
		if total += len(line); total > 6000 {
			c.Notes = []string{"More on the page."}
			break
		}
		c.Text = append(c.Text, line)
	}
	slices.Reverse(c.Text)
	return c
}

// loudWord is what is told in the channel; "" is nothing.
func loudWord(h incident.Happening, c Case) string {
	switch h.Kind {
	case incident.Worsened:
		return "Worse: " + h.Text
	case incident.Ended:
		if !c.Incident.Confirmed() {
			return "Over, says a notification; not yet confirmed on the page"
		}
		return "Over"
	case incident.Withdrawn:
		if c.Incident.Said.ID == "" {
			return "Not on the page"
		}
		return "Taken off the page"
	case incident.Reopened:
		return "Not over"
	default:
		return ""
	}
}

func aloud(page incident.Page, snap incident.Snapshot, what string) string {
	return card.Shorten(what+" – "+possessive(page.Name)+" page: "+snap.Name, card.MaxTitle)
}

// readAt is when the page was read last, in words.
func readAt(w Watch) string {
	if w.Read.IsZero() {
		return "no time: it was never read"
	}
	return card.Clock(w.Read)
}

// ago is how long ago something was, as people say it.
func ago(d time.Duration) string {
	if d < 90*time.Second {
		return strconv.Itoa(max(int(d.Seconds()), 0)) + " s ago"
	}
	return words(d) + " ago"
}

// pageLines say what the pages say about a branch, and when they were read; "" is any branch. A page that cannot be
// read is said to be so, and never that all is well.
func pageLines(p Policy, sights []Sight, branch string, now time.Time) []string {
	if len(sights) == 0 {
		return []string{"Gladly's status page is not read by this bot yet" + statusPage(p) + "."}
	}
	var out []string
	for _, s := range sights {
		out = append(out, card.Shorten(possessive(s.Page.Name)+" page"+pageLine(s, branch, now), card.MaxText))
	}
	return out
}

func pageLine(s Sight, branch string, now time.Time) string {
	w := s.Watch
	said := saidOf(w, branch, now)
	switch {
	case w.Strange != "" && !w.Failing.IsZero():
		return " is not believed since " + card.Clock(w.Failing) + ": another page answers at its address. Please look at " + s.Page.Link + "."
	case w.Read.IsZero() && !w.Failing.IsZero():
		return " cannot be read: " + w.Why + ". Please look at " + s.Page.Link + "."
	case w.Read.IsZero():
		return " has not been read yet. Please look at " + s.Page.Link + "."
	case !w.Failing.IsZero():
		return " cannot be read since " + card.Clock(w.Failing) + " (" + w.Why + "). At " + card.Clock(w.Read) + " it said: " + said + "."
	}
	return ": " + said + " (read " + ago(now.Sub(w.Read)) + ")."
}

// saidOf is what a page says about a branch: what is open for it, and how much more.
func saidOf(w Watch, branch string, now time.Time) string {
	var mine, other []string
	over := ""
	for _, b := range w.Briefs {
		about := branch == "" || slices.Contains(b.Branches, branch) || len(b.Branches) == 0
		if b.Phase == incident.Over && !b.Hidden && about && now.Sub(b.Ended) < overFor {
			over = ", “" + card.Shorten(b.Name, 80) + "” is over since " + card.Clock(b.Ended)
		}
		if b.Phase != incident.Ongoing || b.Hidden {
			continue
		}
		line := "“" + card.Shorten(b.Name, 80) + "” since " + card.Clock(b.Since) + ", " + cmp.Or(incident.Words(b.State), "open")
		if !b.Confirmed {
			line += ", its newest word not yet confirmed"
		}
		if b.NotUs {
			line += ", not affecting us as somebody said"
		}
		if about {
			mine = append(mine, line)
		} else {
			other = append(other, line)
		}
	}
	switch {
	case len(mine) > 0:
		return list(mine[:min(len(mine), 3)])
	case len(other) > 0:
		return "nothing for " + branchName(branch) + "; but " + list(other[:min(len(other), 3)])
	}
	return "nothing reported" + over
}
