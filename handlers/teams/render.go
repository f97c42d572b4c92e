package teams

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"switchback/bot/card"
)

// adaptive is an Adaptive Card, with the few elements that cards of ours need.
// https://adaptivecards.io/explorer
type adaptive struct {
	Type     string      `json:"type"`
	Schema   string      `json:"$schema"`
	Version  string      `json:"version"`
	Fallback string      `json:"fallbackText"`
	Speak    string      `json:"speak"`
	Body     []any       `json:"body"`
	Actions  []action    `json:"actions,omitzero"`
	Teams    *adaptiveMS `json:"msteams,omitzero"`
}

// adaptiveMS is what only Teams knows of a card.
type adaptiveMS struct {
	Width    string        `json:"width,omitzero"`
	Entities []mentionedAs `json:"entities,omitzero"`
}

// mentionedAs says who is meant by a mention in a text.
type mentionedAs struct {
	Type      string `json:"type"`
	Text      string `json:"text"`
	Mentioned struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"mentioned"`
}

// richText is a paragraph of runs, which Teams does not read for markup.
type richText struct {
	Type    string `json:"type"`
	Inlines []run  `json:"inlines"`
	Spacing string `json:"spacing,omitzero"`
}

type run struct {
	Type     string  `json:"type"`
	Text     string  `json:"text"`
	Size     string  `json:"size,omitzero"`
	Weight   string  `json:"weight,omitzero"`
	Color    string  `json:"color,omitzero"`
	Font     string  `json:"fontType,omitzero"`
	Italic   bool    `json:"italic,omitzero"`
	IsSubtle bool    `json:"isSubtle,omitzero"`
	Select   *action `json:"selectAction,omitzero"`
}

// textBlock is read for markup: only mentions stand in one.
type textBlock struct {
	Type string `json:"type"`
	Text string `json:"text"`
	Wrap bool   `json:"wrap"`
}

// actionSet has the buttons. Older clients draw Action.Execute only there.
type actionSet struct {
	Type    string   `json:"type"`
	Actions []action `json:"actions"`
}

type action struct {
	Type     string    `json:"type"`
	Title    string    `json:"title,omitzero"`
	Style    string    `json:"style,omitzero"`
	Verb     string    `json:"verb,omitzero"`
	Data     any       `json:"data,omitzero"`
	URL      string    `json:"url,omitzero"`
	Card     *adaptive `json:"card,omitzero"`
	Fallback *action   `json:"fallback,omitzero"`
}

// dataKey is where an action has what is ours among what people typed: the opaque action, and the key of its message.
const dataKey = "switchback"

// verb of every Action.Execute: its data says the rest.
const verb = "press"

// data goes with a button and comes back with a press.
type data struct {
	Ours  ours   `json:"switchback"`
	Teams *fetch `json:"msteams,omitzero"`
}

type ours struct {
	Action  string `json:"a"`
	Message string `json:"m,omitzero"`
}

// fetch makes a press ask for a dialog.
type fetch struct {
	Type string `json:"type"`
}

// mention is somebody who is to be named: by an object in Entra, or by name alone.
type mention struct{ name, object string }

// message draws a card. A press brings key back. What a card says may come from anybody: it stands in runs of rich
// text alone, which Teams does not read for markup or mentions.
func message(c card.Card, key string, who ...mention) adaptive {
	s := sheetOf(c)
	for {
		out := s.draw(c, key, who)
		encoded, err := json.Marshal(out)
		if err != nil || len(encoded) <= maxCard || !s.shrink() { // there is nothing that cannot be marshalled
			return out
		}
	}
}

// summary is a card in one line, for a notification.
func summary(c card.Card) string { return shorten(plain(sheetOf(c).head()), maxSummary) }

// sentence is a card in words, where no card can be drawn.
func sentence(c card.Card) string {
	out := []string{stopped(plain(sheetOf(c).head()))}
	for _, t := range c.Text {
		out = append(out, stopped(plain(t)))
	}
	return shorten(unmarked(strings.Join(out, " ")), maxSentence)
}

// sheet is what is left of a card's texts when it has to shrink.
type sheet struct {
	card     card.Card
	noFacts  int // how many were left out
	noNotes  int
	longest  int // of a paragraph or a fact, in characters; 0: any
	noSpeech bool
}

func sheetOf(c card.Card) *sheet {
	if strings.TrimSpace(c.Title) == "" {
		c.Title = "Switchback"
	}
	return &sheet{card: c}
}

// shrink leaves something out: notes first, facts then, the last ones first, and then the ends of long texts. It
// reports whether there was anything.
func (s *sheet) shrink() bool {
	c := &s.card
	switch {
	case len(c.Notes) > 1:
		c.Notes, s.noNotes = c.Notes[:len(c.Notes)-1], s.noNotes+1
	case len(c.Facts) > 1:
		c.Facts, s.noFacts = c.Facts[:len(c.Facts)-1], s.noFacts+1
	case s.longest == 0:
		s.longest = 4000
	case s.longest > 60:
		s.longest /= 2
	case len(c.Text) > 1:
		c.Text = c.Text[:len(c.Text)-1]
	case !s.noSpeech:
		s.noSpeech = true
	default:
		return false
	}
	return true
}

// drillWords stand at the head of whatever is practice.
const drillWords = "DRILL – nothing is real"

// head is the title with what must stand before it.
func (s *sheet) head() string {
	out := sign(s.card.Tone) + s.card.Title
	if s.card.Drill {
		out = drillWords + ": " + out
	}
	return out
}

// sign says how serious a card is. The picture never stands alone.
func sign(t card.Tone) string {
	switch t {
	case card.Working:
		return "⏳ Under way: "
	case card.Done:
		return "✅ Done: "
	case card.Warning:
		return "⚠️ Attention: "
	case card.Trouble:
		return "🔴 OUTAGE: "
	case card.Info:
	}
	return ""
}

func (s *sheet) draw(c card.Card, key string, who []mention) adaptive {
	speech := s.speech()
	out := adaptive{
		Type: "AdaptiveCard", Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Version: cardVersion, Fallback: speech, Speak: speech,
	}
	out.Teams = &adaptiveMS{Width: "Full"}
	if len(who) > 0 {
		block, entities := mentions(who)
		out.Body = append(out.Body, block)
		out.Teams.Entities = entities
	}
	out.Body = append(out.Body, s.body()...)
	if buttons := actionsOf(c, key); len(buttons) > 0 {
		out.Body = append(out.Body, actionSet{"ActionSet", buttons})
	}
	return out
}

// body draws all but the buttons.
func (s *sheet) body() []any {
	var out []any
	add := func(spacing string, runs []run) {
		if len(runs) > 0 {
			out = append(out, richText{"RichTextBlock", runs, spacing})
		}
	}
	for i, l := range lines(s.head()) {
		add(between(i, ""), s.runs(l, run{Weight: "Bolder", Size: "Large"}))
	}
	for _, t := range s.card.Text {
		as := run{}
		if s.card.Keep {
			as.Font = "Monospace"
		}
		for i, l := range lines(t) {
			add(between(i, "Medium"), s.runs(l, as))
		}
	}
	for _, f := range s.card.Facts {
		add("Small", s.fact(f))
	}
	if s.noFacts > 0 {
		add("Small", s.runs(leftOut(s.noFacts), run{}))
	}
	for _, n := range s.card.Notes {
		for i, l := range lines(n) {
			add(between(i, "Medium"), s.runs(l, run{Size: "Small", IsSubtle: true}))
		}
	}
	if s.noNotes > 0 {
		add("Small", s.runs(leftOut(s.noNotes), run{Size: "Small", IsSubtle: true}))
	}
	return out
}

func leftOut(n int) string { return fmt.Sprintf("… and %d more, which did not fit here.", n) }

// between is the space before the i-th line of a paragraph.
func between(i int, first string) string {
	if i > 0 {
		return "None"
	}
	return first
}

func lines(s string) []string { return strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n") }

// fact is a setting in one line: name, before → after, how, and what is to say about it.
func (s *sheet) fact(f card.Fact) []run {
	out := s.runs("• ", run{})
	add := func(between, text string, as run) {
		runs := s.runs(oneLine(text), as)
		if len(runs) == 0 {
			return
		}
		if len(out) > 1 && between != "" {
			out = append(out, run{Type: "TextRun", Text: between})
		}
		out = append(out, runs...)
	}
	add("", f.Name, run{Weight: "Bolder"})
	add("  ", f.Before, run{})
	if f.After != "" {
		arrow := " → "
		if f.Before == "" {
			arrow = "  → "
		}
		add(arrow, f.After, run{})
	}
	add("  ", f.How, run{Italic: true})
	add(" · ", f.Note, run{})
	return out
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// actionsOf draws the buttons. A press is an Action.Execute, and an Action.Submit where a client does not know that;
// one that opens a form asks for a dialog; one that asks once more before it counts unfolds the question. To say no,
// people fold it up again: a card has no button for that.
func actionsOf(c card.Card, key string) []action {
	var out []action
	for i, b := range c.Buttons {
		if i == maxActions {
			break
		}
		a := execute(plain(b.Label), b.Style, data{Ours: ours{b.Action, key}})
		switch {
		case b.Opens:
			a = action{Type: "Action.Submit", Title: a.Title, Style: a.Style, Data: data{ours{b.Action, key}, &fetch{invokeOpen}}}
		case b.Sure != nil:
			q := sheetOf(card.Card{Title: b.Sure.Title, Text: []string{b.Sure.Text}})
			yes := execute(orElse(plain(b.Sure.Yes), "Yes"), b.Style, data{Ours: ours{b.Action, key}})
			speech := q.speech()
			a = action{Type: "Action.ShowCard", Title: a.Title, Style: a.Style, Card: &adaptive{
				Type: "AdaptiveCard", Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Version: cardVersion, Fallback: speech, Speak: speech,
				Body: append(q.body(), actionSet{"ActionSet", []action{yes}}),
			}}
		}
		out = append(out, a)
	}
	return out
}

func execute(title string, s card.Style, d data) action {
	style := map[card.Style]string{card.Primary: "positive", card.Danger: "destructive"}[s]
	title = shorten(orElse(title, "–"), maxLabel)
	return action{
		Type: "Action.Execute", Title: title, Style: style, Verb: verb, Data: d,
		Fallback: &action{Type: "Action.Submit", Title: title, Style: style, Data: d},
	}
}

// orElse is s, or other where s is blank: cmp.Or would keep spaces.
func orElse(s, other string) string {
	if strings.TrimSpace(s) == "" {
		return other
	}
	return s
}

// mentions names people. It is the only text that is read for markup.
func mentions(who []mention) (textBlock, []mentionedAs) {
	var words []string
	var entities []mentionedAs
	for _, m := range who {
		name := unmarked(plain(m.name))
		if m.object == "" {
			words = append(words, "@"+name)
			continue
		}
		e := mentionedAs{Type: "mention", Text: "<at>" + name + "</at>"}
		e.Mentioned.ID, e.Mentioned.Name = m.object, name
		words, entities = append(words, e.Text), append(entities, e)
	}
	return textBlock{"TextBlock", strings.Join(words, " "), true}, entities
}

// runs takes a card's text apart: moments become what clients draw in the reader's zone, addresses can be pressed.
func (s *sheet) runs(text string, as run) []run {
	if s.longest > 0 {
		text = card.Shorten(text, s.longest)
	}
	as.Type = "TextRun"
	var out []run
	add := func(text string, open *action) {
		if text == "" {
			return
		}
		one := as
		one.Text, one.Select = text, open
		out = append(out, one)
	}
	text = marked(text)
	for _, at := range address.FindAllString(text, -1) {
		before, after, _ := strings.Cut(text, at)
		add(before, nil)
		if s.card.Keep { // what is kept is copied
			add(at, nil)
		} else {
			add(at, &action{Type: "Action.OpenUrl", URL: at}) // what is pressed is what is read
		}
		text = after
	}
	add(text, nil)
	return out
}

var address = regexp.MustCompile(`https://[^\s<>"'|{}\\^` + "`" + `]*[^\s<>"'|{}\\^` + "`" + `.,;:!?()\]’”…]`)

// hole stands for a moment while the text around it is cleaned.
const hole = "\x00"

// marked writes the moments of a text as clients read them, and takes out of the rest what they would read so, or what
// steers a screen. https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features#datetime-example
func marked(s string) string {
	var moments []string
	s = card.Times(strings.ReplaceAll(s, hole, ""), func(t time.Time, withDate bool) string {
		at := t.UTC().Format("2006-01-02T15:04:05Z")
		switch {
		case t.Unix() <= 0 || t.Year() > 9999: // no date of theirs
			return universal(t, withDate)
		case withDate:
			moments = append(moments, "{{DATE("+at+", SHORT)}} {{TIME("+at+")}}")
		default:
			moments = append(moments, "{{TIME("+at+")}}")
		}
		return hole
	})
	s = card.Channels(s, func(string) string { return "the channel" })
	var b strings.Builder
	for i, part := range strings.Split(s, hole) {
		if i > 0 {
			b.WriteString(moments[i-1])
		}
		b.WriteString(clean(part))
	}
	return b.String()
}

// universal is a moment for places that cannot draw it in the reader's zone.
func universal(t time.Time, withDate bool) string {
	if withDate {
		return t.UTC().Format("Mon 2 Jan 15:04 UTC")
	}
	return t.UTC().Format("15:04 UTC")
}

// plain is a card's text in one line, for a place that takes no moments.
func plain(s string) string {
	s = card.Channels(card.Times(s, universal), func(string) string { return "the channel" })
	return oneLine(clean(s))
}

// clean takes out what steers a screen or turns the order of what stands there, and parts braces that would be a
// function, and the signs of a mention. Joiners stay: emoji are made with them.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cc, r) && r != '\n' && r != '\t' || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.ReplaceAll(s, "{{", "{\u2060{")
	return atTag.ReplaceAllString(s, "‹$1›")
}

var atTag = regexp.MustCompile(`(?i)<(/?at[^<>]*)>`)

// unmarked has other signs in place of those that markup is made of, for texts that may be read for it. They look the
// same to people.
func unmarked(s string) string {
	s = strings.NewReplacer("*", "∗", "_", "ˍ", "~", "∼", "`", "ˋ", "](", "] (", "<", "‹", ">", "›", "\\", "∖").Replace(s)
	return heading.ReplaceAllString(s, "$1\u2060$2")
}

// heading begins a heading, a quote or a list.
var heading = regexp.MustCompile(`(?m)^(\s*)([#>+-]|\d+[.)])`)

// speech says a sheet in sentences, for screen readers, which may read it as SSML, and for clients that draw no cards,
// which may read it for markup.
func (s *sheet) speech() string { return unmarked(s.said()) }

func (s *sheet) said() string {
	out := []string{stopped(plain(s.head()))}
	if !s.noSpeech {
		for _, t := range s.card.Text {
			out = append(out, stopped(plain(t)))
		}
		for _, f := range s.card.Facts {
			out = append(out, stopped(plain(spokenFact(f))))
		}
		if s.noFacts > 0 {
			out = append(out, leftOut(s.noFacts))
		}
		for _, n := range s.card.Notes {
			out = append(out, stopped(plain(n)))
		}
	}
	var buttons []string
	for _, b := range s.card.Buttons[:min(len(s.card.Buttons), maxActions)] {
		buttons = append(buttons, plain(b.Label))
	}
	said := strings.Join(slices.DeleteFunc(out, func(s string) bool { return s == "" }), " ")
	if len(buttons) == 0 {
		return shorten(said, maxSpeech)
	}
	closing := shorten(" Buttons: "+strings.Join(buttons, ", ")+".", maxSpeech/2)
	return shorten(said, maxSpeech-width(closing)) + closing
}

// spokenFact says a fact without signs that only the eye understands. Its moments are still marks.
func spokenFact(f card.Fact) string {
	out := f.Name
	switch {
	case f.Before != "" && f.After != "":
		out += ": from " + f.Before + " to " + f.After
	case f.After != "":
		out += ": to " + f.After
	case f.Before != "":
		out += ": " + f.Before
	}
	if f.How != "" {
		out += ", " + f.How
	}
	if f.Note != "" {
		out += ": " + f.Note
	}
	return out
}

// stopped ends a line as a sentence.
func stopped(s string) string {
	r := []rune(s)
	if len(r) == 0 || strings.ContainsRune(".!?:…}", r[len(r)-1]) {
		return s
	}
	return s + "."
}
