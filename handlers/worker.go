// Package handlers carries what came in to flow, and what flow says to the chat platforms.
package handlers

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/flow"
)

const (
	claimMost  = 32
	settlePoll = 20 * time.Millisecond
	settleMost = 45 * time.Second // longer than a few attempts at a platform take
)

// ErrStillWorking means that what the past caused takes longer than anybody wants to wait; it goes on all the same.
var ErrStillWorking = errors.New("still working")

// Timers is where due work is claimed.
type Timers interface {
	Claim(ctx context.Context, lease time.Duration, n int) ([]flow.Claim, error)
	Settled(ctx context.Context) (bool, error)
}

// Worker carries out what is due, whoever took it in.
type Worker struct {
	Timers  Timers
	Service *flow.Service
	Outbox  *Outbox
	Lease   time.Duration // of claims, the Service's; 0 means flow.ClaimFor
}

// Step carries out what is due now, one after another: messages first, so that people see what is about to happen. It
// returns how many timers were due. One that fails is logged and falls due again.
func (w *Worker) Step(ctx context.Context) (int, error) {
	claims, err := w.Timers.Claim(ctx, cmp.Or(w.Lease, flow.ClaimFor), claimMost)
	if err != nil {
		return 0, err
	}
	lane := func(c flow.Claim) int {
		if strings.HasPrefix(c.ID, flow.LaneTimers) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(claims, func(a, b flow.Claim) int { return lane(a) - lane(b) })
	for _, c := range claims {
		if lane(c) == 0 {
			err = w.Outbox.Run(ctx, c)
		} else {
			_, err = w.Service.Due(ctx, c)
		}
		if err != nil {
			zerolog.Ctx(ctx).Error().Err(err).Str("timer", c.ID).Msg("will be taken up again")
		}
	}
	return len(claims), nil
}

// Settle carries out what is due until nothing is left that the past caused. Reminders and questions of the future do
// not count. It returns ErrStillWorking after a while.
func (w *Worker) Settle(ctx context.Context) error {
	for end := time.Now().Add(settleMost); ; {
		w.Service.Wait()
		n, err := w.Step(ctx)
		if err != nil {
			return err
		}
		if time.Now().After(end) {
			return ErrStillWorking
		}
		if n > 0 {
			continue
		}
		settled, err := w.Timers.Settled(ctx)
		if err != nil || settled {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(settlePoll):
		}
	}
}
