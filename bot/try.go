package main

import (
	"context"
	"fmt"
	"os"

	"switchback/bot/try"
	"switchback/handlers/slack"
)

type tryCommand struct {
	Data   string `help:"Folder in which the bot keeps everything; without one, a folder that is removed at the end. The world around it begins anew each time." type:"path"`
	Listen string `help:"Where the page is, on this machine." default:"127.0.0.1:0"`
}

// Run is the playground. Its bot is this program as `bot serve`, set up by environment variables alone; it gets none of
// those that are set here, so that nobody's real Slack is played with.
func (c tryCommand) Run(ctx context.Context, s streams) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	manifest, err := slack.Manifest("https://bot.acme.example", false)
	if err != nil {
		return fmt.Errorf("the Slack app: %w", err)
	}
	return try.Run(ctx, try.Config{Command: []string{self, "serve"}, Manifest: manifest, Data: c.Data, Address: c.Listen, Out: s.out})
}
