package terminal_test

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/card"
	"switchback/handlers/terminal"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func losAngeles(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// everything is a card with everything that a card can have, but a form: the terminal asks for that line by line.
func everything(tone card.Tone, drill bool) card.Card {
	at := time.Date(2026, 11, 26, 7, 10, 0, 0, time.UTC)
	return card.Card{
		Tone: tone, Drill: drill, Title: "Chat is closed since " + card.Clock(at),
		Text: []string{"In Gladly it is " + card.Day(at) + ".", "Two lines,\nin one paragraph."},
		Facts: []card.Fact{
			{Name: "Web shop, hours", How: "by the bot, at once", Before: "08:00–20:00", After: "Closed", Note: "done " + card.Clock(at)},
			{Name: "Help centre, message", Before: "We're closed <b>now</b>."},
			{Name: "Press, Initial IVR", After: "Voicemail Only", How: "by a person in Gladly"},
			{Name: "Orders", Note: "nobody was asked"},
			{Name: "Only a name"},
		},
		Notes: []string{"Nothing reopens by itself.", "A note of two\nlines."},
		Buttons: []card.Button{
			{Label: "Restore…", Style: card.Danger, Action: "a", Sure: &card.Sure{Title: "Sure?", Yes: "Yes", No: "No"}},
			{Label: "One hour more", Style: card.Primary, Action: "b"},
			{Label: "More…", Action: "c", Opens: true},
		},
	}
}

func TestRender(t *testing.T) {
	var b strings.Builder
	for i, tone := range []card.Tone{"", card.Info, card.Working, card.Done, card.Warning, card.Trouble} {
		c := everything(tone, tone == card.Done || tone == card.Trouble)
		if i > 0 { // the rest is the same
			c.Text, c.Facts, c.Notes, c.Buttons = nil, nil, nil, nil
		}
		b.WriteString("tone " + string(tone) + "\n" + terminal.Render(c, i+7, losAngeles(t)) + "\n")
	}
	const golden = "testdata/cards.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", golden, diff)
	}
}

// Each text of a card may come from somebody who wants to steer the terminal of whoever reads it.
func TestNoTextSteersTheTerminal(t *testing.T) {
	for name, bad := range map[string]string{
		"clear screen": "\x1b[2J", "window title": "\x1b]0;bye\x07", "bell": "\a", "back over it": "safe\b\b\b\bevil",
		"overwrite the line": "safe\revil", "eight-bit control": "\u009b2J", "delete": "\x7f", "form feed": "\f",
		"half a time": "\x02c1764\x1b[0m\x03",
	} {
		t.Run(name, func(t *testing.T) {
			c := card.Card{
				Title: bad, Text: []string{bad}, Notes: []string{bad}, Buttons: []card.Button{{Label: bad, Action: "a"}},
				Facts: []card.Fact{{Name: bad, How: bad, Before: bad, After: bad, Note: bad}},
			}
			got := terminal.Render(c, 1, time.UTC)
			if i := strings.IndexFunc(got, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }); i >= 0 {
				t.Errorf("Render(%q) has %q:\n%q", bad, got[i:i+1], got)
			}
		})
	}
}

func FuzzRender(f *testing.F) {
	f.Add("\x1b[2J", "a\nb")
	f.Add("\x02d1764141010\x03", "\xff")
	f.Fuzz(func(t *testing.T, one, two string) {
		c := card.Card{Title: one, Text: []string{two}, Facts: []card.Fact{{Name: one, After: two}}, Buttons: []card.Button{{Label: two, Action: "a"}}}
		for line := range strings.Lines(terminal.Render(c, 1, time.UTC)) {
			line = strings.TrimSuffix(line, "\n")
			if strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }) {
				t.Errorf("Render of %q and %q has a line that steers: %q", one, two, line)
			}
			if line != "" && !strings.HasPrefix(line, "  ") {
				t.Errorf("Render of %q and %q has a line outside the card: %q", one, two, line)
			}
		}
	})
}
