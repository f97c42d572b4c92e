package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/card"
	"switchback/bot/flow"
	"switchback/handlers"
	"switchback/handlers/terminal"
	"switchback/store"
)

// front is a chat platform that stands in for the terminal: what is typed goes through it to the bot, and what the bot
// says comes back through it.
type front interface {
	// open is session.open with the platform in between.
	open(ctx context.Context, s session) (*terminal.Terminal, *handlers.Worker, error)
}

// onPlatform plays every transcript on a chat platform. What is printed there must be the same to the letter, but for
// the ids of outages. skip says
// why a transcript cannot be told there, by its name.
func onPlatform(t *testing.T, on func(*stage), skip map[string]string) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			if why, ok := skip[name]; ok {
				t.Skip(why)
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			synctest.Test(t, func(t *testing.T) { got = play(t, string(want), on) })
			if diff := cmp.Diff(anonymous(string(want)), anonymous(string(got))); diff != "" {
				t.Errorf("%s (-terminal +here):\n%s", file, diff)
			}
		})
	}
}

var outageIDs = regexp.MustCompile(`\b(voice|chat|sms|social|email|login)-[0-9a-v]{8}\b`)

// byName gives the channels of a workspace or a tenant their names.
func byName(s string) string {
	return channelIDs.ReplaceAllStringFunc(s, func(id string) string {
		id = strings.TrimSuffix(strings.TrimPrefix(id, "19:"), "@thread.tacv2")
		return "#" + strings.ToLower(strings.TrimPrefix(id, "C0"))
	})
}

var channelIDs = regexp.MustCompile(`\bC0[A-Z]+\b|\b19:[a-z]+@thread\.tacv2\b`)

// anonymous numbers the ids of outages in the order in which they are first named: they come from the ids of events,
// which a chat platform draws anew each time.
func anonymous(s string) string {
	var seen []string
	return outageIDs.ReplaceAllStringFunc(byName(s), func(id string) string {
		if !slices.Contains(seen, id) {
			seen = append(seen, id)
		}
		return fmt.Sprintf("outage %d", slices.Index(seen, id)+1)
	})
}

// backstage is what all fronts have: the bot behind them, and the terminal that prints.
type backstage struct {
	t       *testing.T
	service *flow.Service
	term    *terminal.Terminal
	out     *bytes.Buffer // what was printed so far
	form    *card.Form    // that was opened last
}

// through is a front as the terminal and the outbox have it.
type through interface {
	terminal.Flow
	handlers.Sender
}

// open is session.open with a front in between, for an organisation whose people have accounts of its platform.
func (b *backstage) open(ctx context.Context, s session, org organisation, platform string, d flow.Directory, f through) (*terminal.Terminal, *handlers.Worker, error) {
	kept, typed, me := store.Flow{Store: s.Store}, s.Org, s.me()
	s.Org = org
	c := s.flow(kept, platform)
	c.Directories = map[string]flow.Directory{platform: d}
	b.service = flow.New(c)
	worker := &handlers.Worker{Timers: kept, Service: b.service, Outbox: handlers.NewOutbox(kept, map[string]handlers.Sender{platform: f})}
	b.term = terminal.New(terminal.Config{
		Out: s.Out, Session: s.Name, Me: me, Channel: "#support", Extras: s.Extras, Flow: f,
		Zone:   func(account string) *time.Location { return typed.Who(account, false).Location(typed.Policy) },
		Settle: worker.Settle,
		Tick:   func(ctx context.Context) error { _, err := worker.Step(ctx); return err },
	})
	if err := b.service.Recover(ctx); err != nil {
		return nil, nil, err
	}
	if err := b.service.Watch(ctx); err != nil {
		return nil, nil, err
	}
	if err := worker.Settle(ctx); err != nil {
		return nil, nil, err
	}
	open, err := kept.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	walk, err := kept.Current(ctx, me)
	if err == nil && (len(open) > 0 || walk != "") {
		err = b.term.Begin(ctx)
	}
	return b.term, worker, err
}

// ids replaces the ids of outages in what was typed by the one that such an outage has here.
func (b *backstage) ids(typed string) string {
	return outageIDs.ReplaceAllStringFunc(typed, func(id string) string {
		kind, _, _ := strings.Cut(id, "-")
		for _, shown := range outageIDs.FindAllString(b.out.String(), -1) {
			if strings.HasPrefix(shown, kind) {
				return shown
			}
		}
		return id
	})
}

// Offline is the service's.
func (b *backstage) Offline(ctx context.Context, e flow.Event) card.Card {
	return b.service.Offline(ctx, e)
}

// prints prints a post of the platform's as one of the terminal's, to that channel, or that person if there is one.
func (b *backstage) prints(ctx context.Context, p flow.Post, to handlers.Target, channel, person string) error {
	p.Place.Platform, p.Place.Channel = terminal.Platform, channel
	if p.Place.Person != "" {
		p.Place.Person = terminal.Platform + ":" + person
	}
	_, err := b.term.Send(ctx, p, to)
	return err
}

// titled is the beginning of a card's title, up to the first time in it, which each platform writes in its way.
func titled(c card.Card) string {
	title, _, _ := strings.Cut(strings.Split(c.Title, "\x02")[0], "\n")
	return title
}
