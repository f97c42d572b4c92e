package teams

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/card"
	"switchback/bot/flow"
	"switchback/handlers/teams/teamstest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares v with testdata/name.json.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	got := pretty(t, v)
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// pretty writes v with one element of a body a line.
func pretty(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	for _, element := range []string{`{"type":"RichTextBlock"`, `{"type":"TextBlock"`, `{"type":"ActionSet"`, `{"type":"Action.`, `{"type":"Input.`, `"body":`, `"actions":`, `"msteams":{"width"`} {
		out = strings.ReplaceAll(out, element, "\n"+element)
	}
	return []byte(out)
}

var at = time.Date(2026, 11, 26, 7, 10, 0, 0, time.UTC)

// everything is a card with everything that a card can have, but a form.
func everything(tone card.Tone, drill bool) card.Card {
	return card.Card{
		Tone: tone, Drill: drill, Title: "Chat is closed since " + card.Clock(at),
		Text: []string{"In Gladly it is " + card.Day(at) + ".", "Two lines,\nin one paragraph. See https://status.gladly.com."},
		Facts: []card.Fact{
			{Name: "Web shop, hours", How: "by the bot, at once", Before: "08:00–20:00", After: "Closed", Note: "done " + card.Clock(at)},
			{Name: "Help centre, message", Before: "We're closed <b>now</b>."},
			{Name: "Press, Initial IVR", After: "Voicemail Only", How: "by a person in Gladly"},
			{Name: "Orders", Note: "nobody was asked"},
			{Name: "Only a name"},
		},
		Notes: []string{"Nothing reopens by itself.", "A note of two\nlines."},
		Buttons: []card.Button{
			{Label: "Restore…", Style: card.Danger, Action: "a", Sure: &card.Sure{Title: "Sure?", Text: "Customers notice.", Yes: "Yes, do it", No: "No"}},
			{Label: "One hour more", Style: card.Primary, Action: "b"},
			{Label: "More…", Action: "c", Opens: true},
		},
	}
}

func TestMessages(t *testing.T) {
	for _, tone := range []card.Tone{card.Info, card.Working, card.Done, card.Warning, card.Trouble} {
		c := everything(tone, tone == card.Done || tone == card.Trouble)
		if tone != card.Info { // the rest is the same
			c.Text, c.Facts, c.Notes = nil, nil, nil
		}
		golden(t, "message-"+string(tone), message(c, "key", mention{name: "ana", object: "00000000-0000-0000-0000-0000000000aa"}, mention{name: "support-oncall"}))
	}
}

// Each kind of card that the bot shows in its transcripts is one that Teams draws. Microsoft's parser judges them too.
func TestCards(t *testing.T) {
	data, err := os.ReadFile("../../bot/testdata/cards.json")
	if err != nil {
		t.Fatal(err)
	}
	var cards []card.Card
	if err := json.Unmarshal(data, &cards); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i, c := range cards {
		drawn := message(c, "key")
		if c.Form != nil {
			drawn = formCard(c, "key")
		}
		encoded, err := json.Marshal(drawn)
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]any
		if err := json.Unmarshal(encoded, &back); err != nil {
			t.Fatal(err)
		}
		if problem := teamstest.Problem(back); problem != "" || len(encoded) > maxCard {
			t.Errorf("%q: %s, %d bytes", c.Title, problem, len(encoded))
		}
		if read := teamstest.TextOf(back, "UTC"); strings.Contains(read, "{{") || strings.ContainsAny(read, "\x02\x03") {
			t.Errorf("%q reads as\n%s", c.Title, read)
		}
		for _, b := range c.Buttons {
			if _, err := flow.DecodeAction(b.Action); err != nil {
				t.Errorf("%q: button %q: %v", c.Title, b.Label, err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.json", i)), encoded, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	judge(t, dir)
}

// Microsoft's own packages judge every golden file: cards, the form and the manifest.
func TestMicrosoftsParser(t *testing.T) { judge(t, "testdata") }

func judge(t *testing.T, dir string) {
	t.Helper()
	const checks = "../../.ci/teams"
	missing := ""
	if _, err := exec.LookPath("node"); err != nil {
		missing = "node"
	} else if _, err := os.Stat(filepath.Join(checks, "node_modules", "adaptivecards")); err != nil {
		missing = "Microsoft's packages: cd .ci/teams && npm ci"
	}
	if missing != "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("missing: " + missing)
		}
		t.Skip("not checked, missing: " + missing)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	args := append([]string{filepath.Join(checks, "cards.mjs")}, files...)
	if out, err := exec.CommandContext(t.Context(), "node", args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// form is a card with inputs of each kind.
func form() card.Card {
	return card.Card{
		Title: "Chat cannot be started, or arrives late", Text: []string{"Since " + card.Clock(at) + "."},
		Form: &card.Form{Submit: "Show what will change", Action: "1.act", Inputs: []card.Input{
			{ID: "targets", Kind: card.Many, Label: "Which", Options: []card.Option{{Value: "web, shop", Label: "*Web* shop"}, {Value: "help", Label: "Help centre"}}, Value: "web, shop\nhelp"},
			{ID: "message", Kind: card.Long, Label: "What visitors read meanwhile", Value: "We are <b>down</b> & sorry: \"*bye*\" 😀\n\n_Bye_ <at>all</at>", Error: "it names a way that is down"},
			{ID: "old", Kind: card.Long, Label: "As it was", Value: "one\r\ntwo\r\n"},
			{ID: "deadline", Kind: card.Choice, Label: "Ask me to restore after", Options: []card.Option{{Value: "1h0m0s", Label: "1 h"}, {Value: "", Label: "Never"}}, Value: "1h0m0s"},
			{ID: "since", Kind: card.Text, Label: "Affecting customers since", Hint: "15:04 on your clock", Value: "13:00", Optional: true},
		}},
	}
}

func TestForm(t *testing.T) { golden(t, "form", dialogOf(form(), "key").Task.Value.(open).Card) }

// sentBack is what Teams sends of a form that nobody touched: the inputs' values beside the action's data.
func sentBack(t *testing.T, c adaptive) map[string]any {
	t.Helper()
	var drawn struct {
		Body    []map[string]any `json:"body"`
		Actions []struct {
			Data map[string]any `json:"data"`
		} `json:"actions"`
	}
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(encoded, &drawn); err != nil {
		t.Fatal(err)
	}
	out := drawn.Actions[0].Data
	for _, e := range drawn.Body {
		if kind, _ := e["type"].(string); strings.HasPrefix(kind, "Input.") {
			value, _ := e["value"].(string)
			out[e["id"].(string)] = value
		}
	}
	return out
}

func TestFormComesBackByteForByte(t *testing.T) {
	want := map[string]string{}
	for _, in := range form().Form.Inputs {
		want[in.ID] = in.Value
	}
	got := incoming{}
	got.pressed(sentBack(t, formCard(form(), "key")))
	if diff := cmp.Diff(want, got.values); diff != "" || got.action != "1.act" || got.message != "key" {
		t.Errorf("action %q of message %q, values (-want +got):\n%s", got.action, got.message, diff)
	}
}

// words of a card, as a client would take them for markup, a function or a mention: each run of text that it draws.
func texts(v any) []string {
	var out []string
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			out = append(out, texts(x)...)
		}
	case map[string]any:
		for name, x := range v {
			s, ok := x.(string)
			if ok && (name == "text" || name == "title" || name == "label" || name == "speak" || name == "fallbackText") {
				out = append(out, s)
				if v["type"] != "TextRun" && name == "text" {
					out = append(out, "markup: "+s)
				}
			}
			if name != "data" && name != "entities" {
				out = append(out, texts(x)...)
			}
		}
	}
	return out
}

func FuzzCards(f *testing.F) {
	f.Add("plain", "{{DATE(2026-11-23T14:00:00Z)}}", "<at>Ana</at>", "[x](javascript:alert(1))")
	f.Add("\x02c1764141010\x03", "https://example.com/a_b*c", "**bold** `code`", "\u202egnp.exe")
	f.Add("\xff\xfe", strings.Repeat("long ", 4000), "{\x02{", "</AT >")
	f.Fuzz(func(t *testing.T, title, text, label, note string) {
		c := card.Card{
			Title: title, Text: []string{text, note}, Facts: []card.Fact{{Name: label, Before: text, After: note, Note: title}}, Notes: []string{note},
			Buttons: []card.Button{{Label: label, Action: "a", Sure: &card.Sure{Title: text, Text: note, Yes: label}}, {Label: title, Action: "b", Opens: true}},
		}
		asked := form()
		asked.Title, asked.Text = title, []string{text}
		asked.Form.Inputs[0].Label, asked.Form.Inputs[0].Hint, asked.Form.Inputs[0].Error = label, note, text
		asked.Form.Inputs[0].Options[0].Label = note
		for _, drawn := range []adaptive{message(c, "key"), formCard(asked, "key")} {
			encoded, err := json.Marshal(drawn)
			if err != nil || len(encoded) > maxCard {
				t.Fatalf("%d bytes, at most %d; %v", len(encoded), maxCard, err)
			}
			var back any
			if err := json.Unmarshal(encoded, &back); err != nil {
				t.Fatal(err)
			}
			for _, s := range texts(back) {
				if strings.HasPrefix(s, "markup: ") || atTag.MatchString(s) {
					t.Errorf("%q could be read for markup or a mention", s)
				}
				for rest := s; ; {
					_, after, found := strings.Cut(rest, "{{")
					if !found {
						break
					}
					if !moment.MatchString(after) {
						t.Errorf("%q has a function that is not ours", s)
					}
					rest = after
				}
			}
		}
	})
}

func TestSummaryAndSentence(t *testing.T) {
	c := everything(card.Trouble, true)
	if got, want := summary(c), "DRILL – nothing is real: 🔴 OUTAGE: Chat is closed since 07:10 UTC"; got != want {
		t.Errorf("summary = %q, want %q", got, want)
	}
	if got, want := sentence(card.Card{Title: "Not *yours*", Text: []string{"Ask @ana"}}), "Not ∗yours∗. Ask @ana."; got != want {
		t.Errorf("sentence = %q, want %q", got, want)
	}
}

func TestLongCardsShrink(t *testing.T) {
	c := everything(card.Info, false)
	for range card.MaxFacts {
		c.Facts = append(c.Facts, card.Fact{Name: strings.Repeat("n", 300), Before: strings.Repeat("b", 2000), After: strings.Repeat("a", 2000)})
	}
	for range 20 {
		c.Notes, c.Text = append(c.Notes, strings.Repeat("note ", 500)), append(c.Text, strings.Repeat("text ", 500))
	}
	encoded, err := json.Marshal(message(c, "key"))
	if err != nil || len(encoded) > maxCard {
		t.Fatalf("%d bytes, at most %d; %v", len(encoded), maxCard, err)
	}
	for _, want := range []string{"Chat is closed", "more, which did not fit here", `"One hour more"`} {
		if !bytes.Contains(encoded, []byte(want)) {
			t.Errorf("%q was lost", want)
		}
	}
}

// moment is what follows the braces of a function of ours.
var moment = regexp.MustCompile(`^(DATE\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, SHORT\)|TIME\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\))}}`)
