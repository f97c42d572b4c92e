package flow

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// Audited is an entry of the audit log, as people read it.
type Audited struct {
	Prev  string            // the hash of the entry before it in the same log; "" for the first
	Hash  string            // of this entry
	At    time.Time         // when the event happened
	Event string            // its id
	By    string            // the account; "" for the bot itself
	Name  string            // as people saw it then
	What  string            // "begun", "restore", …
	Data  map[string]string // may be nil
}

// ReadEntry reads an entry of the audit log.
func ReadEntry(data []byte) (Audited, error) {
	var l line
	if err := json.Unmarshal(data, &l); err != nil {
		return Audited{}, fmt.Errorf("an audit entry is not readable: %w", err)
	}
	return Audited{l.Prev, hashOf(data), l.At, l.Event, l.By, l.Name, l.What, l.Data}, nil
}

// NewEntry makes the entry that comes after prev, the hash of the last one of its log.
func NewEntry(prev string, at time.Time, by Person, what string, data map[string]string) []byte {
	out, _ := json.Marshal(line{Prev: prev, At: at, By: by.Account, Name: by.Name, What: what, Data: data}) // of strings: it cannot fail
	return out
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Chain is one log of the audit log, checked.
type Chain struct {
	Entries  []Audited       // an entry that is not readable is missing
	Heads    map[string]bool // every hash that was the newest one at some time, also before an import
	Problems []string        // in words; none: every link holds
}

// ReadChain reads the entries of one log, oldest first, and checks every link. head is the hash of the last entry as
// the document remembers it, which shows where the end was cut off; "" means that no document does. The chain is not
// keyed: it shows edits, and does not stop somebody who can write a whole new chain and the document too.
func ReadChain(entries [][]byte, head string) Chain {
	c := Chain{Heads: map[string]bool{}}
	last := ""
	for i, data := range entries {
		hash := hashOf(data)
		e, err := ReadEntry(data)
		switch {
		case err != nil:
			c.Problems = append(c.Problems, fmt.Sprintf("entry %d is not readable", i+1))
		case e.What == "import" && e.Prev == e.Data["head"]:
			c.Heads[e.Prev] = true // goes on from another store
		case e.Prev != last && i == 0:
			c.Problems = append(c.Problems, "the entries before the first are missing")
		case e.Prev != last:
			c.Problems = append(c.Problems, fmt.Sprintf("entry %d does not follow entry %d: one of them was altered, or some are missing between", i+1, i))
		}
		if err == nil {
			c.Entries = append(c.Entries, e)
		}
		c.Heads[hash] = true
		last = hash
	}
	if head != "" && head != last {
		c.Problems = append(c.Problems, fmt.Sprintf("entry %d is not the last that was written: it was altered, or some are missing after it", len(entries)))
	}
	return c
}
