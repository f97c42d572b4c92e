package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"switchback/bot/flow"
	"switchback/store"
)

type pruneCommand struct {
	storeFlags
	Before string `required:"" help:"What ended before this moment: 2026-01-31 (the beginning of that day in this machine's time zone) or 2026-01-31T18:00:00Z."`
	Yes    bool   `help:"Do not ask."`
}

// Help says what stays.
func (pruneCommand) Help() string {
	return `Removes outages that ended before a date, with their values from before, the conversations that led to them, and their
part of the audit log; and conversations of before that led to nothing. What is open always stays. The audit log says
afterwards what was removed and by whom; export it first if you have to keep it. Where everything is kept in a folder the
bot must not be running; with Redis it may.`
}

// Run says what it would remove, asks, and removes it.
func (c pruneCommand) Run(ctx context.Context, s streams) error {
	before, err := moment(c.Before, false)
	if err != nil {
		return fmt.Errorf("--before: %w", err)
	}
	if before.After(time.Now()) {
		return fmt.Errorf("--before: %s lies in the future", c.Before)
	}
	st, err := c.open() // says so where there is none, and makes none
	if err != nil {
		return err
	}
	defer st.Close()
	f, ok := st.(pruner)
	if !ok {
		return fmt.Errorf("the bot is running: stop it first, so that nothing is removed under its hands (%w)", store.ErrBusy)
	}
	p, err := prunable(ctx, st, before)
	if err != nil {
		return err
	}
	if len(p.outages)+len(p.walks) == 0 {
		_, err := fmt.Fprintf(s.out, "Nothing ended before %s.\n", before.Format(time.RFC1123Z))
		return err
	}
	fmt.Fprintf(s.out, "Removed for good would be, with all that is on record about it:\n")
	for _, o := range p.outages {
		fmt.Fprintf(s.out, "  %s, %s: %s, ended %s\n", o.ID, o.Leaf.Title, o.Ended.How, o.Ended.At.Local().Format(time.RFC1123Z))
	}
	fmt.Fprintf(s.out, "  %d conversations\n  %d documents and %d entries of the audit log in all\n", len(p.walks), len(p.docs), p.entries)
	if !c.Yes {
		fmt.Fprint(s.out, "Remove them? [y/N] ")
		answer, _ := bufio.NewReader(s.in).ReadString('\n')
		if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
			_, err := fmt.Fprintln(s.out, "Nothing was removed.")
			return err
		}
	}
	n, err := p.remove(ctx, f)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "Removed: %d outages, %d conversations, %d documents, %d entries of the audit log.\n", len(p.outages), len(p.walks), len(p.docs), n)
	return err
}

// pruner is a store from which something may be taken away.
type pruner interface {
	Prune(ctx context.Context, docs []store.Check, logs []string, said store.Entry) (int, error)
}

// pruning is what can be removed.
type pruning struct {
	before  time.Time
	outages []flow.Outage
	walks   []string
	docs    []store.Check
	logs    []string
	entries int    // of these logs
	head    string // of the log of what was removed
}

// walkOver is how long after its last turn a walk counts as over, even where nobody ended it.
const walkOver = 24 * time.Hour

// prunable finds what ended before a moment. What a card is still on its way about stays.
func prunable(ctx context.Context, st store.Store, before time.Time) (*pruning, error) {
	p := &pruning{before: before}
	all, err := store.Flow{Store: st}.All(ctx)
	if err != nil {
		return nil, err
	}
	busy, err := onTheirWay(ctx, st)
	if err != nil {
		return nil, err
	}
	gone := map[string]bool{} // names of outages and walks
	names := map[string]bool{}
	for _, o := range all {
		if o.Ended == nil || !o.Ended.At.Before(before) || busy(o.ID) {
			continue
		}
		p.outages = append(p.outages, o)
		gone[o.ID] = true
		p.logs = append(p.logs, outageLog+o.ID)
		names[outageLog+o.ID], names["change:"+o.ID] = true, true
	}
	talks, err := walks(ctx, st)
	if err != nil {
		return nil, err
	}
	for _, w := range talks {
		over := w.Value.Stage == flow.Over || time.Since(w.Value.Last) > walkOver
		led := w.Value.Outage != "" && slices.ContainsFunc(all, func(o flow.Outage) bool { return o.ID == w.Value.Outage })
		if gone[w.Value.Outage] || over && !led && w.Value.Last.Before(before) && !busy(w.Value.ID) {
			p.walks = append(p.walks, w.Value.ID)
			gone[w.Value.ID] = true
			p.logs = append(p.logs, walkLog+w.Value.ID)
			names[walkLog+w.Value.ID] = true
		}
	}
	return p, p.find(ctx, st, names, gone)
}

// onTheirWay tells of which outages and walks a card waits to be sent.
func onTheirWay(ctx context.Context, st store.Store) (func(id string) bool, error) {
	out, err := st.List(ctx, "out:")
	if err != nil {
		return nil, err
	}
	docs, err := st.Get(ctx, out...)
	if err != nil {
		return nil, err
	}
	busy := map[string]bool{}
	for _, d := range docs {
		var post flow.Post
		if err := json.Unmarshal(d.Data, &post); err != nil {
			return nil, fmt.Errorf("%s is not readable: %w", d.Key, err)
		}
		busy[about(post.Message)] = true
	}
	return func(id string) bool { return busy[id] }, nil
}

// about is the outage or the walk that a message is of; "" is neither.
func about(message string) string { return flow.OutageOf(strings.TrimPrefix(message, walkLog)) }

// find adds the documents around what goes: marks of what was sent, and whose walk it was; and counts.
func (p *pruning) find(ctx context.Context, st store.Store, names, gone map[string]bool) error {
	sent, err := st.List(ctx, "sent:")
	if err != nil {
		return err
	}
	notes := map[string]bool{} // marks of what one person was told once: of use only while it is being told
	for _, key := range sent {
		_, message, _ := strings.Cut(key, "\n")
		notes[key] = strings.HasPrefix(message, "note:")
		names[key] = names[key] || notes[key] || gone[about(message)]
	}
	for _, prefix := range []string{"at:", "root:"} { // to a walk, and to an outage's message
		keys, err := st.List(ctx, prefix)
		if err != nil {
			return err
		}
		docs, err := st.Get(ctx, keys...)
		if err != nil {
			return err
		}
		for _, d := range docs {
			var to struct{ Walk, Message string }
			if json.Unmarshal(d.Data, &to) == nil && (gone[to.Walk] || gone[about(to.Message)]) {
				names[d.Key] = true
			}
		}
	}
	maps.DeleteFunc(names, func(_ string, goes bool) bool { return !goes })
	docs, err := st.Get(ctx, slices.Sorted(maps.Keys(names))...)
	if err != nil {
		return err
	}
	var newest uint64 // of what goes: only notes from before can be over for sure
	for _, d := range docs {
		if !notes[d.Key] {
			newest = max(newest, d.Version)
		}
	}
	for _, d := range docs {
		if d.Version != 0 && d.Version <= newest {
			p.docs = append(p.docs, store.Check{Key: d.Key, Version: d.Version})
		}
	}
	return entries(ctx, st, func(l store.Logged) error {
		if slices.Contains(p.logs, l.Log) {
			p.entries++
		}
		if l.Log == pruneLog {
			e, err := flow.ReadEntry(l.Data)
			if err != nil {
				return err
			}
			p.head = e.Hash
		}
		return nil
	})
}

// remove removes it and leaves a word about it in the audit log.
func (p *pruning) remove(ctx context.Context, f pruner) (int, error) {
	_, by := operator(flow.Policy{})
	ids := make([]string, len(p.outages))
	for i, o := range p.outages {
		ids[i] = o.ID
	}
	said := flow.NewEntry(p.head, time.Now(), by, "prune", map[string]string{
		"before": p.before.UTC().Format(time.RFC3339), "outages": strings.Join(ids, " "),
		"text": fmt.Sprintf("%d outages and %d conversations were removed", len(p.outages), len(p.walks)),
	})
	return f.Prune(ctx, p.docs, p.logs, store.Entry{Log: pruneLog, Data: said})
}
