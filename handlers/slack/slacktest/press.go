package slacktest

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Press presses what bears the label in a message: a button, or an option of a menu. The message may be an old copy,
// as on a device that has not heard of the change yet. A label may also be the button's label for screen readers or its
// action id. A confirm dialog is taken as confirmed: see Asks.
func (s *Slack) Press(ctx context.Context, user string, m Message, label string) (Delivery, error) {
	s.mu.Lock()
	u, c := s.user(user), s.channel(m.Channel)
	if u == nil || c == nil {
		s.mu.Unlock()
		return Delivery{}, fmt.Errorf("there is no user %q or channel %q", user, m.Channel)
	}
	if !s.sees(u, &m) {
		s.mu.Unlock()
		return Delivery{}, fmt.Errorf("%s cannot see that message", s.who(user))
	}
	found, err := find(m.Blocks, label)
	if err != nil {
		s.mu.Unlock()
		return Delivery{}, err
	}
	container := map[string]any{"type": "message", "message_ts": m.TS, "channel_id": m.Channel, "is_ephemeral": m.Only != ""}
	if m.Thread != "" {
		container["thread_ts"] = m.Thread
	}
	body := s.interaction("block_actions", u, s.trigger(user, ""))
	body["container"], body["channel"] = container, map[string]any{"id": c.ID, "name": c.callName()}
	if m.Only == "" { // an ephemeral message is not stored, so it is not sent along
		body["message"] = s.shown(&m)
	}
	body["response_url"] = s.answerURL("actions", answerURL{user: user, channel: m.Channel, ts: m.TS})
	state := s.values(m.Blocks, nil)
	body["actions"] = []any{s.action(found, state)}
	body["state"] = map[string]any{"values": state}
	s.mu.Unlock()
	return s.deliver(ctx, packet{envelope: interactive, kind: "block_actions", user: user, body: body}), nil
}

// PressIn presses in a form or home tab, as Press does in a message.
func (s *Slack) PressIn(ctx context.Context, user string, v View, label string) (Delivery, error) {
	s.mu.Lock()
	u := s.user(user)
	if u == nil || v.User != user {
		s.mu.Unlock()
		return Delivery{}, fmt.Errorf("%q does not see that form", user)
	}
	found, err := find(v.Blocks, label)
	if err != nil {
		s.mu.Unlock()
		return Delivery{}, err
	}
	state := s.values(v.Blocks, v.Values)
	body := s.interaction("block_actions", u, s.trigger(user, v.ID))
	body["container"] = map[string]any{"type": "view", "view_id": v.ID}
	body["actions"] = []any{s.action(found, state)}
	v.Values = state
	body["view"] = s.shownView(&v)
	if kept := s.viewed[v.ID]; kept != nil {
		kept.Values = state
	}
	s.mu.Unlock()
	return s.deliver(ctx, packet{envelope: interactive, kind: "block_actions", user: user, body: body}), nil
}

// Shortcut starts a global shortcut.
func (s *Slack) Shortcut(ctx context.Context, user, callback string) (Delivery, error) {
	s.mu.Lock()
	u := s.user(user)
	if u == nil || u.Deactivated || u.Team != s.config.TeamID {
		s.mu.Unlock()
		return Delivery{}, fmt.Errorf("%q has no shortcuts", user)
	}
	body := s.interaction("shortcut", u, s.trigger(user, ""))
	body["callback_id"], body["action_ts"] = callback, s.ts()
	s.mu.Unlock()
	return s.deliver(ctx, packet{envelope: interactive, kind: "shortcut", user: user, body: body}), nil
}

// ShortcutOn starts a shortcut of a message.
func (s *Slack) ShortcutOn(ctx context.Context, user string, m Message, callback string) (Delivery, error) {
	s.mu.Lock()
	u, c := s.user(user), s.channel(m.Channel)
	if u == nil || c == nil || u.Deactivated || u.Team != s.config.TeamID || m.Only != "" || !s.sees(u, &m) {
		s.mu.Unlock()
		return Delivery{}, fmt.Errorf("%q has no shortcuts on that message", user)
	}
	body := s.interaction("message_action", u, s.trigger(user, ""))
	body["callback_id"], body["action_ts"], body["message_ts"] = callback, s.ts(), m.TS
	body["channel"], body["message"] = map[string]any{"id": c.ID, "name": c.callName()}, s.shown(&m)
	body["response_url"] = s.answerURL("commands", answerURL{user: user, channel: c.ID})
	s.mu.Unlock()
	return s.deliver(ctx, packet{envelope: interactive, kind: "message_action", user: user, body: body}), nil
}

// Fill puts text into the field with that label, block id or action id of a person's form. For a menu the text is the
// option's label, for several choices one a line.
func (s *Slack) Fill(user, field, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	stack := s.modals[user]
	if len(stack) == 0 {
		return fmt.Errorf("%s has no form open", s.who(user))
	}
	v := stack[len(stack)-1]
	var labels []string
	for _, b := range v.Blocks {
		e, ok := b["element"].(map[string]any)
		if !ok {
			continue
		}
		label := unescape(plain(b["label"]))
		labels = append(labels, label)
		if field != label && field != b["block_id"] && field != e["action_id"] {
			continue
		}
		value, err := s.fillIn(e, text)
		if err != nil {
			return fmt.Errorf("field %q: %w", field, err)
		}
		block, action := b["block_id"].(string), e["action_id"].(string) // both are given by Slack
		next := map[string]map[string]any{}
		for k, old := range v.Values {
			next[k] = clone(old)
		}
		if next[block] == nil {
			next[block] = map[string]any{}
		}
		next[block][action] = value
		v.Values = next
		s.touch()
		return nil
	}
	return fmt.Errorf("the form %q has no field %q, it has %q", v.Title, field, labels)
}

// Submit sends a person's form. What Slack finds missing by itself, and the app's errors, stand in the form's Errors.
func (s *Slack) Submit(ctx context.Context, user string) (Delivery, error) {
	s.mu.Lock()
	u, stack := s.user(user), s.modals[user]
	if u == nil || len(stack) == 0 {
		s.mu.Unlock()
		return Delivery{}, fmt.Errorf("%q has no form open", user)
	}
	v := stack[len(stack)-1]
	v.Errors, v.Trouble = nil, ""
	if v.Submit == "" {
		s.mu.Unlock()
		return Delivery{}, errors.New("the form has nothing to send")
	}
	if missing := lacking(v); len(missing) > 0 {
		v.Errors = missing
		s.touch()
		s.mu.Unlock()
		return Delivery{}, nil
	}
	body := s.interaction("view_submission", u, s.trigger(user, v.ID))
	body["view"], body["response_urls"] = s.shownView(v), []any{}
	s.mu.Unlock()
	d := s.deliver(ctx, packet{envelope: interactive, kind: "view_submission", user: user, body: body})
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.submitted(user, v, d) {
		v.Trouble = "We had some trouble connecting. Try again?"
	}
	s.touch()
	return d, nil
}

// submitted does what the app answered to a form, and reports whether Slack could make sense of it.
func (s *Slack) submitted(user string, v *View, d Delivery) bool {
	if !d.OK() {
		return false
	}
	a := args{}
	if strings.TrimSpace(d.Answer) != "" && (d.Type != jsonType || !decode([]byte(d.Answer), &a)) {
		return false
	}
	switch a.str("response_action") {
	case "":
		s.shut(user, false)
	case "clear":
		s.shut(user, true)
	case "errors":
		return v.refuse(a["errors"])
	case "update", "push":
		o, _ := a["view"].(map[string]any)
		next, problems := checkView(o, "modal")
		if len(problems) > 0 {
			return false
		}
		if a.str("response_action") == "update" {
			s.replace(v, next)
			return true
		}
		if len(s.modals[user]) >= maxStack {
			return false
		}
		s.push(user, next)
	default:
		return false
	}
	return true
}

// refuse notes the errors of fields. Slack wants each under the block id of an input.
func (v *View) refuse(errs any) bool {
	o, _ := errs.(map[string]any)
	out := map[string]string{}
	for _, b := range v.Blocks {
		block, _ := b["block_id"].(string)
		if text, ok := o[block].(string); ok && b["type"] == "input" {
			out[block] = text
		}
	}
	if len(o) == 0 || len(out) != len(o) {
		return false
	}
	v.Errors = out
	return true
}

// CloseForm closes a person's form without sending it. The app is told if it asked for that.
func (s *Slack) CloseForm(ctx context.Context, user string) (Delivery, error) {
	s.mu.Lock()
	u, stack := s.user(user), s.modals[user]
	if u == nil || len(stack) == 0 {
		s.mu.Unlock()
		return Delivery{}, fmt.Errorf("%q has no form open", user)
	}
	v := stack[len(stack)-1]
	body := s.interaction("view_closed", u, "")
	body["view"], body["is_cleared"] = s.shownView(v), false
	s.shut(user, false)
	tell := v.tellClose
	s.mu.Unlock()
	if !tell {
		return Delivery{}, nil
	}
	return s.deliver(ctx, packet{envelope: interactive, kind: "view_closed", user: user, body: body}), nil
}

// interaction is what all interactions have in common; s.mu is held.
func (s *Slack) interaction(kind string, u *User, trigger string) map[string]any {
	body := map[string]any{
		"type": kind, "token": verification, "api_app_id": AppID, "is_enterprise_install": s.config.OrgWide, "enterprise": nil,
		"team": map[string]any{"id": s.config.TeamID, "domain": s.config.Domain},
		"user": map[string]any{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": u.Team},
	}
	if s.config.OrgWide {
		body["enterprise"] = map[string]any{"id": enterprise, "name": s.config.Domain}
		body["team"] = nil
	}
	if trigger != "" {
		body["trigger_id"] = trigger
	}
	return body
}

// pressed is what a press hits: an element, and the option of it if it is a menu.
type pressed struct {
	block   string
	element map[string]any
	option  map[string]any
}

// find finds what bears a label.
func find(blocks []Block, label string) (pressed, error) {
	var hits []pressed
	var labels []string
	each(blocks, func(block string, e map[string]any) {
		if e["type"] == "button" || e["type"] == "workflow_button" {
			caption := unescape(plain(e["text"]))
			labels = append(labels, caption)
			if label == caption || label == e["accessibility_label"] || label == e["action_id"] {
				hits = append(hits, pressed{block: block, element: e})
			}
			return
		}
		labels = append(labels, optionLabels(e)...)
		if o := optionOf(e, label); o != nil {
			hits = append(hits, pressed{block, e, o})
		}
	})
	switch len(hits) {
	case 0:
		return pressed{}, fmt.Errorf("there is no button %q, there are %q", label, labels)
	case 1:
		return hits[0], nil
	}
	return pressed{}, fmt.Errorf("%d buttons say %q: use the label for screen readers or the action id", len(hits), label)
}

// action is a press as Slack sends it. What it chooses goes into the state too.
func (s *Slack) action(p pressed, state map[string]map[string]any) map[string]any {
	id, _ := p.element["action_id"].(string)
	out := map[string]any{"type": p.element["type"], "action_id": id, "block_id": p.block, "action_ts": s.ts()}
	if p.option == nil {
		for _, key := range []string{"text", "value", "style", "url", "confirm"} {
			if v := p.element[key]; v != nil {
				out[key] = v
			}
		}
		return out
	}
	out["selected_option"] = p.option
	kind, _ := p.element["type"].(string)
	if name := holds(kind); name == "selected_options" {
		delete(out, "selected_option")
		out[name] = []any{p.option}
	}
	if value, ok := state[p.block][id].(map[string]any); ok {
		value = clone(value)
		for _, name := range []string{"selected_option", "selected_options"} {
			if out[name] != nil {
				value[name] = out[name]
			}
		}
		state[p.block][id] = value
	}
	return out
}

// Dialog is the question that is asked before a press counts.
type Dialog struct{ Title, Text, Yes, No string }

// Asks returns the question that a press on a label of a message asks first, and whether it asks one.
func (s *Slack) Asks(m Message, label string) (Dialog, bool, error) {
	found, err := find(m.Blocks, label)
	if err != nil {
		return Dialog{}, false, err
	}
	o, ok := found.element["confirm"].(map[string]any)
	return Dialog{unescape(plain(o["title"])), unescape(plain(o["text"])), unescape(plain(o["confirm"])), unescape(plain(o["deny"]))}, ok, nil
}
