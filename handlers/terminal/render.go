package terminal

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"switchback/bot/card"
)

// Render draws a card as plain lines that a screen reader can follow: no colour, no boxes, nothing that only position
// tells. Times are in zone; number is how people call the card.
func Render(c card.Card, number int, zone *time.Location) string {
	var b strings.Builder
	// Lines that texts bring along stand deeper: none can pose as a line of the card, such as a button.
	say := func(indent, format string, args ...any) {
		text := card.In(fmt.Sprintf(format, args...), zone)
		for line := range strings.SplitSeq(text, "\n") {
			b.WriteString(strings.TrimRight(indent+safe(line), " ") + "\n")
			indent = "      "
		}
	}
	title := c.Title
	if c.Drill {
		title = "DRILL – " + title
	}
	say("  ", "%s%s", sign(c.Tone), title)
	for _, t := range c.Text {
		say("  ", "%s", t)
	}
	for _, f := range c.Facts {
		say("  ", "- %s", fact(f))
	}
	for _, n := range c.Notes {
		say("  ", "* %s", n)
	}
	for i, button := range c.Buttons {
		say("  ", "[%d.%d] %s", number, i+1, button.Label)
	}
	return b.String()
}

func sign(t card.Tone) string {
	switch t {
	case card.Warning:
		return "Attention: "
	case card.Trouble:
		return "OUTAGE: "
	case card.Info, card.Working, card.Done:
	}
	return ""
}

func fact(f card.Fact) string {
	s := f.Name
	switch {
	case f.Before != "" && f.After != "":
		s += ": " + f.Before + " → " + f.After
	case f.After != "":
		s += ": → " + f.After
	case f.Before != "":
		s += ": " + f.Before
	}
	if f.How != "" {
		s += " (" + f.How + ")"
	}
	if f.Note != "" {
		s += ": " + f.Note
	}
	return s
}

// safe takes out what would steer a terminal, or turn the order of what stands there: texts come from people and
// platforms.
func safe(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) && r != '\t' {
			return -1
		}
		return r
	}, s)
}
