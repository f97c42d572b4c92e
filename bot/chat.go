package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/rs/zerolog"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/bot/gladly"
	"switchback/bot/incident"
	"switchback/bot/tree"
	"switchback/handlers"
	"switchback/handlers/flags"
	"switchback/handlers/statuspage"
	"switchback/handlers/terminal"
	"switchback/store"
)

type chatCommand struct {
	Config   string `help:"Organisation document; without one, the example (bot config example)." default:"${config_file}" type:"path"`
	Playbook string `help:"Playbook; without one, the built-in." default:"${playbook_file}" type:"path"`
	Data     string `help:"Folder that keeps everything." default:"${data_dir}" type:"path"`
	As       string `help:"Who you are: a terminal name from people; without it, the first one."`
	Live     bool   `help:"On your real company: what a person has to click is shown, and flags are set. Nothing is practice."`
	Fresh    bool   `help:"Begin anew: forget everything in the folder."`
}

// Run is the bot in a terminal, on a company to practise on that runs in a process of its own.
func (c chatCommand) Run(ctx context.Context, e environment, s streams) error {
	org, err := loadOrganisation(c.Config)
	if err != nil {
		return err
	}
	if c.Config == "" && e.ConfigYAML == "" {
		org.Pages = incident.Routing{} // the example's are not yours
	}
	t, playbook, err := loadPlaybook(c.Playbook)
	if err != nil {
		return err
	}
	if err := c.known(org); err != nil {
		return err
	}
	org.Practice = !c.Live
	name := org.Name
	if c.Live {
		name += " live"
	}
	dir, err := chatFolder(c.Data, name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if c.Fresh {
		if err := forget(dir); err != nil {
			return err
		}
	}
	if !c.Live {
		e = e.practice()
	}
	st, err := e.open(ctx, dir)
	if errors.Is(err, store.ErrBusy) {
		return fmt.Errorf("another Switchback uses this folder; %s shows what is open there, or choose another with --data (%w)", storeFlags{Config: c.Config, Data: c.Data, Live: c.Live}.again("outages"), err)
	}
	if err != nil {
		return err
	}
	defer st.Close()
	logFile, err := os.OpenFile(filepath.Join(dir, "chat.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // the operator names the folder
	if err != nil {
		return err
	}
	defer logFile.Close()
	log := zerolog.New(logFile).With().Timestamp().Logger()
	ctx = log.WithContext(ctx)

	platforms, extras := live(org, store.NewFlags(st)), map[string]terminal.Extra{}
	if !c.Live {
		company, err := startCompany(ctx, c.Config, filepath.Join(dir, "company.json"), s.errs)
		if err != nil {
			return err
		}
		defer company.stop()
		platforms = company.platforms(org)
		extras["/company"] = company.command
	}

	pager, err := e.pager()
	if err != nil {
		return err
	}
	session := session{
		Org: org, Tree: t, Playbook: playbook, Store: st, Platforms: platforms,
		Out: s.out, Name: "terminal/" + rand.Text()[:8], As: c.As,
		Extras: extras, Pager: pager, Alone: e.RedisURL == "", Keep: func(name, text string) error { return appendTo(filepath.Join(dir, "before-"+name+".txt"), text) },
	}
	serving, stopServing := context.WithCancel(ctx)
	var served sync.WaitGroup
	defer served.Wait()
	defer stopServing()
	served.Go(func() {
		// With Redis too: who looks asks Redis, and sees by the socket whose practice company it is.
		if err := store.Serve(serving, dir, st, log); err != nil {
			log.Warn().Err(err).Msg("no socket: bot outages works only while chat is closed")
		}
	})
	if c.Live {
		fmt.Fprintf(s.out, "Switchback for %s, process %d. This is real: people click in Gladly. Everything is kept in %s.\nYou are @%s. Type /outage chat late, /outage help, or end with Ctrl-D.\n", org.Name, os.Getpid(), dir, session.me())
		return c.talk(ctx, session, st, s)
	}
	fmt.Fprintf(s.out, "Switchback on the practice company %q, process %d. Nothing here is real; everything is kept in %s.\n", org.Name, os.Getpid(), dir)
	fmt.Fprintf(s.out, "You are @%s. Type /outage chat late, /outage help, /company to see what customers meet, or end with Ctrl-D.\n", session.me())
	return c.talk(ctx, session, st, s)
}

// live are the platforms of a real company: Gladly's screens, where people click, and the bot's own flags.
func live(org organisation, kept *store.Flags) change.Platforms {
	return change.Platforms{"gladly": gladly.NewPlatform(org.Gladly), flags.Name: flags.New(org.targets(), kept)}
}

// drills are what people practise on: the same screens, of which nothing is saved, and flags for which nobody asks.
func drills(org organisation, kept *store.Flags) change.Platforms {
	return change.Platforms{gladly.DrillName: gladly.NewDrill(org.Gladly), flags.DrillName: flags.NewDrill(org.targets(), kept)}
}

// talk is the session itself, and says at its end what stays open.
func (c chatCommand) talk(ctx context.Context, session session, st store.Store, s streams) error {
	if err := session.run(ctx, s.in); err != nil {
		return err
	}
	open, err := store.Flow{Store: st}.Open(context.WithoutCancel(ctx))
	if len(open) > 0 {
		fmt.Fprintf(s.out, "\n%d open. Nobody is asked while I am off; the same command starts me again.\n", len(open))
	}
	return err
}

// known checks that the one who types is among the people.
func (c chatCommand) known(org organisation) error {
	var names []string
	for _, p := range org.People {
		if p.Terminal != "" {
			names = append(names, p.Terminal)
		}
	}
	if c.As == "" || len(names) == 0 || slices.Contains(names, strings.TrimPrefix(c.As, "@")) {
		return nil
	}
	return fmt.Errorf("--as %s: people with a terminal name are %s", c.As, strings.Join(names, ", "))
}

// chatFolder is where bot chat keeps everything: a folder for each organisation, unless one is named.
func chatFolder(dir, organisation string) (string, error) {
	if dir != "" {
		return dir, nil
	}
	base, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("no folder to keep things in: %w; name one with --data", err)
	}
	name := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return '-'
	}, organisation)
	return filepath.Join(base, "switchback", "chat-"+name), nil
}

// appendTo adds to a file, and has it on the disk before it returns.
func appendTo(file, text string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // in the operator's folder
	if err != nil {
		return err
	}
	_, err = f.WriteString(text + "\n")
	return errors.Join(err, f.Sync(), f.Close())
}

// forget empties a folder, unless somebody uses it.
func forget(dir string) error {
	st, err := store.Open(dir)
	if err != nil {
		return fmt.Errorf("begin anew: %w", err)
	}
	if err := st.Close(); err != nil {
		return err
	}
	for _, name := range []string{"store.db", "company.json", "bot.sock", "chat.log"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// session is bot chat without its process: tests run it with a company of their own.
type session struct {
	Org       organisation
	Tree      tree.Tree
	Playbook  []byte
	Store     store.Store
	Platforms change.Platforms
	Out       io.Writer
	Name      string // unique per start
	As        string
	Extras    map[string]terminal.Extra
	Keep      func(name, text string) error
	Shown     func(c card.Card)
	Pager     handlers.Sender   // nil: none
	Alone     bool              // nobody else uses the store
	Web       http.RoundTripper // by which status pages are read; nil: the usual one
}

func (s session) me() string {
	if s.As != "" {
		return strings.TrimPrefix(s.As, "@")
	}
	for _, p := range s.Org.People {
		if p.Terminal != "" {
			return p.Terminal
		}
	}
	return "you"
}

// run reads lines until in ends, and returns when all they caused has settled.
func (s session) run(ctx context.Context, in io.Reader) error {
	term, worker, err := s.open(ctx)
	if err != nil {
		return err
	}
	err = term.Run(ctx, in)
	worker.Service.Wait()
	return err
}

// flow is what the session decides with, on one chat platform.
func (s session) flow(kept flow.Store, surface string) flow.Config {
	s.Org.Surfaces = []string{surface}
	c := flow.Config{Store: kept, Policy: s.Org.Policy, Playbook: s.Playbook, Tree: s.Tree, Platforms: s.Platforms, Drills: drills(s.Org, store.NewFlags(s.Store)), Alone: s.Alone}
	if len(s.Org.Pages.Pages) > 0 {
		c.Routing, c.Pages = s.Org.Pages, statuspage.NewReader(s.Org.Pages, s.Web)
	}
	return c
}

// open puts the parts together, takes up what an earlier process left, and shows where things stand.
func (s session) open(ctx context.Context) (*terminal.Terminal, *handlers.Worker, error) {
	kept := store.Flow{Store: s.Store}
	s.Org.Escalate = s.Pager != nil
	service := flow.New(s.flow(kept, terminal.Platform))
	worker := &handlers.Worker{Timers: kept, Service: service}
	home := s.Org.Home("chat", terminal.Platform).Channel
	if home == "" {
		home = "#chat"
	}
	term := terminal.New(terminal.Config{
		Out: s.Out, Session: s.Name, Me: s.me(), Channel: home, Extras: s.Extras, Keep: s.Keep, Shown: s.Shown, Flow: service, Trust: len(s.Org.People) == 0,
		Zone:   func(account string) *time.Location { return s.Org.Who(account, false).Location(s.Org.Policy) },
		Settle: worker.Settle,
		Tick:   func(ctx context.Context) error { _, err := worker.Step(ctx); return err },
	})
	senders := map[string]handlers.Sender{terminal.Platform: term}
	if s.Pager != nil {
		senders[flow.PagerPlatform] = s.Pager
	}
	worker.Outbox = handlers.NewOutbox(kept, senders)
	if err := service.Recover(ctx); err != nil {
		return nil, nil, err
	}
	if err := service.Watch(ctx); err != nil {
		return nil, nil, err
	}
	if err := worker.Settle(ctx); err != nil {
		return nil, nil, err
	}
	open, err := kept.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	walk, err := kept.Current(ctx, s.Org.Who(terminal.Platform+":"+s.me(), true).ID)
	if err == nil && (len(open) > 0 || walk != "") {
		err = term.Begin(ctx)
	}
	return term, worker, err
}
