package slack

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	slackgo "github.com/slack-go/slack"

	"switchback/bot/card"
)

// judge reads what was drawn as Slack would, and says what Slack would refuse, read as markup, or ring somebody for.
type judge struct {
	t     *testing.T
	seen  map[string]bool // block ids
	total int             // characters that people see
}

// object is any JSON object of Slack's.
type object = map[string]any

func (j *judge) check(ok bool, format string, args ...any) {
	j.t.Helper()
	if !ok {
		j.t.Errorf(format, args...)
	}
}

// blocks judges a message's or view's blocks.
func (j *judge) blocks(blocks any, most int) {
	j.t.Helper()
	data, err := json.Marshal(blocks)
	if err != nil {
		j.t.Fatal(err)
	}
	var list []object
	if err := json.Unmarshal(data, &list); err != nil {
		j.t.Fatal(err)
	}
	j.check(len(list) > 0 && len(list) <= most, "%d blocks", len(list))
	j.seen = map[string]bool{}
	for _, b := range list {
		if id, ok := b["block_id"].(string); ok {
			j.check(!j.seen[id] && utf8.RuneCountInString(id) <= 255, "block_id %q is there twice or too long", id)
			j.seen[id] = true
		}
		switch b["type"] {
		case "header":
			j.plain(b["text"], 150)
		case "divider":
		case "rich_text":
			before := j.total
			j.rich(b["elements"])
			j.check(j.total-before <= 3000, "a block of %d characters", j.total-before)
		case "actions":
			j.actions(b["elements"].([]any))
		case "input":
			j.input(b)
		default:
			j.t.Errorf("a block of type %v", b["type"])
		}
	}
}

func (j *judge) plain(v any, most int) {
	j.t.Helper()
	o, _ := v.(object)
	s, _ := o["text"].(string)
	j.check(o["type"] == "plain_text" && o["emoji"] == false, "%v is no plain text", v)
	j.check(strings.TrimSpace(s) != "" && width(s) <= most, "%q has %d of at most %d characters", s, width(s), most)
	j.total += width(s)
}

// rich judges elements of rich text: none of them is a person, a group, everybody, or an emoji.
func (j *judge) rich(v any) {
	j.t.Helper()
	for _, x := range v.([]any) {
		e := x.(object)
		switch e["type"] {
		case "rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted":
			j.check(len(e["elements"].([]any)) > 0, "%v without elements", e["type"])
			j.rich(e["elements"])
		case "text":
			j.check(e["text"] != "", "a text without characters")
			j.total += width(e["text"].(string))
		case "link":
			_, named := e["text"]
			j.check(!named && strings.HasPrefix(e["url"].(string), "https://"), "a link that shows something else: %v", e)
			j.total += width(e["url"].(string))
		case "date":
			j.total += width(e["fallback"].(string))
			j.check(e["timestamp"].(float64) > 0 && (e["format"] == clockForm || e["format"] == dayForm), "a date like %v", e)
		case "channel":
			j.check(channelID.MatchString(e["channel_id"].(string)), "a channel like %v", e)
		default:
			j.t.Errorf("rich text of type %v", e["type"])
		}
	}
}

func (j *judge) actions(elements []any) {
	j.t.Helper()
	j.check(len(elements) > 0 && len(elements) <= 25, "%d buttons", len(elements))
	seen := map[any]bool{}
	for _, x := range elements {
		b := x.(object)
		j.check(b["type"] == "button" && !seen[b["action_id"]], "%v is no button, or its action_id is there twice", b)
		seen[b["action_id"]] = true
		j.plain(b["text"], 75)
		value, _ := b["value"].(string)
		j.check(width(value) <= 2000, "a value of %d characters", width(value))
		if c, ok := b["confirm"].(object); ok {
			j.plain(c["title"], 100)
			j.plain(c["text"], 300)
			j.plain(c["confirm"], 30)
			j.plain(c["deny"], 30)
		}
	}
}

func (j *judge) input(b object) {
	j.t.Helper()
	j.plain(b["label"], 2000)
	if hint, ok := b["hint"]; ok {
		j.plain(hint, 2000)
	}
	e := b["element"].(object)
	id, _ := e["action_id"].(string)
	j.check(id != "" && utf8.RuneCountInString(id) <= 255, "action_id %q", id)
	value, _ := e["initial_value"].(string)
	j.check(width(value) <= 3000, "a value of %d characters", width(value))
	options, _ := e["options"].([]any)
	most := map[any]int{"radio_buttons": 10, "checkboxes": 10, "static_select": 100, "multi_static_select": 100}
	groups, _ := e["option_groups"].([]any)
	j.check(len(groups) <= 100 && len(options) <= most[e["type"]], "%v with %d options and %d groups", e["type"], len(options), len(groups))
	for _, g := range groups {
		j.plain(g.(object)["label"], 75)
		part := g.(object)["options"].([]any)
		j.check(len(part) <= 100, "a group of %d", len(part))
		options = append(options, part...)
	}
	j.check(e["type"] == "plain_text_input" || len(options) > 0, "%v without options", e["type"])
	for _, x := range options {
		o := x.(object)
		j.plain(o["text"], 75)
		value, _ := o["value"].(string)
		j.check(value != "" && width(value) <= 150, "an option %q", value)
	}
}

var allowedMarkup = regexp.MustCompile(`<!date\^\d+\^(\{date_short_pretty\} )?\{time\}\|[^<>|^]*>|<#[CG][A-Z0-9]+>`)

// text judges the text of a message, the one thing that Slack reads for markup.
func (j *judge) text(s string) {
	j.t.Helper()
	j.check(strings.TrimSpace(s) != "" && width(s) <= 3900, "a text of %d characters", width(s))
	s = allowedMarkup.ReplaceAllString(s, "")
	j.check(!strings.ContainsAny(s, "<>*_~`＊＿～｀"), "active markup in %q", s)
	for _, part := range strings.Split(s, "&")[1:] {
		j.check(strings.HasPrefix(part, "amp;") || strings.HasPrefix(part, "lt;") || strings.HasPrefix(part, "gt;"), "an & that is not escaped in %q", s)
	}
	for line := range strings.Lines(s) {
		j.check(!strings.HasPrefix(strings.TrimSpace(line), "&gt;"), "a quote in %q", line)
	}
}

func judgeMessage(t *testing.T, c card.Card, id string) {
	t.Helper()
	text, blocks := message(c, id)
	j := &judge{t: t}
	j.text(text)
	j.blocks(blocks, 50)
	j.check(j.total < 5000, "%d characters in all", j.total)
}

// enough makes a card that has too much of everything.
func enough(n int) card.Card {
	long := strings.Repeat("ü😀 <!channel> *x* ", min(n, 40))
	c := card.Card{Tone: card.Trouble, Drill: true, Title: long}
	for i := range n {
		s := fmt.Sprint(i, " ", long)
		c.Text = append(c.Text, s)
		c.Notes = append(c.Notes, s)
		c.Facts = append(c.Facts, card.Fact{Name: s, How: s, Before: s, After: s, Note: s})
		c.Buttons = append(c.Buttons, card.Button{Label: s, Action: fmt.Sprint(i)})
	}
	return c
}

func TestNothingIsOverALimit(t *testing.T) {
	for _, n := range []int{0, 1, 3, 7, 40, 110} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			c := enough(n)
			judgeMessage(t, c, strings.Repeat("x", 100))
			view := home([]card.Card{c, c, c})
			(&judge{t: t}).blocks(view.Blocks.BlockSet, 100)
			c.Form = &card.Form{Submit: c.Title, Action: "a", Inputs: []card.Input{{ID: "x", Kind: card.Long, Label: c.Title, Hint: c.Title, Value: strings.Repeat(c.Title, 3)}}}
			form, err := modal(c, "")
			if err != nil {
				t.Fatal(err)
			}
			(&judge{t: t}).blocks(form.Blocks.BlockSet, 100)
		})
	}
}

// What does not fit is counted, and what matters most is what is left.
func TestShortened(t *testing.T) {
	c := card.Card{Title: "Many", Text: []string{"First of all."}, Buttons: []card.Button{{Label: "Go on", Action: "a"}}}
	for i := range 40 {
		c.Facts = append(c.Facts, card.Fact{Name: fmt.Sprint("Setting ", i), Before: strings.Repeat("b", 60), After: strings.Repeat("a", 60)})
		c.Notes = append(c.Notes, fmt.Sprint("Note ", i))
	}
	text, blocks := message(c, "")
	data, err := json.Marshal(blocks)
	if err != nil {
		t.Fatal(err)
	}
	for where, s := range map[string]string{"text": text, "blocks": string(data)} {
		for _, want := range []string{"Many", "First of all.", "Setting 0", "Note 0", "and 39 more, which did not fit", "Go on"} {
			if !strings.Contains(s, want) {
				t.Errorf("%s without %q: %s", where, want, s)
			}
		}
	}
	if !strings.Contains(string(data), "and 5 more, which did not fit") || strings.Contains(string(data), "Setting 39") {
		t.Errorf("settings are not counted: %s", data)
	}
}

func FuzzMessage(f *testing.F) {
	f.Add("Chat *is* _closed_ since \x02c1795677000\x03", "<!channel> @here <@U1> #general :tada: `x` ~y~ &lt;", "> quote\n> https://x.test/*a*_b_. <https://y.test|z>", 3)
	f.Add("\x02#C123\x03 \x02#general\x03 \x02d-5\x03 \x02d99999999999\x03", "\u202eevil\u2066", "＊x＊ ＞ y", 50)
	f.Add("", "\xff\x00\x01", " \n ", 0)
	f.Fuzz(func(t *testing.T, one, two, three string, n int) {
		if n < 0 || n > 60 || len(one)+len(two)+len(three) > 20000 {
			t.Skip("enough is tested elsewhere")
		}
		c := card.Card{Tone: card.Warning, Title: one, Text: []string{two, three}, Notes: []string{three, two, one}}
		for range n {
			c.Facts = append(c.Facts, card.Fact{Name: two, How: one, Before: three, After: two, Note: three})
			c.Buttons = append(c.Buttons, card.Button{Label: three, Action: one})
		}
		judgeMessage(t, c, two)
		c.Buttons = []card.Button{{Label: one, Action: three, Sure: &card.Sure{Title: one, Text: two, Yes: three, No: one}}}
		judgeMessage(t, c, one)
	})
}

func FuzzShorten(f *testing.F) {
	f.Add("größer 日本語 😀", 4)
	f.Add("\xff\xfe broken", 3)
	f.Fuzz(func(t *testing.T, s string, n int) {
		if n < 1 || n > 1000 {
			t.Skip("no limit is like that")
		}
		got := shorten(s, n)
		head, cut := strings.CutSuffix(got, "…")
		if width(got) > n || !strings.HasPrefix(s, head) && !strings.HasPrefix(strings.TrimSpace(s), head) || !cut && got != s {
			t.Errorf("shorten(%q, %d) = %q", s, n, got)
		}
		if utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Errorf("shorten(%q, %d) = %q, which is cut within a character", s, n, got)
		}
		head, rest := split(s, n)
		if head+rest != s || width(head) > n {
			t.Errorf("split(%q, %d) = %q, %q", s, n, head, rest)
		}
	})
}

// The buttons of a message say which message it is, and an updated one says so with another block_id.
func FuzzPressedID(f *testing.F) {
	f.Add("chat-1/home", "a", "b")
	f.Fuzz(func(t *testing.T, id, one, two string) {
		block := func(title string) string {
			_, blocks := message(card.Card{Title: title, Buttons: []card.Button{{Label: "x", Action: "y"}}}, id)
			return blocks[len(blocks)-1].ID()
		}
		if len(id) <= 100 && pressedID(block(one)) != id {
			t.Errorf("pressedID of %q = %q", id, pressedID(block(one)))
		}
		if utf8.ValidString(one) && utf8.ValidString(two) && (block(one) == block(two)) != (one == two) {
			t.Errorf("block ids of %q and %q: %q and %q", one, two, block(one), block(two))
		}
		_ = pressedID(one)
	})
}

// A form comes back byte for byte whatever is in it, or is refused.
func FuzzForm(f *testing.F) {
	f.Add("message", "note", strings.Repeat("<p>\"Grüezi\" & bye 😀</p>\r\n ", 200), "a\nb", "meta\nmore")
	f.Add("part1.2:x", "x", "\r\n\n", "=", "")
	f.Fuzz(func(t *testing.T, id, other, long, option, meta string) {
		c := card.Card{Title: long, Text: []string{option}, Form: &card.Form{Action: "1.act", Submit: option, Inputs: []card.Input{
			{ID: id, Kind: card.Long, Label: other, Value: long},
			{ID: other, Kind: card.Choice, Label: id, Options: []card.Option{{Value: option, Label: long}, {Value: option + "x"}}, Value: option},
			{ID: id + other + "!", Kind: card.Text, Label: "x", Hint: long, Value: option},
		}}}
		view, err := modal(c, meta)
		if err != nil {
			return
		}
		(&judge{t: t}).blocks(view.Blocks.BlockSet, 100)
		if width(view.PrivateMetadata) > 3000 || width(view.Title.Text) > 24 || width(view.Submit.Text) > 24 {
			t.Errorf("over a limit: %+v", view)
		}
		got, err := posted(t, sent(t, view))
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{}
		for _, in := range c.Form.Inputs {
			want[in.ID] = in.Value
		}
		if !maps.Equal(got.values, want) || got.meta != meta || got.action != "1.act" {
			t.Errorf("sent %q, got %q; action %q, meta %q", want, got.values, got.action, got.meta)
		}
		for i := range c.Form.Inputs {
			c.Form.Inputs[i].Error = long
		}
		for block, text := range fieldErrors(c) {
			ok := slices.ContainsFunc(view.Blocks.BlockSet, func(b slackgo.Block) bool { return b.ID() == block })
			if !ok || strings.TrimSpace(text) == "" {
				t.Errorf("an error %q for the block %q", text, block)
			}
		}
	})
}
