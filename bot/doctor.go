package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/bot/gladly"
	"switchback/handlers"
	"switchback/handlers/flags"
	"switchback/handlers/ops"
	"switchback/handlers/slack"
	"switchback/handlers/statuspage"
	"switchback/handlers/teams"
	"switchback/store"
)

const (
	examineIn = 20 * time.Second // for all of it
	askIn     = 5 * time.Second  // for one question to our own endpoints
)

type doctorCommand struct {
	JSON bool `help:"Print the findings as JSON."`
}

// Run looks at every outside part, one line each, with what to do about it. It posts nothing, and changes nothing; a store
// that is not there it begins, as bot serve would.
func (c doctorCommand) Run(ctx context.Context, e environment, s streams) error {
	ctx, cancel := context.WithTimeout(ctx, examineIn)
	defer cancel()
	found := examine(ctx, e)
	if c.JSON {
		if err := json.NewEncoder(s.out).Encode(found); err != nil {
			return err
		}
	} else {
		for _, f := range found {
			fmt.Fprintf(s.out, "%-4s  %s: %s\n", f.State, f.Part, f.Text)
			if f.Next != "" {
				fmt.Fprintf(s.out, "      → %s\n", f.Next)
			}
		}
	}
	for _, f := range found {
		if f.State == handlers.Fail {
			return errProblems
		}
	}
	return nil
}

func examine(ctx context.Context, e environment) []handlers.Finding {
	var out []handlers.Finding
	add := func(part string, state handlers.State, text, next string) {
		out = append(out, handlers.Finding{Part: part, State: state, Text: text, Next: next})
	}
	org, warnings, err := e.organisation()
	if err := errors.Join(e.servable(), e.taken()); err != nil {
		add("environment", handlers.Fail, strings.ReplaceAll(err.Error(), "\n", "; "), "set what is missing or wrong; the README's section “Every variable” says where to find it")
	} else {
		add("environment", handlers.OK, "complete", "")
	}
	switch {
	case err != nil:
		add("organisation", handlers.Fail, err.Error(), "bot check FILE names each place")
		return out
	case e.ConfigFile == "" && e.ConfigYAML == "":
		add("organisation", handlers.Warn, "there is no document: everybody may look, and nobody may confirm", "bot config example > organisation.yaml, and CONFIG_FILE=organisation.yaml")
	case len(warnings) > 0:
		add("organisation", handlers.Warn, fmt.Sprintf("%s, with %d warnings, such as %s", org.Name, len(warnings), warnings[0]), "bot check FILE lists them")
	default:
		add("organisation", handlers.OK, org.Name, "")
	}
	if t, _, err := loadPlaybook(e.PlaybookFile); err != nil {
		add("playbook", handlers.Fail, err.Error(), "bot check FILE names each place")
	} else {
		add("playbook", handlers.OK, "version "+t.Version()[:12], "")
	}
	out = append(out, examineStore(ctx, e)...)
	out = append(out, examineChats(ctx, e, org)...)
	if _, err := ops.NewPage(ops.PageConfig{Password: e.OpsPassword}); err != nil {
		add("page of what is open", handlers.Fail, "OPS_PASSWORD: "+err.Error(), "set a longer one")
	} else if e.TeamsApp == "" && (e.PublicURL == "" || e.OpsPassword == "") {
		add("page of what is open", handlers.Warn, "with Slack down nobody could read the values from before", "set PUBLIC_URL and OPS_PASSWORD, or set up Teams as well")
	}
	out = append(out, examinePages(ctx, org)...)
	out = append(out, examineFlags(ctx, e, org)...)
	return append(out, examineGladly(ctx, e, org)...)
}

// taken reports which variables bot serve would not take as they are. What has a line of its own is not among them.
func (e environment) taken() error {
	var out []error
	_, err := flags.NewEndpoints(flags.Config{Secret: e.FlagsSecret})
	if err != nil {
		out = append(out, fmt.Errorf("FLAGS_SECRET: %w", err))
	}
	if _, err := statuspage.Secrets(e.PagesSecret); err != nil {
		out = append(out, fmt.Errorf("STATUSPAGE_WEBHOOK_SECRET: %w", err))
	}
	_, err = e.pager()
	return errors.Join(append(out, err)...)
}

// look opens the store, which a running bot may have.
func (e environment) look(ctx context.Context) (store.Store, error) {
	if e.RedisURL != "" {
		return e.open(ctx, "")
	}
	return store.OpenOrDial(e.DataDir)
}

func examineStore(ctx context.Context, e environment) []handlers.Finding {
	const part = "store"
	if e.RedisURL == "" && e.DataDir == "" {
		return nil // the environment says so
	}
	st, err := e.look(ctx)
	if err != nil {
		return []handlers.Finding{{Part: part, State: handlers.Fail, Text: err.Error(), Next: "see whether it runs, and whether REDIS_URL or DATA_DIR is right; open outages are in their threads, too"}}
	}
	defer st.Close()
	h, err := st.Health(ctx)
	if err != nil {
		return []handlers.Finding{{Part: part, State: handlers.Fail, Text: err.Error(), Next: "see whether it runs"}}
	}
	f := handlers.Finding{Part: part, State: handlers.OK, Text: fmt.Sprintf("%s, %d commits", h.Kind, h.Counter)}
	switch {
	case !h.Changes:
		f.State, f.Text, f.Next = handlers.Fail, f.Text+": "+strings.Join(h.Warnings, "; "), "do that; until then nothing new is changed, and what is open can be restored"
	case h.Counter == 0: // it may have been begun by this very look
		f.State, f.Text, f.Next = handlers.Warn, f.Text+": nothing was ever kept here", "start the bot; if it ran before, this is another store: correct DATA_DIR, or REDIS_URL and REDIS_PREFIX"
	case len(h.Warnings) > 0:
		f.State, f.Text, f.Next = handlers.Warn, f.Text+": "+strings.Join(h.Warnings, "; "), "ask whoever runs the store"
	}
	out := []handlers.Finding{f}
	open, err := store.Flow{Store: st}.Open(ctx)
	if err != nil {
		return append(out, handlers.Finding{Part: "outages", State: handlers.Fail, Text: err.Error(), Next: "bot outages --live"})
	}
	late := 0
	for _, o := range open {
		if !o.Deadline.IsZero() && o.Deadline.Before(time.Now()) {
			late++
		}
	}
	f = handlers.Finding{Part: "outages", State: handlers.OK, Text: fmt.Sprintf("%d open", len(open))}
	if late > 0 {
		f.State, f.Text, f.Next = handlers.Warn, fmt.Sprintf("%d open, %d past their time", len(open), late), "bot outages --live shows them; /outage restore puts back what was there before"
	}
	return append(out, f)
}

func examineChats(ctx context.Context, e environment, org organisation) []handlers.Finding {
	if e.SlackToken == "" && e.TeamsApp == "" {
		return []handlers.Finding{{Part: "chat platforms", State: handlers.Warn, Text: "none is set up", Next: "the README's section “In Slack” or “In Microsoft Teams”"}}
	}
	return append(examineSlack(ctx, e, org), examineTeams(ctx, e, org)...)
}

func examineSlack(ctx context.Context, e environment, org organisation) []handlers.Finding {
	if e.SlackToken == "" || e.SlackSigningSecret == "" && e.SlackAppToken == "" {
		return nil // not set up, or the environment says so
	}
	s, err := slack.New(slack.Config{
		Organisation: org.Slack, SigningSecrets: secrets(e.SlackSigningSecret), Token: e.SlackToken, AppToken: e.SlackAppToken,
		API: e.SlackAPI, ResponseHosts: e.SlackHosts,
	})
	if err != nil {
		return []handlers.Finding{{Part: "Slack", State: handlers.Fail, Text: err.Error(), Next: "the README's section “In Slack”"}}
	}
	return s.Examine(ctx, examined(org, func(r flow.Route) string { return r.Slack }, func(p flow.Someone) string { return p.Slack }))
}

func examineTeams(ctx context.Context, e environment, org organisation) []handlers.Finding {
	if e.TeamsApp == "" || e.TeamsPassword == "" || e.TeamsTenant == "" || e.RedisURL == "" && e.DataDir == "" {
		return nil // not set up, or the environment says so
	}
	st, err := e.look(ctx)
	if err != nil {
		return nil // the store says so
	}
	defer st.Close()
	t, err := teams.New(e.teamsConfig(org, st))
	if err != nil {
		return []handlers.Finding{{Part: "Teams", State: handlers.Fail, Text: err.Error(), Next: "the README's section “In Microsoft Teams”"}}
	}
	what := examined(org, func(r flow.Route) string { return r.Teams }, func(p flow.Someone) string { return p.Teams })
	return append(t.Examine(ctx, what), unnamedInTeams(org)...)
}

// examined is what the document has on one chat platform; an empty id is none there.
func examined(org organisation, channel func(flow.Route) string, account func(flow.Someone) string) handlers.Examined {
	out := handlers.Examined{Channels: map[string]string{}, Inside: channel(org.Inside), People: map[string]string{}}
	for _, r := range org.Channels {
		out.Channels[channel(r)] = orAll(r.For)
	}
	out.Channels[out.Inside] = "the work, where a channel is shared outside"
	for _, p := range org.People {
		out.People[account(p)] = p.Name
	}
	delete(out.Channels, "")
	delete(out.People, "")
	return out
}

// unnamedInTeams names the responders who have no rights in Teams: nobody is recognised there by a name or an address.
func unnamedInTeams(org organisation) []handlers.Finding {
	var names []string
	for _, p := range org.People {
		if p.Teams == "" && slices.Contains(org.Responders, p.Name) {
			names = append(names, "@"+p.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []handlers.Finding{{
		Part: "Teams accounts", State: handlers.Warn, Text: "no teams is named for " + strings.Join(names, ", ") + ": in Teams they can look, and neither change nor restore",
		Next: "add their object ids under people, from Entra, Users",
	}}
}

func orAll(channels []string) string {
	if len(channels) == 0 {
		return "everything else"
	}
	return strings.Join(channels, ", ")
}

func examinePages(ctx context.Context, org organisation) []handlers.Finding {
	var out []handlers.Finding
	reader := statuspage.NewReader(org.Pages, nil)
	for _, p := range org.Pages.Pages {
		f := handlers.Finding{Part: "status page " + p.ID, State: handlers.OK}
		r, err := reader.Read(ctx, p.ID, nil)
		switch {
		case err != nil:
			f.State, f.Text, f.Next = handlers.Fail, "cannot be read: "+err.Error(), "see whether "+p.URL+" can be reached from here"
		case p.PageID != "" && p.PageID != r.PageID:
			f.State, f.Text, f.Next = handlers.Fail, "it is another page than the document names ("+r.PageID+")", "correct pages, or find out who answers there"
		default:
			f.Text = fmt.Sprintf("%s, %d components: %s", r.Name, len(r.Components), r.Headline)
		}
		out = append(out, f)
	}
	return out
}

// examineFlags asks as pages and phone menus do, from outside.
func examineFlags(ctx context.Context, e environment, org organisation) []handlers.Finding {
	var out []handlers.Finding
	targets := org.targets()
	if len(targets) == 0 {
		return nil
	}
	if e.PublicURL == "" {
		return []handlers.Finding{{Part: "pages and phone menus that ask", State: handlers.Warn, Text: "not tried: it is not known where they ask", Next: "set PUBLIC_URL, such as https://bot.example.com"}}
	}
	for _, t := range targets {
		path, part := "/flags/chat/"+url.PathEscape(t.ID), "page of "+t.Label
		if t.Kind == flags.Voice {
			path, part = "/flags/voice?number="+url.QueryEscape(t.ID), "phone menu of "+t.Label
		}
		f := handlers.Finding{Part: part, State: handlers.OK, Text: "is answered"}
		if err := ask(ctx, e, strings.TrimSuffix(e.PublicURL, "/")+path); err != nil {
			f.State, f.Text, f.Next = handlers.Fail, "is not answered: "+err.Error(), "see whether bot serve runs, and whether "+e.PublicURL+" leads to it; meanwhile customers are let through"
		}
		out = append(out, f)
	}
	return out
}

func ask(ctx context.Context, e environment, address string) error {
	ctx, cancel := context.WithTimeout(ctx, askIn)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errors.New("PUBLIC_URL is not a web address")
	}
	if all := secrets(e.FlagsSecret); len(all) > 0 {
		user, password, _ := strings.Cut(all[0].Reveal(), ":")
		req.SetBasicAuth(user, password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return errors.New("no answer")
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

// examineGladly compares the zone, by which weekdays are closed, where there are credentials to ask for it.
func examineGladly(ctx context.Context, e environment, org organisation) []handlers.Finding {
	const part = "Gladly"
	if e.ConfigFile == "" && e.ConfigYAML == "" {
		return nil // nothing to compare
	}
	if e.GladlyURL == "" {
		for _, a := range org.Gladly.Apps {
			if a.Way != change.Flag {
				return []handlers.Finding{{Part: part, State: handlers.Warn, Text: "its time zone was not compared with the document's (" + org.Zone + ")", Next: "compare Settings > Company, or set GLADLY_API_URL, GLADLY_API_EMAIL and GLADLY_API_TOKEN"}}
			}
		}
		return nil
	}
	api, err := gladly.NewAPI(gladly.Credentials{URL: e.GladlyURL, Email: e.GladlyEmail, Token: e.GladlyToken}, nil)
	if err != nil {
		return []handlers.Finding{{Part: part, State: handlers.Fail, Text: err.Error(), Next: "correct GLADLY_API_URL"}}
	}
	account, err := api.Account(ctx)
	if err != nil {
		return []handlers.Finding{{Part: part, State: handlers.Fail, Text: err.Error(), Next: "correct GLADLY_API_EMAIL and GLADLY_API_TOKEN, or leave all three out"}}
	}
	if w := account.ZoneWarning(org.Location(), time.Now()); w != "" {
		return []handlers.Finding{{Part: part, State: handlers.Fail, Text: w, Next: "correct zone in the organisation document"}}
	}
	return []handlers.Finding{{Part: part, State: handlers.OK, Text: account.Name + ", " + account.Zone.String()}}
}
