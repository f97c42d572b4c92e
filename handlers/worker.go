// Package handlers carries what came in to flow, and what flow says to the chat platforms.
package handlers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/flow"
)

const (
	claimMost  = 32
	settlePoll = 20 * time.Millisecond
	settleMost = 45 * time.Second // longer than a few attempts at a platform take

	defaultHands = 32
	idlePoll     = time.Second // what another process took in is found after it, at the latest
	wakeMost     = time.Minute // what falls due within it is begun on time
	awayFirst    = 100 * time.Millisecond
	awayMost     = 5 * time.Second
	drainMost    = 15 * time.Second
)

// ErrCut means that a worker was to end, and did not finish what it had in hand: whoever runs next takes it up.
var ErrCut = errors.New("not all that was in hand was finished; it is taken up again")

// ErrStillWorking means that what the past caused takes longer than anybody wants to wait; it goes on all the same.
var ErrStillWorking = errors.New("still working")

// Timers is where due work is claimed.
type Timers interface {
	Claim(ctx context.Context, lease time.Duration, n int) ([]flow.Claim, error)
	Settled(ctx context.Context) (bool, error)
}

// Worker carries out what is due, whoever took it in: Run for a process that serves, Step and Settle for one that goes
// on only when everything is done.
type Worker struct {
	Timers  Timers
	Service *flow.Service
	Outbox  *Outbox
	Lease   time.Duration // of claims, the Service's; 0 means flow.ClaimFor
	Hands   int           // how much is carried out at once; 0 means 32

	once sync.Once
	rung chan struct{}
}

// Step carries out what is due now, one after another: messages first, so that people see what is about to happen. It
// returns how many timers were due. One that fails is logged and falls due again.
func (w *Worker) Step(ctx context.Context) (int, error) {
	w.offer(ctx)
	claims, err := w.Timers.Claim(ctx, w.lease(), claimMost)
	if err != nil {
		return 0, err
	}
	order := func(c flow.Claim) int {
		if ofLane(c) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(claims, func(a, b flow.Claim) int { return order(a) - order(b) })
	for _, c := range claims {
		if _, err := w.carryOut(ctx, ctx, c); err != nil {
			zerolog.Ctx(ctx).Error().Err(err).Str("timer", c.ID).Msg("will be taken up again")
		}
	}
	return len(claims), nil
}

// offer tells those who were sent away while the store was that it is back.
func (w *Worker) offer(ctx context.Context) {
	if w.Service != nil { // an outbox alone has nobody to tell
		w.Service.Back(ctx)
	}
}

func (w *Worker) lease() time.Duration { return cmp.Or(w.Lease, flow.ClaimFor) }

func ofLane(c flow.Claim) bool { return strings.HasPrefix(c.ID, flow.LaneTimers) }

// carryOut does what a claimed timer asks for, and returns when it is to be asked again, where that is known. A lane
// stops after the message in hand when stop ends.
func (w *Worker) carryOut(ctx, stop context.Context, c flow.Claim) (at time.Time, err error) {
	defer func() {
		if p := recover(); p != nil { // it must not take the others down
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if ofLane(c) {
		return w.Outbox.Run(stop, c)
	}
	_, err = w.Service.Due(ctx, c)
	return time.Time{}, err
}

// Wake lets Run look for due work now. It is what a Service wants for its Wake.
func (w *Worker) Wake() {
	select {
	case w.bell() <- struct{}{}:
	default: // it is about to look
	}
}

func (w *Worker) bell() chan struct{} {
	w.once.Do(func() { w.rung = make(chan struct{}, 1) })
	return w.rung
}

// Run carries out what is due until ctx ends, several things at once, but of one lane one message. Then it takes nothing
// new, and finishes what is in hand; what takes longer than 15 s is left to whoever runs next, and reported as an error.
// A store that does not answer is asked again, ever more seldom; where it has lost what it had, Run ends with
// flow.ErrLost, for it would never answer this process again.
func (w *Worker) Run(ctx context.Context) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	hands := cmp.Or(w.Hands, defaultHands)
	var busy atomic.Int64
	var jobs sync.WaitGroup
	var lost error
	wait, away := time.Duration(0), awayFirst
	for w.pause(ctx, wait) {
		free := min(hands-int(busy.Load()), claimMost)
		if free == 0 {
			wait = idlePoll // or when one is done
			continue
		}
		claims, err := w.Timers.Claim(work, w.lease(), free)
		if errors.Is(err, flow.ErrLost) {
			lost = err
			end()
			continue
		}
		if err != nil {
			zerolog.Ctx(ctx).Warn().Err(err).Dur("again_in", away).Msg("the store does not say what is due")
			wait, away = away, min(2*away, awayMost)
			continue
		}
		away = awayFirst
		w.offer(work)
		for _, c := range claims {
			busy.Add(1)
			jobs.Go(func() {
				w.surely(work, ctx, c)
				busy.Add(-1)
				w.Wake()
			})
		}
		if wait = idlePoll; len(claims) == free {
			wait = 0
		}
	}
	late := time.AfterFunc(drainMost, cut)
	defer late.Stop()
	jobs.Wait()
	if lost == nil && work.Err() != nil {
		return ErrCut
	}
	return lost
}

// pause waits, at most until the bell rings. It reports false when ctx has ended.
func (w *Worker) pause(ctx context.Context, most time.Duration) bool {
	if most > 0 {
		t := time.NewTimer(most)
		defer t.Stop()
		select {
		case <-ctx.Done():
		case <-w.bell():
		case <-t.C:
		}
	}
	return ctx.Err() == nil
}

// surely carries out a claim, once more while the store or a platform does not answer. What does not work within half
// of the claim comes back by itself.
func (w *Worker) surely(ctx, stop context.Context, c flow.Claim) {
	for again := awayFirst; ; again *= 2 {
		at, err := w.carryOut(ctx, stop, c)
		if err == nil {
			if in := time.Until(at); !at.IsZero() && in < wakeMost {
				time.AfterFunc(in, w.Wake)
			}
			return
		}
		if time.Since(c.Leased)+again > w.lease()/2 || stop.Err() != nil {
			zerolog.Ctx(ctx).Error().Err(err).Str("timer", c.ID).Msg("will be taken up again")
			return
		}
		t := time.NewTimer(again)
		select {
		case <-stop.Done():
		case <-t.C:
		}
		t.Stop()
	}
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
