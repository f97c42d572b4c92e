package slacktest

import (
	"slices"
	"time"
)

// Limits of forms. https://docs.slack.dev/surfaces/modals
const (
	triggerLives = 3 * time.Second
	maxStack     = 3
	maxView      = 250_000 // bytes of JSON
)

// trigger is the right to open one form for a person.
type trigger struct {
	user string
	at   time.Time
	used bool
	view string // the form it was pressed in
}

// trigger makes a trigger id; s.mu is held.
func (s *Slack) trigger(user, view string) string {
	id := s.id("9") + ".1." + random()
	s.triggers[id] = &trigger{user: user, at: s.now(), view: view}
	return id
}

// exchange takes a trigger.
func (s *Slack) exchange(id string) (*trigger, *apiError) {
	t := s.triggers[id]
	switch {
	case id == "":
		return nil, &apiError{code: "invalid_arguments", messages: []string{"missing required field: trigger_id"}}
	case t == nil:
		return nil, fail("invalid_trigger_id")
	case t.used:
		return nil, fail("exchanged_trigger_id")
	case s.now().Sub(t.at) > triggerLives:
		return nil, fail("expired_trigger_id")
	}
	t.used = true
	return t, nil
}

func (s *Slack) openView(a args) (map[string]any, *apiError) {
	v, err := s.readView(a, "modal", "")
	if err != nil {
		return nil, err
	}
	t, err := s.exchange(a.str("trigger_id"))
	if err != nil {
		return nil, err
	}
	for _, old := range s.modals[t.user] {
		old.Open = false
	}
	s.modals[t.user] = nil
	return s.push(t.user, v), nil
}

func (s *Slack) pushView(a args) (map[string]any, *apiError) {
	v, err := s.readView(a, "modal", "")
	if err != nil {
		return nil, err
	}
	t, err := s.exchange(a.str("trigger_id"))
	if err != nil {
		return nil, err
	}
	stack := s.modals[t.user]
	switch {
	case len(stack) == 0 || t.view == "":
		return nil, fail("not_found")
	case len(stack) >= maxStack:
		return nil, fail("push_limit_reached")
	}
	return s.push(t.user, v), nil
}

// push lays a form on a person's stack.
func (s *Slack) push(user string, v *View) map[string]any {
	stack := s.modals[user]
	v.ID, v.User, v.Open = s.id("V0"), user, true
	v.root = v.ID
	if len(stack) > 0 {
		v.root, v.previous = stack[0].ID, stack[len(stack)-1].ID
	}
	s.settle(v)
	s.modals[user] = append(stack, v)
	s.viewed[v.ID] = v
	return map[string]any{"view": s.shownView(v)}
}

// settle gives a view its new hash and its values.
func (s *Slack) settle(v *View) {
	v.Hash = micros(s.now()) + "." + s.id("h")
	v.Blocks = s.fill(v.Blocks)
	v.Values = s.values(v.Blocks, v.Values)
	v.raw["blocks"] = v.Blocks
	s.touch()
}

func (s *Slack) updateView(a args) (map[string]any, *apiError) {
	old := s.viewed[a.str("view_id")]
	if external := a.str("external_id"); old == nil && external != "" {
		for _, v := range s.viewed {
			if v.External == external && v.Open {
				old = v
			}
		}
	}
	if old == nil || !old.Open {
		return nil, fail("not_found")
	}
	v, err := s.readView(a, old.Type, old.ID)
	if err != nil {
		return nil, err
	}
	if hash := a.str("hash"); hash != "" && hash != old.Hash {
		return nil, fail("hash_conflict")
	}
	s.replace(old, v)
	return map[string]any{"view": s.shownView(old)}, nil
}

// replace gives a view other content; what was typed under the same ids stays.
func (s *Slack) replace(old, v *View) {
	v.ID, v.User, v.root, v.previous, v.Values, v.Open = old.ID, old.User, old.root, old.previous, old.Values, true
	*old = *v
	s.settle(old)
}

func (s *Slack) publishView(a args) (map[string]any, *apiError) {
	u := s.user(a.str("user_id"))
	switch {
	case u == nil || u.Deactivated || u.Team != s.config.TeamID:
		return nil, fail("user_not_found")
	case s.homeOff:
		return nil, fail("not_enabled")
	}
	old := s.homes[u.ID]
	v, err := s.readView(a, "home", "")
	if err != nil {
		return nil, err
	}
	if old == nil {
		if a.str("hash") != "" {
			return nil, fail("hash_conflict")
		}
		v.ID, v.User, v.Open = s.id("V0"), u.ID, true
		v.root = v.ID
		s.homes[u.ID], s.viewed[v.ID] = v, v
		s.settle(v)
		return map[string]any{"view": s.shownView(v)}, nil
	}
	if hash := a.str("hash"); hash != "" && hash != old.Hash {
		return nil, fail("hash_conflict")
	}
	s.replace(old, v)
	return map[string]any{"view": s.shownView(old)}, nil
}

// readView reads and checks the view of a call. replaces is the id of the one whose place it takes.
func (s *Slack) readView(a args, kind, replaces string) (*View, *apiError) {
	raw, ok := a.value("view")
	o, isObject := raw.(map[string]any)
	if !ok || !isObject {
		return nil, &apiError{code: "invalid_arguments", messages: []string{"missing required field: view"}}
	}
	if len(encode(o)) > maxView {
		return nil, fail("view_too_large")
	}
	v, problems := checkView(o, kind)
	if len(problems) > 0 {
		return nil, &apiError{code: "invalid_arguments", messages: problems}
	}
	for _, other := range s.viewed {
		if v.External != "" && other.External == v.External && other.Open && other.ID != replaces && kind == "modal" {
			return nil, fail("duplicate_external_id")
		}
	}
	return v, nil
}

func checkView(o map[string]any, kind string) (*View, []string) {
	c := &check{surface: kind, ids: map[string]bool{}}
	known := map[string]field{
		"type": c.oneOf(kind), "private_metadata": c.chars(0, 3000), "callback_id": c.chars(0, maxID), "external_id": c.chars(0, maxID),
		"blocks": func(v any, at string) {
			if len(list(v)) == 0 {
				c.wrong(at, "no fewer than 1 items allowed")
			}
			c.blocks(list(v), at)
		},
	}
	need := []string{"type", "blocks"}
	if kind == "modal" {
		need = append(need, "title")
		for _, key := range []string{"title", "submit", "close"} {
			known[key] = c.text(24, "plain_text")
		}
		for _, key := range []string{"clear_on_close", "notify_on_close", "submit_disabled"} {
			known[key] = c.boolean
		}
	}
	c.object(o, "/view", need, known)
	if kind == "modal" && c.inputs && o["submit"] == nil {
		c.wrong("/view", "missing required field: submit")
	}
	a := args(o)
	v := &View{
		Type: kind, Callback: a.str("callback_id"), External: a.str("external_id"), Private: a.str("private_metadata"),
		Title: plain(o["title"]), Submit: plain(o["submit"]), Close: plain(o["close"]), tellClose: a.yes("notify_on_close"), raw: clone(o),
	}
	for _, b := range list(o["blocks"]) {
		if b, ok := b.(map[string]any); ok {
			v.Blocks = append(v.Blocks, b)
		}
	}
	return v, c.problems
}

func plain(v any) string {
	o, _ := v.(map[string]any)
	text, _ := o["text"].(string)
	return text
}

// shownView returns a view as Slack sends it to the app.
func (s *Slack) shownView(v *View) map[string]any {
	out := clone(v.raw)
	out["id"], out["hash"], out["team_id"], out["app_id"], out["bot_id"] = v.ID, v.Hash, s.config.TeamID, AppID, BotID
	out["app_installed_team_id"], out["root_view_id"] = s.config.TeamID, v.root
	out["previous_view_id"] = nil
	if v.previous != "" {
		out["previous_view_id"] = v.previous
	}
	for _, key := range []string{"private_metadata", "callback_id", "external_id"} {
		if out[key] == nil {
			out[key] = ""
		}
	}
	if v.Type == "modal" {
		for _, key := range []string{"clear_on_close", "notify_on_close"} {
			if out[key] == nil {
				out[key] = false
			}
		}
	}
	out["state"] = map[string]any{"values": v.Values}
	return out
}

// shut closes forms of a person: the one on top, or all.
func (s *Slack) shut(user string, all bool) {
	stack := s.modals[user]
	keep := max(0, len(stack)-1)
	if all {
		keep = 0
	}
	for _, v := range stack[keep:] {
		v.Open = false
	}
	s.modals[user] = slices.Clone(stack[:keep])
	s.touch()
}
