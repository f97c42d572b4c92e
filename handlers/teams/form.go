package teams

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"switchback/bot/card"
)

// A form is a dialog: a card with inputs that Teams opens for the one who pressed. It lies over the conversation, so
// nobody else sees it, and whoever closes it has the message as it was.
// https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/task-modules/task-modules-bots
type dialog struct {
	Task task `json:"task"`
}

type task struct {
	Type  string `json:"type"` // continue: value is an open dialog; message: words
	Value any    `json:"value"`
}

type open struct {
	Title  string     `json:"title"`
	Height string     `json:"height"`
	Width  string     `json:"width"`
	Card   attachment `json:"card"`
}

// dialogOf draws the form of a card. What is sent brings its action back, and the values by the ids of the inputs, byte for
// byte. What was wrong with a value stands under its field.
func dialogOf(c card.Card, key string) dialog {
	title := plain(c.Title)
	if c.Drill {
		title = "DRILL: " + title
	}
	return dialog{task{"continue", open{shorten(title, maxDialogTitle), "large", "medium", attach(formCard(c, key))}}}
}

// words is a dialog that only says something.
func words(text string) dialog { return dialog{task{"message", shorten(text, maxSentence)}} }

// formCard is the card in a dialog.
func formCard(c card.Card, key string) adaptive {
	s := sheetOf(c)
	for {
		out := s.draw(card.Card{}, key, nil)
		for _, in := range c.Form.Inputs {
			out.Body = append(out.Body, s.input(in)...)
		}
		out.Actions = []action{{
			Type: "Action.Submit", Title: shorten(orElse(plain(c.Form.Submit), "Send"), maxLabel), Style: "positive",
			Data: data{Ours: ours{c.Form.Action, key}},
		}}
		encoded, err := json.Marshal(out)
		if err != nil || len(encoded) <= maxCard || !s.shrink() {
			return out
		}
	}
}

type textInput struct {
	Type      string `json:"type"`
	ID        string `json:"id"`
	Label     string `json:"label"`
	Value     string `json:"value,omitzero"`
	Multiline bool   `json:"isMultiline,omitzero"`
	Required  bool   `json:"isRequired,omitzero"`
	Error     string `json:"errorMessage,omitzero"`
}

type choiceInput struct {
	Type     string   `json:"type"`
	ID       string   `json:"id"`
	Label    string   `json:"label"`
	Value    string   `json:"value,omitzero"`
	Style    string   `json:"style"`
	Multiple bool     `json:"isMultiSelect,omitzero"`
	Wrap     bool     `json:"wrap"`
	Required bool     `json:"isRequired,omitzero"`
	Error    string   `json:"errorMessage,omitzero"`
	Choices  []choice `json:"choices"`
}

type choice struct {
	Title string `json:"title"`
	Value string `json:"value"`
}

// What a person typed comes back among an action's data under the input's id. The first letter says how to read it.
const (
	asText   = "t."
	asLines  = "l." // the value has \r\n at its line ends, which the clients' fields do not keep
	asChoice = "c."
	asMany   = "m."
)

// fewChoices are shown as they are, more as a menu; several can be chosen only as they are.
const fewChoices = 8

// input draws one field, with what was wrong and with its hint below it.
func (s *sheet) input(in card.Input) []any {
	label := shorten(orElse(plain(in.Label), "–"), maxOption)
	missing := ""
	if !in.Optional {
		missing = label + " is needed."
	}
	var out []any
	switch in.Kind {
	case card.Choice, card.Many:
		f := choiceInput{
			Type: "Input.ChoiceSet", ID: asChoice + in.ID, Label: label, Style: "expanded", Wrap: true, Required: !in.Optional, Error: missing,
		}
		values := []string{in.Value}
		if in.Kind == card.Many {
			f.ID, f.Multiple, values = asMany+in.ID, true, strings.Split(in.Value, "\n")
		} else if len(in.Options) > fewChoices {
			f.Style = "compact"
		}
		var chosen []string
		for _, o := range in.Options {
			// Clients read the labels of choices for markup.
			f.Choices = append(f.Choices, choice{shorten(unmarked(orElse(plain(o.Label), plain(o.Value))), maxOption), choiceValue(o.Value)})
			if slices.Contains(values, o.Value) {
				chosen = append(chosen, choiceValue(o.Value))
			}
		}
		f.Value = strings.Join(chosen, ",")
		out = append(out, f)
	default:
		f := textInput{
			Type: "Input.Text", ID: asText + in.ID, Label: label, Value: in.Value, Required: !in.Optional, Error: missing,
			Multiline: in.Kind == card.Long || strings.Contains(in.Value, "\n"),
		}
		if n := strings.Count(in.Value, "\r\n"); n > 0 && n == strings.Count(in.Value, "\n") && n == strings.Count(in.Value, "\r") {
			f.ID, f.Value = asLines+in.ID, strings.ReplaceAll(in.Value, "\r\n", "\n")
		}
		out = append(out, f)
	}
	if in.Error != "" {
		out = append(out, richText{"RichTextBlock", s.runs("⚠ "+oneLine(in.Error), run{Color: "Attention", Weight: "Bolder"}), "None"})
	}
	if in.Hint != "" {
		out = append(out, richText{"RichTextBlock", s.runs(oneLine(in.Hint), run{Size: "Small", IsSubtle: true}), "None"})
	}
	return out
}

// choiceValue writes a value as Teams takes it: not empty, and without the comma that parts several.
func choiceValue(v string) string { return "=" + url.QueryEscape(v) }

func choiceOf(v string) (string, bool) {
	v, ok := strings.CutPrefix(v, "=")
	if !ok {
		return "", false
	}
	out, err := url.QueryUnescape(v)
	return out, err == nil
}

// valuesOf are the values of a form by the ids of its inputs.
func valuesOf(data map[string]any) map[string]string {
	var out map[string]string
	for id, v := range data {
		text, ok := v.(string)
		if !ok || len(id) < 2 || id == dataKey {
			continue
		}
		switch id[:2] {
		case asText:
		case asLines:
			text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
		case asChoice:
			text, _ = choiceOf(text)
		case asMany:
			var several []string
			for one := range strings.SplitSeq(text, ",") {
				if v, ok := choiceOf(one); ok {
					several = append(several, v)
				}
			}
			text = strings.Join(several, "\n")
		default:
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[id[2:]] = text
	}
	return out
}
