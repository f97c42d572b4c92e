package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"switchback/bot/flow"
	"switchback/handlers/terminal"
	"switchback/store"
)

const auditPage = 500 // entries read at once

type auditCommand struct {
	Export auditExport `cmd:"" help:"Print the audit log."`
	Report auditReport `cmd:"" help:"Write the report on one outage, as text."`
	Verify auditVerify `cmd:"" help:"Check that nothing in the audit log was altered."`
}

// storeFlags say which folder a command works on.
type storeFlags struct {
	Config string `help:"Organisation document whose folder is meant, without --data." default:"${config_file}" type:"path"`
	Data   string `help:"Folder that keeps everything." default:"${data_dir}" type:"path"`
	Live   bool   `help:"What bot serve and bot chat --live keep: the real company, not the one to practise on."`
}

func (f storeFlags) folder() (string, error) {
	org, err := loadOrganisation(f.Config)
	if err != nil {
		return "", err
	}
	name := org.Name
	if f.Live {
		name += " live"
	}
	return chatFolder(f.Data, name)
}

// again is another command about the same company, as it is typed.
func (f storeFlags) again(command string, args ...string) string {
	words := []string{"bot", command}
	if f.Live {
		words = append(words, "--live")
	}
	for _, given := range []struct{ flag, file string }{{"--config", f.Config}, {"--data", f.Data}} {
		if given.file != "" {
			words = append(words, given.flag, quoted(given.file))
		}
	}
	return strings.Join(append(words, args...), " ")
}

// quoted is a file's name as a shell takes it.
func quoted(file string) string {
	if strings.Trim(file, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") == "" {
		return file
	}
	return "'" + strings.ReplaceAll(file, "'", `'\''`) + "'"
}

func (f storeFlags) open() (store.Store, error) {
	dir, err := f.folder()
	if err != nil {
		return nil, err
	}
	return openStore(dir, f.Live, false)
}

type auditExport struct {
	storeFlags
	From   string `help:"From this moment on: 2026-11-25 (in this machine's time zone) or 2026-11-25T18:00:00Z."`
	To     string `help:"Before this moment; a date means to the end of that day."`
	Outage string `help:"Of this outage, with the conversations that led to it."`
	Format string `default:"ndjson" enum:"ndjson" help:"One JSON object a line (ndjson)."`
}

// exported is one line of an export. Entry is kept byte for byte: its SHA-256 is the hash, and the prev of the next
// one in the same log.
type exported struct {
	ID    uint64          `json:"id"`
	At    time.Time       `json:"at,omitzero"` // when it happened, as the entry says
	Log   string          `json:"log"`
	Hash  string          `json:"hash,omitzero"`
	Entry json.RawMessage `json:"entry,omitzero"`
	Raw   []byte          `json:"raw,omitzero"` // instead, where the entry is not readable
}

// Run prints the entries, oldest first.
func (c auditExport) Run(ctx context.Context, s streams) error {
	from, err := moment(c.From, false)
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	to, err := moment(c.To, true)
	if err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	st, err := c.open()
	if err != nil {
		return err
	}
	defer st.Close()
	var logs []string
	if c.Outage != "" {
		if logs, err = logsOf(ctx, st, c.Outage); err != nil {
			return err
		}
	}
	out := json.NewEncoder(s.out)
	out.SetEscapeHTML(false) // the entry stays as it is
	return entries(ctx, st, func(l store.Logged) error {
		if logs != nil && !slices.Contains(logs, l.Log) {
			return nil
		}
		line := exported{ID: l.ID, Log: l.Log}
		e, err := flow.ReadEntry(l.Data)
		if err != nil {
			line.Raw = l.Data
			return out.Encode(line)
		}
		if e.At.Before(from) || !to.IsZero() && !e.At.Before(to) {
			return nil
		}
		line.At, line.Hash, line.Entry = e.At, e.Hash, l.Data
		return out.Encode(line)
	})
}

// moment reads a date or a time; "" is the zero time. A date is the beginning of its day, or its end.
func moment(s string, end bool) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, s, time.Local); err == nil {
		if end {
			day = day.AddDate(0, 0, 1)
		}
		return day, nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return at, fmt.Errorf("%q is neither like 2026-11-25 nor like 2026-11-25T18:00:00Z", s)
	}
	return at, nil
}

// entries hands on the whole audit log.
func entries(ctx context.Context, st store.Store, each func(store.Logged) error) error {
	var after uint64
	for {
		page, err := st.Audit(ctx, after, auditPage)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, l := range page {
			if err := each(l); err != nil {
				return err
			}
			after = l.ID
		}
	}
}

const (
	outageLog = "outage:" // prefixes of audit logs, and of the documents that they are about
	walkLog   = "walk:"
	pageLog   = "page:"
	readyLog  = "ready:" // what people said of peace time
	pruneLog  = "prune"  // what was removed by bot prune
)

// logsOf names the logs of an outage and of the walks that led to it.
func logsOf(ctx context.Context, st store.Store, outage string) ([]string, error) {
	walks, err := walks(ctx, st)
	if err != nil {
		return nil, err
	}
	logs := []string{outageLog + outage}
	for _, w := range walks {
		if w.Value.Outage == outage {
			logs = append(logs, walkLog+w.Value.ID)
		}
	}
	return logs, nil
}

func walks(ctx context.Context, st store.Store) ([]flow.Doc[flow.Walk], error) {
	names, err := st.List(ctx, walkLog)
	if err != nil {
		return nil, err
	}
	var out []flow.Doc[flow.Walk]
	for _, n := range names {
		w, err := store.Flow{Store: st}.Walk(ctx, strings.TrimPrefix(n, walkLog))
		if err != nil {
			return nil, err
		}
		if w.Version != 0 {
			out = append(out, w)
		}
	}
	return out, nil
}

type auditReport struct {
	storeFlags
	What []string `arg:"" help:"The name of an outage, or a day: 12 Nov, 2026-11-12, yesterday."`
}

// Run writes what /outage report answers, for whoever has no chat.
func (c auditReport) Run(ctx context.Context, s streams) error {
	org, err := loadOrganisation(c.Config)
	if err != nil {
		return err
	}
	org.Practice = !c.Live
	st, err := c.open()
	if err != nil {
		return err
	}
	defer st.Close()
	kept := store.Flow{Store: st}
	past, err := kept.All(ctx)
	if err != nil {
		return err
	}
	what := strings.Join(c.What, " ")
	meant, ok := flow.Reported(org.Policy, past, what, time.Now())
	switch {
	case !ok:
		return fmt.Errorf("%q is neither an outage nor a day", what)
	case len(meant) == 0:
		_, err := fmt.Fprintln(s.out, "Nothing is on record.")
		return err
	}
	for _, o := range meant {
		report, err := flow.Report(ctx, org.Policy, kept, o)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(s.out, terminal.Render(report, 0, org.Location())); err != nil {
			return err
		}
	}
	return nil
}

type auditVerify struct {
	storeFlags
	Files []string `arg:"" optional:"" help:"Files with the messages from outages' threads, one outage each: their checksums of the audit log are looked for too." type:"path"`
}

// Help says what is found and what is not.
func (auditVerify) Help() string {
	return `Checks every link of every log, that the newest entry is the one that the outage remembers, and the counter of
commits. There is no secret in it: it finds what was edited, removed or put in between, by accident or by hand. It does
not find the work of somebody who has full access and writes the whole log anew; only a copy elsewhere can show that,
such as the messages in an outage's thread. Name files that hold them, and they are compared.`
}

// Run reports all that does not hold.
func (c auditVerify) Run(ctx context.Context, s streams) error {
	st, err := c.open()
	if err != nil {
		return err
	}
	defer st.Close()
	v, err := takeStock(ctx, st)
	if err != nil {
		return err
	}
	problems := v.check()
	for _, file := range c.Files {
		text, err := readText(file, s.in)
		if err != nil {
			return err
		}
		if p := v.compare(text); p != "" {
			problems = append(problems, file+": "+p)
		}
	}
	for _, p := range problems {
		fmt.Fprintln(s.out, p)
	}
	if len(problems) > 0 {
		return errProblems
	}
	fmt.Fprintf(s.out, "ok: %d entries in %d logs, %d files; every link holds. The store is at commit %d.\n", v.entries, len(v.logs), len(c.Files), v.health.Counter)
	return nil
}

// stock is what verify looks at, all of one moment.
type stock struct {
	health   store.Health
	entries  int
	logs     map[string][][]byte
	heads    map[string]string // of each log that a document remembers
	versions map[string]uint64
	chains   map[string]flow.Chain
}

// takeStock reads everything, again where somebody committed meanwhile.
func takeStock(ctx context.Context, st store.Store) (*stock, error) {
	for range 20 {
		before, err := st.Health(ctx)
		if err != nil {
			return nil, err
		}
		v := &stock{health: before, logs: map[string][][]byte{}, heads: map[string]string{}, versions: map[string]uint64{}, chains: map[string]flow.Chain{}}
		if err := v.read(ctx, st); err != nil {
			return nil, err
		}
		after, err := st.Health(ctx)
		if err != nil {
			return nil, err
		}
		if after.Counter == before.Counter {
			return v, nil
		}
	}
	return nil, fmt.Errorf("the bot is too busy to be looked at in one piece: try again, or stop it")
}

func (v *stock) read(ctx context.Context, st store.Store) error {
	err := entries(ctx, st, func(l store.Logged) error {
		v.logs[l.Log] = append(v.logs[l.Log], l.Data)
		v.entries++
		return nil
	})
	if err != nil {
		return err
	}
	names, err := st.List(ctx, "")
	if err != nil {
		return err
	}
	docs, err := st.Get(ctx, names...)
	if err != nil {
		return err
	}
	for _, d := range docs {
		v.versions[d.Key] = d.Version
		if !strings.HasPrefix(d.Key, outageLog) && !strings.HasPrefix(d.Key, walkLog) && !strings.HasPrefix(d.Key, pageLog) && !strings.HasPrefix(d.Key, readyLog) {
			continue
		}
		var doc struct {
			Head string `json:"head"`
		}
		if err := json.Unmarshal(d.Data, &doc); err != nil {
			return fmt.Errorf("%s is not readable: %w", d.Key, err)
		}
		v.heads[d.Key] = doc.Head
	}
	return nil
}

// check returns what does not hold within the store.
func (v *stock) check() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(v.logs)) {
		c := flow.ReadChain(v.logs[name], v.heads[name])
		v.chains[name] = c
		for _, p := range c.Problems {
			out = append(out, name+": "+p)
		}
		_, known := v.heads[name]
		switch {
		case strings.HasPrefix(name, outageLog) && !known:
			out = append(out, name+": the outage itself is missing")
		case known && v.heads[name] == "":
			out = append(out, name+": there are entries that the document does not know of")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.heads)) {
		if v.heads[name] != "" && v.logs[name] == nil {
			out = append(out, name+": all its entries are missing")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.versions)) {
		if version := v.versions[name]; version > v.health.Counter {
			out = append(out, fmt.Sprintf("%s was written by commit %d, and the store is only at %d: it was set back", name, version, v.health.Counter))
		}
	}
	return out
}

// compare returns what the messages of an outage's thread know better than the store; "" is nothing.
func (v *stock) compare(text string) string {
	o, _, from, err := flow.ReadCapsule(text)
	if err != nil {
		return err.Error()
	}
	same := from.Lineage == v.health.Lineage
	c, known := v.chains[outageLog+o.ID]
	switch {
	case same && from.Counter > v.health.Counter:
		return fmt.Sprintf("it was written at commit %d, and the store is only at %d: it was set back", from.Counter, v.health.Counter)
	case !known && same:
		return o.ID + " is missing in the store"
	case !known:
		return o.ID + " belongs to another store"
	case o.Head != "" && !c.Heads[o.Head]:
		return o.ID + ": its audit log is not the one that the messages speak of: it was written anew, or shortened"
	}
	return ""
}
