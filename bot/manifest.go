package main

import (
	"fmt"
	"text/tabwriter"

	"switchback/handlers/slack"
)

type manifestCommand struct {
	Slack manifestSlackCommand `cmd:"" help:"The Slack app: paste it at https://api.slack.com/apps, Create New App, From a manifest."`
}

type manifestSlackCommand struct {
	URL    string `name:"url" help:"The https address of the running bot, as Slack can reach it." xor:"how" required:""`
	Socket bool   `help:"Socket Mode: the bot connects to Slack, and nothing has to reach it from outside." xor:"how" required:""`
}

// Run prints the manifest, which has no room for comments, and beside it what each part of it is for.
func (c manifestSlackCommand) Run(s streams) error {
	data, err := slack.Manifest(c.URL, c.Socket)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(s.out, "%s\n", data); err != nil {
		return err
	}
	w := tabwriter.NewWriter(s.errs, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nWhat the bot may do, and why:")
	for _, r := range slack.Scopes() {
		fmt.Fprintf(w, "  %s\t%s\n", r.What, r.Why)
	}
	fmt.Fprintln(w, "\nWhat Slack tells it, and why:")
	for _, r := range slack.Events() {
		fmt.Fprintf(w, "  %s\t%s\n", r.What, r.Why)
	}
	fmt.Fprintln(w, "\nNext: install the app in your workspace, and give the bot")
	fmt.Fprintln(w, "  SLACK_BOT_TOKEN\txoxb-…, from OAuth & Permissions")
	if c.Socket {
		fmt.Fprintln(w, "  SLACK_APP_TOKEN\txapp-…, from Basic Information, App-Level Tokens, with the scope connections:write")
	} else {
		fmt.Fprintln(w, "  SLACK_SIGNING_SECRET\tfrom Basic Information, App Credentials")
	}
	return w.Flush()
}
