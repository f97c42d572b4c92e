package slack

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

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
	return spoken(c), blocksOf(c, id, "")
}

// blocksOf draws a card with its buttons. Salt tells it from the same card elsewhere in a view.
func blocksOf(c card.Card, id, salt string) []slackgo.Block {
	s := sheetOf(c, fact)
	taken := 2 * s.head().width() // a long one stands there twice, and so do long buttons
	for i, b := range pressable(c) {
		taken += 2 * width(s.buttons[i])
		if q := b.Sure; q != nil {
			taken += width(q.Title + q.Text + q.Yes + q.No)
		}
	}
	s.fit(maxMessage - taken)
	blocks := s.blocks(true)
	if b := actions(c, id, salt); b != nil {
		blocks = append(blocks, b)
	}
	return blocks
}

// homeID is what a press on the Home tab gives back as the id of its message.
const homeID = "home"

// home draws cards one below the other on the Home tab, and says how many did not fit.
func home(cards []card.Card) slackgo.HomeTabViewRequest {
	var out []slackgo.Block
	for i, c := range cards {
		blocks := blocksOf(c, homeID, fmt.Sprint(i))
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

// span is a run of characters, an address, a channel, or a moment.
type span struct {
	text  string
	style style
	is    being
	at    time.Time
	form  string // of a moment, as Slack writes forms
}

// being is what a span is.
type being int

const (
	words   being = iota
	address       // text is one
	channel       // text is its id
	moment
)

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

// channelID is what Slack gives channels; those of other chat platforms are words.
var channelID = regexp.MustCompile(`^[CG][A-Z0-9]{2,30}$`)

// read takes a card's text apart: what is marked becomes spans of their own, and what steers a screen is taken out.
func read(s string, as style) line {
	const hole = "\x00"
	var marked, out line
	keep := func(m span) string {
		marked = append(marked, m)
		return hole + strconv.Itoa(len(marked)-1) + hole
	}
	s = card.Channels(strings.ReplaceAll(s, hole, ""), func(id string) string {
		switch {
		case isDirect(id): // it has no name that everybody may read
			return "our direct messages"
		case channelID.MatchString(id):
			return keep(span{text: id, style: as, is: channel})
		}
		return id
	})
	s = card.Times(s, func(t time.Time, withDate bool) string {
		m := span{style: as, is: moment, at: t, form: clockForm}
		if withDate {
			m.form = dayForm
		}
		if t.Unix() <= 0 || t.Year() > 9999 { // no date of Slack's
			return m.flat()
		}
		return keep(m)
	})
	for i, part := range strings.Split(s, hole) {
		if i%2 == 1 {
			n, _ := strconv.Atoi(part) // as keep wrote it
			out = append(out, marked[n])
			continue
		}
		if part = clean(part); part != "" {
			out = append(out, span{text: part, style: as})
		}
	}
	return out
}

// flat is a span for places and clients that draw nothing else: a moment is not in the reader's zone there.
func (s span) flat() string {
	switch {
	case s.is == channel:
		return "its channel"
	case s.is != moment:
		return s.text
	case s.form == dayForm:
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
		b.WriteString(s.flat())
	}
	return strings.Join(strings.Fields(b.String()), " ")
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
		n += width(s.flat())
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
		w := width(s.flat())
		if w < n { // one is kept for the dots
			out, n = append(out, s), n-w
			continue
		}
		if s.is == words && n > 1 {
			return append(out, span{text: shorten(s.text+"…", n), style: s.style})
		}
		return append(out, span{text: "…", style: s.style})
	}
	return out
}

var anAddress = regexp.MustCompile(`https://[^\s<>"'|]*[^\s<>"'|.,;:!?()\]}’”…]`)

// linked makes addresses of a line ones that can be pressed. What is pressed is what is read.
func (l line) linked() line {
	var out line
	for _, s := range l {
		if s.is != words {
			out = append(out, s)
			continue
		}
		rest := s.text
		for _, a := range anAddress.FindAllString(s.text, -1) {
			before, after, _ := strings.Cut(rest, a)
			if before != "" {
				out = append(out, span{text: before, style: s.style})
			}
			out = append(out, span{text: a, style: s.style, is: address})
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
		if n := len(out); n > 0 && s.is == words && out[n-1].is == words && s.style == out[n-1].style {
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
		switch s.is {
		case moment:
			e := slackgo.NewRichTextSectionDateElement(s.at.Unix(), s.form, nil, new(s.flat()))
			e.Style = st
			out = append(out, e)
		case channel:
			out = append(out, slackgo.NewRichTextSectionChannelElement(s.text, st))
		case address:
			out = append(out, slackgo.NewRichTextSectionLinkElement(s.text, "", st))
		case words:
			if s.text != "" {
				out = append(out, slackgo.NewRichTextSectionTextElement(s.text, st))
			}
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
	notes      []line
	buttons    []string
	noFacts    int // how many were left out
	noNotes    int
}

// drillWords stand at the head of whatever is practice.
const drillWords = "DRILL – nothing is real"

// sheetOf is a card in lines; draw is fact or sentence.
func sheetOf(c card.Card, draw func(card.Fact) line) *sheet {
	s := &sheet{drill: c.Drill, keep: c.Keep, title: read(orElse(c.Title, "Switchback"), bold), sign: sign(c.Tone)}
	for _, t := range c.Text {
		if l := read(t, regular).linked(); len(l) > 0 {
			s.paragraphs = append(s.paragraphs, l.cut(maxTextObject))
		}
	}
	for _, f := range c.Facts {
		if l := draw(f); len(l) > 0 {
			s.facts = append(s.facts, l.cut(maxTextObject))
		}
	}
	for _, n := range c.Notes {
		if l := read(n, regular).linked(); len(l) > 0 {
			s.notes = append(s.notes, l.cut(maxTextObject))
		}
	}
	for _, b := range pressable(c) {
		s.buttons = append(s.buttons, plainText(plain(b.Label), maxLabel).Text)
	}
	return s
}

// sign says how serious a card is. What is serious has a word too; no picture stands alone.
func sign(t card.Tone) string {
	switch t {
	case card.Working:
		return "⏳ "
	case card.Done:
		return "✅ "
	case card.Warning:
		return "⚠️ Attention: "
	case card.Trouble:
		return "🔴 OUTAGE: "
	case card.Info:
	}
	return ""
}

// mostHead is more than any title with what stands before it.
const mostHead = 300

// head is the title with what must stand before it.
func (s *sheet) head() line {
	before := s.sign
	if s.drill {
		before = drillWords + ": " + before
	}
	return append(line{{text: before, style: bold}}, s.title...).cut(mostHead)
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

// sentence says a fact without signs that only the eye understands.
func sentence(f card.Fact) line {
	out := f.Name
	switch {
	case f.Before != "" && f.After != "":
		out += ": from “" + f.Before + "” to “" + f.After + "”"
	case f.After != "":
		out += ": to “" + f.After + "”"
	case f.Before != "":
		out += ": " + f.Before
	}
	if f.How != "" {
		out += ", " + f.How
	}
	if f.Note != "" {
		out += ": " + f.Note
	}
	return read(out, regular)
}

// mostLines of one kind: more would be of no use to anybody, and each is an element.
const mostLines = 100

func leftOut(n int) string { return fmt.Sprintf("… and %d more, which did not fit here.", n) }

// fit makes the lines of a sheet no wider than most: notes go first and facts then, the last ones first, and long texts
// are cut.
func (s *sheet) fit(most int) {
	if len(s.paragraphs) > mostParagraphs { // the rest in one, so that there are not too many blocks
		rest := slices.Clip(s.paragraphs[mostParagraphs-1])
		for _, l := range s.paragraphs[mostParagraphs:] {
			rest = append(append(rest, span{text: "\n"}), l...)
		}
		s.paragraphs = append(s.paragraphs[:mostParagraphs-1:mostParagraphs-1], rest.cut(maxTextObject))
	}
	over := 2*width(leftOut(len(s.notes)+len(s.facts))) - most
	for _, l := range slices.Concat(s.paragraphs, s.facts, s.notes) {
		over += l.width()
	}
	last := func(lines []line) line { return lines[len(lines)-1] }
	for n := len(s.notes); n > mostLines || n > 1 && over > 0; n-- {
		over -= last(s.notes).width()
		s.notes, s.noNotes = s.notes[:n-1], s.noNotes+1
	}
	for n := len(s.facts); n > mostLines || n > 1 && over > 0; n-- {
		over -= last(s.facts).width()
		s.facts, s.noFacts = s.facts[:n-1], s.noFacts+1
	}
	for _, lines := range [][]line{s.paragraphs, s.facts, s.notes} {
		for i, l := range slices.Backward(lines) {
			if over > 0 {
				lines[i] = l.cut(max(l.width()-over, leastLine))
				over -= l.width() - lines[i].width()
			}
		}
	}
}

const (
	mostParagraphs = 12 // with a block of their own
	leastLine      = 40 // what is left of a text, however little room there is
)

// blocks draws all but the buttons.
func (s *sheet) blocks(withHead bool) []slackgo.Block {
	var out []slackgo.Block
	head := s.head()
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
		out = append(out, slackgo.NewRichTextBlock("", bulleted(lines)))
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
	if long := s.longButtons(); len(long) > 0 {
		out = append(out, slackgo.NewRichTextBlock("", slackgo.NewRichTextSection(line{{text: "Long buttons in full:"}}.elements()...), bulleted(long)))
	}
	return out
}

// longButtons are the labels of which not all is seen on their buttons.
func (s *sheet) longButtons() []line {
	var out []line
	for _, b := range s.buttons {
		if width(b) > shownLabel {
			out = append(out, line{{text: b}})
		}
	}
	return out
}

func bulleted(lines []line) bullets {
	items := make([]slackgo.RichTextElement, len(lines))
	for i, l := range lines {
		items[i] = slackgo.NewRichTextSection(l.elements()...)
	}
	return bullets{slackgo.RTEList, slackgo.RTEListBullet, items}
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
		if out[i].is == address {
			out[i].is = words
		}
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

// orElse is s, or other where s is blank: cmp.Or would keep spaces.
func orElse(s, other string) string {
	if strings.TrimSpace(s) == "" {
		return other
	}
	return s
}

// pressable are the buttons that Slack takes: all, where a card keeps its own limits.
func pressable(c card.Card) []card.Button {
	var out []card.Button
	for _, b := range c.Buttons {
		if len(out) < maxButtons && width(b.Action) <= maxValue {
			out = append(out, b)
		}
	}
	return out
}

// actions draws the buttons; nil where there are none.
func actions(c card.Card, id, salt string) *slackgo.ActionBlock {
	var elements []slackgo.BlockElement
	for i, b := range pressable(c) {
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

// spoken says a card in sentences, for notifications and screen readers, which read no blocks.
func spoken(c card.Card) string {
	s := sheetOf(c, sentence)
	closing := ""
	if len(s.buttons) > 0 {
		closing = mrkdwn(stopped(line{{text: shorten("Buttons: "+strings.Join(s.buttons, "; "), maxText/2)}}))
	}
	const more = "The message says more."
	room := maxText - width(closing) - len(more) - 2
	lines := len(s.paragraphs) + min(len(s.facts), mostLines) + min(len(s.notes), mostLines)
	s.fit(room - s.head().width() - 2*lines) // what escaping adds is seen below
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
	for _, l := range s.facts {
		add(stopped(l))
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
	last, _ := utf8.DecodeLastRuneInString(strings.TrimRight(l[len(l)-1].flat(), " \n\t”\"')"))
	if strings.ContainsRune(".!?:…}", last) {
		return l
	}
	return append(slices.Clone(l), span{text: "."})
}

// mrkdwn writes a line for the one place that Slack reads for markup: the text of a message.
func mrkdwn(l line) string {
	var b strings.Builder
	for _, s := range l {
		switch s.is {
		case moment:
			fmt.Fprintf(&b, "<!date^%d^%s|%s>", s.at.Unix(), s.form, s.flat())
		case channel:
			fmt.Fprintf(&b, "<#%s>", s.text)
		case words, address:
			b.WriteString(escape(s.text))
		}
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
