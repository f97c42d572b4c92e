package store

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// The layout of the file, a bbolt database. Numbers are 8 bytes, big-endian, so that keys sort by them; times are
// milliseconds since 1970. To change it, raise schema and go on reading the one before.
//
//	meta      lineage, schema, counter (of commits), opens (how often the file was opened)
//	docs      key → version, data
//	timers    id → time                               due       time, id → nothing
//	ops       op → end of life, counter, nonce        fading    end of life, op → nothing
//	audit     id → time, log, 0, data
const schema = 1

// The buckets.
const (
	metaBucket   = "meta"
	docsBucket   = "docs"
	timersBucket = "timers"
	dueBucket    = "due"
	opsBucket    = "ops"
	fadingBucket = "fading"
	auditBucket  = "audit"
)

// sweepPerCommit is how many once-only marks that are past their life one commit removes at most: more than it can
// add, so that they never pile up, and few enough not to be felt.
const sweepPerCommit = 8

// lockWait is how long Open waits for a process that is just about to end.
const lockWait = time.Second

// File is the embedded store: a file that one process has open at a time. A commit has returned only when it is on
// disk, which costs one sync; all else costs none.
//
// Leases are in memory, because the file's lock keeps every other process out: after a restart all that is due is due
// at once, and no claim from before is current.
type File struct {
	db       *bolt.DB
	volatile bool

	mu     sync.Mutex // held while committing and claiming
	leases map[string]lease
	token  uint64 // the last one given
	failed error  // of the last commit, if it could not be written
}

type lease struct {
	token uint64
	until time.Time
}

// Open opens the store in the folder dir, and makes both if need be. It returns ErrBusy, within a second, if another
// process has the store open, and ErrNewerSchema if the file is newer than this program.
func Open(dir string) (*File, error) { return open(dir, false) }

// OpenVolatile is Open without ever waiting for the disk: a loss of power can lose commits that were acknowledged, or
// the whole file. It is for tests that make thousands of commits, and for nothing else. The end of the process alone
// loses nothing.
func OpenVolatile(dir string) (*File, error) { return open(dir, true) }

func open(dir string, volatile bool) (*File, error) {
	path := filepath.Join(dir, "store.db")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockWait, NoSync: volatile, NoGrowSync: volatile})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("open store %s: %w", path, ErrBusy)
	}
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, explain(err))
	}
	f := &File{db: db, volatile: volatile, leases: map[string]lease{}}
	if err := f.prepare(dir); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("open store %s: %w", path, explain(err))
	}
	return f, nil
}

// prepare makes what a new file needs, and sweeps an old one.
func (f *File) prepare(dir string) error {
	err := f.db.Update(func(tx *bolt.Tx) error {
		if meta := tx.Bucket([]byte(metaBucket)); meta != nil {
			if got := number(meta, "schema"); got > schema {
				return fmt.Errorf("%w: the file has schema %d, this program knows %d", ErrNewerSchema, got, schema)
			}
		}
		for _, name := range []string{metaBucket, docsBucket, timersBucket, dueBucket, opsBucket, fadingBucket, auditBucket} {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		meta := tx.Bucket([]byte(metaBucket))
		if meta.Get([]byte("lineage")) == nil {
			if err := meta.Put([]byte("lineage"), []byte(rand.Text())); err != nil {
				return err
			}
		}
		// Tokens rise across restarts even where the clock is set back, so they begin with the count of opens.
		opens := number(meta, "opens") + 1
		f.token = opens << 32
		return errors.Join(
			setNumber(meta, "opens", opens),
			setNumber(meta, "schema", schema),
			sweep(tx, time.Now(), -1),
		)
	})
	if err != nil || f.volatile || runtime.GOOS == "windows" { // which cannot sync folders
		return err
	}
	// A new file is there after a loss of power only if its folder, and that one's, were synced too.
	return errors.Join(syncFolder(dir), syncFolder(filepath.Dir(dir)))
}

func syncFolder(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the operator's own choice
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Close closes the file and gives up its lock.
func (f *File) Close() error { return f.db.Close() }

// Get implements Store.
func (f *File) Get(ctx context.Context, keys ...string) ([]Doc, error) {
	docs := make([]Doc, len(keys))
	err := f.view(ctx, func(tx *bolt.Tx) {
		for i, key := range keys {
			docs[i] = doc(tx, key)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	return docs, nil
}

// List implements Store.
func (f *File) List(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	err := f.view(ctx, func(tx *bolt.Tx) {
		c := tx.Bucket([]byte(docsBucket)).Cursor()
		for k, _ := c.Seek([]byte(prefix)); bytes.HasPrefix(k, []byte(prefix)) && k != nil; k, _ = c.Next() {
			keys = append(keys, string(k))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", prefix, err)
	}
	return keys, nil
}

// Audit implements Store.
func (f *File) Audit(ctx context.Context, after uint64, n int) ([]Logged, error) {
	var entries []Logged
	err := f.view(ctx, func(tx *bolt.Tx) {
		c := tx.Bucket([]byte(auditBucket)).Cursor()
		k, v := c.Seek(binary.BigEndian.AppendUint64(nil, after))
		if k != nil && binary.BigEndian.Uint64(k) == after {
			k, v = c.Next()
		}
		for ; k != nil && len(entries) < n; k, v = c.Next() {
			log, data, _ := bytes.Cut(v[8:], []byte{0})
			entries = append(entries, Logged{
				ID:    binary.BigEndian.Uint64(k),
				At:    moment(millis(v)),
				Entry: Entry{Log: string(log), Data: copied(data)},
			})
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	return entries, nil
}

// Health implements Store. A commit that could not be written forbids changes until another one could.
func (f *File) Health(ctx context.Context) (Health, error) {
	h := Health{Kind: "file", Changes: true}
	err := f.view(ctx, func(tx *bolt.Tx) {
		meta := tx.Bucket([]byte(metaBucket))
		h.Lineage = string(meta.Get([]byte("lineage")))
		h.Counter = number(meta, "counter")
	})
	if err != nil {
		return Health{}, fmt.Errorf("look at store: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed != nil {
		h.Changes = false
		h.Warnings = append(h.Warnings, fmt.Sprintf("the last commit to %s failed: %s", f.db.Path(), f.failed))
	}
	if f.volatile {
		h.Warnings = append(h.Warnings, "opened for tests: a loss of power loses everything")
	}
	return h, nil
}

// Claim implements Store. It writes nothing.
func (f *File) Claim(ctx context.Context, life time.Duration, n int) ([]Claim, error) {
	return f.lease(ctx, life, n, "")
}

// lease claims timers: all that are due, or the one that is named.
func (f *File) lease(ctx context.Context, life time.Duration, n int, only string) ([]Claim, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	type candidate struct {
		id       string
		set, due int64 // they differ where a lease ran out
	}
	now := time.Now()
	var found []candidate
	err := f.view(ctx, func(tx *bolt.Tx) {
		for id, at := range timers(tx).until(now.UnixMilli()) {
			if only != "" && id != only {
				continue
			}
			due := at
			if l, ok := f.leases[id]; ok {
				if l.until.After(now) {
					continue
				}
				due = l.until.UnixMilli()
			}
			found = append(found, candidate{id, at, due})
		}
	})
	if err != nil {
		return nil, fmt.Errorf("claim timers: %w", err)
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.due, b.due), strings.Compare(a.id, b.id))
	})
	claims := make([]Claim, 0, max(0, min(n, len(found))))
	for _, c := range found[:cap(claims)] {
		f.token++
		f.leases[c.id] = lease{token: f.token, until: now.Add(life)}
		claims = append(claims, Claim{ID: c.id, At: moment(c.set), Token: f.token})
	}
	return claims, nil
}

// Commit implements Store. Where the disk is full the error says so, nothing is written, and the store goes on working.
func (f *File) Commit(ctx context.Context, c Commit) (uint64, error) {
	if err := c.check(); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("commit: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	tx, err := f.db.Begin(true)
	if err != nil {
		return 0, fmt.Errorf("commit: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit

	if mark, ok := findMark(tx, c.Op, now); ok {
		if mark.nonce != c.Nonce {
			return 0, fmt.Errorf("%s: %w", c.Op, ErrReplayed)
		}
		// This very commit, again. Its first time may have ended in an error after it was written and before it was
		// on disk; committing nothing syncs once more. What it did to leases is not done again: at worst one of its
		// timers comes late.
		return mark.counter, f.finish(tx)
	}
	if err := f.holds(tx, c); err != nil {
		return 0, err
	}
	counter, err := write(tx, c, now)
	if err != nil {
		return 0, fmt.Errorf("commit: %w", err)
	}
	if err := f.finish(tx); err != nil {
		return 0, err
	}
	if c.Lease != nil && c.Lease.Extend > 0 {
		f.leases[c.Lease.Timer] = lease{token: c.Lease.Token, until: now.Add(c.Lease.Extend)}
	}
	for _, t := range c.Timers {
		delete(f.leases, t.ID)
	}
	return counter, nil
}

// finish puts a transaction onto the disk.
func (f *File) finish(tx *bolt.Tx) error {
	f.failed = explain(tx.Commit())
	if f.failed != nil {
		return fmt.Errorf("commit: %w", f.failed)
	}
	return nil
}

// holds returns ErrFenced or ErrConflict if what the commit rests on is no longer so.
func (f *File) holds(tx *bolt.Tx, c Commit) error {
	if c.Lease != nil {
		if l, ok := f.leases[c.Lease.Timer]; !ok || l.token != c.Lease.Token {
			return fmt.Errorf("timer %s: %w", c.Lease.Timer, ErrFenced)
		}
	}
	docs := tx.Bucket([]byte(docsBucket))
	for _, k := range c.Checks {
		var version uint64
		if v := docs.Get([]byte(k.Key)); v != nil {
			version = binary.BigEndian.Uint64(v)
		}
		if version != k.Version {
			return &ConflictError{Key: k.Key}
		}
	}
	return nil
}

// write writes what the commit says and returns the new counter. After an error the transaction must be dropped.
func write(tx *bolt.Tx, c Commit, now time.Time) (uint64, error) {
	meta, docs, log := tx.Bucket([]byte(metaBucket)), tx.Bucket([]byte(docsBucket)), tx.Bucket([]byte(auditBucket))
	counter := number(meta, "counter") + 1
	if err := setNumber(meta, "counter", counter); err != nil {
		return 0, err
	}
	for _, p := range c.Puts {
		if err := docs.Put([]byte(p.Key), append(binary.BigEndian.AppendUint64(nil, counter), p.Data...)); err != nil {
			return 0, fmt.Errorf("put %s: %w", p.Key, err)
		}
	}
	for _, key := range c.Deletes {
		if err := docs.Delete([]byte(key)); err != nil {
			return 0, fmt.Errorf("delete %s: %w", key, err)
		}
	}
	for _, t := range c.Timers {
		if err := setTimer(tx, t); err != nil {
			return 0, fmt.Errorf("timer %s: %w", t.ID, err)
		}
	}
	for _, e := range c.Audit {
		id, err := log.NextSequence()
		if err != nil {
			return 0, fmt.Errorf("audit %s: %w", e.Log, err)
		}
		entry := slices.Concat(sortable(now.UnixMilli()), []byte(e.Log), []byte{0}, e.Data)
		if err := log.Put(binary.BigEndian.AppendUint64(nil, id), entry); err != nil {
			return 0, fmt.Errorf("audit %s: %w", e.Log, err)
		}
	}
	if c.Op != "" {
		rest := append(binary.BigEndian.AppendUint64(nil, counter), c.Nonce...)
		if err := ops(tx).put(c.Op, roundUp(now.Add(c.opLife())), rest); err != nil {
			return 0, fmt.Errorf("mark %s: %w", c.Op, err)
		}
	}
	return counter, sweep(tx, now, sweepPerCommit)
}

func setTimer(tx *bolt.Tx, t Timer) error {
	if t.At.IsZero() {
		return timers(tx).remove(t.ID)
	}
	return timers(tx).put(t.ID, roundUp(t.At), nil)
}

// mark is what is left of a commit that had an op.
type mark struct {
	counter uint64
	nonce   string
}

// findMark returns the mark of an op whose life has not ended.
func findMark(tx *bolt.Tx, op string, now time.Time) (mark, bool) {
	end, rest, ok := ops(tx).get(op)
	if !ok || end <= now.UnixMilli() {
		return mark{}, false
	}
	return mark{counter: binary.BigEndian.Uint64(rest), nonce: string(rest[8:])}, true
}

// sweep removes at most n marks whose life has ended; below 0, all.
func sweep(tx *bolt.Tx, now time.Time, n int) error {
	var ended []string
	for op := range ops(tx).until(now.UnixMilli()) {
		if len(ended) == n {
			break
		}
		ended = append(ended, op)
	}
	for _, op := range ended {
		if err := ops(tx).remove(op); err != nil {
			return fmt.Errorf("forget %s: %w", op, err)
		}
	}
	return nil
}

// view runs fn on one consistent view.
func (f *File) view(ctx context.Context, fn func(*bolt.Tx)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.db.View(func(tx *bolt.Tx) error {
		fn(tx)
		return nil
	})
}

func doc(tx *bolt.Tx, key string) Doc {
	v := tx.Bucket([]byte(docsBucket)).Get([]byte(key))
	if v == nil {
		return Doc{Key: key}
	}
	return Doc{Key: key, Version: binary.BigEndian.Uint64(v), Data: copied(v[8:])}
}

// schedule is a bucket of values that begin with a time, and a second bucket that has them in the order of the times.
type schedule struct{ items, order *bolt.Bucket }

func timers(tx *bolt.Tx) schedule {
	return schedule{tx.Bucket([]byte(timersBucket)), tx.Bucket([]byte(dueBucket))}
}

func ops(tx *bolt.Tx) schedule {
	return schedule{tx.Bucket([]byte(opsBucket)), tx.Bucket([]byte(fadingBucket))}
}

// get returns the time of id and what is kept with it, which is valid during the transaction only.
func (s schedule) get(id string) (at int64, rest []byte, ok bool) {
	v := s.items.Get([]byte(id))
	if v == nil {
		return 0, nil, false
	}
	return millis(v), v[8:], true
}

func (s schedule) put(id string, at int64, rest []byte) error {
	if err := s.remove(id); err != nil {
		return err
	}
	if err := s.items.Put([]byte(id), append(sortable(at), rest...)); err != nil {
		return err
	}
	return s.order.Put(append(sortable(at), id...), nil)
}

func (s schedule) remove(id string) error {
	at, _, ok := s.get(id)
	if !ok {
		return nil
	}
	return errors.Join(s.items.Delete([]byte(id)), s.order.Delete(append(sortable(at), id...)))
}

// until yields all up to a time, oldest first. Nothing may be written meanwhile.
func (s schedule) until(ms int64) iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		c := s.order.Cursor()
		for k, _ := c.First(); k != nil && millis(k) <= ms; k, _ = c.Next() {
			if !yield(string(k[8:]), millis(k)) {
				return
			}
		}
	}
}

func number(b *bolt.Bucket, key string) uint64 {
	v := b.Get([]byte(key))
	if v == nil {
		return 0
	}
	return binary.BigEndian.Uint64(v)
}

func setNumber(b *bolt.Bucket, key string, n uint64) error {
	return b.Put([]byte(key), binary.BigEndian.AppendUint64(nil, n))
}

// sortable is a time in milliseconds as bytes of which the earlier sort first, also those before 1970.
func sortable(ms int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(ms)^1<<63) //nolint:gosec // all bits are kept
}

// millis reads the time that b begins with.
func millis(b []byte) int64 {
	return int64(binary.BigEndian.Uint64(b) ^ 1<<63) //nolint:gosec // all bits are kept
}

// roundUp returns t in milliseconds since 1970, and never an earlier time than t.
func roundUp(t time.Time) int64 { return t.Add(time.Millisecond - 1).UnixMilli() }

func moment(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// copied returns a copy that outlives the transaction, and that is not nil.
func copied(b []byte) []byte { return append([]byte{}, b...) }

// explain says in plain words that there is no more room. It goes by the text, since bbolt does not wrap all errors.
func explain(err error) error {
	if err == nil {
		return nil
	}
	for _, full := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if strings.Contains(err.Error(), full.Error()) {
			return fmt.Errorf("the disk is full: %w", err)
		}
	}
	return err
}
