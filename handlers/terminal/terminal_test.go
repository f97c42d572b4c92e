package terminal_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/card"
	"switchback/bot/flow"
	"switchback/handlers"
	"switchback/handlers/terminal"
)

// answering is a flow that answers everything with a card of four buttons: a plain one, one that asks whether you are
// sure, one that opens the form, and one that ends the card.
type answering struct {
	out    bytes.Buffer
	term   *terminal.Terminal
	form   card.Card
	events []flow.Event
	shown  int // events that have their card
}

func newAnswering(inputs ...card.Input) *answering {
	f := &answering{form: card.Card{Title: "A form", Form: &card.Form{Submit: "Send", Action: action("sent"), Inputs: inputs}}}
	f.term = terminal.New(terminal.Config{
		Out: &f.out, Session: "s", Me: "ana", Channel: "#support", Flow: f, Settle: f.settle,
		Extras: map[string]terminal.Extra{"/weather": func(_ context.Context, args []string, out io.Writer) error {
			fmt.Fprintln(out, "  rain, and", len(args), "words")
			return nil
		}},
	})
	return f
}

func action(verb string) string { return flow.Action{Walk: "w1", Verb: verb}.Encode() }

func (f *answering) Offline(context.Context, flow.Event) card.Card { return card.Card{} }

func (f *answering) Accept(_ context.Context, e flow.Event) (<-chan flow.Reply, error) {
	f.events = append(f.events, e)
	reply := make(chan flow.Reply, 1)
	var r flow.Reply
	if p, ok := e.What.(flow.Press); ok && p.Action.Verb == "form" {
		r.Form = &f.form
	}
	reply <- r
	return reply, nil
}

// settle shows a card for each event that came since: the first message is edited, others are new.
func (f *answering) settle(ctx context.Context) error {
	for ; f.shown < len(f.events); f.shown++ {
		e := f.events[f.shown]
		p := flow.Post{Place: flow.Place{Platform: "terminal", Person: e.By.Account}, Message: fmt.Sprint(f.shown % 3), Card: card.Card{
			Title: fmt.Sprintf("Answer %d", f.shown+1),
			Buttons: []card.Button{
				{Label: "Look", Action: action("look")},
				{Label: "Close", Action: action("close"), Sure: &card.Sure{Title: "Close?", Text: "Now.", Yes: "Yes", No: "No"}},
				{Label: "Note…", Action: action("form"), Opens: true},
			},
		}}
		if x, ok := e.What.(flow.Press); ok && x.Action.Verb == "sent" {
			p.Card.Buttons = nil
		}
		if _, err := f.term.Send(ctx, p, handlers.Target{}); err != nil {
			return err
		}
	}
	return nil
}

// types gives the session lines, and returns what the last one brought onto the screen.
func (f *answering) types(t *testing.T, lines ...string) string {
	t.Helper()
	for _, line := range lines {
		f.out.Reset()
		if err := f.term.Line(t.Context(), line); err != nil {
			t.Fatalf("Line(%q) = %v", line, err)
		}
	}
	return f.out.String()
}

// said is who did what in the last event.
func (f *answering) said() string {
	if len(f.events) == 0 {
		return ""
	}
	e := f.events[len(f.events)-1]
	if p, ok := e.What.(flow.Press); ok {
		return e.By.Account + " " + p.Action.Verb
	}
	c, _ := e.What.(flow.Command)
	return e.By.Account + " /outage " + strings.Join(c.Words, " ")
}

func TestLine(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines []string
		said  string // the last event
		shown string // part of the last answer
	}{
		{"a command", []string{"/outage chat  late"}, "terminal:ana /outage chat late", "[1] To @ana"},
		{"by somebody else", []string{"@sam /outage status"}, "terminal:sam /outage status", "[1] To @sam"},
		{"a button of the newest card", []string{"/outage", "1"}, "terminal:ana look", "Answer 2"},
		{"a button of an older card", []string{"/outage", "/outage", "1.1"}, "terminal:ana look", "Answer 3"},
		{"somebody else presses", []string{"/outage", "@sam 1.1"}, "terminal:sam look", "To @sam"},
		{"sure", []string{"/outage", "2"}, "terminal:ana /outage ", "Close? Now.\n  [1] Yes\n  [2] No"},
		{"sure: yes", []string{"/outage", "2", "1"}, "terminal:ana close", "Answer 2"},
		{"sure: yes in words", []string{"/outage", "2", " Yes "}, "terminal:ana close", "Answer 2"},
		{"sure: no", []string{"/outage", "2", "2"}, "terminal:ana /outage ", "Nothing was changed"},
		{"sure: another command is a no", []string{"/outage", "2", "/outage status"}, "terminal:ana /outage status", "Nothing was changed by it"},
		{"the question is not for others", []string{"/outage", "2", "@sam 1"}, "terminal:sam look", "To @sam"},
		{"no such button", []string{"/outage", "4"}, "terminal:ana /outage ", "no such button"},
		{"no such card", []string{"/outage", "9.1"}, "terminal:ana /outage ", "no such button"},
		{"button nought", []string{"/outage", "1.0"}, "terminal:ana /outage ", "no such button"},
		{"card nought", []string{"/outage", "0.0"}, "terminal:ana /outage ", "no such button"},
		{"a button before any card", []string{"1"}, "", "no such button"},
		{"other words", []string{"hello"}, "", "Type /outage"},
		{"a word of the terminal", []string{"/weather in Rome"}, "", "rain, and 2 words"},
		{"without a stroke", []string{"Outage chat"}, "terminal:ana /outage chat", "Answer 1"},
		{"help", []string{"help"}, "terminal:ana /outage help", "Answer 1"},
		{"from Windows", []string{"/outage\r"}, "terminal:ana /outage ", "Answer 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newAnswering(card.Input{ID: "why", Label: "Why", Kind: card.Text})
			shown := f.types(t, tt.lines...)
			if got := f.said(); got != tt.said {
				t.Errorf("the last event is %q, want %q", got, tt.said)
			}
			if !strings.Contains(shown, tt.shown) {
				t.Errorf("shown is %q, want %q in it", shown, tt.shown)
			}
		})
	}
}

// Two events of one session never have one id: the second would be taken for the first, come again.
func TestEventsHaveNamesOfTheirOwn(t *testing.T) {
	f := newAnswering()
	f.types(t, "/outage", "1", "2", "1", "@sam /outage")
	var ids []string
	for _, e := range f.events {
		ids = append(ids, e.ID)
	}
	if want := []string{"s/1", "s/2", "s/3", "s/4"}; !slices.Equal(ids, want) {
		t.Errorf("ids are %q, want %q", ids, want)
	}
}

func options() []card.Option {
	return []card.Option{{Value: "web-shop", Label: "Web shop"}, {Value: "help-centre", Label: "Help centre"}, {Value: "blog", Label: "Blog"}}
}

func TestForms(t *testing.T) {
	text := card.Input{ID: "x", Label: "Since", Kind: card.Text, Value: "14:05"}
	long := card.Input{ID: "x", Label: "Message", Kind: card.Long, Value: "Chat is down.\nSorry."}
	choice := card.Input{ID: "x", Label: "Until", Kind: card.Choice, Value: "blog", Options: options()}
	many := card.Input{ID: "x", Label: "Which", Kind: card.Many, Value: "web-shop\nblog", Options: options()}
	for _, tt := range []struct {
		name  string
		input card.Input
		lines []string
		want  string
	}{
		{"text", text, []string{"14:30"}, "14:30"},
		{"text, as it was", text, []string{""}, "14:05"},
		{"long", long, []string{"Chat", "is down", "."}, "Chat\nis down"},
		{"long, byte for byte", long, []string{"  We're <b>closed</b>\t&  ", "", " . ", "1", "."}, "  We're <b>closed</b>\t&  \n\n . \n1"},
		{"long, as it was", long, []string{""}, "Chat is down.\nSorry."},
		{"long, emptied", long, []string{"."}, ""},
		{"choice", choice, []string{"2"}, "help-centre"},
		{"choice, as it was", choice, []string{""}, "blog"},
		{"choice, not two", choice, []string{"1 2", "2"}, "help-centre"},
		{"choice, not a word", choice, []string{"Blog", "0", "4", "-1", "1.1", "1"}, "web-shop"},
		{"many", many, []string{"1, 2"}, "web-shop\nhelp-centre"},
		{"many, only one", many, []string{"3"}, "blog"},
		{"many, as it was", many, []string{""}, "web-shop\nblog"},
		{"many, not a word among them", many, []string{"1 and 2", "2"}, "help-centre"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newAnswering(tt.input)
			asked := f.types(t, "/outage", "3")
			for _, word := range []string{"Form for @ana: A form", tt.input.Label, "Now"} {
				if !strings.Contains(asked, word) {
					t.Errorf("asked %q, want %q in it", asked, word)
				}
			}
			f.types(t, tt.lines...)
			got := f.events[len(f.events)-1].What
			want := flow.Press{Action: flow.Action{Walk: "w1", Verb: "sent"}, Fields: map[string]string{"x": tt.want}}
			if diff := cmp.Diff(flow.What(want), got); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
		})
	}
}

// R13: a text to be copied is printed as it is, between marks; what would steer the terminal is not.
func TestATextIsPrintedExactly(t *testing.T) {
	f := newAnswering(card.Input{ID: "x", Label: "Message", Kind: card.Long, Value: "  We're <b>closed</b>\t&  \n\n[1.1] é\x1b[2J"})
	got := f.types(t, "/outage", "3")
	const mark = "    ----------------------------------------\n"
	for _, want := range []string{
		mark + "  We're <b>closed</b>\t&  \n\n[1.1] é[2J\n" + mark,
		`it is: "  We're <b>closed</b>\t&  \n\n[1.1] \u00e9\x1b[2J"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("printed %q, want %q in it", got, want)
		}
	}
}

func TestFormOfSeveralInputs(t *testing.T) {
	f := newAnswering(
		card.Input{ID: "which", Label: "Which", Hint: "one or more", Kind: card.Many, Options: options()},
		card.Input{ID: "message", Label: "Message", Kind: card.Long},
		card.Input{ID: "note", Label: "Note", Kind: card.Long},
		card.Input{ID: "since", Label: "Since", Kind: card.Text, Value: "14:05"},
	)
	if got := f.types(t, "/outage", "3"); !strings.Contains(got, "Which (one or more)\n    [1] Web shop\n    [2] Help centre") {
		t.Errorf("asked %q, want the options by number", got)
	}
	f.types(t, "1")
	f.types(t, "Down.", "@sam is on it") // up to the dot every line is text
	f.types(t, ".", "Bad.")
	if got := f.types(t, "."); !strings.Contains(got, "  Since\n    Now: 14:05\n") {
		t.Errorf("asked %q, want the last input and its value", got)
	}
	f.types(t, "14:30")
	want := flow.Press{Action: flow.Action{Walk: "w1", Verb: "sent"}, Fields: map[string]string{"which": "web-shop", "message": "Down.\n@sam is on it", "note": "Bad.", "since": "14:30"}}
	if diff := cmp.Diff(flow.What(want), f.events[len(f.events)-1].What); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

// A form that comes back asks only for what was wrong; the rest is sent as it was.
func TestFormAgain(t *testing.T) {
	f := newAnswering(
		card.Input{ID: "which", Label: "Which", Kind: card.Many, Value: "web-shop\nblog", Options: options()},
		card.Input{ID: "since", Label: "Since", Kind: card.Text, Value: "25:00", Error: "25:00 is no time"},
		card.Input{ID: "message", Label: "Message", Kind: card.Long, Value: "Down.\n"},
	)
	if got := f.types(t, "/outage", "3"); !strings.Contains(got, "Form for @ana: A form\n  Not taken: 25:00 is no time\n  Since\n") {
		t.Errorf("asked %q, want what was wrong", got)
	}
	f.types(t, "14:30")
	want := flow.Press{Action: flow.Action{Walk: "w1", Verb: "sent"}, Fields: map[string]string{"which": "web-shop\nblog", "message": "Down.\n", "since": "14:30"}}
	if diff := cmp.Diff(flow.What(want), f.events[len(f.events)-1].What); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

func TestFormIsClosed(t *testing.T) {
	for _, kind := range []card.InputKind{card.Text, card.Long, card.Choice, card.Many} {
		t.Run(string(kind), func(t *testing.T) {
			f := newAnswering(card.Input{ID: "x", Label: "X", Kind: kind, Options: options()})
			f.types(t, "/outage", "3")
			if got := f.types(t, "/cancel"); !strings.Contains(got, "Nothing was changed") || f.said() != "terminal:ana form" {
				t.Errorf("/cancel: %q after %q, want that nothing was changed, and no event", got, f.said())
			}
			if f.types(t, "1"); f.said() != "terminal:ana look" {
				t.Errorf("after /cancel the next line is %q, want the button", f.said())
			}
		})
	}
}

// What cannot be taken in is said, and the session goes on.
func TestNothingIsTakenIn(t *testing.T) {
	var out bytes.Buffer
	term := terminal.New(terminal.Config{
		Out: &out, Me: "ana", Flow: refusing{}, Settle: func(context.Context) error { return nil },
	})
	if err := term.Line(t.Context(), "/outage"); err != nil || !strings.Contains(out.String(), "By hand, then\n  (nothing was started: the disk is full)") {
		t.Errorf("Line = %v, shown %q, want why nothing was started", err, out.String())
	}
}

type refusing struct{}

func (refusing) Offline(context.Context, flow.Event) card.Card {
	return card.Card{Title: "By hand, then"}
}

func (refusing) Accept(context.Context, flow.Event) (<-chan flow.Reply, error) {
	return nil, fmt.Errorf("the disk is full")
}

// Whatever is typed, nothing breaks, and whoever typed it gets an answer: only an empty line, and a line in the middle
// of a long text, say nothing.
func FuzzLine(f *testing.F) {
	for _, s := range []string{
		"/outage chat late\n1\n1\n", "@sam /outage\n3\nhello\n.\n2\n1 2\n", "/outage\n3\n/cancel\n2\nno\n", "1.1\n9.9\n.\n@\n@ 1\n@sam\n",
		"/outage\n3\n\n\n\n\n1.2\n1\n", "/weather\n-1\n1.\n.1\n1.1.1\n99999999999999999999\n", "/outage \xff\n3\n\x1b[2J\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, lines string) {
		s := newAnswering(
			card.Input{ID: "text", Label: "Text", Kind: card.Text}, card.Input{ID: "long", Label: "Long", Kind: card.Long, Value: "a\nb"},
			card.Input{ID: "one", Label: "One", Kind: card.Choice, Options: options()}, card.Input{ID: "many", Label: "Many", Kind: card.Many, Options: options()},
		)
		writing := map[string]bool{} // who is in the middle of a long text
		for line := range strings.SplitSeq(lines, "\n") {
			who, text := "ana", strings.TrimSpace(line)
			if rest, ok := strings.CutPrefix(text, "@"); ok {
				who, text, _ = strings.Cut(rest, " ")
			}
			shown := s.types(t, line)
			if shown == "" && strings.TrimSpace(text) != "" && !writing[who] {
				t.Fatalf("%q typed %q, which was not answered, in\n%s", who, line, lines)
			}
			if shown != "" {
				writing[who] = strings.Contains(shown, "a line with only a dot")
			}
			shown = strings.ReplaceAll(shown, who, "") // a name is shown as it was typed, here and now
			if strings.ContainsFunc(shown, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
				t.Fatalf("%q brought control characters onto the screen: %q", line, shown)
			}
		}
	})
}
