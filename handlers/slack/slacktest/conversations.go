package slacktest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

func micros(t time.Time) string {
	us := t.UnixMicro()
	return fmt.Sprintf("%d.%06d", us/1e6, us%1e6)
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil { // all that is encoded here came from JSON
		panic(fmt.Sprintf("slacktest: encode: %v", err))
	}
	return b
}

// readable returns a channel that the bot may look at with the scopes of that suffix: read, history.
func (s *Slack) readable(id, suffix string) (*Channel, *apiError) {
	c := s.channel(id)
	if c == nil || (c.Private && !c.has(BotUser)) {
		return nil, fail("channel_not_found")
	}
	scope := "channels:" + suffix
	switch {
	case c.With != "":
		scope = "im:" + suffix
	case c.Private:
		scope = "groups:" + suffix
	}
	if !slices.Contains(s.scopes, scope) {
		return nil, s.lacks(scope)
	}
	return c, nil
}

func (s *Slack) conversation(a args) (map[string]any, *apiError) {
	c, err := s.readable(a.str("channel"), "read")
	if err != nil {
		return nil, err
	}
	out := map[string]any{
		"id": c.ID, "is_im": c.With != "", "is_private": c.Private, "is_archived": c.Archived,
		"is_shared": c.Shared, "is_ext_shared": c.Shared, "is_org_shared": false, "context_team_id": s.config.TeamID,
	}
	if c.With != "" {
		out["user"] = c.With
		return map[string]any{"channel": out}, nil
	}
	out["name"], out["name_normalized"], out["is_channel"], out["is_member"] = c.Name, c.Name, !c.Private, c.has(BotUser)
	out["is_group"], out["is_general"], out["creator"] = c.Private, false, BotUser
	if a.yes("include_num_members") {
		out["num_members"] = len(c.Members)
	}
	return map[string]any{"channel": out}, nil
}

func (s *Slack) openConversation(a args) (map[string]any, *apiError) {
	ids := strings.Split(a.str("users"), ",")
	if len(ids) != 1 || ids[0] == "" {
		return nil, fail("users_list_not_supplied")
	}
	u := s.user(ids[0])
	switch {
	case u == nil:
		return nil, fail("user_not_found")
	case u.Deactivated:
		return nil, fail("user_disabled")
	case u.Bot, u.Team != s.config.TeamID:
		return nil, fail("cannot_dm_bot")
	}
	return map[string]any{"channel": map[string]any{"id": s.direct(u.ID).ID}}, nil
}

func (s *Slack) members(a args) (map[string]any, *apiError) {
	c, err := s.readable(a.str("channel"), "read")
	if err != nil {
		return nil, err
	}
	from, to, next, err := page(a, len(c.Members), a.number("limit", 100))
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"members": append([]string{}, c.Members[from:to]...), "response_metadata": map[string]any{"next_cursor": next},
	}, nil
}

func (s *Slack) history(a args) (map[string]any, *apiError) {
	return s.list(a, func(m *Message) bool { return m.Thread == "" || m.Broadcast }, true)
}

func (s *Slack) replies(a args) (map[string]any, *apiError) {
	ts := a.str("ts")
	if m := s.message(a.str("channel"), ts); m == nil || m.Only != "" {
		return nil, fail("thread_not_found")
	}
	return s.list(a, func(m *Message) bool { return m.TS == ts || m.Thread == ts }, false)
}

// list answers with messages that fit, the newest first or last.
func (s *Slack) list(a args, fits func(*Message) bool, newestFirst bool) (map[string]any, *apiError) {
	c, err := s.readable(a.str("channel"), "history")
	if err != nil {
		return nil, err
	}
	if !c.has(BotUser) {
		return nil, fail("not_in_channel")
	}
	oldest, latest, inclusive := a.str("oldest"), a.str("latest"), a.yes("inclusive")
	var found []*Message
	for _, m := range s.messages {
		if m.Channel != c.ID || m.Only != "" || !fits(m) {
			continue
		}
		after := oldest == "" || compareTS(m.TS, oldest) > 0 || (inclusive && m.TS == oldest)
		before := latest == "" || compareTS(m.TS, latest) < 0 || (inclusive && m.TS == latest)
		if after && before {
			found = append(found, m)
		}
	}
	if newestFirst {
		slices.Reverse(found)
	}
	limit := a.number("limit", 100)
	if limit > 999 {
		return nil, fail("invalid_limit")
	}
	from, to, next, err := page(a, len(found), limit)
	if err != nil {
		return nil, err
	}
	messages := []any{}
	for _, m := range found[from:to] {
		shown := s.shown(m)
		if !a.yes("include_all_metadata") {
			delete(shown, "metadata")
		}
		messages = append(messages, shown)
	}
	return map[string]any{
		"messages": messages, "has_more": next != "", "response_metadata": map[string]any{"next_cursor": next},
	}, nil
}

// compareTS compares timestamps, also such as have no fraction.
func compareTS(a, b string) int {
	pad := func(s string) string {
		whole, part, _ := strings.Cut(s, ".")
		return fmt.Sprintf("%020s.%-6s", whole, part)
	}
	return strings.Compare(strings.ReplaceAll(pad(a), " ", "0"), strings.ReplaceAll(pad(b), " ", "0"))
}
