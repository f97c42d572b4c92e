package flow

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"switchback/bot/card"
	"switchback/bot/change"
)

// shortID derives an id that people can type from what it is made for, so that the same event makes the same id.
func shortID(prefix, from string) string {
	sum := sha256.Sum256([]byte(from))
	return prefix + strings.ToLower(base32.HexEncoding.EncodeToString(sum[:5]))
}

// words says a duration as people do: "15 min", "4 h", "2 h 47".
func words(d time.Duration) string {
	d = d.Round(time.Minute)
	h, m := int(d.Hours()), int(d.Minutes())%60
	switch {
	case h == 0:
		return fmt.Sprintf("%d min", m)
	case m == 0:
		return fmt.Sprintf("%d h", h)
	}
	return fmt.Sprintf("%d h %02d", h, m)
}

// list joins words with commas and a last "and".
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

func at(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = "@" + strings.TrimPrefix(n, "@")
	}
	return out
}

// plain takes control characters out of what people wrote, so that no text can forge a time or break a line format.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
}

func firstLine(s string) string {
	line, _, more := strings.Cut(s, "\n")
	if more {
		return line + " …"
	}
	return line
}

// quoted shows a value within a sentence.
func quoted(v change.Value) string { return card.Shorten(firstLine(v.Text), 60) }

// fingerprint names the value that was found in the way of a step.
func fingerprint(st change.Step) string {
	if st.Now == nil {
		return ""
	}
	return shortID("", string(st.Now.Raw))
}

// capital is how a channel stands at the head of a card.
func capital(channel string) string {
	if channel == "email" {
		return "E-MAIL"
	}
	return strings.ToUpper(channel)
}

// effect says what an action means to customers.
type effect struct{ many, none, do, set, not, notAsked, denied, unknown, back string }

func effectOf(action string) effect {
	switch action {
	case change.CloseChat:
		return effect{many: "apps", none: "the organisation document names no Glad App (apps:)", notAsked: "%s: its page HAS NOT ASKED YET whether chat is closed", denied: "%s: closed by the bot, but a customer FOUND IT OPEN", unknown: "%s NOT KNOWN YET, open or closed", do: "Close %s now", set: "%s CLOSED", not: "%s STILL OPEN", back: "%s open again"}
	case change.PhonesToVoicemail:
		return effect{many: "numbers", none: "the organisation document names no phone number (numbers:)", notAsked: "%s: the phone menu HAS NOT ASKED YET where calls go", denied: "%s: voicemail by the bot, but a caller DID NOT HEAR IT", unknown: "%s NOT KNOWN YET, voicemail or not", do: "Send %s to voicemail now", set: "callers of %s hear voicemail", not: "callers of %s STILL reach nobody", back: "%s as before"}
	}
	return effect{many: "settings", none: "there is nothing that can be set", notAsked: "%s: nobody HAS ASKED for it yet", denied: "%s: changed by the bot, but a customer DID NOT SEE IT", unknown: "%s NOT KNOWN YET", do: "Change %s now", set: "%s CHANGED", not: "%s NOT YET CHANGED", back: "%s as before"}
}

// some names targets, or counts them where they are many: "8 of 12 numbers".
func some(labels []string, all int, many string) string {
	switch {
	case len(labels) <= 3 && (all <= 3 || len(labels) == 1):
		return list(labels)
	case len(labels) == all:
		return fmt.Sprintf("all %d %s", all, many)
	}
	return fmt.Sprintf("%d of %d %s", len(labels), all, many)
}

// counted says how many there are: "1 number", "2 numbers".
func counted(labels []string, many string) string {
	if len(labels) == 1 {
		many = strings.TrimSuffix(many, "s")
	}
	return fmt.Sprintf("%d %s", len(labels), many)
}

// truth is what customers meet now: the headline. The first step of a target is the one that they notice.
func truth(o Outage, r change.Record) string {
	if len(r.Steps) == 0 {
		return o.Leaf.Title
	}
	type group struct {
		action, format string
		labels         []string
	}
	var groups []group
	all := map[string]int{}
	seen := map[string]bool{}
	for _, st := range r.Steps {
		if seen[st.Action+st.Target] {
			continue
		}
		seen[st.Action+st.Target] = true
		all[st.Action]++
		f := targetTruth(o, r, st)
		if o.Channel == "login" && st.Action == change.PhonesToVoicemail && f == effectOf(st.Action).not {
			f = "callers of %s hear Gladly's own message"
		}
		i := slices.IndexFunc(groups, func(g group) bool { return g.action == st.Action && g.format == f })
		if i < 0 {
			groups = append(groups, group{action: st.Action, format: f})
			i = len(groups) - 1
		}
		groups[i].labels = append(groups[i].labels, st.Label)
	}
	out := make([]string, len(groups))
	for i, g := range groups {
		out[i] = fmt.Sprintf(g.format, some(g.labels, all[g.action], effectOf(g.action).many))
	}
	return strings.Join(out, " · ")
}

// targetTruth is what customers meet at the target of a step: where there are weekdays, it is today's that counts.
func targetTruth(o Outage, r change.Record, first change.Step) string {
	today := o.now.Format(time.DateOnly)
	days, now := false, first
	for i := range r.Steps { // in place: this runs for every step of every card
		st := &r.Steps[i]
		if st.Day == "" || st.Target != first.Target || st.Action != first.Action {
			continue
		}
		if st.Day == today {
			return stepTruth(*st)
		}
		if !days {
			now = *st
		}
		days = true
	}
	if days && !o.now.IsZero() && now.Day < today && now.Open() {
		return "%s OPEN AGAIN since midnight"
	}
	if a, flag := o.asked[now.Key]; flag && now.State == change.IsSet {
		switch n := len(now.Checks); {
		case !a.Last.After(now.At):
			return effectOf(now.Action).notAsked // no effect before that
		case n > 0 && now.Checks[n-1].Said == "no" && !now.Checks[n-1].Back:
			return effectOf(now.Action).denied
		}
	}
	return stepTruth(now)
}

func stepTruth(st change.Step) string {
	w := effectOf(st.Action)
	switch {
	case st.State == change.Left:
		return "%s left as it is"
	case st.Tries > 0 && st.State != change.Recorded: // no clear answer: it may have taken effect
		return w.unknown
	case st.Back && (st.State == change.Unknown || st.State == change.Conflict && st.Now != nil && !st.Now.Equal(st.Want)):
		return w.unknown // nobody has looked yet, or it shows what somebody else set
	case st.State == change.Restored:
		return w.back
	case st.State == change.IsSet, st.State == change.Adopted, st.Back:
		return w.set
	}
	return w.not
}

func headline(o Outage, r change.Record) string {
	text := truth(o, r)
	switch {
	case o.Ended == nil || len(r.Steps) > 0:
	case o.Ended.How == "works":
		text = "works again: " + text
	default:
		text = "over: " + text
	}
	return card.Shorten(capital(o.Channel)+" – "+text, card.MaxTitle)
}

func stepName(st change.Step) string { return st.Label + ", " + st.Name }

func names(steps []change.Step) string {
	out := make([]string, len(steps))
	for i, st := range steps {
		out[i] = stepName(st)
	}
	return list(out)
}

// stepWord says how far a step has come.
func stepWord(st change.Step) string {
	switch st.State {
	case change.Planned, change.Recorded:
		return "next"
	case change.Intent:
		if st.Tries > 0 {
			return "no clear answer yet, trying again"
		}
		return "being done"
	case change.IsSet:
		if st.Back {
			return "being put back"
		}
		return "done " + card.Clock(st.At)
	case change.RestoreIntent:
		if st.Tries > 0 {
			return "no clear answer yet, trying again"
		}
		return "being put back"
	case change.Restored:
		if st.Spared {
			return "never touched"
		}
		return "as before " + card.Clock(st.At)
	case change.Failed:
		return "DID NOT WORK: " + reason(st)
	case change.Conflict:
		if st.Now == nil {
			return "needs your answer: " + st.Reason
		}
		return "needs your answer: it shows " + quoted(*st.Now)
	case change.Unknown:
		return "asked, not answered"
	case change.Adopted:
		return "was set already when we began; what was there before is not known yet"
	case change.Left:
		return "left as it is: " + st.Reason
	}
	return string(st.State)
}

// reason says why a step did not work, in the platform's words.
func reason(st change.Step) string {
	if _, why, ok := strings.Cut(st.Reason, change.ErrRefused.Error()+": "); ok {
		return "Gladly refused it: " + why
	}
	return "Gladly gave no clear answer (" + st.Reason + ")"
}

func endWord(o Outage) string {
	took := words(o.Ended.At.Sub(o.Began))
	if took == "0 min" {
		took = "less than a minute"
	}
	switch o.Ended.How {
	case "restored":
		return "Restored " + card.Clock(o.Ended.At) + " by " + o.Ended.By + ". It took " + took
	case "left":
		return "Over " + card.Clock(o.Ended.At) + ": nothing was put back, everything is left as it is, by name. It took " + took
	case "works":
		return "Works again, says " + o.Ended.By + " " + card.Clock(o.Ended.At) + ". It took " + took
	case "drill":
		return "Over " + card.Clock(o.Ended.At) + ": " + o.Ended.Reason
	case "abandoned":
		return "Given up by " + o.Ended.By + " " + card.Clock(o.Ended.At) + ", settings left as they are: " + o.Ended.Reason
	}
	return "Ended " + card.Clock(o.Ended.At) + ", not confirmed: nobody answered"
}

// withWays fills in the ways in which customers can reach us that have no open outage, and that are not the channel
// itself.
func withWays(text string, p Policy, open []Outage, channel string) string {
	return strings.ReplaceAll(text, "{ways}", waysText(p, open, channel))
}

func waysText(p Policy, open []Outage, channel string) string {
	var out []string
	for _, w := range p.Ways {
		down := slices.ContainsFunc(open, func(o Outage) bool { return takesDown(o.Channel, w.Channel) })
		if !down && !takesDown(channel, w.Channel) {
			out = append(out, w.Text)
		}
	}
	if len(out) == 0 {
		return "try again later"
	}
	return strings.Join(out, ", or ")
}

// takesDown reports whether an outage of one channel makes another useless to customers. Where nobody can log in,
// nobody answers at once; what can wait for an answer still arrives.
func takesDown(broken, channel string) bool {
	return broken == channel || broken == "login" && (channel == "voice" || channel == "chat")
}

// nanos names a moment, the same before it was stored and after.
func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 36) }

// capitalised begins a sentence.
func capitalised(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
