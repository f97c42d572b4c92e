package store_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"

	"switchback/store"
)

// What a history of a store is compared with: one document after the other, one timer, and the marks of the ops. All of
// it is a value, so that the checker can try each order.

// world is a store in its plainest form.
type world struct {
	counter uint64
	docs    [2]text // of linearKeys
	timer   clockwork
	fence   uint64 // the last token that somebody was told
	ops     [64]mark
}

type text struct {
	version uint64
	data    string
}

// clockwork is the one timer. When it is not due it never will be, unless a commit sets it anew.
type clockwork struct {
	set, due bool
	token    uint64 // 0: not leased
}

// nobodyKnows is the token of a claim whose answer was lost.
const nobodyKnows = ^uint64(0)

type mark struct {
	nonce   string
	counter uint64
}

var linearKeys = [2]string{"a", "b"}

// What clients do, and how it went.
type (
	get     struct{}
	gotten  [2]text
	claim   struct{ forever bool } // the lease: an hour, or nothing at all
	claimed struct {
		token   uint64 // 0: nothing was due
		unknown bool
	}
	commit struct {
		store.Commit
		op int // of the marks; below 0 none
	}
	committed struct {
		counter uint64
		err     error // of those whose outcome is known
		unknown bool
	}
)

// linear says which answers are right. An operation whose outcome is unknown may come at any time after its begin, also
// after everything else, where it does no harm.
var linear = porcupine.Model{
	Init: func() any { return world{} },
	Step: func(state, input, output any) (bool, any) {
		w := state.(world)
		switch in := input.(type) {
		case get:
			return output == gotten(w.docs), w
		case claim:
			return w.claim(in, output.(claimed))
		case commit:
			return w.commit(in, output.(committed))
		}
		return false, w
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%v → %v", input, output) },
	DescribeState: func(state any) string {
		w := state.(world)
		return fmt.Sprintf("%d %v %+v", w.counter, w.docs, w.timer)
	},
}

func (w world) claim(in claim, out claimed) (bool, any) {
	if !w.timer.set || !w.timer.due {
		return out.unknown || out.token == 0, w
	}
	w.timer.due = !in.forever
	if out.unknown {
		w.timer.token = nobodyKnows
		return true, w
	}
	w.timer.token = out.token
	rises := out.token > w.fence
	w.fence = out.token
	return rises, w
}

func (w world) commit(in commit, out committed) (bool, any) {
	is := func(err error) bool { return out.unknown || errors.Is(out.err, err) }
	if in.op >= 0 && w.ops[in.op].nonce != "" { // a client repeats its own until it has an answer: these are somebody else's
		return is(store.ErrReplayed), w
	}
	if in.Lease != nil && in.Lease.Token != w.timer.token {
		return is(store.ErrFenced), w
	}
	for _, c := range in.Checks {
		if w.docs[place(c.Key)].version != c.Version {
			return is(store.ErrConflict), w
		}
	}
	w.counter++
	for _, p := range in.Puts {
		w.docs[place(p.Key)] = text{w.counter, string(p.Data)}
	}
	for _, key := range in.Deletes {
		w.docs[place(key)] = text{}
	}
	if in.Lease != nil && in.Lease.Extend > 0 {
		w.timer.due = false
	}
	for _, t := range in.Timers {
		w.timer = clockwork{set: !t.At.IsZero(), due: !t.At.IsZero()}
	}
	if in.op >= 0 {
		w.ops[in.op] = mark{in.Nonce, w.counter}
	}
	return out.unknown || out.err == nil && out.counter == w.counter, w
}

func place(key string) int {
	if key == linearKeys[0] {
		return 0
	}
	return 1
}

// String is for the picture of a history that is wrong.
func (c commit) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "commit %s", c.Op)
	if c.Lease != nil {
		fmt.Fprintf(&out, " under %d", c.Lease.Token)
	}
	for _, k := range c.Checks {
		fmt.Fprintf(&out, " %s@%d", k.Key, k.Version)
	}
	for _, p := range c.Puts {
		fmt.Fprintf(&out, " %s=%s", p.Key, p.Data)
	}
	for _, key := range c.Deletes {
		fmt.Fprintf(&out, " delete %s", key)
	}
	for _, t := range c.Timers {
		fmt.Fprintf(&out, " timer %t", !t.At.IsZero())
	}
	return out.String()
}
