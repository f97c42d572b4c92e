package store

import (
	"context"
	"time"

	"switchback/bot/flow"
)

// Take is Claim for one timer: for a command that works on one outage, and must not keep the rest from those who run all
// the time. It reports false where the timer is not due, or somebody else has it.
func (f *File) Take(ctx context.Context, timer string, life time.Duration) (Claim, bool, error) {
	return one(f.lease(ctx, life, 1, timer))
}

// Take is File's.
func (r *Redis) Take(ctx context.Context, timer string, life time.Duration) (Claim, bool, error) {
	return one(r.lease(ctx, life, 1, timer))
}

func one(claims []Claim, err error) (Claim, bool, error) {
	if err != nil || len(claims) == 0 {
		return Claim{}, false, err
	}
	return claims[0], true, nil
}

// taker is a store that a process may work on by itself.
type taker interface {
	Take(ctx context.Context, timer string, life time.Duration) (Claim, bool, error)
}

// Take leases one timer if it is due and nobody has it. A store that is lent by another process leaves the work to that
// process, and reports false.
func (f Flow) Take(ctx context.Context, timer string, life time.Duration) (flow.Claim, bool, error) {
	t, ok := f.Store.(taker)
	if !ok {
		return flow.Claim{}, false, nil
	}
	now := time.Now()
	c, ok, err := t.Take(ctx, timer, life)
	return flow.Claim{ID: c.ID, At: c.At, Token: c.Token, Leased: now}, ok, err
}
