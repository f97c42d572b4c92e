package teams

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"switchback/handlers"
)

// Examine asks Microsoft for all that the bot needs of it, and posts nothing. What is wrong comes with the next step.
func (t *Teams) Examine(ctx context.Context, e handlers.Examined) []handlers.Finding {
	const part = "Teams"
	if _, err := t.validator.keys.get(ctx, ""); errors.Is(err, errKeys) {
		return []handlers.Finding{{Part: part, State: handlers.Fail, Text: err.Error(), Next: "see whether login.botframework.com can be reached from here; until then nothing from Teams is let in"}}
	}
	if _, err := t.connector.tokens.get(); err != nil {
		return []handlers.Finding{{Part: part, State: handlers.Fail, Text: err.Error(), Next: "see TEAMS_APP_ID and TEAMS_TENANT_ID, and make a new client secret for TEAMS_APP_PASSWORD: they end after a while"}}
	}
	out := []handlers.Finding{{Part: part, State: handlers.OK, Text: "Microsoft gives the bot a token"}}
	dead, err := t.Dead(ctx)
	if err != nil {
		out = append(out, handlers.Finding{Part: part, State: handlers.Fail, Text: err.Error(), Next: "see what is said of the store"})
	}
	for _, id := range slices.Sorted(maps.Keys(e.Channels)) {
		out = append(out, t.examineChannel(ctx, id, e.Channels[id], e.Inside))
		delete(dead, id)
	}
	chats := map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(e.People)) {
		if p, err := t.people.get(ctx, id); err == nil && p.Chat != "" {
			chats[p.Chat] = e.People[id]
		}
		a, err := t.directory.Account(ctx, id)
		if err == nil && !a.Member {
			out = append(out, handlers.Finding{Part: "Teams account of @" + e.People[id], State: handlers.Fail, Text: "it is no full member of the tenant, or gone", Next: "correct people, or let somebody else take their place"})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(dead)) {
		f := handlers.Finding{Part: "Teams conversation " + id, State: handlers.Warn, Text: dead[id], Next: "add the app there again, or leave it"}
		if name, ok := chats[id]; ok {
			f.Part, f.Next = "Teams chat with @"+name, "ask them to add the app again, and to write to it: else no reminder reaches them there"
		}
		out = append(out, f)
	}
	return out
}

func (t *Teams) examineChannel(ctx context.Context, id, what, inside string) handlers.Finding {
	f := handlers.Finding{Part: "Teams channel " + id, State: handlers.OK, Text: "for " + what}
	c, err := t.at(ctx, id)
	switch {
	case err != nil:
		f.State, f.Text, f.Next = handlers.Fail, err.Error(), "see what is said of the store"
		return f
	case c.Gone != "":
		f.State, f.Text, f.Next = handlers.Fail, c.Gone, "add the app to its team again"
		return f
	}
	read, err := t.directory.readers(ctx, id)
	switch outside := read.outside; {
	case err != nil:
		f.State, f.Text = handlers.Fail, fmt.Sprintf("nobody knows who reads there (%v), so it gets title, state and end only", err)
		f.Next = "add the app to its team, and mention the bot once in that channel"
	case outside && (inside == "" || inside == id):
		f.State, f.Text = handlers.Warn, "shared with another organisation, or with guests: it gets title, state and end only, and the work has no channel"
		f.Next = "name a channel of your own people for the work: inside: {teams: 19:…}"
	case outside:
		f.Text += ": shared with another organisation, or with guests; the work goes to the inside channel"
	}
	return f
}
