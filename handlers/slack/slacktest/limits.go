package slacktest

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxBlocksText is where Slack was measured to refuse a message for the text in its blocks: it publishes no number.
// https://github.com/slackapi/bolt-js/issues/2509
const maxBlocksText = 13200

// Sizes of blocks. https://docs.slack.dev/reference/block-kit/blocks
const (
	maxMessageBlocks = 50
	maxViewBlocks    = 100
	maxTextObject    = 3000
	maxFieldText     = 2000
	maxID            = 255
	maxLink          = 3000
)

func length(s string) int { return utf8.RuneCountInString(s) }

// check collects what is wrong with blocks, each problem with a JSON pointer, as Slack does.
type check struct {
	surface  string // message, modal, home
	problems []string
	ids      map[string]bool // of blocks
	size     int             // characters of text
	markdown int             // characters of markdown blocks
	tables   int
	focus    int  // elements that take the focus
	inputs   bool // there are input blocks
}

// field checks one field of an object.
type field func(v any, at string)

// checkBlocks returns the blocks, what is wrong with them, and how much text they have.
func checkBlocks(list []any, at, surface string) ([]Block, []string, int) {
	c := &check{surface: surface, ids: map[string]bool{}}
	blocks := c.blocks(list, at)
	return blocks, c.problems, c.size
}

func (c *check) wrong(at, format string, a ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, a...)+" [json-pointer:"+at+"]")
}

func (c *check) blocks(list []any, at string) []Block {
	most := maxViewBlocks
	if c.surface == "message" {
		most = maxMessageBlocks
	}
	if len(list) > most {
		c.wrong(at, "no more than %d items allowed", most)
	}
	var out []Block
	for i, v := range list {
		here := at + "/" + strconv.Itoa(i)
		b, ok := v.(map[string]any)
		if !ok {
			c.wrong(here, "must be an object")
			continue
		}
		c.block(b, here)
		out = append(out, b)
	}
	return out
}

func (c *check) block(b Block, at string) {
	kind, _ := b["type"].(string)
	need, known := c.blockFields(kind)
	if known == nil {
		c.wrong(at+"/type", "unsupported type: %s", cmp.Or(kind, "none"))
		return
	}
	known["block_id"] = func(v any, at string) {
		c.chars(0, maxID)(v, at)
		if id, _ := v.(string); id != "" {
			if c.ids[id] {
				c.wrong(at, "`block_id` %q already exists", id)
			}
			c.ids[id] = true
		}
	}
	c.object(b, at, need, known)
	switch {
	case kind == "section" && b["text"] == nil && b["fields"] == nil:
		c.wrong(at, "missing required field: text")
	case kind == "image" && b["image_url"] == nil && b["slack_file"] == nil:
		c.wrong(at, "missing required field: image_url")
	}
}

// blockFields says what a block of a kind must and may have; nil for a kind that is unknown or has no place here.
func (c *check) blockFields(kind string) ([]string, map[string]field) {
	anyText := c.text(maxTextObject, "plain_text", "mrkdwn")
	switch kind {
	case "section":
		return nil, map[string]field{
			"text": anyText, "expand": c.boolean,
			"fields":    c.items(1, 10, c.text(maxFieldText, "plain_text", "mrkdwn")),
			"accessory": c.element(append(pressable(), "image")...),
		}
	case "header":
		return []string{"text"}, map[string]field{"text": c.text(150, "plain_text"), "level": loose}
	case "divider":
		return nil, map[string]field{}
	case "actions":
		return []string{"elements"}, map[string]field{"elements": c.distinct(c.items(1, 25, c.element(pressable()...)))}
	case "context":
		return []string{"elements"}, map[string]field{"elements": c.items(1, 10, c.noted(anyText))}
	case "input":
		c.inputs = true
		return []string{"label", "element"}, map[string]field{
			"label": c.text(2000, "plain_text"), "hint": c.text(2000, "plain_text"), "element": c.element(c.fillable()...),
			"optional": c.boolean, "dispatch_action": c.boolean,
		}
	case "image":
		return []string{"alt_text"}, map[string]field{
			"image_url": c.chars(1, maxLink), "slack_file": loose, "alt_text": c.chars(1, 2000), "title": c.text(2000, "plain_text"),
		}
	case "rich_text":
		return []string{"elements"}, map[string]field{"elements": c.counted}
	case "video":
		return []string{"alt_text", "title", "thumbnail_url", "video_url"}, map[string]field{
			"alt_text": c.chars(1, 2000), "title": c.text(200, "plain_text"), "thumbnail_url": c.chars(1, maxLink), "video_url": c.chars(1, maxLink),
			"author_name": c.chars(0, 50), "description": c.text(200, "plain_text"), "provider_icon_url": loose, "provider_name": loose, "title_url": loose,
		}
	case "markdown":
		if c.surface != "message" {
			return nil, nil
		}
		return []string{"text"}, map[string]field{"text": func(v any, at string) {
			c.chars(1, maxMarkdown)(v, at)
			text, _ := v.(string)
			c.markdown += length(text)
			c.size += length(text)
			if c.markdown > maxMarkdown && length(text) <= maxMarkdown {
				c.wrong(at, "must be less than %d characters over all markdown blocks", maxMarkdown+1)
			}
		}}
	case "table":
		if c.surface != "message" {
			return nil, nil
		}
		c.tables++
		return []string{"rows"}, map[string]field{"column_settings": c.items(0, 20, loose), "rows": func(v any, at string) {
			if c.tables > 1 {
				c.wrong(at, "only one table per message is allowed")
			}
			c.items(1, 100, c.items(1, 20, c.counted))(v, at)
		}}
	case "alert": // Slack refuses it in messages
		if c.surface != "modal" {
			return nil, nil
		}
		return []string{"text"}, map[string]field{"text": anyText, "level": loose}
	}
	return nil, nil
}

// pressable are the elements that an actions block or a section can have.
func pressable() []string {
	return []string{
		"button", "overflow", "static_select", "external_select", "users_select", "conversations_select", "channels_select",
		"multi_static_select", "multi_external_select", "multi_users_select", "multi_conversations_select", "multi_channels_select",
		"checkboxes", "radio_buttons", "datepicker", "timepicker", "datetimepicker", "workflow_button",
	}
}

// fillable are the elements that an input block can have.
func (c *check) fillable() []string {
	out := []string{"plain_text_input", "email_text_input", "url_text_input", "number_input", "rich_text_input"}
	if c.surface == "modal" {
		out = append(out, "file_input")
	}
	return append(out, slices.DeleteFunc(pressable(), func(k string) bool {
		return k == "button" || k == "overflow" || k == "workflow_button"
	})...)
}

// element checks an element of a block.
func (c *check) element(allowed ...string) field {
	return func(v any, at string) {
		e, ok := v.(map[string]any)
		if !ok {
			c.wrong(at, "must be an object")
			return
		}
		kind, _ := e["type"].(string)
		if !slices.Contains(allowed, kind) {
			c.wrong(at+"/type", "unsupported type: %s", cmp.Or(kind, "none"))
			return
		}
		need, known := c.elementFields(kind)
		if kind != "image" {
			known["action_id"] = c.chars(1, maxID)
			known["confirm"] = c.confirm
			known["focus_on_load"] = func(v any, at string) {
				if v == true {
					if c.focus++; c.focus > 1 {
						c.wrong(at, "only one element can have focus_on_load")
					}
				}
			}
		}
		c.object(e, at, need, known)
		if strings.HasSuffix(kind, "static_select") {
			c.onlyOne(e, at)
		}
		c.chosen(e, at)
	}
}

func (c *check) elementFields(kind string) ([]string, map[string]field) {
	option := c.option(false)
	placeholder := c.text(150, "plain_text")
	switch kind {
	case "button":
		return []string{"text"}, map[string]field{
			"text": c.text(75, "plain_text"), "value": c.chars(0, 2000), "url": c.chars(0, maxLink), "style": c.oneOf("primary", "danger"),
			"accessibility_label": c.chars(0, 75),
		}
	case "workflow_button":
		return []string{"text", "workflow"}, map[string]field{
			"text": c.text(75, "plain_text"), "workflow": loose, "style": c.oneOf("primary", "danger"), "accessibility_label": c.chars(0, 75),
		}
	case "overflow":
		return []string{"options"}, map[string]field{"options": c.items(1, 5, c.option(true))}
	case "checkboxes":
		return []string{"options"}, map[string]field{"options": c.items(1, 10, option), "initial_options": c.items(1, 10, option)}
	case "radio_buttons":
		return []string{"options"}, map[string]field{"options": c.items(1, 10, option), "initial_option": option}
	case "static_select", "multi_static_select":
		group := func(v any, at string) {
			c.object(v, at, []string{"label", "options"}, map[string]field{
				"label": c.text(75, "plain_text"), "options": c.items(1, 100, option),
			})
		}
		return nil, map[string]field{
			"placeholder": placeholder, "options": c.items(1, 100, option), "option_groups": c.items(1, 100, group),
			"initial_option": option, "initial_options": c.items(1, 100, option), "max_selected_items": loose,
		}
	case "datepicker", "timepicker", "datetimepicker":
		return nil, map[string]field{
			"placeholder": placeholder, "initial_date": loose, "initial_time": loose, "initial_date_time": loose, "timezone": loose,
		}
	case "plain_text_input":
		return nil, map[string]field{
			"placeholder": placeholder, "initial_value": c.chars(0, 3000), "multiline": c.boolean, "dispatch_action_config": loose,
			"min_length": c.within(0, 3000), "max_length": c.within(1, 3000),
		}
	case "number_input":
		return []string{"is_decimal_allowed"}, map[string]field{
			"placeholder": placeholder, "initial_value": loose, "is_decimal_allowed": c.boolean, "min_value": loose, "max_value": loose, "dispatch_action_config": loose,
		}
	case "email_text_input", "url_text_input", "rich_text_input":
		return nil, map[string]field{"placeholder": placeholder, "initial_value": loose, "dispatch_action_config": loose}
	case "file_input":
		return nil, map[string]field{"filetypes": loose, "max_files": c.within(1, 10)}
	case "image":
		return []string{"alt_text"}, map[string]field{"image_url": c.chars(1, maxLink), "slack_file": loose, "alt_text": c.chars(1, 2000)}
	default: // the selects of users, channels, conversations and outside data
		return nil, map[string]field{
			"placeholder": placeholder, "initial_option": option, "initial_options": c.items(1, 100, option), "max_selected_items": loose,
			"initial_user": loose, "initial_users": loose, "initial_channel": loose, "initial_channels": loose,
			"initial_conversation": loose, "initial_conversations": loose, "default_to_current_conversation": c.boolean,
			"filter": loose, "response_url_enabled": c.boolean, "min_query_length": loose,
		}
	}
}

func (c *check) option(link bool) field {
	known := map[string]field{
		"text": c.text(75, "plain_text", "mrkdwn"), "value": c.chars(1, 150), "description": c.text(75, "plain_text", "mrkdwn"),
	}
	if link {
		known["url"] = c.chars(0, maxLink)
	}
	return func(v any, at string) { c.object(v, at, []string{"text", "value"}, known) }
}

func (c *check) confirm(v any, at string) {
	c.object(v, at, []string{"title", "text", "confirm", "deny"}, map[string]field{
		"title": c.text(100, "plain_text"), "text": c.text(300, "plain_text", "mrkdwn"),
		"confirm": c.text(30, "plain_text"), "deny": c.text(30, "plain_text"), "style": c.oneOf("primary", "danger"),
	})
}

// onlyOne wants a select to have options or groups of them, and not both.
func (c *check) onlyOne(e map[string]any, at string) {
	if (e["options"] == nil) == (e["option_groups"] == nil) {
		c.wrong(at, "must have exactly one of: options, option_groups")
	}
}

// chosen wants what is chosen from the start to be among the options.
func (c *check) chosen(e map[string]any, at string) {
	var all []any
	all = append(all, list(e["options"])...)
	for _, g := range list(e["option_groups"]) {
		if g, ok := g.(map[string]any); ok {
			all = append(all, list(g["options"])...)
		}
	}
	if all == nil {
		return
	}
	for key, initial := range map[string][]any{"initial_option": {e["initial_option"]}, "initial_options": list(e["initial_options"])} {
		for _, o := range initial {
			if o != nil && !slices.ContainsFunc(all, func(other any) bool { return reflect.DeepEqual(o, other) }) {
				c.wrong(at+"/"+key, "must be one of the provided options")
			}
		}
	}
}

// noted checks an element of a context block: text or an image.
func (c *check) noted(text field) field {
	return func(v any, at string) {
		if e, ok := v.(map[string]any); ok && e["type"] == "image" {
			c.element("image")(v, at)
			return
		}
		text(v, at)
	}
}

// distinct wants elements to have different action ids, after the other check.
func (c *check) distinct(items field) field {
	return func(v any, at string) {
		items(v, at)
		seen := map[string]bool{}
		for i, e := range list(v) {
			e, _ := e.(map[string]any)
			id, _ := e["action_id"].(string)
			if id != "" && seen[id] {
				c.wrong(fmt.Sprintf("%s/%d/action_id", at, i), "`action_id` %q already exists", id)
			}
			seen[id] = true
		}
	}
}

// object checks an object: nothing may be missing, and nothing be there that Slack does not know.
func (c *check) object(v any, at string, need []string, known map[string]field) {
	o, ok := v.(map[string]any)
	if !ok {
		c.wrong(at, "must be an object")
		return
	}
	for _, key := range need {
		if o[key] == nil {
			c.wrong(at, "missing required field: %s", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(o)) {
		check, ok := known[key]
		switch {
		case key == "type" && !ok:
		case !ok:
			c.wrong(at, "invalid additional property: %s", key)
		case o[key] != nil:
			check(o[key], at+"/"+key)
		}
	}
}

func (c *check) text(most int, kinds ...string) field {
	return func(v any, at string) {
		o, _ := v.(map[string]any)
		kind, _ := o["type"].(string)
		if !slices.Contains(kinds, kind) {
			c.wrong(at+"/type", "unsupported type: %s", cmp.Or(kind, "none"))
			return
		}
		known := map[string]field{"text": c.chars(1, most)}
		if kind == "plain_text" {
			known["emoji"] = c.boolean
		} else {
			known["verbatim"] = c.boolean
		}
		c.object(o, at, []string{"text"}, known)
		text, _ := o["text"].(string)
		c.size += length(text)
	}
}

func (c *check) chars(least, most int) field {
	return func(v any, at string) {
		s, ok := v.(string)
		switch {
		case !ok:
			c.wrong(at, "must be a string")
		case length(s) > most:
			c.wrong(at, "must be less than %d characters", most+1)
		case length(s) < least:
			c.wrong(at, "must be more than %d characters", least-1)
		}
	}
}

func (c *check) items(least, most int, each field) field {
	return func(v any, at string) {
		l, ok := v.([]any)
		switch {
		case !ok:
			c.wrong(at, "must be an array")
		case len(l) > most:
			c.wrong(at, "no more than %d items allowed", most)
		case len(l) < least:
			c.wrong(at, "no fewer than %d items allowed", least)
		}
		for i, item := range l {
			each(item, at+"/"+strconv.Itoa(i))
		}
	}
}

func (c *check) within(least, most float64) field {
	return func(v any, at string) {
		if n, ok := v.(float64); !ok || n < least || n > most {
			c.wrong(at, "must be from %v to %v", least, most)
		}
	}
}

func (c *check) oneOf(words ...string) field {
	return func(v any, at string) {
		if s, _ := v.(string); !slices.Contains(words, s) {
			c.wrong(at, "must be one of: %s", strings.Join(words, ", "))
		}
	}
}

func (c *check) boolean(v any, at string) {
	if _, ok := v.(bool); !ok {
		c.wrong(at, "must be a boolean")
	}
}

// counted takes anything, and counts its text.
func (c *check) counted(v any, _ string) { c.size += length(strings.Join(words(v), "")) }

// loose takes anything.
func loose(any, string) {}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// words returns all texts in rich text.
func words(v any) []string {
	var out []string
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			out = append(out, words(e)...)
		}
	case map[string]any:
		if s, ok := v["text"].(string); ok {
			return []string{s}
		}
		for _, key := range []string{"text", "elements"} {
			out = append(out, words(v[key])...)
		}
	}
	return out
}
