package store

import (
	"bytes"
	"context"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Prune deletes documents, each of which must be at the version of its check, and every entry of the audit logs with
// these names, and adds one entry that says so; all or nothing. It returns how many entries were deleted, and an
// ErrConflict where a document has changed. It is no part of Store: nothing that runs all the time may take away from
// the audit log.
func (f *File) Prune(ctx context.Context, docs []Check, logs []string, said Entry) (int, error) {
	c := Commit{Checks: docs, Audit: []Entry{said}}
	for _, d := range docs {
		c.Deletes = append(c.Deletes, d.Key)
	}
	if err := c.check(); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("prune: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	tx, err := f.db.Begin(true)
	if err != nil {
		return 0, fmt.Errorf("prune: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	if err := f.holds(tx, c); err != nil {
		return 0, err
	}
	n, err := forgetLogs(tx, logs)
	if err != nil {
		return 0, fmt.Errorf("prune: %w", err)
	}
	if _, err := write(tx, c, time.Now()); err != nil {
		return 0, fmt.Errorf("prune: %w", err)
	}
	return n, f.finish(tx)
}

// forgetLogs deletes the entries of logs and returns how many there were.
func forgetLogs(tx *bolt.Tx, logs []string) (int, error) {
	gone := map[string]bool{}
	for _, l := range logs {
		gone[l] = true
	}
	bucket := tx.Bucket([]byte(auditBucket))
	var keys [][]byte // a cursor may skip entries when one is deleted under it
	c := bucket.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if log, _, _ := bytes.Cut(v[8:], []byte{0}); gone[string(log)] {
			keys = append(keys, bytes.Clone(k))
		}
	}
	for _, k := range keys {
		if err := bucket.Delete(k); err != nil {
			return 0, err
		}
	}
	return len(keys), nil
}

// Prune is File's. Others may commit meanwhile: a log must be one whose every entry changes a document among docs, so that
// what comes after the look into the log is a conflict.
func (r *Redis) Prune(ctx context.Context, docs []Check, logs []string, said Entry) (int, error) {
	gone := map[string]bool{}
	for _, l := range logs {
		gone[l] = true
	}
	var ids []string
	for after := uint64(0); ; {
		page, err := r.Audit(ctx, after, auditPage)
		if err != nil {
			return 0, fmt.Errorf("prune: %w", err)
		}
		if len(page) == 0 {
			break
		}
		for _, l := range page {
			if after = l.ID; gone[l.Log] {
				ids = append(ids, fmt.Sprintf("%d-0", l.ID))
			}
		}
	}
	nonce := NewNonce() // an outcome that stays unknown is seen by looking again
	c := Commit{Op: "prune/" + nonce, Nonce: nonce, Checks: docs, Audit: []Entry{said}}
	for _, d := range docs {
		c.Deletes = append(c.Deletes, d.Key)
	}
	if _, err := r.carryOut(ctx, c, ids); err != nil {
		return 0, fmt.Errorf("prune: %w", err)
	}
	return len(ids), nil
}

const auditPage = 1000 // entries read at once
