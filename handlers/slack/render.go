package slack

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	slackgo "github.com/slack-go/slack"

	"switchback/bot/card"
)

// message draws a card as a message: the blocks, and the text for notifications and screen readers, which has
// everything that the blocks have. The actions block carries id (at most 100 bytes), which comes back with a press.
//
// What a card says may come from anybody, so the blocks have no mrkdwn at all: only plain text, and rich text, whose
// elements Slack does not read for markup, mentions or emoji. That is also why notes are quotes and not context blocks,
// where the reader's time or the writer's words would have to suffer.
func message(c card.Card, id string) (text string, blocks []slackgo.Block) {
	s := sheetOf(c)
	s.fit(maxMessage)
	blocks = s.blocks(true)
	if b := actions(c, id, ""); b != nil {
		blocks = append(blocks, b)
	}
	return s.text(), blocks
}

// homeID is what a press on the Home tab gives back as the id of its message.
const homeID = "home"

// home draws cards one below the other on the Home tab, and says how many did not fit.
func home(cards []card.Card) slackgo.HomeTabViewRequest {
	var out []slackgo.Block
	for i, c := range cards {
		s := sheetOf(c)
		s.fit(maxMessage)
		blocks := s.blocks(true)
		if b := actions(c, homeID, fmt.Sprint(i)); b != nil {
			blocks = append(blocks, b)
		}
		if i > 0 {
			blocks = append([]slackgo.Block{slackgo.NewDividerBlock()}, blocks...)
		}
		if len(out)+len(blocks) >= maxViewBlocks {
			out = append(out, paragraph(line{{text: leftOut(len(cards) - i)}}))
			break
		}
		out = append(out, blocks...)
	}
	if len(out) == 0 {
		out = append(out, paragraph(line{{text: "There is nothing to see here."}}))
	}
	return slackgo.HomeTabViewRequest{Type: slackgo.VTHomeTab, Blocks: slackgo.Blocks{BlockSet: out}}
}

// span is a run of characters, an address, or a moment.
type span struct {
	text  string
	style style
	link  bool // text is an address
	at    time.Time
	form  string // not empty: a moment, in this form of Slack's
}

type style int

const (
	regular style = iota
	bold
	italic
)

// line is what stands on one line, if it fits there.
type line []span

// Slack draws these in the reader's zone, https://docs.slack.dev/messaging/formatting-message-text#date-formatting
const (
	clockForm = "{time}"
	dayForm   = "{date_short_pretty} {time}"
)

// read takes a card's text apart: moments become spans of their own, and what steers a screen is taken out.
func read(s string, as style) line {
	var out line
	var moments line
	const hole = "\x00"
	s = card.Times(strings.ReplaceAll(s, hole, ""), func(t time.Time, withDate bool) string {
		m := span{at: t, form: clockForm, text: "", style: as}
		if withDate {
			m.form = dayForm
		}
		if t.Unix() <= 0 || t.Year() > 9999 { // no date of Slack's
			return m.fallback()
		}
		moments = append(moments, m)
		return hole
	})
	for i, part := range strings.Split(s, hole) {
		if i > 0 {
			out = append(out, moments[i-1])
		}
		if part = clean(part); part != "" {
			out = append(out, span{text: part, style: as})
		}
	}
	return out
}

// fallback is a moment for places and clients that cannot draw it in the reader's zone.
func (s span) fallback() string {
	if s.form == dayForm {
		return s.at.UTC().Format("Mon 2 Jan 15:04 UTC")
	}
	return s.at.UTC().Format("15:04 UTC")
}

// plain is a card's text for a place that takes no moments and one line only.
func plain(s string) string {
	return read(s, regular).oneLine()
}

func (l line) oneLine() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.words())
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func (s span) words() string {
	if s.form != "" {
		return s.fallback()
	}
	return s.text
}

// clean takes out what steers a screen or turns the order of what stands there. Joiners stay: emoji are made with them.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cc, r) && r != '\n' && r != '\t' || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

func (l line) width() int {
	n := 0
	for _, s := range l {
		n += width(s.words())
	}
	return n
}

// cut shortens a line to a width of n.
func (l line) cut(n int) line {
	if l.width() <= n {
		return l
	}
	var out line
	for _, s := range l {
		w := width(s.words())
		if w < n { // one is kept for the dots
			out, n = append(out, s), n-w
			continue
		}
		if s.form != "" || n <= 1 {
			return append(out, span{text: "…", style: s.style})
		}
		s.text, s.link = shorten(s.text+"…", n), false
		return append(out, s)
	}
	return out
}

var address = regexp.MustCompile(`https://[^\s<>"'|]*[^\s<>"'|.,;:!?()\]}’”…]`)

// linked makes addresses of a line ones that can be pressed. What is pressed is what is read.
func (l line) linked() line {
	var out line
	for _, s := range l {
		if s.form != "" {
			out = append(out, s)
			continue
		}
		rest := s.text
		for _, a := range address.FindAllString(s.text, -1) {
			before, after, _ := strings.Cut(rest, a)
			if before != "" {
				out = append(out, span{text: before, style: s.style})
			}
			out = append(out, span{text: a, style: s.style, link: len(a) <= maxTextObject})
			rest = after
		}
		if rest != "" {
			out = append(out, span{text: rest, style: s.style})
		}
	}
	return out
}

// merged puts spans of one kind together.
func (l line) merged() line {
	var out line
	for _, s := range l {
		if n := len(out); n > 0 && s.form == "" && out[n-1].form == "" && !s.link && !out[n-1].link && s.style == out[n-1].style {
			out[n-1].text += s.text
			continue
		}
		out = append(out, s)
	}
	return out
}

func (l line) elements() []slackgo.RichTextSectionElement {
	var out []slackgo.RichTextSectionElement
	for _, s := range l.merged() {
		var st *slackgo.RichTextSectionTextStyle
		if s.style != regular {
			st = &slackgo.RichTextSectionTextStyle{Bold: s.style == bold, Italic: s.style == italic}
		}
		switch {
		case s.form != "":
			e := slackgo.NewRichTextSectionDateElement(s.at.Unix(), s.form, nil, new(s.fallback()))
			e.Style = st
			out = append(out, e)
		case s.link:
			out = append(out, slackgo.NewRichTextSectionLinkElement(s.text, "", st))
		case s.text != "":
			out = append(out, slackgo.NewRichTextSectionTextElement(s.text, st))
		}
	}
	return out
}

// sheet is a card in lines.
type sheet struct {
	drill      bool
	keep       bool
	title      line
	sign       string // how serious it is: a picture and a word
	paragraphs []line
	facts      []line
	spoken     []string // the facts as sentences
	notes      []line
	buttons    []string
	noFacts    int // how many were left out
	noNotes    int
}

// drillWords stand at the head of whatever is practice.
const drillWords = "DRILL – nothing is real"

func sheetOf(c card.Card) *sheet {
	s := &sheet{drill: c.Drill, keep: c.Keep, title: read(orElse(c.Title, "Switchback"), bold), sign: sign(c.Tone)}
	for _, t := range c.Text {
		if l := read(t, regular).linked(); len(l) > 0 {
			s.paragraphs = append(s.paragraphs, l.cut(maxTextObject))
		}
	}
	for _, f := range c.Facts {
		if l := fact(f); len(l) > 0 {
			s.facts = append(s.facts, l.cut(maxTextObject))
			s.spoken = append(s.spoken, sentence(f))
		}
	}
	for _, n := range c.Notes {
		if l := read(n, regular).linked(); len(l) > 0 {
			s.notes = append(s.notes, l.cut(maxTextObject))
		}
	}
	for _, b := range c.Buttons {
		s.buttons = append(s.buttons, shorten(plain(b.Label), maxLabel))
	}
	return s
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

// head is the title with what must stand before it.
func (s *sheet) head() line {
	before := s.sign
	if s.drill {
		before = drillWords + ": " + before
	}
	return append(line{{text: before, style: bold}}, s.title...)
}

// fact is a setting in one line: name, before → after, how, and what is to say about it.
func fact(f card.Fact) line {
	var out line
	add := func(between string, l line) {
		if len(l) == 0 {
			return
		}
		if len(out) > 0 && between != "" {
			out = append(out, span{text: between})
		}
		out = append(out, l...)
	}
	add("", read(f.Name, bold))
	before, after := read(f.Before, regular), read(f.After, regular)
	add("  ", before)
	if len(after) > 0 {
		arrow := "  → "
		if len(before) > 0 {
			arrow = " → "
		}
		out = append(out, span{text: arrow})
		out = append(out, after...)
	}
	add("  ", read(f.How, italic))
	add(" · ", read(f.Note, regular))
	return out
}

// sentence says a fact without signs that only the eye understands. Its moments are still marks.
func sentence(f card.Fact) string {
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

// most lines of one kind: more would be of no use to anybody, and each is an element.
const mostLines = 100

func leftOut(n int) string { return fmt.Sprintf("… and %d more, which did not fit here.", n) }

// fit makes a sheet no wider than most: notes go first and facts then, the last ones first, and long texts are cut.
func (s *sheet) fit(most int) {
	s.noNotes, s.notes = max(0, len(s.notes)-mostLines), s.notes[:min(len(s.notes), mostLines)]
	s.noFacts, s.facts = max(0, len(s.facts)-mostLines), s.facts[:min(len(s.facts), mostLines)]
	if len(s.paragraphs) > mostParagraphs { // the rest in one, so that there are not too many blocks
		for _, l := range s.paragraphs[mostParagraphs:] {
			last := &s.paragraphs[mostParagraphs-1]
			*last = append(append(*last, span{text: "\n"}), l...)
		}
		s.paragraphs = s.paragraphs[:mostParagraphs]
	}
	most -= 2*width(leftOut(len(s.notes)+len(s.facts))) + 2*s.head().width()
	for _, b := range s.buttons {
		most -= width(b)
	}
	over := func() int {
		n := -most
		for _, l := range slices.Concat(s.paragraphs, s.facts, s.notes) {
			n += l.width()
		}
		return n
	}
	for over() > 0 && len(s.notes) > 1 {
		s.notes, s.noNotes = s.notes[:len(s.notes)-1], s.noNotes+1
	}
	for over() > 0 && len(s.facts) > 1 {
		s.facts, s.noFacts = s.facts[:len(s.facts)-1], s.noFacts+1
	}
	const least = 60
	for _, lines := range [][]line{s.paragraphs, s.facts, s.notes} {
		for i := range slices.Backward(lines) {
			if n := over(); n > 0 {
				lines[i] = lines[i].cut(max(lines[i].width()-n, least))
			}
		}
	}
	for i, l := range s.paragraphs {
		s.paragraphs[i] = l.cut(maxTextObject)
	}
}

// mostParagraphs have a block of their own.
const mostParagraphs = 30

// blocks draws all but the buttons.
func (s *sheet) blocks(withHead bool) []slackgo.Block {
	var out []slackgo.Block
	head := s.head().cut(maxTextObject)
	if withHead {
		out = append(out, slackgo.NewHeaderBlock(plainText(head.oneLine(), maxHeader)))
	}
	if !withHead || width(head.oneLine()) > maxHeader {
		out = append(out, paragraph(head))
	}
	for _, l := range s.paragraphs {
		if s.keep {
			out = append(out, slackgo.NewRichTextBlock("", &slackgo.RichTextPreformatted{Type: slackgo.RTEPreformatted, Elements: l.unlinked().elements()}))
			continue
		}
		out = append(out, paragraph(l))
	}
	for _, lines := range inBlocks(s.facts) {
		var items []slackgo.RichTextElement
		for _, l := range lines {
			items = append(items, slackgo.NewRichTextSection(l.elements()...))
		}
		out = append(out, slackgo.NewRichTextBlock("", bullets{slackgo.RTEList, slackgo.RTEListBullet, items}))
	}
	if s.noFacts > 0 {
		out = append(out, paragraph(line{{text: leftOut(s.noFacts)}}))
	}
	for _, lines := range inBlocks(s.notes) {
		var quotes []slackgo.RichTextElement
		for _, l := range lines {
			quotes = append(quotes, &slackgo.RichTextQuote{Type: slackgo.RTEQuote, Elements: l.elements()})
		}
		out = append(out, slackgo.NewRichTextBlock("", quotes...))
	}
	if s.noNotes > 0 {
		out = append(out, paragraph(line{{text: leftOut(s.noNotes)}}))
	}
	return out
}

// bullets is a list without the fields of slack-go's that Slack's own types do not know.
type bullets struct {
	Type     slackgo.RichTextElementType     `json:"type"`
	Style    slackgo.RichTextListElementType `json:"style"`
	Elements []slackgo.RichTextElement       `json:"elements"`
}

// RichTextElementType makes bullets an element of rich text.
func (b bullets) RichTextElementType() slackgo.RichTextElementType { return b.Type }

// unlinked has addresses as text again: what is kept is copied.
func (l line) unlinked() line {
	out := slices.Clone(l)
	for i := range out {
		out[i].link = false
	}
	return out
}

// inBlocks puts lines together as long as a block takes them.
func inBlocks(lines []line) [][]line {
	var out [][]line
	room := 0
	for _, l := range lines {
		if w := l.width(); len(out) == 0 || w > room {
			out, room = append(out, nil), maxTextObject
		}
		out[len(out)-1] = append(out[len(out)-1], l)
		room -= l.width()
	}
	return out
}

func paragraph(l line) *slackgo.RichTextBlock {
	return slackgo.NewRichTextBlock("", slackgo.NewRichTextSection(l.elements()...))
}

// plainText takes words without marks.
func plainText(s string, most int) *slackgo.TextBlockObject {
	return slackgo.NewTextBlockObject(slackgo.PlainTextType, shorten(orElse(s, "–"), most), false, false)
}

func orElse(s, other string) string {
	if strings.TrimSpace(s) == "" {
		return other
	}
	return s
}

// actions draws the buttons; nil where there are none. Salt tells the same card in one view from itself.
func actions(c card.Card, id, salt string) *slackgo.ActionBlock {
	var elements []slackgo.BlockElement
	for i, b := range c.Buttons {
		if len(elements) == maxButtons || width(b.Action) > maxValue {
			break
		}
		e := slackgo.NewButtonBlockElement(fmt.Sprintf("button%d", i), b.Action, plainText(plain(b.Label), maxLabel))
		switch b.Style {
		case card.Primary:
			e.Style = slackgo.StylePrimary
		case card.Danger:
			e.Style = slackgo.StyleDanger
		case card.Plain:
		}
		if q := b.Sure; q != nil {
			e.Confirm = slackgo.NewConfirmationBlockObject(
				plainText(orElse(plain(q.Title), plain(b.Label)), maxSureTitle), plainText(orElse(plain(q.Text), "Are you sure?"), maxSureText),
				plainText(orElse(plain(q.Yes), "Yes"), maxSureButton), plainText(orElse(plain(q.No), "No"), maxSureButton),
			).WithStyle(slackgo.StyleDanger)
		}
		elements = append(elements, e)
	}
	if len(elements) == 0 {
		return nil
	}
	return slackgo.NewActionBlock(blockID(id, c, salt), elements...)
}

// blockID carries id through a press, and is another one for every other content: Slack wants a new one after an
// update (https://docs.slack.dev/reference/block-kit/blocks/actions-block).
func blockID(id string, c card.Card, salt string) string {
	data, _ := json.Marshal(c) // of strings and numbers only: there is nothing to fail
	sum := sha256.Sum256(append(data, salt...))
	enc := base64.RawURLEncoding
	out := "1." + enc.EncodeToString([]byte(id)) + "." + enc.EncodeToString(sum[:9])
	if len(out) > maxID {
		return blockID("", c, salt)
	}
	return out
}

// pressedID is the id that message gave to the block; "" if it is not one of ours.
func pressedID(block string) string {
	parts := strings.Split(block, ".")
	if len(parts) != 3 || parts[0] != "1" {
		return ""
	}
	id, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	return string(id)
}

// text says a sheet in sentences, for notifications and screen readers, which read no blocks.
func (s *sheet) text() string {
	closing := ""
	if len(s.buttons) > 0 {
		closing = "Buttons: " + strings.Join(s.buttons[:min(len(s.buttons), maxButtons)], ", ")
		closing = mrkdwn(stopped(line{{text: shorten(closing, maxText/2)}}))
	}
	const more = "The message says more."
	room := maxText - width(closing) - len(more) - 2
	var out []string
	full := false
	add := func(l line) {
		if full {
			return
		}
		said := mrkdwn(l)
		for n := room; width(said) >= room; n /= 2 { // escaped, it is longer than it is wide
			full = true
			if n < 40 {
				return
			}
			said = mrkdwn(l.cut(n))
		}
		out, room = append(out, said), room-width(said)-1
	}
	add(stopped(s.head()))
	for _, l := range s.paragraphs {
		add(stopped(l))
	}
	for _, f := range s.spoken[:len(s.facts)] {
		add(stopped(read(f, regular)))
	}
	if s.noFacts > 0 {
		add(line{{text: leftOut(s.noFacts)}})
	}
	for _, l := range s.notes {
		add(stopped(l))
	}
	if s.noNotes > 0 {
		add(line{{text: leftOut(s.noNotes)}})
	}
	if full {
		out = append(out, more)
	}
	if closing != "" {
		out = append(out, closing)
	}
	return strings.Join(out, "\n")
}

// stopped ends a line as a sentence.
func stopped(l line) line {
	if len(l) == 0 {
		return l
	}
	last := []rune(strings.TrimSpace(l[len(l)-1].words()))
	if len(last) > 0 && strings.ContainsRune(".!?:…}", last[len(last)-1]) {
		return l
	}
	return append(slices.Clone(l), span{text: "."})
}

// mrkdwn writes a line for the one place that Slack reads for markup: the text of a message.
func mrkdwn(l line) string {
	var b strings.Builder
	for _, s := range l {
		if s.form != "" {
			fmt.Fprintf(&b, "<!date^%d^%s|%s>", s.at.Unix(), s.form, s.fallback())
			continue
		}
		b.WriteString(escape(s.text))
	}
	return b.String()
}

// escape leaves nothing in s that Slack could take for markup or a mention. It knows no way to write the signs of
// markup as themselves, so others that look like them stand for them.
func escape(s string) string {
	s = strings.NewReplacer(
		"&", "&amp;", "<", "&lt;", ">", "&gt;",
		"*", "∗", "＊", "∗", "_", "ˍ", "＿", "ˍ", "~", "∼", "～", "∼", "`", "ˋ", "｀", "ˋ",
	).Replace(s)
	return quoteMark.ReplaceAllString(s, "$1›")
}

// quoteMark begins a quote, even escaped.
var quoteMark = regexp.MustCompile(`(?m)^([\s\x{FEFF}]*)(?:&gt;|＞)`)
