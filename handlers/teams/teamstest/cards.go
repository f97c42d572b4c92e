package teamstest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

const cardType = "application/vnd.microsoft.card.adaptive"

const maxActions = 6 // https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-actions

// elements are what a card may be made of here: a card with anything else would be drawn with a hole.
func elements() map[string][]string {
	return map[string][]string{
		"AdaptiveCard":     {"version"},
		"TextBlock":        {"text"},
		"RichTextBlock":    {"inlines"},
		"TextRun":          {"text"},
		"ActionSet":        {"actions"},
		"Container":        {"items"},
		"FactSet":          {"facts"},
		"Input.Text":       {"id", "label"},
		"Input.ChoiceSet":  {"id", "label", "choices"},
		"Action.Execute":   {"title", "verb"},
		"Action.Submit":    {"title"},
		"Action.ShowCard":  {"title", "card"},
		"Action.OpenUrl":   {"url"},
		"mention":          {"text", "mentioned"},
		"task/fetch":       {},
		"activity.message": {},
	}
}

var at = regexp.MustCompile(`<at>.*?</at>`)

// Problem is what Teams has against a card; "" is nothing.
func Problem(c map[string]any) string {
	if c["type"] != "AdaptiveCard" {
		return "not an Adaptive Card"
	}
	mentions := map[string]bool{}
	ms, _ := c["msteams"].(map[string]any)
	for _, e := range list(ms["entities"]) {
		if text, ok := e["text"].(string); ok {
			mentions[text] = true
		}
	}
	problem := ""
	ids := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			kind, typed := v["type"].(string)
			needs, known := elements()[kind]
			if typed && !known {
				problem = "unknown element " + kind
			}
			for _, name := range needs {
				if v[name] == nil || v[name] == "" {
					problem = fmt.Sprintf("%s without %s", kind, name)
				}
			}
			switch {
			case kind == "AdaptiveCard" && !slices.Contains([]string{"1.0", "1.1", "1.2", "1.3", "1.4", "1.5"}, fmt.Sprint(v["version"])):
				problem = "version " + fmt.Sprint(v["version"])
			case len(list(v["actions"])) > maxActions:
				problem = "more than six actions"
			case kind == "Action.OpenUrl" && !strings.HasPrefix(fmt.Sprint(v["url"]), "https://"):
				problem = "a link that is not https"
			case strings.HasPrefix(kind, "Input."):
				if id := fmt.Sprint(v["id"]); ids[id] {
					problem = "two inputs " + id
				} else {
					ids[id] = true
				}
			case kind == "TextBlock":
				for _, m := range at.FindAllString(fmt.Sprint(v["text"]), -1) {
					if !mentions[m] {
						problem = "a mention of nobody: " + m
					}
				}
			}
			for name, x := range v {
				if name != "data" {
					walk(x)
				}
			}
		}
	}
	walk(c)
	return problem
}

func list(v any) []map[string]any {
	all, _ := v.([]any)
	var out []map[string]any
	for _, x := range all {
		if m, ok := x.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// actions are the buttons of a card, with those of the cards that unfold from them.
func actions(v any) []map[string]any {
	var out []map[string]any
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			out = append(out, actions(x)...)
		}
	case map[string]any:
		if kind, _ := v["type"].(string); strings.HasPrefix(kind, "Action.") && kind != "Action.OpenUrl" {
			out = append(out, v)
		}
		for _, name := range []string{"body", "items", "actions", "card"} {
			out = append(out, actions(v[name])...)
		}
	}
	return out
}

// inputs are the fields of a card.
func inputs(v any) []map[string]any {
	var out []map[string]any
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			out = append(out, inputs(x)...)
		}
	case map[string]any:
		if kind, _ := v["type"].(string); strings.HasPrefix(kind, "Input.") {
			out = append(out, v)
		}
		for _, name := range []string{"body", "items"} {
			out = append(out, inputs(v[name])...)
		}
	}
	return out
}

// Buttons are the labels of a message's buttons; those that unfold a question come with what it offers.
func (m Message) Buttons() []string {
	var out []string
	for _, a := range actions(m.Card) {
		out = append(out, fmt.Sprint(a["title"]))
	}
	return out
}

// button finds what is pressed by a label. One that unfolds a question is pressed with the yes of it.
func button(card map[string]any, label string) (map[string]any, error) {
	var labels []string
	for _, a := range actions(card) {
		title := fmt.Sprint(a["title"])
		labels = append(labels, title)
		if title != label {
			continue
		}
		if a["type"] == "Action.ShowCard" {
			if inner := actions(a["card"]); len(inner) > 0 {
				return inner[0], nil
			}
		}
		return a, nil
	}
	return nil, fmt.Errorf("there is no button %q, only %q", label, labels)
}

// TextOf is a card as somebody in that time zone reads it, one paragraph a line, the inputs with their values.
func TextOf(card map[string]any, zone string) string {
	place, err := time.LoadLocation(zone)
	if err != nil {
		place = time.UTC
	}
	var out []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			switch kind, _ := v["type"].(string); kind {
			case "TextBlock":
				out = append(out, fmt.Sprint(v["text"]))
			case "RichTextBlock":
				var line strings.Builder
				for _, r := range list(v["inlines"]) {
					fmt.Fprint(&line, r["text"])
				}
				out = append(out, line.String())
			case "Input.Text", "Input.ChoiceSet":
				value, _ := v["value"].(string)
				out = append(out, fmt.Sprintf("%v: %s", v["label"], value))
				for _, c := range list(v["choices"]) {
					out = append(out, "  ( ) "+fmt.Sprint(c["title"]))
				}
			default:
				if strings.HasPrefix(kind, "Action.") {
					out = append(out, "["+fmt.Sprint(v["title"])+"]")
				}
			}
			for _, name := range []string{"body", "items", "actions", "card"} {
				walk(v[name])
			}
		}
	}
	walk(card)
	return times(strings.Join(out, "\n"), place)
}

var function = regexp.MustCompile(`\{\{(DATE|TIME)\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)(?:, SHORT)?\)\}\}`)

// times draws the functions of a text as a client does.
func times(s string, zone *time.Location) string {
	return function.ReplaceAllStringFunc(s, func(f string) string {
		m := function.FindStringSubmatch(f)
		at, err := time.Parse(time.RFC3339, m[2])
		if err != nil {
			return f
		}
		if m[1] == "DATE" {
			return at.In(zone).Format("Mon, Jan 2, 2006")
		}
		return at.In(zone).Format("15:04")
	})
}

// fill puts a text into a field as a client does: for choices the text is their labels, one a line.
func fill(field map[string]any, text string) (string, error) {
	if field["type"] == "Input.Text" {
		if field["isMultiline"] != true && strings.ContainsAny(text, "\r\n") {
			return "", errors.New("the field has one line")
		}
		return strings.ReplaceAll(text, "\r\n", "\n"), nil
	}
	var out []string
	for label := range strings.SplitSeq(text, "\n") {
		i := slices.IndexFunc(list(field["choices"]), func(c map[string]any) bool { return c["title"] == label })
		if i < 0 && label != "" {
			return "", fmt.Errorf("there is no choice %q", label)
		}
		if i >= 0 {
			value, _ := list(field["choices"])[i]["value"].(string)
			out = append(out, value)
		}
	}
	if len(out) > 1 && field["isMultiSelect"] != true {
		return "", errors.New("only one can be chosen")
	}
	return strings.Join(out, ","), nil
}

// Button is what can be pressed on a message.
type Button struct {
	Label string
	Data  map[string]any // what the bot wrote to come back with a press
}

// Actions are the buttons of a message as they are pressed by their labels.
func (m Message) Actions() []Button {
	var out []Button
	for _, a := range actions(m.Card) {
		label := fmt.Sprint(a["title"])
		if pressed, err := button(m.Card, label); err == nil {
			data, _ := pressed["data"].(map[string]any)
			out = append(out, Button{label, data})
		}
	}
	return out
}

// Choices are the labels that the field of that label offers.
func (d Dialog) Choices(label string) []string {
	var out []string
	for _, f := range inputs(d.Card) {
		if f["label"] == label {
			for _, c := range list(f["choices"]) {
				out = append(out, fmt.Sprint(c["title"]))
			}
		}
	}
	return out
}
