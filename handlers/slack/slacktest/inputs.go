package slacktest

import (
	"fmt"
	"slices"
	"strings"
)

// values returns what the inputs of blocks hold, by block id and action id: what was filled in before if it is still
// there, else what they begin with.
func (s *Slack) values(blocks []Block, before map[string]map[string]any) map[string]map[string]any {
	out := map[string]map[string]any{}
	each(blocks, func(block string, e map[string]any) {
		value := initial(e)
		action, _ := e["action_id"].(string)
		if value == nil {
			return
		}
		if old, ok := before[block][action].(map[string]any); ok && old["type"] == e["type"] {
			value = old
		}
		if out[block] == nil {
			out[block] = map[string]any{}
		}
		out[block][action] = value
	})
	return out
}

// each calls f with every element that can be filled in or pressed.
func each(blocks []Block, f func(block string, e map[string]any)) {
	for _, b := range blocks {
		id, _ := b["block_id"].(string)
		for _, key := range []string{"accessory", "element"} {
			if e, ok := b[key].(map[string]any); ok {
				f(id, e)
			}
		}
		if b["type"] == "actions" {
			for _, e := range list(b["elements"]) {
				if e, ok := e.(map[string]any); ok {
					f(id, e)
				}
			}
		}
	}
}

// holds says under which name an element's value is sent.
func holds(kind string) string {
	switch kind {
	case "plain_text_input", "email_text_input", "url_text_input", "number_input":
		return "value"
	case "static_select", "external_select", "radio_buttons":
		return "selected_option"
	case "multi_static_select", "multi_external_select", "checkboxes":
		return "selected_options"
	case "users_select":
		return "selected_user"
	case "channels_select":
		return "selected_channel"
	case "conversations_select":
		return "selected_conversation"
	case "multi_users_select":
		return "selected_users"
	case "multi_channels_select":
		return "selected_channels"
	case "multi_conversations_select":
		return "selected_conversations"
	case "datepicker":
		return "selected_date"
	case "timepicker":
		return "selected_time"
	case "datetimepicker":
		return "selected_date_time"
	}
	return ""
}

// initial returns the value that an element begins with, as Slack sends it; nil for one that holds none.
func initial(e map[string]any) map[string]any {
	kind, _ := e["type"].(string)
	name := holds(kind)
	if name == "" {
		return nil
	}
	from := "initial_" + strings.TrimPrefix(name, "selected_")
	value := e[from]
	if value == "" { // an empty text is sent as none
		value = nil
	}
	if value == nil && strings.HasSuffix(name, "s") {
		value = []any{}
	}
	return map[string]any{"type": kind, name: value}
}

// fillIn returns the value of an element after somebody has put text into it: the text itself, the labels of options
// (one a line), the names of people and channels.
func (s *Slack) fillIn(e map[string]any, text string) (map[string]any, error) {
	kind, _ := e["type"].(string)
	name := holds(kind)
	out := map[string]any{"type": kind}
	var lines []string
	if text != "" {
		lines = strings.Split(text, "\n")
	}
	switch name {
	case "":
		return nil, fmt.Errorf("a %s takes no text", kind)
	case "selected_option", "selected_options":
		chosen := []any{}
		for _, line := range lines {
			o := optionOf(e, line)
			if o == nil {
				return nil, fmt.Errorf("no option %q, there are %q", line, optionLabels(e))
			}
			chosen = append(chosen, o)
		}
		if name == "selected_options" {
			out[name] = chosen
			return out, nil
		}
		out[name] = nil
		if len(chosen) > 1 {
			return nil, fmt.Errorf("takes one option, not %d", len(chosen))
		}
		if len(chosen) == 1 {
			out[name] = chosen[0]
		}
	case "selected_users", "selected_channels", "selected_conversations":
		ids := []any{}
		for _, line := range lines {
			ids = append(ids, s.named2id(line))
		}
		out[name] = ids
	case "selected_user", "selected_channel", "selected_conversation":
		out[name] = nil
		if text != "" {
			out[name] = s.named2id(text)
		}
	default:
		out[name] = nil
		if text != "" {
			out[name] = text
		}
	}
	return out, nil
}

// named2id returns the id of a person or channel that was named, or what was given.
func (s *Slack) named2id(name string) string {
	for _, u := range s.users {
		if "@"+u.Name == name {
			return u.ID
		}
	}
	for _, c := range s.channels {
		if "#"+c.Name == name {
			return c.ID
		}
	}
	return name
}

// optionsOf returns an element's options, those in groups too.
func optionsOf(e map[string]any) []map[string]any {
	var out []map[string]any
	add := func(v any) {
		for _, o := range list(v) {
			if o, ok := o.(map[string]any); ok {
				out = append(out, o)
			}
		}
	}
	add(e["options"])
	for _, g := range list(e["option_groups"]) {
		if g, ok := g.(map[string]any); ok {
			add(g["options"])
		}
	}
	return out
}

func optionOf(e map[string]any, label string) map[string]any {
	for _, o := range optionsOf(e) {
		if unescape(plain(o["text"])) == label || o["value"] == label {
			return o
		}
	}
	return nil
}

func optionLabels(e map[string]any) []string {
	var out []string
	for _, o := range optionsOf(e) {
		out = append(out, unescape(plain(o["text"])))
	}
	return out
}

// lacking returns what Slack itself finds missing in a form before it sends it, by block id.
func lacking(v *View) map[string]string {
	out := map[string]string{}
	for _, b := range v.Blocks {
		e, _ := b["element"].(map[string]any)
		if b["type"] != "input" || e == nil {
			continue
		}
		block, _ := b["block_id"].(string)
		action, _ := e["action_id"].(string)
		kind, _ := e["type"].(string)
		held, _ := v.Values[block][action].(map[string]any)
		value := held[holds(kind)]
		text, _ := value.(string)
		least, _ := e["min_length"].(float64)
		most, limited := e["max_length"].(float64)
		switch {
		case value == nil || (value != nil && isEmpty(value)):
			if b["optional"] != true {
				out[block] = "Please complete this required field."
			}
		case length(text) < int(least):
			out[block] = fmt.Sprintf("Please use at least %d characters.", int(least))
		case kind == "plain_text_input" && length(text) > 3000, limited && length(text) > int(most):
			out[block] = "Your entry is too long."
		}
	}
	return out
}

func isEmpty(v any) bool { return slices.Contains([]string{`""`, "[]"}, string(encode(v))) }
