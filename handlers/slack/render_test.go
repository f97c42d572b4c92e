package slack

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	slackgo "github.com/slack-go/slack"

	"switchback/bot/card"
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
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	got := b.Bytes()
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
