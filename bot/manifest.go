package main

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"switchback/handlers/slack"
	"switchback/handlers/teams"
)

type manifestCommand struct {
	Slack manifestSlackCommand `cmd:"" help:"The Slack app: paste it at https://api.slack.com/apps, Create New App, From a manifest."`
	Teams manifestTeamsCommand `cmd:"" help:"The Teams app package: upload it in the Teams admin centre, or under Apps, Manage your apps."`
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
		fmt.Fprintln(w, "Once it runs: have the Request URL verified under App Manifest. Slack sends no events before that.")
	}
	return w.Flush()
}

type manifestTeamsCommand struct {
	AppID string `name:"app-id" help:"The application (client) id of the app registration in Microsoft Entra." required:""`
	URL   string `name:"url" help:"The https address of the running bot, as Microsoft can reach it." required:""`
	Out   string `help:"The file to write." default:"switchback.zip" type:"path"`
}

// Run writes the package, and says what comes next.
func (c manifestTeamsCommand) Run(s streams) error {
	data, err := teams.Package(c.AppID, c.URL)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Out, data, 0o644); err != nil { //nolint:gosec // it is for others to read, and holds no secret
		return err
	}
	fmt.Fprintln(s.out, c.Out)
	w := tabwriter.NewWriter(s.errs, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nNext: set the messaging endpoint of the Azure Bot resource to")
	fmt.Fprintf(w, "  %s/api/messages\n", strings.TrimSuffix(c.URL, "/"))
	fmt.Fprintln(w, "upload the package, add the app to the team of each channel that you route to, and give the bot")
	fmt.Fprintf(w, "  TEAMS_APP_ID\t%s\n", c.AppID)
	fmt.Fprintln(w, "  TEAMS_APP_PASSWORD\ta client secret, from Certificates & secrets")
	fmt.Fprintln(w, "  TEAMS_TENANT_ID\tthe directory (tenant) id, from the Overview")
	return w.Flush()
}
