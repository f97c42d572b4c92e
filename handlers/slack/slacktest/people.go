package slacktest

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// What people do. Users and channels are given by id.

// Command types a slash command into a channel, such as "/outage chat late".
func (s *Slack) Command(ctx context.Context, user, channel, text string) (Delivery, error) {
	s.mu.Lock()
	u, c, err := s.present(user, channel)
	if err != nil {
		s.mu.Unlock()
		return Delivery{}, err
	}
	command, words, _ := strings.Cut(text, " ")
	if u.Team != s.config.TeamID || !slices.Contains(s.config.Commands, command) {
		s.slackbot(user, channel, command+" is not a valid command.")
		s.mu.Unlock()
		return Delivery{}, nil
	}
	body := map[string]any{
		"token": verification, "team_id": s.config.TeamID, "team_domain": s.config.Domain, "channel_id": c.ID, "channel_name": c.callName(),
		"user_id": u.ID, "user_name": u.Name, "command": command, "text": s.escape(strings.TrimSpace(words)), "api_app_id": AppID,
		"is_enterprise_install": fmt.Sprint(s.config.OrgWide), "trigger_id": s.trigger(u.ID, ""),
		"response_url": s.answerURL("commands", answerURL{user: u.ID, channel: c.ID}),
	}
	if s.config.OrgWide {
		body["enterprise_id"], body["enterprise_name"] = enterprise, s.config.Domain
	}
	s.mu.Unlock()
	d := s.deliver(ctx, packet{envelope: slashCommands, kind: "command", user: user, body: body})
	s.mu.Lock()
	defer s.mu.Unlock()
	trouble := d.Err
	if d.OK() && strings.TrimSpace(d.Answer) != "" {
		trouble = s.commandAnswer(d, user, channel)
	}
	if trouble != "" {
		s.slackbot(user, channel, fmt.Sprintf("%s failed with the error %q", command, trouble))
	}
	return d, nil
}

// commandAnswer shows what the app answered at once, and says what is wrong with it.
func (s *Slack) commandAnswer(d Delivery, user, channel string) string {
	a := args{"text": d.Answer}
	if d.Type == jsonType {
		a = args{}
		if !decode([]byte(d.Answer), &a) {
			return Failed
		}
		if len(a) == 1 && a.str("response_type") != "" { // shows what was typed, or nothing
			return ""
		}
	}
	m, err := s.content(a, false)
	if err != nil {
		return "dispatch_unknown_error"
	}
	s.said(a, m, user, channel)
	return ""
}

// present returns a person and a channel that they are in.
func (s *Slack) present(user, channel string) (*User, *Channel, error) {
	u, c := s.user(user), s.channel(channel)
	switch {
	case u == nil:
		return nil, nil, fmt.Errorf("there is no user %q", user)
	case u.Deactivated:
		return nil, nil, fmt.Errorf("%s is deactivated", s.who(user))
	case c == nil:
		return nil, nil, fmt.Errorf("there is no channel %q", channel)
	case c.Archived:
		return nil, nil, fmt.Errorf("#%s is archived", c.Name)
	case !c.has(user):
		return nil, nil, fmt.Errorf("%s is not in #%s", s.who(user), c.Name)
	}
	return u, c, nil
}

// callName is the name under which the app hears of a channel.
func (c *Channel) callName() string {
	switch {
	case c.With != "":
		return "directmessage"
	case c.Private:
		return "privategroup"
	}
	return c.Name
}

var mention = regexp.MustCompile(`[@#][a-z0-9._-]*[a-z0-9]`)

// escape turns what a person typed into what Slack sends: names become ids.
func (s *Slack) escape(text string) string {
	text = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
	return mention.ReplaceAllStringFunc(text, func(name string) string {
		if name[0] == '#' {
			for _, c := range s.channels {
				if c.Name == name[1:] && c.Name != "" {
					return "<#" + c.ID + "|" + c.Name + ">"
				}
			}
			return name
		}
		for _, u := range s.users {
			if u.Name == name[1:] {
				return "<@" + u.ID + "|" + u.Name + ">"
			}
		}
		for _, g := range s.groups {
			if g.Handle == name[1:] {
				return "<!subteam^" + g.ID + "|" + name + ">"
			}
		}
		return name
	})
}

var named = regexp.MustCompile(`<@(\w+)\|[^>]*>`)

// Say writes a message into a channel or, with the ts of its first message, into a thread. The app is told if it is
// mentioned and in the channel, and of everything in its direct conversations.
func (s *Slack) Say(ctx context.Context, user, channel, thread, text string) (Message, Delivery, error) {
	s.mu.Lock()
	u, c, err := s.present(user, channel)
	if err != nil {
		s.mu.Unlock()
		return Message{}, Delivery{}, err
	}
	if strings.HasPrefix(text, "/") && thread != "" {
		s.slackbot(user, channel, strings.Fields(text)[0]+" is not supported in threads. Sorry!")
		s.mu.Unlock()
		return Message{}, Delivery{}, nil
	}
	m := *s.put(Message{Channel: c.ID, User: user, Thread: thread, Text: named.ReplaceAllString(s.escape(text), "<@$1>")})
	event := map[string]any{
		"type": "app_mention", "user": user, "text": m.Text, "ts": m.TS, "event_ts": m.TS, "channel": c.ID, "team": u.Team,
		"client_msg_id": random(),
	}
	if u.Team != s.config.TeamID {
		event["user_team"], event["source_team"] = u.Team, u.Team
	}
	if thread != "" {
		event["thread_ts"] = thread
	}
	switch {
	case c.With != "":
		event["type"], event["channel_type"] = "message", "im"
	case !strings.Contains(m.Text, "<@"+BotUser+">"):
		event = nil
	case !c.has(BotUser):
		s.slackbot(user, channel, "You mentioned @"+s.user(BotUser).Name+", but they're not in this channel.")
		event = nil
	}
	s.mu.Unlock()
	if event == nil {
		return m, Delivery{}, nil
	}
	return m, s.Tell(ctx, user, event), nil
}

// Direct returns the person's direct conversation with the bot.
func (s *Slack) Direct(user string) Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := *s.direct(user)
	return c
}

// OpenHome opens the bot's home tab.
func (s *Slack) OpenHome(ctx context.Context, user string) Delivery {
	s.mu.Lock()
	event := map[string]any{"type": "app_home_opened", "user": user, "channel": s.direct(user).ID, "tab": "home"}
	if v := s.homes[user]; v != nil {
		event["view"] = s.shownView(v)
	}
	s.mu.Unlock()
	return s.Tell(ctx, user, event)
}

// Join brings a person, or the bot, into a channel.
func (s *Slack) Join(ctx context.Context, user, channel string) Delivery {
	s.ChangeChannel(channel, func(c *Channel) {
		if !c.has(user) {
			c.Members = append(c.Members, user)
		}
	})
	return s.Tell(ctx, user, map[string]any{
		"type": "member_joined_channel", "user": user, "channel": channel, "channel_type": "C", "team": s.config.TeamID,
	})
}

// Leave takes a person, or the bot, out of a channel. The bot does not hear member_left_channel of itself, because it
// is no longer there: it hears channel_left, and Slackbot writes to it.
// https://github.com/slackapi/bolt-js/issues/1847
func (s *Slack) Leave(ctx context.Context, user, channel string) Delivery {
	s.ChangeChannel(channel, func(c *Channel) {
		c.Members = slices.DeleteFunc(c.Members, func(u string) bool { return u == user })
	})
	if user == BotUser {
		s.mu.Lock()
		var name, kind string
		if c := s.channel(channel); c != nil {
			name, kind = c.Name, c.kind()
		}
		said := map[string]any{
			"type": "message", "channel_type": "im", "channel": s.direct(Slackbot).ID, "user": Slackbot, "ts": s.ts(), "team": s.config.TeamID,
			"text": "You have been removed from #" + name,
		}
		s.mu.Unlock()
		s.Tell(ctx, Slackbot, said)
		return s.Tell(ctx, user, map[string]any{"type": kind + "_left", "channel": channel})
	}
	return s.Tell(ctx, user, map[string]any{
		"type": "member_left_channel", "user": user, "channel": channel, "channel_type": "C", "team": s.config.TeamID,
	})
}

// Archive archives a channel.
func (s *Slack) Archive(ctx context.Context, user, channel string) Delivery {
	kind := "channel"
	s.ChangeChannel(channel, func(c *Channel) {
		c.Archived = true
		kind = c.kind()
	})
	return s.Tell(ctx, user, map[string]any{"type": kind + "_archive", "channel": channel, "user": user})
}

// kind is how the names of a channel's events begin.
func (c *Channel) kind() string {
	if c.Private {
		return "group"
	}
	return "channel"
}

// Share shares a channel with another organisation.
func (s *Slack) Share(ctx context.Context, channel string) Delivery {
	s.ChangeChannel(channel, func(c *Channel) { c.Shared = true })
	return s.Tell(ctx, "", map[string]any{"type": "channel_shared", "connected_team_id": "T0OTHER", "channel": channel})
}

// Unshare ends that.
func (s *Slack) Unshare(ctx context.Context, channel string) Delivery {
	s.ChangeChannel(channel, func(c *Channel) { c.Shared = false })
	return s.Tell(ctx, "", map[string]any{
		"type": "channel_unshared", "previously_connected_team_id": "T0OTHER", "channel": channel, "is_ext_shared": false,
	})
}

// Deactivate deactivates a person.
func (s *Slack) Deactivate(ctx context.Context, user string) Delivery {
	var profile map[string]any
	s.ChangeUser(user, func(u *User) {
		u.Deactivated = true
		profile = s.profile(u, false)
	})
	return s.Tell(ctx, user, map[string]any{"type": "user_change", "user": profile})
}

// SetGroup makes these people the members of a user group.
func (s *Slack) SetGroup(ctx context.Context, group string, members ...string) Delivery {
	var added, removed []string
	s.ChangeGroup(group, func(g *Group) {
		added = slices.DeleteFunc(slices.Clone(members), func(u string) bool { return slices.Contains(g.Members, u) })
		removed = slices.DeleteFunc(slices.Clone(g.Members), func(u string) bool { return slices.Contains(members, u) })
		g.Members = members
	})
	return s.Tell(ctx, "", map[string]any{
		"type": "subteam_members_changed", "subteam_id": group, "team_id": s.config.TeamID, "added_users": append([]string{}, added...),
		"removed_users": append([]string{}, removed...), "added_users_count": len(added), "removed_users_count": len(removed),
	})
}

// Uninstall takes the app out of the workspace: its token is revoked, and it is told both.
func (s *Slack) Uninstall(ctx context.Context) (revoked, uninstalled Delivery) {
	s.SetToken("account_inactive")
	revoked = s.Tell(ctx, "", map[string]any{"type": "tokens_revoked", "tokens": map[string]any{"oauth": []any{}, "bot": []any{BotUser}}})
	return revoked, s.Tell(ctx, "", map[string]any{"type": "app_uninstalled"})
}
