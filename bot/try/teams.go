package try

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"switchback/handlers/teams/teamstest"
)

// tenantState is what a person sees of Teams.
type tenantState struct {
	Me       string         `json:"me"`
	Channels []channelState `json:"channels"`
	Messages []postState    `json:"messages"`
	Dialog   *dialogState   `json:"dialog"`
}

type postState struct {
	ID    string         `json:"id"`
	Group string         `json:"group"`
	Root  string         `json:"root"`
	From  string         `json:"from"`
	Text  string         `json:"text"`
	Card  map[string]any `json:"card"`
	Edits int            `json:"edits"`
}

type dialogState struct {
	Title string         `json:"title"`
	Card  map[string]any `json:"card"`
	Words string         `json:"words"`
}

func (w *world) tenantFor(me string) tenantState {
	name := w.nameOf(me)
	out := tenantState{Me: me, Messages: []postState{}, Channels: []channelState{
		{ID: teamSupport, Name: "support"}, {ID: teamVoice, Name: "voice"}, {ID: w.teams.Chat(name).ID, Name: "Switchback", Direct: true},
	}}
	for _, m := range w.teams.Visible(name) {
		from := "Switchback"
		if u, ok := w.teams.User(m.From); ok {
			from = u.Name
		}
		out.Messages = append(out.Messages, postState{m.ID, m.Group, m.Root, from, m.Text, m.Card, m.Edits})
	}
	if d, ok := w.teams.Dialog(name); ok {
		out.Dialog = &dialogState{d.Title, d.Card, d.Words}
	}
	return out
}

// nameOf is somebody's name in Teams, by their id in Slack.
func (w *world) nameOf(me string) string {
	u, _ := w.slack.User(me)
	return u.Name
}

// taken turns what Teams would tell a person into an error.
func taken(d teamstest.Delivery, err error) error {
	switch {
	case err != nil:
		return err
	case d.TimedOut:
		return errors.New("after ten seconds Teams gave up waiting for the bot")
	case d.Attempts > 0 && (d.Status < 200 || d.Status >= 300):
		return errors.New("the bot did not take it: Teams could not reach the app")
	}
	return nil
}

func (w *world) sayInTeams(ctx context.Context, in input) error {
	return taken(w.teams.Say(ctx, w.nameOf(in.As), in.Channel, in.Thread, in.Text))
}

// pressInTeams presses the nth action of a card: labels may stand there twice.
func (w *world) pressInTeams(ctx context.Context, in input) error {
	name := w.nameOf(in.As)
	for _, m := range w.teams.Messages(in.Channel, name) {
		if m.ID != in.TS {
			continue
		}
		all := cardActions(m.Card)
		if in.Nth < 0 || in.Nth >= len(all) || all[in.Nth]["title"] != in.Text {
			return errors.New("that card has changed just now; look again")
		}
		m.Card = map[string]any{"actions": []any{all[in.Nth]}}
		return taken(w.teams.Press(ctx, name, m, in.Text))
	}
	return errors.New("that message is gone")
}

// cardActions are the actions of a card in the order in which the page numbers them.
func cardActions(v any) []map[string]any {
	var out []map[string]any
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			out = append(out, cardActions(x)...)
		}
	case map[string]any:
		if kind, _ := v["type"].(string); strings.HasPrefix(kind, "Action.") {
			out = append(out, v)
		}
		for _, name := range []string{"body", "items", "actions", "card"} {
			out = append(out, cardActions(v[name])...)
		}
	}
	return out
}

func (w *world) submitInTeams(ctx context.Context, in input) error {
	name := w.nameOf(in.As)
	for label, text := range in.Values {
		if err := w.teams.Fill(name, label, text); err != nil {
			return err
		}
	}
	if err := taken(w.teams.Submit(ctx, name)); err != nil {
		return fmt.Errorf("the form was not taken: %w", err)
	}
	return nil
}

func (w *world) closeInTeams(_ context.Context, in input) error {
	w.teams.CloseDialog(w.nameOf(in.As))
	return nil
}
