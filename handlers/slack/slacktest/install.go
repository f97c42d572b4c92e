package slacktest

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Install takes scopes, commands and events from an app manifest, so that the app may do and hears exactly what its
// manifest says. https://docs.slack.dev/reference/app-manifest
func (c *Config) Install(manifest []byte) error {
	var m struct {
		Features struct {
			Commands []struct {
				Command string `json:"command"`
			} `json:"slash_commands"`
		} `json:"features"`
		OAuth struct {
			Scopes struct {
				Bot []string `json:"bot"`
			} `json:"scopes"`
		} `json:"oauth_config"`
		Settings struct {
			Events struct {
				Bot []string `json:"bot_events"`
			} `json:"event_subscriptions"`
		} `json:"settings"`
	}
	if err := json.Unmarshal(manifest, &m); err != nil {
		return fmt.Errorf("read the app manifest: %w", err)
	}
	c.Scopes, c.Events, c.Commands = m.OAuth.Scopes.Bot, m.Settings.Events.Bot, []string{}
	for _, command := range m.Features.Commands {
		c.Commands = append(c.Commands, command.Command)
	}
	return nil
}

// hears reports whether the app subscribed to an event.
func (s *Slack) hears(event map[string]any) bool {
	kind := fmt.Sprint(event["type"])
	if kind == "message" {
		kind += fmt.Sprint(".", event["channel_type"])
	}
	return s.config.Events == nil || slices.Contains(s.config.Events, kind)
}
