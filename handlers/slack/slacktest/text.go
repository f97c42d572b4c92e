package slacktest

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// reader is whoever reads: names and dates are shown as this person sees them.
type reader struct {
	slack  *Slack
	zone   *time.Location
	twelve bool
	now    time.Time
}

// Lines returns a message as a person sees it, in plain text: buttons in [brackets], a menu as [what it says ▾], a
// divider as ---.
func (s *Slack) Lines(m Message, user string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.reader(user)
	var out []string
	if len(m.Blocks) > 0 {
		out = r.blocks(m.Blocks, nil, nil)
	} else if m.Text != "" {
		out = strings.Split(r.mrkdwn(m.Text), "\n")
	}
	for _, f := range m.Files {
		out = append(out, "("+cmp.Or(f.Title, f.Name)+")")
	}
	return out
}

// TextOf returns a message's text, which notifications and screen readers have in place of its blocks.
func (s *Slack) TextOf(m Message, user string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reader(user).mrkdwn(m.Text)
}

// ViewLines returns a form or home tab as a person sees it. A field is shown as "Label: what is in it", an error below.
func (s *Slack) ViewLines(v View, user string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.reader(user)
	var out []string
	if v.Title != "" {
		out = append(out, unescape(v.Title))
	}
	out = append(out, r.blocks(v.Blocks, v.Values, v.Errors)...)
	if v.Trouble != "" {
		out = append(out, "! "+v.Trouble)
	}
	if v.Submit != "" {
		out = append(out, "["+unescape(v.Submit)+"]")
	}
	return out
}

func (s *Slack) reader(user string) reader {
	r := reader{slack: s, zone: time.UTC, now: s.now()}
	if u := s.user(user); u != nil {
		r.twelve = u.TwelveHours
		if zone, err := time.LoadLocation(u.Zone); err == nil {
			r.zone = zone
		}
	}
	return r
}

func (r reader) blocks(blocks []Block, values map[string]map[string]any, errs map[string]string) []string {
	var out []string
	for _, b := range blocks {
		out = append(out, r.block(b, values)...)
		if id, _ := b["block_id"].(string); errs[id] != "" {
			out = append(out, "! "+errs[id])
		}
	}
	return out
}

func (r reader) block(b Block, values map[string]map[string]any) []string {
	switch b["type"] {
	case "divider":
		return []string{"---"}
	case "header", "alert":
		return r.lines(b["text"])
	case "markdown":
		text, _ := b["text"].(string)
		return strings.Split(text, "\n")
	case "section":
		out := r.lines(b["text"])
		for _, f := range list(b["fields"]) {
			out = append(out, r.lines(f)...)
		}
		if e, ok := b["accessory"].(map[string]any); ok {
			out = append(out, r.element(e))
		}
		return out
	case "context":
		var parts []string
		for _, e := range list(b["elements"]) {
			parts = append(parts, r.note(e))
		}
		return strings.Split(strings.Join(parts, "  "), "\n")
	case "actions":
		var parts []string
		for _, e := range list(b["elements"]) {
			if e, ok := e.(map[string]any); ok {
				parts = append(parts, r.element(e))
			}
		}
		return []string{strings.Join(parts, "  ")}
	case "image", "video":
		alt, _ := b["alt_text"].(string)
		return []string{"(" + alt + ")"}
	case "input":
		return r.input(b, values)
	case "rich_text":
		return strings.Split(strings.TrimRight(r.rich(b["elements"]), "\n"), "\n")
	case "table":
		var out []string
		for _, row := range list(b["rows"]) {
			var cells []string
			for _, cell := range list(row) {
				cells = append(cells, strings.TrimSpace(r.rich([]any{cell})))
			}
			out = append(out, strings.Join(cells, " | "))
		}
		return out
	}
	return nil
}

func (r reader) lines(v any) []string {
	if v == nil {
		return nil
	}
	return strings.Split(r.text(v), "\n")
}

// text reads a text object.
func (r reader) text(v any) string {
	o, _ := v.(map[string]any)
	text, _ := o["text"].(string)
	if o["type"] == "mrkdwn" {
		return r.mrkdwn(text)
	}
	return unescape(text)
}

func (r reader) note(v any) string {
	if o, ok := v.(map[string]any); ok && o["type"] == "image" {
		alt, _ := o["alt_text"].(string)
		return "(" + alt + ")"
	}
	return r.text(v)
}

func (r reader) element(e map[string]any) string {
	switch e["type"] {
	case "button", "workflow_button":
		return "[" + r.text(e["text"]) + "]"
	case "image":
		return r.note(e)
	case "checkboxes", "radio_buttons":
		return "[" + strings.Join(optionLabels(e), " | ") + "]"
	case "overflow":
		return "[… " + strings.Join(optionLabels(e), " | ") + "]"
	}
	said := plain(e["placeholder"])
	if o, ok := e["initial_option"].(map[string]any); ok {
		said = plain(o["text"])
	}
	return "[" + unescape(said) + " ▾]"
}

func (r reader) input(b Block, values map[string]map[string]any) []string {
	e, _ := b["element"].(map[string]any)
	block, _ := b["block_id"].(string)
	action, _ := e["action_id"].(string)
	kind, _ := e["type"].(string)
	held, _ := values[block][action].(map[string]any)
	out := []string{r.text(b["label"]) + ": " + r.held(held[holds(kind)])}
	if b["hint"] != nil {
		out = append(out, r.lines(b["hint"])...)
	}
	return out
}

// Value returns what a field of a form holds, by its label.
func (s *Slack) Value(v View, field string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range v.Blocks {
		if b["type"] != "input" || unescape(plain(b["label"])) != field {
			continue
		}
		e, _ := b["element"].(map[string]any)
		block, _ := b["block_id"].(string)
		action, _ := e["action_id"].(string)
		kind, _ := e["type"].(string)
		held, _ := v.Values[block][action].(map[string]any)
		return s.reader(v.User).held(held[holds(kind)]), true
	}
	return "", false
}

// ErrorsOf returns the errors of a form by the labels of their fields.
func (s *Slack) ErrorsOf(v View) map[string]string {
	out := map[string]string{}
	for _, b := range v.Blocks {
		if id, _ := b["block_id"].(string); v.Errors[id] != "" {
			out[unescape(plain(b["label"]))] = v.Errors[id]
		}
	}
	return out
}

// held shows what a field holds.
func (r reader) held(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		return unescape(plain(v["text"]))
	case []any:
		var parts []string
		for _, o := range v {
			parts = append(parts, r.held(o))
		}
		return strings.Join(parts, ", ")
	}
	return ""
}

// rich reads rich text.
func (r reader) rich(v any) string {
	var b strings.Builder
	for _, e := range list(v) {
		o, _ := e.(map[string]any)
		a := args(o)
		switch o["type"] {
		case "text", "raw_text":
			b.WriteString(a.str("text"))
		case "link":
			b.WriteString(cmp.Or(a.str("text"), a.str("url")))
		case "user":
			b.WriteString(r.mrkdwn("<@" + a.str("user_id") + ">"))
		case "channel":
			b.WriteString(r.mrkdwn("<#" + a.str("channel_id") + ">"))
		case "usergroup":
			b.WriteString(r.mrkdwn("<!subteam^" + a.str("usergroup_id") + ">"))
		case "emoji":
			b.WriteString(":" + a.str("name") + ":")
		case "date":
			b.WriteString(r.date(a.str("timestamp"), a.str("format"), a.str("fallback")))
		case "rich_text_list":
			for _, item := range list(o["elements"]) {
				b.WriteString("• " + r.rich([]any{item}))
			}
		case "rich_text":
			b.WriteString(r.rich(o["elements"]))
		default:
			b.WriteString(r.rich(o["elements"]) + "\n")
		}
	}
	return b.String()
}

// unescape takes back the three escapes of Slack.
func unescape(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}

var (
	angle = regexp.MustCompile(`<([^<>\n]+)>`)
	// A mark of bold, italic or struck text stands at the edge of a word.
	strong = regexp.MustCompile(`(^|[\s\pP\pS])\*([^\s*](?:[^*\n]*[^\s*])?)\*($|[\s\pP\pS])`)
	slant  = regexp.MustCompile(`(^|[\s(\[*~"'])_([^\s_](?:[^_\n]*[^\s_])?)_($|[\s)\]*~"'.,:;!?])`)
	struck = regexp.MustCompile(`(^|[\s(\[*_"'])~([^\s~](?:[^~\n]*[^\s~])?)~($|[\s)\]*_"'.,:;!?])`)
	code   = regexp.MustCompile("`([^`\n]+)`")
)

// mrkdwn reads Slack's markup.
func (r reader) mrkdwn(s string) string {
	// What stands in angle brackets is no text for the other marks.
	var kept []string
	s = angle.ReplaceAllStringFunc(s, func(m string) string {
		kept = append(kept, r.angle(m[1:len(m)-1]))
		return "\x00" + strconv.Itoa(len(kept)-1) + "\x01"
	})
	for _, mark := range []*regexp.Regexp{strong, strong, slant, struck} { // twice: neighbours share the space between
		s = mark.ReplaceAllString(s, "$1$2$3")
	}
	s = code.ReplaceAllString(strings.ReplaceAll(s, "```", ""), "$1")
	s = unescape(s)
	for i, text := range kept {
		s = strings.Replace(s, "\x00"+strconv.Itoa(i)+"\x01", text, 1)
	}
	return s
}

// angle reads what stood in angle brackets.
func (r reader) angle(s string) string {
	what, label, labelled := strings.Cut(s, "|")
	label = unescape(label)
	switch {
	case strings.HasPrefix(what, "@"):
		for _, u := range r.slack.users {
			if u.ID == what[1:] {
				return "@" + u.Name
			}
		}
		return what
	case strings.HasPrefix(what, "#"):
		for _, c := range r.slack.channels {
			if c.ID == what[1:] && c.Name != "" {
				return "#" + c.Name
			}
		}
		return what
	case strings.HasPrefix(what, "!subteam^"):
		for _, g := range r.slack.groups {
			if g.ID == strings.TrimPrefix(what, "!subteam^") {
				return "@" + g.Handle
			}
		}
		return cmp.Or(label, what)
	case strings.HasPrefix(what, "!date^"):
		parts := strings.SplitN(what, "^", 4)
		if len(parts) < 3 || !labelled {
			return label
		}
		return r.date(parts[1], parts[2], label)
	case strings.HasPrefix(what, "!"):
		return "@" + what[1:]
	case labelled:
		return label
	}
	return unescape(strings.TrimPrefix(what, "mailto:"))
}

var token = regexp.MustCompile(`\{\w+\}`)

// date shows a date in the reader's zone. https://docs.slack.dev/messaging/formatting-message-text#date-formatting
func (r reader) date(unix, format, fallback string) string {
	n, err := strconv.ParseInt(unix, 10, 64)
	if err != nil {
		return fallback
	}
	t := time.Unix(n, 0).In(r.zone)
	known := true
	out := token.ReplaceAllStringFunc(format, func(m string) string {
		name, pretty := strings.CutSuffix(strings.Trim(m, "{}"), "_pretty")
		if pretty {
			if day := r.near(t); day != "" {
				return day
			}
		}
		if name == "date" || name == "date_long" {
			weekday := map[string]string{"date_long": t.Format("Monday, ")}[name]
			return weekday + t.Format("January ") + ordinal(t.Day()) + t.Format(", 2006")
		}
		layout := map[string]string{
			"date_num": "2006-01-02", "date_slash": "01/02/2006", "date_short": "Jan 2, 2006", "time": "15:04", "time_secs": "15:04:05",
		}[name]
		if r.twelve {
			layout = strings.NewReplacer("15:04:05", "3:04:05 PM", "15:04", "3:04 PM").Replace(layout)
		}
		if layout == "" {
			known = false
		}
		return t.Format(layout)
	})
	if !known {
		return fallback
	}
	return out
}

// near names a day next to today.
func (r reader) near(t time.Time) string {
	now := r.now.In(r.zone)
	for days, name := range map[int]string{-1: "Yesterday", 0: "Today", 1: "Tomorrow"} {
		if now.AddDate(0, 0, days).Format(time.DateOnly) == t.Format(time.DateOnly) {
			return name
		}
	}
	return ""
}

func ordinal(n int) string {
	suffix := "th"
	switch {
	case n/10 == 1:
	case n%10 == 1:
		suffix = "st"
	case n%10 == 2:
		suffix = "nd"
	case n%10 == 3:
		suffix = "rd"
	}
	return fmt.Sprintf("%d%s", n, suffix)
}
