package teamstest

import (
	"context"
	"errors"
	"fmt"
	"html"
	"strings"
)

// Install adds the app to a conversation, by somebody in it. Teams tells the bot twice.
func (t *Teams) Install(ctx context.Context, user, group string) error {
	t.mu.Lock()
	g, u := t.group(group), t.user(user)
	if g == nil || u == nil {
		t.mu.Unlock()
		return fmt.Errorf("there is no %q or %q", group, user)
	}
	for _, other := range t.groups {
		if other == g || g.Team != "" && other.Team == g.Team {
			other.Bot = true
		}
	}
	added := t.activity("conversationUpdate", u, g, "")
	added["membersAdded"] = []any{map[string]any{"id": t.BotID()}}
	installed := t.activity("installationUpdate", u, g, "")
	installed["action"] = "add"
	t.mu.Unlock()
	for _, a := range []map[string]any{added, installed} {
		if d := t.deliver(ctx, a); !d.OK() {
			return fmt.Errorf("the bot answered %d to %v", d.Status, a["type"])
		}
	}
	return nil
}

// Uninstall takes the app out of a conversation.
func (t *Teams) Uninstall(ctx context.Context, user, group string) Delivery {
	t.mu.Lock()
	g, u := t.group(group), t.user(user)
	for _, other := range t.groups {
		if other == g || g.Team != "" && other.Team == g.Team {
			other.Bot = false
		}
	}
	a := t.activity("installationUpdate", u, g, "")
	a["action"] = "remove"
	t.mu.Unlock()
	return t.deliver(ctx, a)
}

// activity is one of somebody's in a conversation; t.mu is held.
func (t *Teams) activity(kind string, u *User, g *Group, root string) map[string]any {
	id := g.ID
	if root != "" {
		id += ";messageid=" + root
	}
	data := map[string]any{"tenant": map[string]any{"id": t.config.Tenant}}
	if g.Team != "" {
		data["team"], data["channel"] = map[string]any{"id": g.Team}, map[string]any{"id": g.ID}
	}
	return map[string]any{
		"type": kind, "id": t.id(), "channelId": "msteams", "serviceUrl": t.base + "/emea/", "timestamp": t.config.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		"from":         map[string]any{"id": u.ID, "name": u.Name, "aadObjectId": u.Object},
		"recipient":    map[string]any{"id": t.BotID(), "name": "Switchback"},
		"conversation": map[string]any{"id": id, "conversationType": g.Kind, "tenantId": t.config.Tenant, "isGroup": g.Kind != Personal},
		"channelData":  data, "locale": "en-GB", "localTimezone": u.Zone,
	}
}

// Say writes a message: to the bot alone if group is "". In channels and group chats the bot hears it only where it is
// mentioned: "@Switchback" stands for that. root is the message whose thread it is in.
func (t *Teams) Say(ctx context.Context, user, group, root, text string) (Delivery, error) {
	t.mu.Lock()
	u := t.user(user)
	if u == nil {
		t.mu.Unlock()
		return Delivery{}, fmt.Errorf("there is nobody called %q", user)
	}
	g := t.group(group)
	if group == "" {
		g = t.chat(u)
	}
	if g == nil {
		t.mu.Unlock()
		return Delivery{}, fmt.Errorf("there is no %q", group)
	}
	const name = "@Switchback"
	mentioned := strings.Contains(text, name)
	m := &Message{ID: t.id(), Group: g.ID, Root: root, From: u.ID, Text: text}
	if g.Kind == Channel && root == "" {
		m.Root = m.ID
	}
	t.messages = append(t.messages, m)
	t.touch()
	if g.Kind != Personal && !mentioned || !g.Bot {
		t.mu.Unlock()
		return Delivery{}, nil
	}
	a := t.activity("message", u, g, m.Root)
	a["id"], a["textFormat"] = m.ID, "plain"
	a["text"] = strings.ReplaceAll(text, name, "<at>Switchback</at>\u00a0")
	if mentioned {
		a["entities"] = []any{
			map[string]any{"type": "mention", "text": "<at>Switchback</at>", "mentioned": map[string]any{"id": t.BotID(), "name": "Switchback"}},
			map[string]any{"type": "clientInfo", "locale": "en-GB", "timezone": u.Zone},
		}
	}
	a["attachments"] = []any{map[string]any{"contentType": "text/html", "content": "<p>" + html.EscapeString(text) + "</p>"}}
	t.mu.Unlock()
	return t.deliver(ctx, a), nil
}

// Press presses the button of that label, as somebody sees the message; the message may be an old copy. A button that
// unfolds a question counts as answered with yes.
func (t *Teams) Press(ctx context.Context, user string, m Message, label string) (Delivery, error) {
	return t.press(ctx, user, m, label, false)
}

// PressOld is Press on a client that knows no Action.Execute.
func (t *Teams) PressOld(ctx context.Context, user string, m Message, label string) (Delivery, error) {
	return t.press(ctx, user, m, label, true)
}

func (t *Teams) press(ctx context.Context, user string, m Message, label string, old bool) (Delivery, error) {
	b, err := button(m.Card, label)
	if err != nil {
		return Delivery{}, err
	}
	t.mu.Lock()
	u, g := t.user(user), t.group(m.Group)
	if u == nil || g == nil {
		t.mu.Unlock()
		return Delivery{}, fmt.Errorf("there is no %q or %q", user, m.Group)
	}
	if old && b["type"] == "Action.Execute" {
		b, _ = b["fallback"].(map[string]any)
	}
	data, _ := b["data"].(map[string]any)
	ms, _ := data["msteams"].(map[string]any)
	var a map[string]any
	switch {
	case b["type"] == "Action.Execute":
		a = t.activity("invoke", u, g, m.Root)
		a["name"] = "adaptiveCard/action"
		a["value"] = map[string]any{"action": map[string]any{"type": "Action.Execute", "verb": b["verb"], "data": data}, "trigger": "manual"}
	case b["type"] == "Action.Submit" && ms["type"] == "task/fetch":
		a = t.activity("invoke", u, g, m.Root)
		a["name"], a["value"] = "task/fetch", map[string]any{"data": data, "context": map[string]any{"theme": "default"}}
	case b["type"] == "Action.Submit":
		a = t.activity("message", u, g, m.Root)
		a["value"] = data
	default:
		t.mu.Unlock()
		return Delivery{}, fmt.Errorf("%q is no button that says anything", label)
	}
	a["replyToId"] = m.ID
	t.mu.Unlock()
	d := t.deliver(ctx, a)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answered(u, m, d)
	t.touch()
	return d, nil
}

// answered does on somebody's device what the bot answered to a press.
func (t *Teams) answered(u *User, m Message, d Delivery) {
	if !d.OK() {
		return
	}
	switch d.Name {
	case "adaptiveCard/action":
		if card, ok := d.Answer["value"].(map[string]any); ok && d.Answer["type"] == cardType {
			for _, x := range t.messages {
				if x.ID == m.ID && x.Group == m.Group {
					if x.views == nil {
						x.views = map[string]map[string]any{}
					}
					x.views[u.ID] = card
				}
			}
		}
	case "task/fetch", "task/submit":
		task, _ := d.Answer["task"].(map[string]any)
		value, _ := task["value"].(map[string]any)
		content, _ := value["card"].(map[string]any)
		card, _ := content["content"].(map[string]any)
		switch {
		case task["type"] == "continue" && card != nil:
			title, _ := value["title"].(string)
			next := &Dialog{Title: title, Card: card, Values: map[string]string{}, Message: m}
			for _, f := range inputs(card) {
				next.Values[fmt.Sprint(f["id"])], _ = f["value"].(string)
			}
			t.dialogs[u.ID] = next
		case task["type"] == "message":
			said, _ := task["value"].(string)
			t.dialogs[u.ID] = &Dialog{Words: said}
		default:
			delete(t.dialogs, u.ID)
		}
	}
}

// Fill puts text into the field with that label of somebody's dialog. Choices are named by their labels, one a line.
func (t *Teams) Fill(user, label, text string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.dialogs[t.user(user).ID]
	if d == nil || d.Card == nil {
		return fmt.Errorf("%s has no form open", user)
	}
	var labels []string
	for _, f := range inputs(d.Card) {
		labels = append(labels, fmt.Sprint(f["label"]))
		if f["label"] != label {
			continue
		}
		value, err := fill(f, text)
		if err != nil {
			return fmt.Errorf("field %q: %w", label, err)
		}
		d.Values[fmt.Sprint(f["id"])] = value
		return nil
	}
	return fmt.Errorf("the form has no field %q, only %q", label, labels)
}

// Submit sends somebody's dialog. Teams itself refuses one that lacks something.
func (t *Teams) Submit(ctx context.Context, user string) (Delivery, error) {
	t.mu.Lock()
	u := t.user(user)
	d := t.dialogs[u.ID]
	if d == nil || d.Card == nil {
		t.mu.Unlock()
		return Delivery{}, fmt.Errorf("%s has no form open", user)
	}
	data := map[string]any{}
	for _, b := range actions(d.Card) {
		data, _ = b["data"].(map[string]any)
		data = clone(data)
	}
	for _, f := range inputs(d.Card) {
		id := fmt.Sprint(f["id"])
		if f["isRequired"] == true && d.Values[id] == "" {
			t.mu.Unlock()
			return Delivery{}, errors.New(fmt.Sprint(f["errorMessage"]))
		}
		data[id] = d.Values[id]
	}
	m := d.Message
	a := t.activity("invoke", u, t.group(m.Group), m.Root)
	a["name"], a["value"], a["replyToId"] = "task/submit", map[string]any{"data": data}, m.ID
	t.mu.Unlock()
	sent := t.deliver(ctx, a)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answered(u, m, sent)
	t.touch()
	return sent, nil
}

// CloseDialog closes what is open on somebody's screen; nothing is sent.
func (t *Teams) CloseDialog(user string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.dialogs, t.user(user).ID)
}

// Activity is one of somebody's, for what people cannot do: kind is the type, and set changes it.
func (t *Teams) Activity(kind, user, group string, set func(a map[string]any)) map[string]any {
	t.mu.Lock()
	g := t.group(group)
	if group == "" {
		g = t.chat(t.user(user))
	}
	a := t.activity(kind, t.user(user), g, "")
	t.mu.Unlock()
	if set != nil {
		set(a)
	}
	return a
}
