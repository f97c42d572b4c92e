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
	"strings"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/bot/sim"
	"switchback/bot/tree"
	"switchback/handlers"
	"switchback/handlers/terminal"
	"switchback/store"
)

type chatCommand struct {
	Config   string `help:"Organisation document; without one, the example (bot config example)." env:"CONFIG_FILE" type:"path"`
	Playbook string `help:"Playbook; without one, the built-in." env:"PLAYBOOK_FILE" type:"path"`
	Data     string `help:"Folder that keeps everything." env:"DATA_DIR" type:"path"`
	As       string `help:"Who you are: a terminal name from people; without it, the first one."`
	Fresh    bool   `help:"Begin anew: forget everything in the folder."`
}

// Run is the bot in a terminal, on a company to practise on that runs in a process of its own.
func (c chatCommand) Run(ctx context.Context, s streams) error {
	org, err := loadOrganisation(c.Config)
	if err != nil {
		return err
	}
	t, playbook, err := loadPlaybook(c.Playbook)
	if err != nil {
		return err
	}
	dir, err := chatFolder(c.Data, c.Fresh)
	if err != nil {
		return err
	}
	logFile, err := os.OpenFile(filepath.Join(dir, "chat.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // the operator names the folder
	if err != nil {
		return err
	}
	defer logFile.Close()
	log := zerolog.New(logFile).With().Timestamp().Logger()
	ctx = log.WithContext(ctx)

	st, err := store.Open(dir)
	if err != nil {
		return err
	}
	defer st.Close()
	company, err := startCompany(ctx, c.Config, filepath.Join(dir, "company.json"), s.errs)
	if err != nil {
		return err
	}
	defer company.stop()
	platform := sim.NewPlatform(org.Organisation, company.url, &http.Client{Timeout: 10 * time.Second})

	session := session{
		Org: org, Tree: t, Playbook: playbook, Store: st, Platforms: change.Platforms{"sim": platform},
		Out: s.out, Name: "terminal/" + rand.Text()[:8], As: c.As,
		Extras: map[string]terminal.Extra{"/company": company.command},
	}
	serving, stopServing := context.WithCancel(ctx)
	defer stopServing()
	go func() {
		if err := store.Serve(serving, dir, st, log); err != nil {
			log.Warn().Err(err).Msg("no socket: bot outages works only while chat is closed")
		}
	}()
	fmt.Fprintf(s.out, "Switchback on the practice company %q. Nothing here is real; everything is kept in %s.\n", org.Name, dir)
	fmt.Fprintf(s.out, "You are @%s. Type /outage chat late, /outage help, /company to see what customers meet, or end with Ctrl-D.\n", session.me())
	return session.run(ctx, s.in)
}

// chatFolder is where bot chat keeps everything.
func chatFolder(dir string, fresh bool) (string, error) {
	if dir == "" {
		base, err := os.UserConfigDir()
		if err != nil {
			return "", fmt.Errorf("no folder to keep things in: %w; name one with --data", err)
		}
		dir = filepath.Join(base, "switchback", "chat")
	}
	if fresh {
		for _, name := range []string{"store.db", "company.json", "bot.sock", "chat.log"} {
			if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return "", err
			}
		}
	}
	return dir, os.MkdirAll(dir, 0o700)
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

// open puts the parts together, takes up what an earlier process left, and shows where things stand.
func (s session) open(ctx context.Context) (*terminal.Terminal, *handlers.Worker, error) {
	kept := store.Flow{Store: s.Store}
	service := flow.New(flow.Config{Store: kept, Policy: s.Org.Policy, Playbook: s.Playbook, Tree: s.Tree, Platforms: s.Platforms})
	worker := &handlers.Worker{Timers: kept, Service: service}
	home := s.Org.Home("chat", terminal.Platform).Channel
	if home == "" {
		home = "#chat"
	}
	term := terminal.New(terminal.Config{
		Out: s.Out, Session: s.Name, Me: s.me(), Channel: home, Extras: s.Extras, Flow: service,
		Zone:   func(account string) *time.Location { return s.Org.Who(account, false).Location(s.Org.Policy) },
		Settle: worker.Settle,
		Tick:   func(ctx context.Context) error { _, err := worker.Step(ctx); return err },
	})
	worker.Outbox = handlers.NewOutbox(kept, map[string]handlers.Sender{terminal.Platform: term})
	if err := service.Recover(ctx); err != nil {
		return nil, nil, err
	}
	if err := worker.Settle(ctx); err != nil {
		return nil, nil, err
	}
	open, err := kept.Open(ctx)
	if err == nil && len(open) > 0 {
		err = term.Begin(ctx)
	}
	return term, worker, err
}
