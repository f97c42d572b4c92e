package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"switchback/bot/change"
	"switchback/bot/config"
)

// Fault is something that goes wrong with the next calls that fit it. Each call meets one fault, the oldest.
type Fault struct {
	Kind  FaultKind       `json:"kind"`
	Times int             `json:"times"` // how many calls meet it; 0 means 1
	Delay config.Duration `json:"delay"` // of a Slow one
	Key   string          `json:"key"`   // how the setting's key begins; empty: every setting
	On    string          `json:"on"`    // Read or Write; empty means Write
}

// FaultKind is what goes wrong.
type FaultKind string

// The kinds of faults.
const (
	Slow   FaultKind = "slow"   // the answer takes Delay; a write has taken effect before that
	Error  FaultKind = "error"  // 500, and nothing was written
	Cut    FaultKind = "cut"    // the connection breaks in the answer, after the write took effect
	Refuse FaultKind = "refuse" // 403, and nothing was written
)

const maxDelay = 5 * time.Minute

var (
	errBroken  = errors.New("internal error")
	errRefused = errors.New("your account may not do this at the moment")
)

// before reports whether the fault keeps the call from having an effect.
func (k FaultKind) before() bool { return k == Error || k == Refuse }

func (k FaultKind) err() error {
	if k == Refuse {
		return errRefused
	}
	return errBroken
}

// Fail makes calls to come go wrong.
func (c *Company) Fail(f Fault) error {
	if f.On == "" {
		f.On = Write
	}
	if f.Times == 0 {
		f.Times = 1
	}
	switch {
	case !slices.Contains([]FaultKind{Slow, Error, Cut, Refuse}, f.Kind):
		return fmt.Errorf("%w: unknown kind of fault %q: want slow, error, cut or refuse", errInvalid, f.Kind)
	case f.On != Read && f.On != Write:
		return fmt.Errorf("%w: a fault is on %q: want read or write", errInvalid, f.On)
	case f.Times < 0:
		return fmt.Errorf("%w: %d times: want 1 or more", errInvalid, f.Times)
	case f.Kind == Slow && (f.Delay <= 0 || time.Duration(f.Delay) > maxDelay):
		return fmt.Errorf("%w: a slow answer takes more than nothing and at most %v", errInvalid, maxDelay)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, f)
	return nil
}

// Heal takes away all faults that still wait.
func (c *Company) Heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = nil
}

// meet takes the fault that a call meets; the zero Fault is none.
func (c *Company) meet(on string, k change.Key) Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, f := range c.faults {
		if f.On != on || !strings.HasPrefix(string(k), f.Key) {
			continue
		}
		c.faults[i].Times--
		if c.faults[i].Times == 0 {
			c.faults = slices.Delete(c.faults, i, i+1)
		}
		return f
	}
	return Fault{}
}
