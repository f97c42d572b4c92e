package slack

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	slackgo "github.com/slack-go/slack"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/flow"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// body is a message as it is sent.
type body struct {
	Text   string          `json:"text"`
	Blocks []slackgo.Block `json:"blocks"`
}

func drawn(c card.Card, id string) body {
	text, blocks := message(c, id)
	return body{text, blocks}
}

// golden compares v with testdata/name.json.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	got := pretty(t, v)
	file := filepath.Join("testdata", name+".json")
	if *update {
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

// pretty writes v with one block a line.
func pretty(t *testing.T, v any) []byte {
	t.Helper()
	compact := func(v any) string {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(b.String())
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(compact(v)), &fields); err != nil {
		t.Fatal(err)
	}
	out := "{"
	for i, name := range slices.Sorted(maps.Keys(fields)) {
		if i > 0 {
			out += ","
		}
		out += "\n " + compact(name) + ": "
		var blocks []json.RawMessage
		if name != "blocks" || json.Unmarshal(fields[name], &blocks) != nil {
			out += compact(fields[name])
			continue
		}
		lines := make([]string, len(blocks))
		for i, b := range blocks {
			lines[i] = "\n  " + compact(b)
		}
		out += "[" + strings.Join(lines, ",") + "\n ]"
	}
	return []byte(out + "\n}\n")
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
		golden(t, "message-"+string(tone), drawn(c, "chat-1/home"))
	}
}

// Each kind of card that the bot shows in its transcripts.
func TestCards(t *testing.T) {
	data, err := os.ReadFile("../../bot/testdata/cards.json")
	if err != nil {
		t.Fatal(err)
	}
	var cards []card.Card
	if err := json.Unmarshal(data, &cards); err != nil {
		t.Fatal(err)
	}
	if *update {
		old, _ := filepath.Glob("testdata/cards/*.json")
		for _, file := range old {
			os.Remove(file)
		}
	}
	seen := map[string]int{}
	for _, c := range cards {
		name := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(plain(c.Title)), "-"), "-")
		name, _ = split(name, 60)
		if seen[name]++; seen[name] > 1 {
			name += fmt.Sprintf("-%d", seen[name])
		}
		if c.Form == nil {
			golden(t, "cards/"+name, drawn(c, "chat-1/home"))
			continue
		}
		view, err := modal(c, "meta")
		if err != nil {
			t.Errorf("%s: %v", c.Title, err)
			continue
		}
		golden(t, "cards/"+name, view)
	}
}

var notInNames = regexp.MustCompile(`[^a-z]+`)

// form is a card with inputs of each kind.
func form() card.Card {
	return card.Card{
		Title: "Chat cannot be started, or arrives late", Text: []string{"Since " + card.Clock(at) + "."},
		Form: &card.Form{Submit: "Show what will change", Action: "1.act", Inputs: []card.Input{
			{ID: "targets", Kind: card.Many, Label: "Which", Options: []card.Option{{Value: "web-shop", Label: "Web shop"}, {Value: "help", Label: "Help centre"}}, Value: "web-shop\nhelp"},
			{ID: "message", Kind: card.Long, Label: "What visitors read meanwhile", Value: "We are <b>down</b> & sorry: \"*bye*\" 😀\n\n_Bye_ <!channel>", Error: "it names a way that is down"},
			{ID: "deadline", Kind: card.Choice, Label: "Ask me to restore after", Options: []card.Option{{Value: "1h0m0s", Label: "1 h"}, {Value: "", Label: "Never"}}, Value: "1h0m0s"},
			{ID: "since", Kind: card.Text, Label: "Affecting customers since", Hint: "15:04 on your clock", Value: "13:00", Optional: true},
		}},
	}
}

func TestModal(t *testing.T) {
	view, err := modal(form(), "meta")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "modal", view)
}

// What a person copies out of Slack, as it is shown and as the API has it, is what the bot takes back.
func TestKept(t *testing.T) {
	capsule, err := os.ReadFile("../../bot/flow/testdata/capsule.txt")
	if err != nil {
		t.Fatal(err)
	}
	o, r, from, err := flow.ReadCapsule(string(capsule))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 30 { // several messages, each nearly as long as may be
		st := r.Steps[1]
		st.Key = change.Key(fmt.Sprintf("sim/chat/app-%d/unavailable-message", i))
		r.Steps = append(r.Steps, st)
	}
	cards := flow.CapsuleCards(o, r, from.Lineage, from.Counter)
	if len(cards) < 3 {
		t.Fatalf("%d messages", len(cards))
	}
	var seen, told string
	for i, c := range cards {
		c.Keep = true
		judgeMessage(t, c, "x")
		text, blocks := message(c, "x")
		told += text + "\n"
		for _, b := range blocks {
			rich, ok := b.(*slackgo.RichTextBlock)
			if !ok {
				continue
			}
			for _, e := range rich.Elements {
				for _, run := range e.(*slackgo.RichTextPreformatted).Elements {
					seen += run.(*slackgo.RichTextSectionTextElement).Text
				}
				seen += "\n"
			}
		}
		if i == 0 {
			golden(t, "keep", drawn(c, "x"))
		}
	}
	for _, c := range cards {
		for _, p := range c.Text {
			if !strings.Contains(seen, p) {
				t.Errorf("not shown as it is: %q", p)
			}
		}
	}
	for how, copied := range map[string]string{"as shown": seen, "as the API has it": told, "unescaped": unescape(told)} {
		again, record, _, err := flow.ReadCapsule(copied)
		if err != nil {
			t.Errorf("%s: %v", how, err)
			continue
		}
		if diff := cmp.Diff(r, record, cmpopts.EquateEmpty()); diff != "" || again.ID != o.ID {
			t.Errorf("%s (-want +got):\n%s", how, diff)
		}
	}
}
