package flow

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/incident"
)

// This file is for the auditor: what happened, when, on whose word, and whether the record is whole. Times are those of
// the organisation, with UTC beside.

// report answers /outage report: for an id, or for a day.
func (s *Service) report(ctx context.Context, b *batch, words []string, say func(card.Card)) {
	what := strings.Join(words, " ")
	meant, ok := Reported(s.policy, b.event.Desk.Past, what, b.event.At)
	if !ok {
		say(card.Card{Title: fmt.Sprintf("I know neither an outage nor a day %q", card.Shorten(plain(what), 40)), Text: []string{
			"For example: /outage report 12 Nov, /outage report yesterday, or the name of an outage. /outage history lists them.",
		}})
		return
	}
	if len(meant) != 1 {
		say(historyCard(s.policy, b.event, words))
		return
	}
	c, err := Report(ctx, s.policy, s.store, meant[0])
	if err != nil {
		zerolog.Ctx(ctx).Error().Err(err).Str("outage", meant[0].ID).Msg("no report")
		c = card.Card{Tone: card.Trouble, Title: "The record of " + meant[0].ID + " cannot be read now", Text: []string{"Please try again in a minute."}}
	}
	say(c)
}

// Reported are the outages that somebody means by an id or by a day. It reports false where that is neither. Of a day
// with one outage, drills are asked for by name.
func Reported(p Policy, past []Outage, what string, now time.Time) ([]Outage, bool) {
	if i := slices.IndexFunc(past, func(o Outage) bool { return strings.EqualFold(o.ID, what) }); i >= 0 {
		return past[i : i+1], true
	}
	day, ok := dayOf(what, now.In(p.Location()))
	if !ok {
		return nil, false
	}
	meant := onDay(past, day, now)
	if real := slices.DeleteFunc(slices.Clone(meant), func(o Outage) bool { return o.Drill }); len(real) == 1 {
		meant = real
	}
	return meant, true
}

// Records is what a report is written from.
type Records interface {
	Outage(ctx context.Context, id string) (Doc[Outage], Doc[change.Record], error)
	Log(ctx context.Context, name string) ([][]byte, error)
	Cases(ctx context.Context, page string, ids []string) (map[string]Doc[Case], error)
}

// Report answers for one outage by itself, times, words and evidence included.
func Report(ctx context.Context, p Policy, from Records, o Outage) (card.Card, error) {
	_, r, err := from.Outage(ctx, o.ID)
	if err != nil {
		return card.Card{}, err
	}
	entries, err := from.Log(ctx, "outage:"+o.ID)
	if err != nil {
		return card.Card{}, err
	}
	said := map[string]incident.Incident{}
	for _, l := range o.Links {
		found, err := from.Cases(ctx, l.Page, []string{l.ID})
		if err != nil {
			return card.Card{}, err
		}
		if c, ok := found[l.ID]; ok {
			said[l.key()] = c.Value.Incident
		}
	}
	return reportCard(p, o, r.Value, ReadChain(entries, o.Head), said), nil
}

// pageWord is what a status page said of an incident, in its own words and times.
func (p Policy) pageWord(l Link, said incident.Incident) string {
	text := l.Whose + "'s page: " + card.Shorten(plain(l.Name), 300)
	if l.NotOurs != "" {
		text += " (not ours, says " + l.NotOurs + ")"
	}
	updates := append(slices.Clone(said.Old), said.Now().Updates...)
	slices.SortStableFunc(updates, func(x, y incident.Update) int { return x.At().Compare(y.At()) })
	if len(updates) == 0 {
		return text + ". Its own words are not kept any more; what was told of them stands below."
	}
	if first := len(updates) - 8; first > 0 {
		text += fmt.Sprintf("\n(%d earlier updates)", first)
		updates = updates[first:]
	}
	for _, u := range updates {
		text += "\n" + p.twice(u.At()) + " " + capitalised(cmp.Or(incident.Words(u.Status), "said"))
		if u.Text != "" {
			text += ": “" + card.Shorten(strings.Join(strings.Fields(plain(u.Text)), " "), 200) + "”"
		}
	}
	return text
}

// onDay are the outages that were open on a day.
func onDay(past []Outage, day, now time.Time) []Outage {
	return slices.DeleteFunc(slices.Clone(past), func(o Outage) bool {
		end := now
		if o.Ended != nil {
			end = o.Ended.At
		}
		return !o.Began.Before(day.AddDate(0, 0, 1)) || end.Before(day)
	})
}

// twice is a moment in the organisation's zone, with UTC beside.
func (p Policy) twice(t time.Time) string {
	if t.IsZero() {
		return "not known"
	}
	here, utc := t.In(p.Location()), t.UTC()
	beside := "15:04"
	if here.Day() != utc.Day() {
		beside = "2 Jan 15:04"
	}
	return here.Format("Mon 2 Jan 15:04") + " (" + utc.Format(beside) + " UTC)"
}

func reportCard(p Policy, o Outage, r change.Record, c Chain, said map[string]incident.Incident) card.Card {
	out := card.Card{Drill: o.Drill, Title: card.Shorten("Report: "+capital(o.Channel)+" – "+o.Leaf.Title, card.MaxTitle)}
	when := []string{"customers hit since " + p.twice(o.Since), "declared " + p.twice(o.Began)}
	if len(r.Steps) > 0 {
		when = append(when, "first effect "+p.twice(o.Told.First), "all effects "+p.twice(o.Told.All))
	}
	end := "still open"
	if o.Ended != nil {
		end = map[string]string{"restored": "restored ", "works": "works again ", "left": "left as it was "}[o.Ended.How] + p.twice(o.Ended.At) + " by " + o.Ended.By
		if o.Ended.Reason != "" {
			end += ": " + o.Ended.Reason
		}
	}
	out.Text = append(out.Text, o.ID+", "+p.Zone+", with UTC beside. Looked after by "+o.Owner.Name+" ("+o.Owner.ID+").", capitalised(strings.Join(append(when, end), "; "))+".")
	if o.Message != "" {
		out.Text = append(out.Text, card.Shorten("Visitors read: “"+o.Message+"”", card.MaxText))
	}
	for _, st := range r.Steps {
		if len(out.Facts) == card.MaxFacts-1 && len(r.Steps) > card.MaxFacts {
			out.Facts = append(out.Facts, card.Fact{Name: fmt.Sprintf("and %d more: %s", len(r.Steps)-len(out.Facts), p.command("audit export", "--outage", o.ID))})
			break
		}
		out.Facts = append(out.Facts, card.Fact{Name: stepName(st), Note: strings.Join([]string{p.beforeWord(st), p.setWord(o, st), p.afterWord(st)}, " · ")})
	}
	for _, l := range o.Links {
		out.Notes = append(out.Notes, card.Shorten(p.pageWord(l, said[l.key()]), card.MaxText))
	}
	count := func(what string) int {
		n := 0
		for _, e := range c.Entries {
			if e.What == what {
				n++
			}
		}
		return n
	}
	out.Notes = append(out.Notes, fmt.Sprintf("Asked to click: %d. Handed over: %d. Refused: %d.", count("asked"), count("owner"), count("refused")))
	for _, l := range o.Timeline[max(0, len(o.Timeline)-20):] {
		line := p.twice(l.At) + " " + l.By + ": " + card.Shorten(l.Text, 300)
		if l.Struck != "" {
			line += " (struck by " + l.Struck + ")"
		}
		out.Notes = append(out.Notes, line)
	}
	whole := fmt.Sprintf("The record is whole: %d entries, every link holds.", len(c.Entries))
	if len(c.Problems) > 0 {
		out.Tone, whole = card.Warning, "The record is NOT whole: "+card.Shorten(strings.Join(c.Problems, "; "), 500)+"."
	}
	out.Notes = append(out.Notes, whole+" "+p.command("audit verify")+" checks all of them.")
	return out
}

// beforeWord is what was there before, and how we know.
func (p Policy) beforeWord(st change.Step) string {
	switch b := st.Before; {
	case b == nil:
		return "before: not known"
	case b.By == change.ByAPI:
		return "before: " + quoted(b.Value) + " (read by the bot " + p.twice(b.At) + ")"
	default:
		said := []string{"seen by " + b.By + " " + p.twice(b.At)}
		for _, old := range st.Noted {
			said = append(said, "noted before as "+quoted(old.Value)+" by "+old.By)
		}
		return "before: " + quoted(b.Value) + " (" + strings.Join(said, "; ") + ")"
	}
}

// setWord is what it was set to, and how we know.
func (p Policy) setWord(o Outage, st change.Step) string {
	s := "set: " + quoted(st.Want)
	taken := st.Before != nil && slices.ContainsFunc(o.Timeline, func(l Line) bool { return l.What == "import" && l.At.After(st.Before.At) })
	switch {
	case st.State == change.Adopted || st.Ours != nil:
		return "set before us: " + quoted(st.Want)
	case st.Set == nil && perhapsSet(st):
		return "never seen set"
	case st.Set == nil:
		return "never set"
	case st.Way != change.Guided && taken:
		s += " (taken as set, from its copy"
	case st.Way != change.Guided:
		s += " (read back by the bot"
	case taken: // when is not in the copy
		s += " (a person's word"
	default:
		s += " (a person's word"
		for _, l := range o.Timeline {
			if (l.What == "saved" || l.What == "seen") && strings.Contains(l.Text, stepName(st)) {
				s = "set: " + quoted(st.Want) + " (saved, says " + l.By + " " + p.twice(l.At)
				break
			}
		}
	}
	return s + p.checksWord(st, false) + ")"
}

// perhapsSet reports whether a step that nobody saw set may have been: a write without a clear answer, or clicks that were
// shown.
func perhapsSet(st change.Step) bool {
	switch st.State {
	case change.Intent, change.Unknown, change.RestoreIntent:
		return true
	case change.Restored:
		return !st.Spared && st.Before != nil && (st.Way != change.Guided || st.Shown)
	default:
		return st.Tries > 0
	}
}

// afterWord is what it is since, and how we know.
func (p Policy) afterWord(st change.Step) string {
	switch {
	case st.State == change.Left:
		return "left as it is: " + st.Reason + " (" + cmp.Or(st.By, "the bot") + " " + p.twice(st.At) + ")"
	case st.State != change.Restored:
		return "not put back yet"
	case st.Spared || st.Before == nil || st.Set == nil && !perhapsSet(st): // the last: by a version that did not say spared
		return "never touched"
	case st.Set == nil && st.Way == change.Guided:
		return "after: " + quoted(st.Before.Value) + " (seen by " + st.By + " " + p.twice(st.At) + p.checksWord(st, true) + ")"
	case st.Way == change.Guided:
		return "after: " + quoted(st.Before.Value) + " (put back, says " + st.By + " " + p.twice(st.At) + p.checksWord(st, true) + ")"
	}
	return "after: " + quoted(st.Before.Value) + " (read back by the bot " + p.twice(st.At) + p.checksWord(st, true) + ")"
}

// checksWord is what people met as customers.
func (p Policy) checksWord(st change.Step, back bool) string {
	var s strings.Builder
	for _, c := range st.Checks {
		if c.Back == back {
			s.WriteString("; as a customer: " + c.Said + ", " + c.By + " " + p.twice(c.At))
		}
	}
	return s.String()
}
