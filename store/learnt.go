package store

import (
	"context"
	"strings"
)

// Learnt keeps what one chat platform's adapter learns of the world, such as where it may write, in any Store. Documents:
//
//	<platform>:<key>  readable JSON of the adapter's own
type Learnt struct {
	Store    Store
	Platform string
}

func (l Learnt) name(key string) string { return l.Platform + ":" + key }

// Learnt returns what is kept under a key; version 0 means nothing.
func (l Learnt) Learnt(ctx context.Context, key string) (data []byte, version uint64, err error) {
	docs, err := l.Store.Get(ctx, l.name(key))
	if err != nil {
		return nil, 0, err
	}
	return docs[0].Data, docs[0].Version, nil
}

// Learn keeps data under a key that is still at this version; nil forgets it. It returns flow.ErrConflict where somebody
// else was quicker. What has no clear outcome may be learnt again.
func (l Learnt) Learn(ctx context.Context, key string, version uint64, data []byte) error {
	c := Commit{Checks: []Check{{Key: l.name(key), Version: version}}}
	switch {
	case data != nil:
		c.Puts = []Put{{Key: l.name(key), Data: data}}
	case version != 0:
		c.Deletes = []string{l.name(key)}
	default:
		return nil
	}
	return commit(ctx, l.Store, c)
}

// AllLearnt lists the keys that begin so.
func (l Learnt) AllLearnt(ctx context.Context, prefix string) ([]string, error) {
	names, err := l.Store.List(ctx, l.name(prefix))
	for i, n := range names {
		names[i] = strings.TrimPrefix(n, l.name(""))
	}
	return names, err
}
