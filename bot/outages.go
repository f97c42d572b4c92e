package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/store"
)

type outagesCommand struct {
	storeFlags
	JSON bool `help:"Print everything as JSON."`
}

// openOutage is an outage with its record, as --json prints it.
type openOutage struct {
	Outage flow.Outage   `json:"outage"`
	Record change.Record `json:"record"`
}

// Run lists what is open with the values from before: from the running bot if there is one, else from the file.
func (c outagesCommand) Run(ctx context.Context, s streams) error {
	org, err := loadOrganisation(c.Config)
	if err != nil {
		return err
	}
	st, err := c.open()
	if err != nil {
		return err
	}
	defer st.Close()
	kept := store.Flow{Store: st}
	open, err := kept.Open(ctx)
	if err != nil {
		return err
	}
	list := []openOutage{}
	for _, o := range open {
		_, r, err := kept.Outage(ctx, o.ID)
		if err != nil {
			return err
		}
		list = append(list, openOutage{o, r.Value})
	}
	if c.JSON {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		return e.Encode(list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(s.out, "Nothing is open.")
		return err
	}
	for _, o := range list {
		if o.Outage.Drill {
			fmt.Fprint(s.out, "DRILL  ")
		}
		fmt.Fprintf(s.out, "%s  %s, since %s, looked after by %s\n", o.Outage.ID, o.Outage.Leaf.Title, o.Outage.Began.In(org.Location()).Format("Mon 2 Jan 15:04 MST"), o.Outage.Owner.Name)
		for _, st := range o.Record.Steps {
			before := "not known"
			if st.Before != nil {
				before = fmt.Sprintf("%q", st.Before.Value.Raw)
			}
			fmt.Fprintf(s.out, "  %s, %s (%s)\n    before: %s\n    set:    %q\n    state:  %s\n", st.Label, st.Name, st.Key, before, st.Want.Raw, st.State)
		}
	}
	return nil
}

// openStore opens Redis where its address is given, else the folder's file, or asks the bot that has it. A folder in which
// nothing is kept is an error, and so is a Redis in which nobody practised, unless fresh says that a new one will do. Live
// is the real company's part of a Redis.
func openStore(dir string, live, fresh bool) (store.Store, error) {
	e, err := readEnvironment()
	if err != nil {
		return nil, err
	}
	if e.RedisURL != "" {
		if !live {
			e = e.practice()
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		st, err := e.open(ctx, dir)
		if err != nil || live || fresh {
			return st, err
		}
		if h, err := st.Health(ctx); err == nil && h.Counter == 0 { // else all would seem to be well
			_ = st.Close()
			return nil, errors.New("nothing is kept of a practice company in this Redis; --live means the real one")
		}
		return st, nil
	}
	if _, err := os.Stat(filepath.Join(dir, "store.db")); !fresh && errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("nothing is kept in %s; name another folder with --data", dir)
	}
	return store.OpenOrDial(dir)
}
