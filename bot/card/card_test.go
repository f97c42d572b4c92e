package card_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/card"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// One text, two readers: each sees their own day.
func TestTimesAreTheReaders(t *testing.T) {
	at := time.Date(2026, 11, 26, 7, 10, 59, 0, time.UTC)
	text := "Since " + card.Day(at) + ", ask at " + card.Clock(at.Add(4*time.Hour)) + "."
	for name, want := range map[string]string{
		"America/Los_Angeles": "Since Wed 25 Nov 23:10, ask at 03:10.",
		"America/New_York":    "Since Thu 26 Nov 02:10, ask at 06:10.",
		"Asia/Kathmandu":      "Since Thu 26 Nov 12:55, ask at 16:55.",
	} {
		if got := card.In(text, zone(t, name)); got != want {
			t.Errorf("In(%q, %s) = %q, want %q", text, name, got, want)
		}
	}
}

func TestMarksKeepTheSecondAndTheKind(t *testing.T) {
	type mark struct {
		Unix     int64
		WithDate bool
	}
	for _, at := range []time.Time{
		{}, time.Unix(0, 0), time.Unix(-1, 0), time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), time.Unix(999_999_999_999, 0),
	} {
		var got []mark
		rest := card.Times("<"+card.Clock(at)+"|"+card.Day(at)+">", func(at time.Time, withDate bool) string {
			got = append(got, mark{at.Unix(), withDate})
			return "x"
		})
		want := []mark{{at.Unix(), false}, {at.Unix(), true}}
		if diff := cmp.Diff(want, got); diff != "" || rest != "<x|x>" {
			t.Errorf("marks of %v: rest %q, want <x|x>; (-want +got):\n%s", at, rest, diff)
		}
	}
}

// What is nearly a mark is text, and is left alone: a renderer takes its control characters out.
func TestWhatIsNoMark(t *testing.T) {
	for _, s := range []string{
		"", "plain", "c1764141010", "\x02c\x03", "\x02x1764141010\x03", "\x02c1764141010", "c1764141010\x03", "\x02c 1764141010\x03",
		"\x02c+1\x03", "\x02c--1\x03", "\x02c1.5\x03", "\x02d1234567890123\x03", "\x02d0x10\x03", "\x02\x02\x03\x03", "\\x02c1\\x03",
	} {
		if got := card.In(s, time.UTC); got != s {
			t.Errorf("In(%q) = %q, want it as it was", s, got)
		}
	}
}

func TestShorten(t *testing.T) {
	for _, tt := range []struct {
		s    string
		n    int
		want string
	}{
		{"", 5, ""},
		{"chat", 4, "chat"},
		{"chats", 4, "cha…"},
		{"größer", 6, "größer"}, // six characters in eight bytes
		{"größer", 5, "größ…"},
		{"日本語です", 3, "日本…"},
		{"a😀b😀c", 4, "a😀b…"},
		{"chat", 1, "…"},
	} {
		if got := card.Shorten(tt.s, tt.n); got != tt.want {
			t.Errorf("Shorten(%q, %d) = %q, want %q", tt.s, tt.n, got, tt.want)
		}
	}
}

// However a text is cut into fields, put together it is the text, and each field is as long as a field may be.
func FuzzFields(f *testing.F) {
	f.Add("We're closed.\n", 1)
	f.Add("é", 3000)
	f.Add("😀", 1501)
	f.Add("a\xffb", 2000)
	f.Fuzz(func(t *testing.T, s string, n int) {
		s = strings.Repeat(s, 1+abs(n)%4000)
		parts := card.Fields(s)
		if got := strings.Join(parts, ""); got != s {
			t.Fatalf("put together it has %d bytes, want the %d that it had", len(got), len(s))
		}
		for i, p := range parts {
			c := card.Card{Title: "t", Form: &card.Form{Inputs: []card.Input{{ID: "i", Label: "l", Value: p}}}}
			if wrong := c.Problems(); len(wrong) > 0 || p == "" && s != "" || utf8.ValidString(s) && !utf8.ValidString(p) {
				t.Fatalf("part %d of %d, of %d bytes: %q", i+1, len(parts), len(p), wrong)
			}
		}
	})
}

func abs(n int) int { return max(n, -(n + 1)) }

func FuzzShorten(f *testing.F) {
	f.Add("größer 日本語 😀", 4)
	f.Add("\xff\xfe broken", 3)
	f.Fuzz(func(t *testing.T, s string, n int) {
		if n < 1 || n > 1000 {
			t.Skip("no limit is like that")
		}
		got := card.Shorten(s, n)
		if utf8.RuneCountInString(got) > n {
			t.Errorf("Shorten(%q, %d) = %q, which is longer", s, n, got)
		}
		if head, cut := strings.CutSuffix(got, "…"); utf8.ValidString(s) && !strings.HasPrefix(s, head) || !cut && got != s {
			t.Errorf("Shorten(%q, %d) = %q, which is not its beginning", s, n, got)
		}
	})
}

// fine is a card without problems, which each row of the test below spoils in one way.
func fine() card.Card {
	return card.Card{
		Title: strings.Repeat("ü", card.MaxTitle), // limits count characters
		Text:  []string{strings.Repeat("ü", card.MaxText)}, Notes: []string{strings.Repeat("ü", card.MaxText)},
		Facts:   make([]card.Fact, card.MaxFacts),
		Buttons: []card.Button{{Label: strings.Repeat("ü", card.MaxLabel), Action: strings.Repeat("x", card.MaxAction)}},
		Form: &card.Form{Inputs: []card.Input{
			{ID: "which", Label: "Which", Kind: card.Choice, Options: []card.Option{{Value: "1", Label: strings.Repeat("ü", card.MaxLabel)}}},
		}},
	}
}

func TestProblems(t *testing.T) {
	longer := func(n int) string { return strings.Repeat("ü", n+1) }
	for name, tt := range map[string]struct {
		spoil func(*card.Card)
		want  string
	}{
		"fine":                  {func(*card.Card) {}, ""},
		"no title":              {func(c *card.Card) { c.Title = "" }, "no title"},
		"long title":            {func(c *card.Card) { c.Title = longer(card.MaxTitle) }, "title has 151 characters, at most 150"},
		"long paragraph":        {func(c *card.Card) { c.Text[0] = longer(card.MaxText) }, "a paragraph has 2501 characters"},
		"long note":             {func(c *card.Card) { c.Notes[0] = longer(card.MaxText) }, "a note has 2501 characters"},
		"many facts":            {func(c *card.Card) { c.Facts = make([]card.Fact, card.MaxFacts+1) }, "41 facts, at most 40"},
		"many buttons":          {func(c *card.Card) { c.Buttons = buttons(card.MaxButtons + 1) }, "7 buttons, at most 6"},
		"button without label":  {func(c *card.Card) { c.Buttons[0].Label = "" }, "a button without label or action"},
		"button without action": {func(c *card.Card) { c.Buttons[0].Action = "" }, "a button without label or action"},
		"long button":           {func(c *card.Card) { c.Buttons[0].Label = longer(card.MaxLabel) }, "a button has 76 characters"},
		"long action":           {func(c *card.Card) { c.Buttons[0].Action += "x" }, "action of 501 bytes, at most 500"},
		"many inputs":           {func(c *card.Card) { c.Form.Inputs = inputs(card.MaxInputs + 1) }, "9 inputs, at most 8"},
		"input without id":      {func(c *card.Card) { c.Form.Inputs[0].ID = "" }, "an input without id or label"},
		"input without label":   {func(c *card.Card) { c.Form.Inputs[0].Label = "" }, "an input without id or label"},
		"long option":           {func(c *card.Card) { c.Form.Inputs[0].Options[0].Label = longer(card.MaxLabel) }, "an option has 76 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			c := fine()
			tt.spoil(&c)
			got := c.Problems()
			if tt.want == "" && len(got) == 0 {
				return
			}
			if len(got) != 1 || tt.want == "" || !strings.Contains(got[0], tt.want) {
				t.Errorf("Problems() = %q, want one with %q", got, tt.want)
			}
		})
	}
}

func buttons(n int) []card.Button {
	out := make([]card.Button, n)
	for i := range out {
		out[i] = card.Button{Label: "Look", Action: "look"}
	}
	return out
}

func inputs(n int) []card.Input {
	out := make([]card.Input, n)
	for i := range out {
		out[i] = card.Input{ID: "why", Label: "Why", Kind: card.Text}
	}
	return out
}
