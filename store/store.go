// Package store keeps the bot's documents, timers, once-only marks and audit log, and changes them all or nothing.
//
// It knows nothing of what is in a document. All writing is one Commit: the versions that must still hold, what is
// put and deleted, which timers are set, what the audit log gets, and the mark by which the same event is never taken
// twice. A Store is safe for use by several goroutines. File is the embedded one; Serve and Dial lend it to other
// processes on the same machine. Redis is the one for several processes. Package storetest holds the contract that every
// Store keeps.
//
// An error of Commit says what became of it. After ErrConflict, ErrFenced, ErrReplayed, ErrStateLost, ErrNewerSchema
// and ErrInvalid nothing was written; after ErrNotDurable all was, but a crash may still lose it. After any other error
// the outcome is unknown: repeat the same Commit, with the same Op and Nonce, until it has an answer.
package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Store is a transactional store of documents. Names (of documents, ops, timers and logs) are 1 to MaxName bytes of
// UTF-8 without NUL. Times are kept in whole milliseconds.
type Store interface {
	// Get returns the documents in the order asked, in one consistent view. An absent one has Version 0.
	Get(ctx context.Context, keys ...string) ([]Doc, error)
	// List returns the sorted keys of the documents whose key begins with prefix.
	List(ctx context.Context, prefix string) ([]string, error)
	// Commit writes all of c or nothing, and returns the commit counter, which is the Version of the documents that
	// c put. For a commit that is repeated it is the counter of the first time.
	Commit(ctx context.Context, c Commit) (uint64, error)
	// Claim leases at most n timers that are due, oldest first. A leased timer falls due again at now + lease, unless
	// a commit sets, removes or extends it before: work whose owner died comes back by itself.
	Claim(ctx context.Context, lease time.Duration, n int) ([]Claim, error)
	// Audit returns at most n entries of the audit log, in the order written, that come after the entry with this ID.
	// Begin with 0.
	Audit(ctx context.Context, after uint64, n int) ([]Logged, error)
	// Health says how well the store can be relied on.
	Health(ctx context.Context) (Health, error)
	// Close ends the use of the store. What was committed stays.
	Close() error
}

// Doc is a document: bytes under a key.
type Doc struct {
	Key string
	// Version is the commit counter at the time of its last write, and 0 for an absent document. A document that was
	// deleted and made again never has a version from before.
	Version uint64
	Data    []byte // nil if absent
}

// Check is a document's version that must hold. Version 0: there must be no such document.
type Check struct {
	Key     string
	Version uint64
}

// Put is a document to write.
type Put struct {
	Key  string
	Data []byte
}

// Timer is a moment at which Claim hands out ID. A timer is never early: fractions of a millisecond are rounded up.
type Timer struct {
	ID string
	At time.Time // zero removes the timer
}

// Lease is a claim that must still be current. It is until its timer is claimed again, set or removed, even where its
// time has run out and nobody has taken it.
type Lease struct {
	Timer  string
	Token  uint64
	Extend time.Duration // above 0: the timer falls due at now + Extend; the token stays
}

// Entry is an entry of the audit log.
type Entry struct {
	Log  string // what it is about: "outage:17", "walk:…"
	Data []byte // kept byte for byte
}

// Commit is a change of the store, all or nothing.
type Commit struct {
	// Op names the event that this commit is the effect of; the store takes each once, and answers ErrReplayed to
	// whoever comes later. Empty: no such mark, and then an unknown outcome stays unknown.
	Op string
	// Nonce tells a repeat of this very commit, which is answered as the first time, from somebody else's with the
	// same Op. Draw it once per commit value with NewNonce. It is needed where Op is set.
	Nonce  string
	OpLife time.Duration // how long Op is remembered; 0 is 7 days

	Lease   *Lease // nil: not the work of a timer
	Checks  []Check
	Puts    []Put    // each key must be among Checks,
	Deletes []string // so that nothing is overwritten blindly
	Timers  []Timer  // setting or removing a timer ends its lease
	Audit   []Entry
}

// Claim is a timer that is due, leased to whoever gets it.
type Claim struct {
	ID    string
	At    time.Time // when it was due: as a commit set it, also where the lease of somebody else ran out
	Token uint64    // for Lease; tokens of a store only rise, also across restarts
}

// Logged is an entry of the audit log as it was written.
type Logged struct {
	ID uint64 // rises
	At time.Time
	Entry
}

// Health is how well a store can be relied on.
type Health struct {
	Kind    string // "file" or "redis"
	Lineage string // drawn when the store was made: another one means another store
	Counter uint64 // of the last commit
	// Changes is false where a baseline might be lost, so that no change may be made. Warnings say why.
	Changes  bool
	Warnings []string
	// Lost is true where the store is not the one that it was, or was set back: this process works with it no more.
	Lost bool
	// Answered are those of the warnings for which changes would be refused if nobody answered for them.
	Answered []string
}

// What a caller may have to act on.
var (
	// ErrConflict means that a document was not at the version that was checked: load and decide again. It is a
	// *ConflictError, which has the key.
	ErrConflict = errors.New("conflict")
	// ErrFenced means that the lease is no longer current: drop the work, somebody else has it.
	ErrFenced = errors.New("lease lost")
	// ErrReplayed means that the event had its effect before, by another commit: load and show it.
	ErrReplayed = errors.New("already done")
	// ErrNotDurable means that everything is written but not yet safe: repeat the commit until it is, and leave
	// platforms alone meanwhile.
	ErrNotDurable = errors.New("written but not yet durable")
	// ErrStateLost means that the store is not the one it was, or was set back: acknowledged commits are gone.
	ErrStateLost = errors.New("the store has lost state")
	// ErrNewerSchema means that a newer version of this program wrote the store: hands off.
	ErrNewerSchema = errors.New("written by a newer version of this program")
	// ErrBusy means that another process has the store's file.
	ErrBusy = errors.New("in use by another process")
	// ErrInvalid means that the commit could never succeed: a mistake in the program that made it.
	ErrInvalid = errors.New("invalid commit")
)

// ConflictError says which document was not at the version that was checked. It is an ErrConflict.
type ConflictError struct{ Key string }

func (e *ConflictError) Error() string { return fmt.Sprintf("conflict: %s has changed", e.Key) }

// Unwrap returns ErrConflict.
func (e *ConflictError) Unwrap() error { return ErrConflict }

// NewNonce draws a Nonce.
func NewNonce() string { return rand.Text() }

// Limits of a commit.
const (
	MaxName   = 512     // bytes of a name
	MaxCommit = 8 << 20 // bytes of all documents and audit entries together
)

const defaultOpLife = 7 * 24 * time.Hour

// opLife returns how long the commit's Op is remembered.
func (c Commit) opLife() time.Duration {
	if c.OpLife == 0 {
		return defaultOpLife
	}
	return c.OpLife
}

// check returns an ErrInvalid if c breaks a rule that needs no look into the store.
func (c Commit) check() error {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
	}
	switch {
	case c.Op == "" && (c.Nonce != "" || c.OpLife != 0):
		return invalid("nonce or op life without an op")
	case c.Op != "" && !validName(c.Op):
		return invalid("op %q is no name", c.Op)
	case c.Op != "" && !validName(c.Nonce):
		return invalid("op %s without a nonce", c.Op)
	case c.OpLife < 0:
		return invalid("op life %s", c.OpLife)
	case c.Lease != nil && (!validName(c.Lease.Timer) || c.Lease.Extend < 0):
		return invalid("lease %+v", *c.Lease)
	}
	size := 0
	checked := map[string]bool{} // and whether it was written since
	for _, k := range c.Checks {
		if !validName(k.Key) {
			return invalid("check of %q, which is no name", k.Key)
		}
		if _, twice := checked[k.Key]; twice {
			return invalid("%s is checked twice", k.Key)
		}
		checked[k.Key] = false
	}
	write := func(key string) error {
		switch written, ok := checked[key]; {
		case !ok:
			return invalid("%s is written without a check of its version", key)
		case written:
			return invalid("%s is written twice", key)
		}
		checked[key] = true
		return nil
	}
	for _, p := range c.Puts {
		if err := write(p.Key); err != nil {
			return err
		}
		size += len(p.Data)
	}
	for _, key := range c.Deletes {
		if err := write(key); err != nil {
			return err
		}
	}
	timers := map[string]bool{}
	for _, t := range c.Timers {
		if !validName(t.ID) {
			return invalid("timer %q is no name", t.ID)
		}
		if timers[t.ID] {
			return invalid("timer %s is set twice", t.ID)
		}
		timers[t.ID] = true
	}
	for _, e := range c.Audit {
		if !validName(e.Log) {
			return invalid("audit log %q is no name", e.Log)
		}
		size += len(e.Data)
	}
	if size > MaxCommit {
		return invalid("%d bytes are more than %d", size, MaxCommit)
	}
	return nil
}

func validName(s string) bool {
	return s != "" && len(s) <= MaxName && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}
