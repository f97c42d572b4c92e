package main

import (
	"context"
	"errors"
	"fmt"

	"switchback/handlers/ops"
	"switchback/store"
)

type pageCommand struct{ storeFlags }

// Help says for whom it is.
func (pageCommand) Help() string {
	return `Prints, for each open outage, a link to a page of the running bot that needs no chat: the values from before, and
the way to each setting. A link is good for as long as its outage is open; whoever has it can read, and change nothing.
PUBLIC_URL/ops shows all of them to whoever knows OPS_PASSWORD: keep that as a bookmark.`
}

// Run prints the links.
func (c pageCommand) Run(ctx context.Context, e environment, s streams) error {
	if e.PublicURL == "" {
		return errors.New("PUBLIC_URL is missing: where the running bot is reached from outside")
	}
	c.Live = true // a practice company has no page
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
	if len(open) == 0 {
		_, err := fmt.Fprintln(s.out, "Nothing is open.")
		return err
	}
	link := pageLinks(e.PublicURL, kept)
	for _, o := range open {
		at, err := link(ctx, o.ID)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s  %s\n  %s\n", o.ID, o.Leaf.Title, at)
	}
	return nil
}

// pageLinks makes links to the page below a public address.
func pageLinks(public string, kept store.Flow) func(ctx context.Context, outage string) (string, error) {
	return func(ctx context.Context, outage string) (string, error) {
		key, err := kept.PageKey(ctx)
		if err != nil {
			return "", err
		}
		return ops.Link(public, key, outage), nil
	}
}
