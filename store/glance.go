package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"switchback/bot/flow"
)

// Glance is what one look into a store finds.
type Glance struct {
	Docs   []Doc    // those that were asked for, and those that were guessed, in this order
	Names  []string // of all documents with the prefix
	Health Health
}

// glancer is a store that is far away, so that it is asked for several things at once. It may return
// errors.ErrUnsupported.
type glancer interface {
	Glance(ctx context.Context, keys []string, prefix string, guess []string) (Glance, error)
}

// Glance gets documents, lists those with a prefix, and says how well the store can be relied on, all in one round trip.
// The list is not later than the documents.
func (r *Redis) Glance(ctx context.Context, keys []string, prefix string, guess []string) (Glance, error) {
	info, err := r.examine(ctx)
	if err != nil {
		return Glance{}, fmt.Errorf("look at redis: %w", explainRedis(err))
	}
	seen := r.seen.Load()
	keys = append(slices.Clone(keys), guess...)
	list, listArgs := r.reading(nil, "list", "["+prefix, "("+prefix+"\xff")
	get, getArgs := r.reading(keys, "get", anys(keys)...)
	var replies [2][]string
	err = r.on(ctx, func(node *redis.Client) error {
		p := node.Pipeline()
		found := [2]*redis.Cmd{r.read.EvalSha(ctx, p, list, listArgs...), r.read.EvalSha(ctx, p, get, getArgs...)}
		_, _ = p.Exec(ctx) // each command has its own error
		for i, f := range found {
			var err error
			if replies[i], err = f.StringSlice(); err != nil {
				return err
			}
		}
		return nil
	})
	if redis.HasErrorPrefix(err, "NOSCRIPT") { // so nothing was run: the server is new, or has been restarted
		return r.glanceApart(ctx, keys, prefix)
	}
	if err != nil {
		return Glance{}, fmt.Errorf("look at redis: %w", explainRedis(err))
	}
	for _, reply := range replies {
		if _, err := r.outcome(reply, seen); err != nil {
			return Glance{}, fmt.Errorf("look at redis: %w", err)
		}
	}
	g := Glance{Names: replies[0][replyHead:], Health: r.judged(info)}
	g.Docs, err = documents(keys, replies[1][replyHead:])
	return g, err
}

// glanceApart is Glance, one after another.
func (r *Redis) glanceApart(ctx context.Context, keys []string, prefix string) (g Glance, err error) {
	if g.Names, err = r.List(ctx, prefix); err != nil {
		return g, err
	}
	if g.Docs, err = r.Get(ctx, keys...); err != nil {
		return g, err
	}
	g.Health, err = r.Health(ctx)
	return g, err
}

// near is a store whose documents of one moment are at hand. What else is asked for comes from the store itself, and so
// does a set of which something is missing: what is asked for together is of one view. Commits compare versions as ever,
// so that what has changed since is a conflict.
type near struct {
	Store
	docs   map[string]Doc
	prefix string
	names  []string
	health Health
}

// Get implements Store.
func (n near) Get(ctx context.Context, keys ...string) ([]Doc, error) {
	docs := make([]Doc, len(keys))
	for i, key := range keys {
		d, ok := n.docs[key]
		if !ok {
			return n.Store.Get(ctx, keys...)
		}
		docs[i] = d
	}
	return docs, nil
}

// List implements Store.
func (n near) List(ctx context.Context, prefix string) ([]string, error) {
	if prefix == n.prefix {
		return slices.Clone(n.names), nil
	}
	return n.Store.List(ctx, prefix)
}

// Health implements Store.
func (n near) Health(context.Context) (Health, error) { return n.health, nil }

// Near is the store for one decision: what it will look at is fetched in one round trip, where the store is far away.
// open are the outages that were open when somebody looked last; Near returns those that are open now.
func (f Flow) Near(ctx context.Context, a flow.Ahead, open []string) (flow.Store, []string, error) {
	g, ok := f.Store.(glancer)
	if !ok {
		return f, nil, nil
	}
	var keys []string
	for prefix, id := range map[string]string{workDoc: a.Work, walkDoc: a.Walk, outageDoc: a.Outage, recordDoc: a.Outage, currentDoc: a.Person} {
		if id != "" {
			keys = append(keys, prefix+id)
		}
	}
	for _, p := range a.Pages {
		keys = append(keys, pageDoc+p)
	}
	var guess []string
	for _, id := range open {
		if id != a.Outage {
			guess = append(guess, outageDoc+id)
		}
	}
	found, err := g.Glance(ctx, keys, openDoc, guess)
	if errors.Is(err, errors.ErrUnsupported) {
		return f, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	n := near{Store: f.Store, docs: map[string]Doc{}, prefix: openDoc, names: found.Names, health: found.Health}
	for _, d := range found.Docs {
		n.docs[d.Key] = d
	}
	now := make([]string, len(found.Names))
	for i, name := range found.Names {
		now[i] = strings.TrimPrefix(name, openDoc)
	}
	return Flow{Store: n}, now, nil
}

func anys(keys []string) []any {
	out := make([]any, len(keys))
	for i, key := range keys {
		out[i] = key
	}
	return out
}
