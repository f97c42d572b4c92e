package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// The paths that Slack's requests go to. All of them take everything.
const (
	commandsPath     = "/slack/commands"
	interactionsPath = "/slack/interactions"
	eventsPath       = "/slack/events"
)

// manifest is what is used of https://docs.slack.dev/reference/app-manifest
type manifest struct {
	Metadata struct {
		Major int `json:"major_version"`
		Minor int `json:"minor_version"`
	} `json:"_metadata"`
	Display struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		Long        string `json:"long_description"`
		Colour      string `json:"background_color"`
	} `json:"display_information"`
	Features struct {
		Home struct {
			Tab      bool `json:"home_tab_enabled"`
			Messages bool `json:"messages_tab_enabled"`
			ReadOnly bool `json:"messages_tab_read_only_enabled"`
		} `json:"app_home"`
		Bot struct {
			Name   string `json:"display_name"`
			Online bool   `json:"always_online"`
		} `json:"bot_user"`
		Shortcuts []shortcut     `json:"shortcuts"`
		Commands  []slashCommand `json:"slash_commands"`
	} `json:"features"`
	OAuth struct {
		Scopes struct {
			Bot []string `json:"bot"`
		} `json:"scopes"`
	} `json:"oauth_config"`
	Settings struct {
		Events struct {
			URL string   `json:"request_url,omitzero"`
			Bot []string `json:"bot_events"`
		} `json:"event_subscriptions"`
		Interactivity struct {
			Enabled bool   `json:"is_enabled"`
			URL     string `json:"request_url,omitzero"`
		} `json:"interactivity"`
		OrgWide bool `json:"org_deploy_enabled"`
		Socket  bool `json:"socket_mode_enabled"`
		Rotate  bool `json:"token_rotation_enabled"`
	} `json:"settings"`
}

type shortcut struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	CallbackID  string `json:"callback_id"`
	Description string `json:"description"`
}

type slashCommand struct {
	Command     string `json:"command"`
	URL         string `json:"url,omitzero"`
	Description string `json:"description"`
	Hint        string `json:"usage_hint"`
	Escape      bool   `json:"should_escape"`
}

// Reason is a scope or an event of the manifest, and what it is for.
type Reason struct{ What, Why string }

// Scopes are what the bot may do in a workspace.
func Scopes() []Reason {
	return []Reason{
		{"app_mentions:read", "hear @switchback in a thread, where slash commands do not work"},
		{"channels:history", "find a post of its own again when Slack did not say whether it arrived, so that nothing is posted twice"},
		{"channels:read", "know which public channels are shared with other organisations, archived, or left"},
		{"chat:write", "show what happens, and keep those messages up to date"},
		{"chat:write.public", "post to the public channels of the organisation document without being invited first"},
		{"commands", "/outage, and the shortcuts"},
		{"groups:history", "as channels:history, in private channels that it was invited to"},
		{"groups:read", "as channels:read, for private channels that it was invited to"},
		{"im:history", "read what people write to it directly; find its own posts there"},
		{"im:write", "write to a person directly: reminders, questions, what was asked of them"},
		{"usergroups:read", "know who is in the user groups that may confirm and restore"},
		{"users:read", "names and time zones; tell guests, other organisations and deactivated people from members"},
	}
}

// Events are what the bot is told without being asked.
func Events() []Reason {
	return []Reason{
		{"app_home_opened", "draw the Home tab when somebody looks at it"},
		{"app_mention", "words after @switchback"},
		{"app_uninstalled", "stop, and say so in the log"},
		{"channel_archive", "a channel that it posts to is gone: the operator is told"},
		{"channel_left", "it was removed from a channel that it posts to: the operator is told"},
		{"channel_shared", "a channel became shared with another organisation: title, state and end only from then on"},
		{"channel_unshared", "it is no longer"},
		{"group_archive", "as channel_archive, for private channels"},
		{"group_left", "as channel_left, for private channels"},
		{"message.im", "words written to it directly"},
		{"subteam_members_changed", "somebody joined or left a user group that gives rights"},
		{"tokens_revoked", "its access was taken away: say so in the log"},
		{"user_change", "somebody was deactivated, or became a guest"},
	}
}

// Manifest is the app for https://api.slack.com/apps, as JSON: either over Socket Mode, or with requests to url, the
// https address of the running bot. It names each scope and event that the bot uses and no other.
func Manifest(address string, socket bool) ([]byte, error) {
	base := strings.TrimRight(address, "/")
	u, err := url.Parse(base)
	switch {
	case socket && address != "":
		return nil, errors.New("either an address or Socket Mode, which needs none")
	case socket:
	case err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%q is no address like https://bot.example.com, which Slack can reach", address)
	}
	to := func(path string) string {
		if socket {
			return ""
		}
		return base + path
	}
	var m manifest
	m.Metadata.Major, m.Metadata.Minor = 1, 1
	m.Display.Name = "Switchback"
	m.Display.Description = "Walks you through an outage of your customer-service platform, and puts everything back."
	m.Display.Long = "Type /outage when customers cannot reach you. Switchback asks what is wrong, shows what it will change and what your customers will notice, " +
		"and changes nothing before somebody who may says yes. It remembers what was there before, reminds you, and puts exactly that back when the outage is over."
	m.Display.Colour = "#1f3a5f"
	m.Features.Home.Tab, m.Features.Home.Messages = true, true
	m.Features.Bot.Name, m.Features.Bot.Online = "switchback", true
	m.Features.Shortcuts = []shortcut{ // https://docs.slack.dev/reference/app-manifest: at most 10, each name at most 24 characters
		{"Report an outage", "global", reportCallback, "Begin where /outage begins, from anywhere."},
		{"Add to outage's timeline", "message", timelineCallback, "Add this message to the outage's timeline."},
		{"Start the playbook here", "message", startCallback, "Walk through the playbook in this message's thread."},
	}
	m.Features.Commands = []slashCommand{{
		Command: "/outage", URL: to(commandsPath), Description: "Something is down: what to do, what is open, and the way back",
		Hint: "[chat late | status | restore | help]", Escape: true,
	}}
	for _, r := range Scopes() {
		m.OAuth.Scopes.Bot = append(m.OAuth.Scopes.Bot, r.What)
	}
	for _, r := range Events() {
		m.Settings.Events.Bot = append(m.Settings.Events.Bot, r.What)
	}
	m.Settings.Events.URL = to(eventsPath)
	m.Settings.Interactivity.Enabled, m.Settings.Interactivity.URL = true, to(interactionsPath)
	m.Settings.Socket = socket
	return json.MarshalIndent(m, "", "  ")
}
