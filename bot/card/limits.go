package card

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// Neutral limits: what fits on every chat platform. Slack is the narrowest
// (https://docs.slack.dev/reference/block-kit/block-elements/button-element,
// https://docs.slack.dev/reference/block-kit/composition-objects/option-object); its renderer splits longer texts.
const (
	MaxTitle   = 150  // characters, a header
	MaxLabel   = 75   // characters, a button or an option
	MaxText    = 2500 // characters, one paragraph
	MaxButtons = 6    // Teams draws six actions; no message needs more
	MaxOptions = 10   // options of one question, drawn as buttons or a choice
	MaxInputs  = 8    // inputs of one form
	MaxFacts   = 40
	MaxAction  = 500 // bytes of an opaque action
	// MaxField is how much one field of a form takes, in the units in which chat platforms count: those of UTF-16
	// (https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element).
	MaxField = 3000
)

// Problems lists where a card is over the limits, or lacks what every card has. An empty list means that every
// renderer can draw it.
func (c Card) Problems() []string {
	var out []string
	add := func(format string, a ...any) { out = append(out, fmt.Sprintf(format, a...)) }
	long := func(what, s string, most int) {
		if n := utf8.RuneCountInString(s); n > most {
			add("%s has %d characters, at most %d: %.40q…", what, n, most, s)
		}
	}
	if c.Title == "" {
		add("no title")
	}
	long("title", c.Title, MaxTitle)
	for _, t := range c.Text {
		long("a paragraph", t, MaxText)
	}
	for _, t := range c.Notes {
		long("a note", t, MaxText)
	}
	if len(c.Facts) > MaxFacts {
		add("%d facts, at most %d", len(c.Facts), MaxFacts)
	}
	if len(c.Buttons) > MaxButtons {
		add("%d buttons, at most %d", len(c.Buttons), MaxButtons)
	}
	for _, b := range c.Buttons {
		if b.Label == "" || b.Action == "" {
			add("a button without label or action: %+v", b)
		}
		long("a button", b.Label, MaxLabel)
		if len(b.Action) > MaxAction {
			add("button %q: action of %d bytes, at most %d", b.Label, len(b.Action), MaxAction)
		}
	}
	if c.Form == nil {
		return out
	}
	if len(c.Form.Inputs) > MaxInputs {
		add("%d inputs, at most %d", len(c.Form.Inputs), MaxInputs)
	}
	for _, in := range c.Form.Inputs {
		if in.ID == "" || in.Label == "" {
			add("an input without id or label: %+v", in)
		}
		if n := units(in.Value); n > MaxField && len(in.Options) == 0 {
			add("input %q is filled with %d characters, at most %d", in.ID, n, MaxField)
		}
		for _, o := range in.Options {
			long("an option", o.Label, MaxLabel)
		}
	}
	return out
}

// units is the length of s in UTF-16.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r)) // -1 is for what is no character: a sign stands for it
	}
	return n
}

// Fields cuts a text into pieces that one field takes each. Put together again they are the text, byte for byte.
func Fields(s string) []string {
	var out []string
	start, n := 0, 0
	for i, r := range s {
		if size := max(1, utf16.RuneLen(r)); n+size > MaxField {
			out = append(out, s[start:i])
			start, n = i, size
		} else {
			n += size
		}
	}
	return append(out, s[start:])
}

// Shorten cuts s to at most n characters, on a character border, and shows that it was cut.
func Shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
