package slacktest

import (
	"slices"
	"strings"
)

// The limits of a message's text. https://docs.slack.dev/reference/methods/chat.postMessage#truncating
const (
	maxText       = 40000 // the rest is cut off
	maxUpdateText = 4000
	maxMarkdown   = 12000
)

func (s *Slack) postMessage(a args) (map[string]any, *apiError) {
	c, err := s.postable(a.str("channel"))
	if err != nil {
		return nil, err
	}
	m, err := s.content(a, false)
	if err != nil {
		return nil, err
	}
	m.Channel, m.User = c.ID, BotUser
	if m.Thread = a.str("thread_ts"); m.Thread != "" {
		parent := s.message(c.ID, m.Thread)
		if parent == nil || parent.Only != "" {
			return nil, fail("thread_not_found")
		}
		if parent.Thread != "" { // a reply to a reply stands in the same thread
			m.Thread = parent.Thread
		}
		m.Broadcast = a.yes("reply_broadcast")
	}
	posted := s.put(m)
	shown := s.shown(posted)
	s.echo(c, shown, nil)
	return map[string]any{"channel": c.ID, "ts": posted.TS, "message": shown}, nil
}

func (s *Slack) postEphemeral(a args) (map[string]any, *apiError) {
	c, err := s.postable(a.str("channel"))
	if err != nil {
		return nil, err
	}
	u := s.user(a.str("user"))
	if u == nil {
		return nil, fail("user_not_found")
	}
	if !c.has(u.ID) || u.Deactivated {
		return nil, fail("user_not_in_channel")
	}
	m, err := s.content(a, false)
	if err != nil {
		return nil, err
	}
	m.Channel, m.User, m.Only, m.Thread, m.Metadata = c.ID, BotUser, u.ID, a.str("thread_ts"), nil
	return map[string]any{"message_ts": s.put(m).TS}, nil
}

func (s *Slack) update(a args) (map[string]any, *apiError) {
	m, err := s.own(a, "cant_update_message")
	if err != nil {
		return nil, err
	}
	next, err := s.content(a, true)
	if err != nil {
		return nil, err
	}
	before := s.shown(m)
	if next.Metadata != nil {
		m.Metadata = next.Metadata
	}
	s.edit(m, next)
	shown := s.shown(m)
	s.echo(s.channel(m.Channel), shown, before)
	return map[string]any{"channel": m.Channel, "ts": m.TS, "text": m.Text, "message": shown}, nil
}

// echo tells the app of its own message in a direct conversation, as Slack does with all messages there: a bot that
// answers itself never stops. before is not nil if the message was changed.
func (s *Slack) echo(c *Channel, shown, before map[string]any) {
	if c.With == "" || (len(s.apps) == 0 && !s.socket) {
		return
	}
	event := clone(shown)
	if before != nil {
		event = map[string]any{"type": "message", "subtype": "message_changed", "hidden": true, "message": shown, "previous_message": before, "ts": s.ts()}
	}
	event["channel"], event["channel_type"] = c.ID, "im"
	s.running.Go(func() { s.Tell(s.stopped, BotUser, event) })
}

// edit gives a message other content, and blocks that were not named new ids.
func (s *Slack) edit(m *Message, next Message) {
	m.Text, m.Blocks, m.Edited = next.Text, s.fill(next.Blocks), s.now()
	s.touch()
}

func (s *Slack) remove(a args) (map[string]any, *apiError) {
	m, err := s.own(a, "cant_delete_message")
	if err != nil {
		return nil, err
	}
	s.messages = slices.DeleteFunc(s.messages, func(o *Message) bool { return o == m })
	s.touch()
	return map[string]any{"channel": m.Channel, "ts": m.TS}, nil
}

// own returns a message that the bot may still change: its own, not ephemeral.
func (s *Slack) own(a args, otherwise string) (*Message, *apiError) {
	c := s.channel(a.str("channel"))
	if c == nil {
		return nil, fail("channel_not_found")
	}
	m := s.message(c.ID, a.str("ts"))
	switch {
	case m == nil, m.Only != "":
		return nil, fail("message_not_found")
	case m.User != BotUser:
		return nil, fail(otherwise)
	case c.Archived:
		return nil, fail("is_archived")
	}
	return m, nil
}

func (s *Slack) permalink(a args) (map[string]any, *apiError) {
	c := s.channel(a.str("channel"))
	if c == nil || (c.Private && !c.has(BotUser)) {
		return nil, fail("channel_not_found")
	}
	m := s.message(c.ID, a.str("message_ts"))
	if m == nil || m.Only != "" {
		return nil, fail("message_not_found")
	}
	link := "https://" + s.config.Domain + ".slack.com/archives/" + c.ID + "/p" + strings.ReplaceAll(m.TS, ".", "")
	if m.Thread != "" {
		link += "?thread_ts=" + m.Thread + "&cid=" + c.ID
	}
	return map[string]any{"channel": c.ID, "permalink": link}, nil
}

// postable returns the channel that the bot may post to under this id: a channel, or a person for the direct
// conversation with them.
func (s *Slack) postable(id string) (*Channel, *apiError) {
	c := s.channel(id)
	if u := s.user(id); u != nil && !u.Bot {
		if u.Deactivated || u.Team != s.config.TeamID {
			return nil, fail("channel_not_found")
		}
		c = s.direct(u.ID)
	}
	switch {
	case c == nil, c.Private && !c.has(BotUser):
		return nil, fail("channel_not_found")
	case c.Archived:
		return nil, fail("is_archived")
	case !c.has(BotUser) && !slices.Contains(s.scopes, "chat:write.public"):
		return nil, fail("not_in_channel")
	}
	return c, nil
}

// content reads and checks text, blocks and metadata of a message.
func (s *Slack) content(a args, update bool) (Message, *apiError) {
	m := Message{Text: a.str("text")}
	markdown := a.str("markdown_text")
	raw, ok := a.value("blocks")
	if !ok {
		return m, fail("invalid_blocks_format")
	}
	attachments, ok := a.value("attachments")
	if !ok {
		return m, fail("invalid_attachments")
	}
	list, isList := raw.([]any)
	if raw != nil && !isList {
		return m, fail("invalid_blocks_format")
	}
	if markdown != "" {
		if m.Text != "" || len(list) > 0 {
			return m, fail("markdown_text_conflict")
		}
		if length(markdown) > maxMarkdown {
			return m, fail("msg_too_long")
		}
		m.Text = markdown
	}
	hung, _ := attachments.([]any)
	if len(hung) > 100 {
		return m, fail("too_many_attachments")
	}
	if len(list) == 0 && m.Text == "" && len(hung) == 0 {
		return m, fail("no_text")
	}
	blocks, problems, size := checkBlocks(list, "/blocks", "message")
	switch {
	case len(problems) > 0:
		return m, &apiError{code: "invalid_blocks", messages: problems}
	case size >= maxBlocksText:
		return m, fail("msg_blocks_too_long")
	case update && length(m.Text) > maxUpdateText:
		return m, fail("msg_too_long")
	}
	m.Blocks = blocks
	if runes := []rune(m.Text); len(runes) > maxText {
		m.Text = string(runes[:maxText])
	}
	metadata, ok := a.value("metadata")
	if !ok {
		return m, fail("invalid_metadata_format")
	}
	if metadata != nil {
		o, _ := metadata.(map[string]any)
		kind, _ := o["event_type"].(string)
		payload, isObject := o["event_payload"].(map[string]any)
		switch {
		case kind == "" || !isObject:
			return m, fail("invalid_metadata_format")
		case len(encode(payload)) > 16<<10:
			return m, fail("metadata_too_large")
		}
		m.Metadata = o
	}
	return m, nil
}

// shown returns a message as Slack sends it to the app.
func (s *Slack) shown(m *Message) map[string]any {
	out := map[string]any{"type": "message", "user": m.User, "ts": m.TS, "text": m.Text, "team": s.config.TeamID}
	if m.User == BotUser {
		out["bot_id"], out["app_id"] = BotID, AppID
	}
	if len(m.Blocks) > 0 {
		out["blocks"] = m.Blocks
	}
	if m.Metadata != nil {
		out["metadata"] = m.Metadata
	}
	if m.Broadcast {
		out["subtype"] = "thread_broadcast"
	}
	if !m.Edited.IsZero() && len(m.Blocks) == 0 { // blocks keep the edit mark away
		out["edited"] = map[string]any{"user": m.User, "ts": micros(m.Edited)}
	}
	if m.Thread != "" {
		out["thread_ts"] = m.Thread
		if parent := s.message(m.Channel, m.Thread); parent != nil {
			out["parent_user_id"] = parent.User
		}
		return out
	}
	replies := 0
	for _, o := range s.messages {
		if o.Channel == m.Channel && o.Thread == m.TS && o.Only == "" {
			replies++
		}
	}
	if replies > 0 {
		out["thread_ts"], out["reply_count"] = m.TS, replies
	}
	return out
}
