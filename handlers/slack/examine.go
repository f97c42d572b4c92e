package slack

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	slackgo "github.com/slack-go/slack"

	"switchback/handlers"
)

// Examine asks Slack for all that the bot needs of it, and posts nothing. What is wrong comes with the next step.
func (s *Slack) Examine(ctx context.Context, e handlers.Examined) []handlers.Finding {
	answer, err := s.api.AuthTestContext(ctx)
	if err != nil {
		next := "see whether slack.com can be reached from here"
		if isOneOf(err, "invalid_auth", "not_authed", "token_revoked", "account_inactive", "token_expired") {
			next = "copy the Bot User OAuth Token anew (OAuth & Permissions of your Slack app) into SLACK_BOT_TOKEN"
		}
		return []handlers.Finding{{Part: "Slack", State: handlers.Fail, Text: "the token does not work: " + err.Error(), Next: next}}
	}
	switch want := s.config.Organisation.Team; { // another workspace has other channels and people, too
	case ofOrganisation(answer):
		return []handlers.Finding{{Part: "Slack", State: handlers.Fail, Text: errOrganisation.Error(), Next: "copy the Bot User OAuth Token of that workspace into SLACK_BOT_TOKEN"}}
	case want != "" && want != answer.TeamID:
		return []handlers.Finding{{Part: "Slack", State: handlers.Fail, Text: fmt.Sprintf("the token belongs to %s, the organisation document names %s", answer.TeamID, want), Next: "correct slack.team, or SLACK_BOT_TOKEN"}}
	}
	out := []handlers.Finding{{Part: "Slack", State: handlers.OK, Text: "workspace " + answer.Team + " (" + answer.TeamID + "), as @" + answer.User}}
	if lacks := missing(answer.Header.Get("X-OAuth-Scopes")); len(lacks) > 0 {
		out[0].State, out[0].Text = handlers.Fail, out[0].Text+": it may not "+strings.Join(lacks, ", ")
		out[0].Next = "paste what bot manifest slack prints under App Manifest of your Slack app, then Install App again"
	}
	if s.config.AppToken != "" {
		out = append(out, s.examineSocket(ctx))
	}
	for _, id := range slices.Sorted(maps.Keys(e.Channels)) {
		out = append(out, s.examineChannel(ctx, id, e.Channels[id], e.Inside))
	}
	for _, id := range slices.Sorted(maps.Keys(e.People)) {
		if f, bad := s.examinePerson(ctx, id, e.People[id]); bad {
			out = append(out, f)
		}
	}
	for _, g := range s.config.Organisation.Responders {
		members, err := s.api.GetUserGroupMembersContext(ctx, g.ID)
		f := handlers.Finding{Part: "Slack group @" + g.Name, State: handlers.OK, Text: fmt.Sprintf("%d members", len(members))}
		switch {
		case err != nil:
			f.State, f.Text, f.Next = handlers.Fail, "cannot be looked up: "+err.Error(), "correct its id in slack.responders, or name people by id instead; user groups need a paid plan"
		case len(members) < 2:
			f.State, f.Next = handlers.Warn, "add a second person: one may be asleep"
		}
		out = append(out, f)
	}
	return out
}

// missing are the rights of the manifest that a token has not, by the list that Slack sends with each answer.
func missing(scopes string) []string {
	if scopes == "" { // Slack did not say
		return nil
	}
	var out []string
	has := strings.Split(strings.ReplaceAll(scopes, " ", ""), ",")
	for _, r := range Scopes() {
		if !slices.Contains(has, r.What) {
			out = append(out, r.What+" ("+r.Why+")")
		}
	}
	return out
}

// examineSocket asks for the address of a connection, and makes none.
func (s *Slack) examineSocket(ctx context.Context) handlers.Finding {
	f := handlers.Finding{Part: "Slack Socket Mode", State: handlers.OK, Text: "Slack gives the bot a connection"}
	if _, _, err := s.api.StartSocketModeContext(ctx); err != nil {
		f.State, f.Text = handlers.Fail, "Slack gives the bot no connection: "+err.Error()
		f.Next = "make an app-level token with connections:write (Basic Information, App-Level Tokens) for SLACK_APP_TOKEN, and switch Socket Mode on, as bot manifest slack --socket does"
	}
	return f
}

func (s *Slack) examineChannel(ctx context.Context, id, what, inside string) handlers.Finding {
	f := handlers.Finding{Part: "Slack channel " + id, State: handlers.OK}
	c, err := s.api.GetConversationInfoContext(ctx, &slackgo.GetConversationInfoInput{ChannelID: id})
	switch {
	case err != nil:
		f.State, f.Text, f.Next = handlers.Fail, "for "+what+": "+err.Error(), "correct its id in the organisation document; invite the bot, if it is private"
		return f
	case c.IsArchived:
		f.State, f.Text, f.Next = handlers.Fail, "#"+c.Name+" is archived", "name another channel for "+what
		return f
	}
	f.Text = "#" + c.Name + ", for " + what
	switch shared := c.IsExtShared || c.IsPendingExtShared; {
	case shared && (inside == "" || inside == id):
		f.State, f.Text, f.Next = handlers.Warn, f.Text+": shared with another organisation, so only title, state and end are shown there", "name a channel for the work: inside: {slack: C…}"
	case shared:
		f.Text += ": shared with another organisation; the work goes to the inside channel"
	case !c.IsMember:
		f.State, f.Text, f.Next = handlers.Warn, f.Text+": the bot is not in it, so people cannot mention it there, and a post cannot be found again after a cut line", "type /invite @switchback there"
	}
	return f
}

func (s *Slack) examinePerson(ctx context.Context, id, name string) (handlers.Finding, bool) {
	f := handlers.Finding{Part: "Slack account of @" + name, State: handlers.Fail, Next: "correct people in the organisation document"}
	u, err := s.api.GetUserInfoContext(ctx, id)
	switch {
	case err != nil:
		f.Text = id + " cannot be looked up: " + err.Error()
	case u.Deleted:
		f.Text = id + " is deactivated"
	case u.IsRestricted || u.IsUltraRestricted || u.IsStranger:
		f.Text = id + " is a guest, who may do nothing here"
	default:
		return f, false
	}
	return f, true
}
