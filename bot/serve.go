package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/bot/incident"
	"switchback/handlers"
	"switchback/handlers/flags"
	"switchback/handlers/ops"
	"switchback/handlers/slack"
	"switchback/handlers/statuspage"
	"switchback/handlers/teams"
	"switchback/store"
)

const (
	maxHeader  = 16 << 10 // bytes
	headerIn   = 5 * time.Second
	requestIn  = 15 * time.Second
	idleFor    = 2 * time.Minute
	watchAgain = 10 * time.Second // while the store does not answer
	watchEvery = time.Hour
	askGladly  = time.Minute      // for its time zone, once
	takeInLast = 5 * time.Second  // for requests that are under way at the end; work in hand has 15 s
	endMost    = 24 * time.Second // for all of it: after 30 s most that run programs kill them
)

type serveCommand struct{}

// Run is the bot as a service, until ctx ends: then it takes nothing new in, and finishes what it has in hand.
func (serveCommand) Run(ctx context.Context, e environment, s streams) error {
	log := zerolog.New(s.errs).With().Timestamp().Logger()
	ctx = log.WithContext(ctx)
	org, _, orgErr := e.organisation()
	t, playbook, treeErr := loadPlaybook(e.PlaybookFile)
	_, err := newServer(e, org, nil, log) // what is wrong is told before anything is opened
	if err := together(e.servable(), orgErr, treeErr, err); err != nil {
		return err
	}
	st, err := e.open(ctx, e.DataDir)
	if errors.Is(err, store.ErrBusy) {
		return fmt.Errorf("another Switchback uses DATA_DIR; several share a Redis, with REDIS_URL (%w)", err)
	}
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	defer st.Close()
	server, err := newServer(e, org, st, log)
	if err != nil {
		return err
	}
	server.start(flow.Config{Policy: server.org.Policy, Tree: t, Playbook: playbook})
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", e.address())
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "Switchback for %s, on http://%s. Set up: %s.\n", org.Name, listener.Addr(), strings.Join(server.surfaces(), ", "))
	return server.run(ctx, listener)
}

// together is all that is wrong, one a line.
func together(errs ...error) error {
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(errs) <= 1 {
		return errors.Join(errs...)
	}
	return errors.New(errors.Join(errs...).Error()) // main prints the problems of a document alone
}

// server is the bot as a service, without its process.
type server struct {
	env     environment
	org     organisation
	store   store.Store
	log     zerolog.Logger
	kept    *store.Flags
	flags   *flags.Endpoints
	slack   *slack.Slack
	teams   *teams.Teams
	hooks   http.Handler // nil: status pages send no notifications
	page    *ops.Page
	service *flow.Service
	worker  *handlers.Worker
	senders map[string]handlers.Sender
}

// newServer puts together what asks nobody yet, not even the store; all that is wrong with the configuration is told
// here.
func newServer(e environment, org organisation, st store.Store, log zerolog.Logger) (*server, error) {
	s := &server{env: e, org: org, store: st, log: log, kept: store.NewFlags(st), senders: map[string]handlers.Sender{}}
	var wrong []error
	var err error
	s.flags, err = flags.NewEndpoints(flags.Config{Targets: org.targets(), Store: s.kept, Secret: e.FlagsSecret, Keep: time.Duration(org.Flags.Keep), Notice: behind{s}.Notice})
	if err != nil {
		wrong = append(wrong, fmt.Errorf("FLAGS_SECRET: %w", err))
	}
	pager, err := e.pager()
	if err != nil {
		wrong = append(wrong, err)
	}
	if pager != nil {
		s.senders[flow.PagerPlatform] = pager
		s.org.Escalate = true
	}
	if e.PagesSecret != "" {
		s.hooks, err = statuspage.Handler(statuspage.Hooks{Pages: org.Pages, Secret: e.PagesSecret, Accept: behind{s}.Hear})
		if err != nil {
			wrong = append(wrong, fmt.Errorf("STATUSPAGE_WEBHOOK_SECRET: %w", err))
		}
	}
	s.page, err = ops.NewPage(ops.PageConfig{Name: org.Name, Zone: org.Location(), Password: e.OpsPassword, Sheets: behind{s}.Sheets, Key: store.Flow{Store: st}.PageKey})
	if err != nil {
		wrong = append(wrong, fmt.Errorf("OPS_PASSWORD: %w", err))
	}
	if e.SlackToken != "" && (e.SlackSigningSecret != "" || e.SlackAppToken != "") {
		s.slack, err = slack.New(slack.Config{
			Organisation: org.Slack, SigningSecrets: secrets(e.SlackSigningSecret), Token: e.SlackToken, AppToken: e.SlackAppToken,
			API: e.SlackAPI, ResponseHosts: e.SlackHosts, Mention: org.slackMention, Flow: behind{s}, Log: log,
		})
		if err != nil {
			wrong = append(wrong, err)
		}
		s.senders[slack.Platform] = s.slack
		s.org.Surfaces = append(s.org.Surfaces, slack.Platform)
		for _, g := range org.Slack.Responders {
			s.org.Groups = append(s.org.Groups, g.Name)
		}
	}
	if e.TeamsApp != "" {
		c := e.teamsConfig(org, st)
		c.Flow, c.Log = behind{s}, log
		s.teams, err = teams.New(c)
		if err != nil {
			wrong = append(wrong, err)
		}
		s.senders[teams.Platform] = s.teams
		s.org.Surfaces = append(s.org.Surfaces, teams.Platform)
	}
	return s, errors.Join(wrong...)
}

// surfaces names what is set up.
func (s *server) surfaces() []string {
	out := []string{"flags"}
	switch {
	case s.slack != nil && s.env.SlackAppToken != "":
		out = append(out, "Slack (Socket Mode)")
	case s.slack != nil:
		out = append(out, "Slack")
	}
	if s.teams != nil {
		out = append(out, "Microsoft Teams")
	}
	for _, p := range s.org.Pages.Pages {
		out = append(out, "status page "+p.ID)
	}
	if _, ok := s.senders[flow.PagerPlatform]; ok {
		out = append(out, "pager")
	}
	return out
}

// start makes the service and its worker.
func (s *server) start(c flow.Config) {
	kept := store.Flow{Store: s.store}
	s.worker = &handlers.Worker{Timers: kept, Outbox: handlers.NewOutbox(kept, s.senders)}
	c.Store, c.Platforms, c.Drills, c.Wake, c.Alone = kept, live(s.org, s.kept), drills(s.org, s.kept), s.worker.Wake, s.env.RedisURL == ""
	c.Directories = map[string]flow.Directory{}
	if s.slack != nil {
		c.Directories[slack.Platform] = s.slack.Directory()
	}
	if s.teams != nil {
		c.Directories[teams.Platform] = s.teams.Directory()
	}
	if s.env.PublicURL != "" {
		c.Link = pageLinks(s.env.PublicURL, kept)
	}
	if len(s.org.Pages.Pages) > 0 {
		c.Routing, c.Pages = s.org.Pages, statuspage.NewReader(s.org.Pages, nil)
	}
	s.service = flow.New(c)
	s.worker.Service = s.service
}

// run serves until ctx ends, and returns when all is put away. A process that dies instead loses nothing: others, or
// the next one, take up what it had.
func (s *server) run(ctx context.Context, listener net.Listener) error {
	if err := s.flags.Refresh(ctx); err != nil { // so that the first who asks is not let through by mistake
		s.log.Error().Err(err).Msg("what the flags say is not known yet; customers are let through")
	}
	// Who asked is written down until nobody can ask any more, so its end comes after that of all parts.
	counting, counted := context.WithCancel(context.WithoutCancel(ctx))
	var writing sync.WaitGroup
	writing.Go(func() { s.kept.Run(counting) })
	defer writing.Wait()
	defer counted()
	if s.env.RedisURL == "" {
		if err := (store.Flow{Store: s.store}).FreeLanes(ctx); err != nil { // else they are free after a while
			s.log.Warn().Err(err).Msg("cards that an earlier process was sending come later")
		}
	}
	parts, ctx := errgroup.WithContext(ctx) // the first that fails ends the others
	for _, part := range s.parts(listener) {
		parts.Go(func() error { return part(ctx) })
	}
	if err := s.service.Recover(ctx); err != nil { // its timers bring it back
		s.log.Warn().Err(err).Msg("what an earlier process took in is taken up later")
	}
	<-ctx.Done()
	s.log.Info().Msg("going: nothing new is taken in")
	ended := make(chan error, 1)
	go func() {
		err := parts.Wait()
		if s.slack != nil {
			s.slack.Wait()
		}
		if s.teams != nil {
			s.teams.Wait()
		}
		s.service.Wait()
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-time.After(endMost):
		s.log.Warn().Msg("not all that was in hand was finished; it is taken up again")
		return nil
	}
}

// parts are what goes on at the same time, each until its context ends.
func (s *server) parts(listener net.Listener) []func(context.Context) error {
	metrics := ops.New(s.sources())
	routes := handlers.Routes{Measure: metrics.Measure, Slack: s.slackRoutes(), Teams: s.teamsRoutes(), Flags: s.flags, Pages: s.hooks, Page: s.page, Ready: s.ready}
	web := &http.Server{
		Handler: routes.Handler(), ReadHeaderTimeout: headerIn, ReadTimeout: requestIn, WriteTimeout: requestIn, IdleTimeout: idleFor,
		MaxHeaderBytes: maxHeader, BaseContext: func(net.Listener) context.Context { return s.log.WithContext(context.Background()) },
	}
	out := []func(context.Context) error{
		func(ctx context.Context) error { s.flags.Run(ctx); return nil },
		s.worker.Run,
		func(ctx context.Context) error { return serveHTTP(ctx, web, listener) },
		func(ctx context.Context) error { s.watch(ctx); return nil },
		func(ctx context.Context) error { s.compareZones(ctx); return nil },
	}
	if s.slack != nil && s.env.SlackAppToken != "" {
		out = append(out, s.slack.Connect)
	}
	if s.env.RedisURL == "" {
		out = append(out, func(ctx context.Context) error {
			if err := store.Serve(ctx, s.env.DataDir, s.store, s.log); err != nil {
				s.log.Warn().Err(err).Msg("no socket: bot outages --live and its like do not work while this runs")
			}
			return nil
		})
	}
	if s.env.MetricsAddr != "" {
		out = append(out, func(ctx context.Context) error {
			at, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.env.MetricsAddr)
			if err != nil {
				return fmt.Errorf("METRICS_ADDR: %w", err)
			}
			m := http.NewServeMux()
			m.Handle("GET /metrics", metrics.Handler())
			return serveHTTP(ctx, &http.Server{Handler: m, ReadHeaderTimeout: headerIn}, at)
		})
	}
	return out
}

// watch begins to read the status pages, once the store answers. Their own timers go on with it; where those were lost,
// with all of the store perhaps, it begins anew.
func (s *server) watch(ctx context.Context) {
	for ctx.Err() == nil {
		wait := watchEvery
		if err := s.service.Watch(ctx); err != nil && ctx.Err() == nil {
			wait = watchAgain
			s.log.Warn().Err(err).Msg("the status pages are read, and people reminded, as soon as the store answers")
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// compareZones says once, beside everything else, where the credentials for Gladly do not work or its time zone is not the
// document's: chat would be closed on the wrong weekday around midnight. It is a warning, because nothing else needs
// Gladly's API, and Gladly may be down just now.
func (s *server) compareZones(ctx context.Context) {
	if s.env.GladlyURL == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askGladly)
	defer cancel()
	for _, f := range examineGladly(ctx, s.env, s.org) {
		if f.State != handlers.OK && !errors.Is(ctx.Err(), context.Canceled) {
			s.log.Warn().Str("next", f.Next).Msg("Gladly: " + f.Text)
		}
	}
}

// serveHTTP serves until ctx ends, and lets requests that are under way end.
func serveHTTP(ctx context.Context, web *http.Server, listener net.Listener) error {
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeInLast)
	defer cancel()
	if err := web.Shutdown(closing); err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Msg("requests that were under way are cut off")
		return web.Close()
	}
	return nil
}

// sources are where the metrics come from.
func (s *server) sources() ops.Sources {
	kept := store.Flow{Store: s.store}
	return ops.Sources{
		Open: kept.Open, Healthy: kept.Healthy, Waiting: kept.Waiting, Flags: s.flags.Counts,
		Pages: func(ctx context.Context) (map[string]time.Time, error) {
			var ids []string
			for _, p := range s.org.Pages.Pages {
				ids = append(ids, p.ID)
			}
			watched, err := kept.Watches(ctx, ids)
			out := map[string]time.Time{}
			for i, w := range watched {
				out[ids[i]] = w.Value.Read
			}
			return out, err
		},
	}
}

func (s *server) slackRoutes() http.Handler {
	if s.slack == nil || s.env.SlackSigningSecret == "" {
		return nil
	}
	return s.slack
}

func (s *server) teamsRoutes() http.Handler {
	if s.teams == nil {
		return nil
	}
	return s.teams
}

func (s *server) ready(ctx context.Context) error {
	h, err := s.store.Health(ctx)
	if err == nil && h.Lost {
		return errors.New(strings.Join(h.Warnings, "; "))
	}
	return err
}

// slackMention is the id of a person or a group in Slack, by its name in the organisation document.
func (o organisation) slackMention(name string) (id string, group bool) {
	name = strings.TrimPrefix(name, "@")
	for _, g := range o.Slack.Responders {
		if g.Name == name {
			return g.ID, true
		}
	}
	i := slices.IndexFunc(o.People, func(p flow.Someone) bool { return p.Name == name })
	if i < 0 {
		return "", false
	}
	return o.People[i].Slack, false
}

// teamsConfig is Microsoft Teams as the environment has it, without anybody to hand events to.
func (e environment) teamsConfig(org organisation, st store.Store) teams.Config {
	return teams.Config{
		App: e.TeamsApp, Password: e.TeamsPassword, Tenant: e.TeamsTenant, OpenID: e.TeamsOpenID, Token: e.TeamsTokens, Hosts: e.TeamsHosts,
		Mention: org.teamsMention, Store: store.Learnt{Store: st, Platform: teams.Platform},
	}
}

// teamsMention is the id of a person in Teams, by their name in the organisation document. Teams has no groups that a
// bot could mention.
func (o organisation) teamsMention(name string) string {
	i := slices.IndexFunc(o.People, func(p flow.Someone) bool { return p.Name == strings.TrimPrefix(name, "@") })
	if i < 0 {
		return ""
	}
	return o.People[i].Teams
}

// behind is the service for the adapters, which are made before it.
type behind struct{ *server }

func (b behind) Accept(ctx context.Context, e flow.Event) (<-chan flow.Reply, error) {
	return b.service.Accept(ctx, e)
}

func (b behind) Hear(ctx context.Context, page string, n incident.Notice) error {
	return b.service.Hear(ctx, page, n)
}

func (b behind) Sheets(ctx context.Context) ([]flow.Sheet, error) { return b.service.Sheets(ctx) }

func (b behind) Notice(ctx context.Context, k change.Key) (string, time.Time) {
	return b.service.Notice(ctx, k)
}

func (b behind) Offline(ctx context.Context, e flow.Event) card.Card {
	return b.service.Offline(ctx, e)
}

func (b behind) Overview(ctx context.Context, by flow.Person) []card.Card {
	return b.service.Overview(ctx, by)
}
