package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"switchback/bot/config"
	"switchback/store"
)

// chronicle records what several clients do with one Redis, which dies under them, over lines that lose messages.
type chronicle struct {
	t      *testing.T
	server *server
	lines  []*proxy
	seed   uint64
	prefix string
	alter  func(*store.Redis) store.Store // what is between the clients and the store
	each   int                            // operations of one client
	kills  int
	resent bool // what the client sends it sends again by itself

	start time.Time
	mu    sync.Mutex
	ops   []porcupine.Operation
	next  int // the next of the presses, which several clients take for the same
	fails error
	going chan struct{} // one for each operation
}

const linearClients = 5

// record lets the clients do their work, kills the server so many times, and returns what is wrong with what happened.
func (c *chronicle) record() error {
	c.t.Helper()
	c.start, c.going = time.Now(), make(chan struct{}, linearClients*c.each)
	var opened []*store.Redis
	open := func(addr string) *store.Redis {
		r := openRedis(c.t, store.RedisConfig{URL: config.Secret("redis://" + addr), Prefix: c.prefix})
		opened = append(opened, r)
		return r
	}
	var clients sync.WaitGroup
	for i, line := range c.lines {
		once := open(line.Addr)
		r := once
		if c.resent {
			r = open(line.Addr)
			r.Resends()
		}
		clients.Go(func() { c.client(i, r, once, c.alter(r)) })
	}
	for range c.kills {
		for range linearClients * c.each / (c.kills + 1) {
			<-c.going
		}
		c.server.Kill()
		c.server.Start(c.t)
	}
	clients.Wait()
	for _, l := range c.lines {
		l.cutAt(requests, 0)
	}
	fresh := open(c.server.Addr)
	c.get(linearClients, fresh) // in the end, how it is
	c.audit(fresh)
	for _, r := range opened {
		_ = r.Close()
	}
	if c.fails != nil {
		return c.fails
	}
	return c.judge()
}

// client is one of them. It claims over a connection that sends once: a claim whose answer was lost and that was sent
// again is two, and who had the first nobody knows.
func (c *chronicle) client(id int, r, once *store.Redis, s store.Store) {
	draw := rand.New(rand.NewPCG(c.seed, uint64(id)))
	var held uint64
	docs := c.get(id, r)
	for range c.each {
		c.going <- struct{}{}
		if draw.IntN(8) == 0 { // the line breaks at one of the next messages
			c.lines[id].cutAt([]string{requests, replies}[draw.IntN(2)], 1+draw.IntN(3))
		}
		switch n := draw.IntN(10); {
		case n < 2:
			docs = c.get(id, r)
		case n < 4:
			if token := c.claim(id, once, claim{forever: draw.IntN(3) == 0}); token > 0 {
				held = token
			}
		default:
			in := c.draw(draw, docs, held)
			switch out := c.commit(id, s, in); {
			case out.err == nil && !out.unknown:
				for _, p := range in.Puts {
					docs[place(p.Key)] = text{out.counter, string(p.Data)}
				}
				for _, key := range in.Deletes {
					docs[place(key)] = text{}
				}
			case out.unknown || draw.IntN(2) == 0: // else somebody goes on with what they knew
				docs = c.get(id, r)
			}
		}
	}
}

// draw makes a commit out of what the client knows, which may be old.
func (c *chronicle) draw(draw *rand.Rand, docs gotten, held uint64) commit {
	in := commit{op: -1}
	first := draw.IntN(2)
	for i := range 1 + draw.IntN(2) {
		n := (first + i) % 2
		in.Checks = append(in.Checks, store.Check{Key: linearKeys[n], Version: docs[n].version})
		switch draw.IntN(8) {
		case 0: // looked at only
		case 1:
			in.Deletes = append(in.Deletes, linearKeys[n])
		default:
			in.Puts = append(in.Puts, store.Put{Key: linearKeys[n], Data: fmt.Append(nil, draw.IntN(1000))})
		}
	}
	if held > 0 && draw.IntN(3) == 0 {
		in.Lease = &store.Lease{Timer: "t", Token: held}
		if draw.IntN(3) == 0 {
			in.Lease.Extend = time.Hour
		}
	}
	switch draw.IntN(6) {
	case 0:
		in.Timers = []store.Timer{{ID: "t"}}
	case 1, 2:
		in.Timers = []store.Timer{{ID: "t", At: time.UnixMilli(1)}}
	}
	if c.resent || draw.IntN(3) > 0 {
		c.mu.Lock()
		in.op = min(c.next/3, len(world{}.ops)-1) // three get the same one
		c.next++
		c.mu.Unlock()
		in.Op, in.Nonce = fmt.Sprint("press:", in.op), store.NewNonce()
		in.Audit = []store.Entry{{Log: "presses", Data: []byte(in.Op)}}
	}
	return in
}

// now is a moment of the history.
func (c *chronicle) now() int64 { return time.Since(c.start).Nanoseconds() }

// happened adds an operation to the history. One whose outcome is unknown has no end.
func (c *chronicle) happened(id int, call int64, input, output any, unknown bool) {
	end := c.now()
	if unknown {
		end = time.Hour.Nanoseconds()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ops = append(c.ops, porcupine.Operation{ClientId: id, Input: input, Call: call, Output: output, Return: end})
}

// failed remembers an error that nothing excuses.
func (c *chronicle) failed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fails = errors.Join(c.fails, err)
}

// until calls do until it says that it is done, with a breath between.
func (c *chronicle) until(what string, do func(context.Context) (done bool)) {
	end, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	breath := time.NewTicker(time.Millisecond)
	defer breath.Stop()
	for !do(end) {
		select {
		case <-breath.C:
		case <-end.Done():
			c.failed(fmt.Errorf("waited too long for an answer to: %s", what))
			return
		}
	}
}

// get reads until there is an answer: asking changes nothing.
func (c *chronicle) get(id int, r *store.Redis) (out gotten) {
	c.until("get", func(ctx context.Context) bool {
		call := c.now()
		docs, err := r.Get(ctx, linearKeys[:]...)
		if errors.Is(err, store.ErrStateLost) {
			c.failed(err)
		}
		if err != nil {
			return errors.Is(err, store.ErrStateLost)
		}
		for i, d := range docs {
			out[i] = text{d.Version, string(d.Data)}
		}
		c.happened(id, call, get{}, out, false)
		return true
	})
	return out
}

// claim asks once, since nobody can ask for the same claim again.
func (c *chronicle) claim(id int, s *store.Redis, in claim) uint64 {
	lease := time.Duration(0)
	if in.forever {
		lease = time.Hour
	}
	call := c.now()
	claims, err := s.Claim(c.t.Context(), lease, 1)
	out := claimed{unknown: err != nil}
	if len(claims) > 0 {
		out.token = claims[0].Token
	}
	if errors.Is(err, store.ErrStateLost) {
		c.failed(err)
	}
	c.happened(id, call, in, out, out.unknown)
	return out.token
}

// commit repeats one with an op until there is an answer. One without is sent once.
func (c *chronicle) commit(id int, s store.Store, in commit) (out committed) {
	call := c.now()
	c.until(in.String(), func(ctx context.Context) bool {
		out = committed{}
		out.counter, out.err = s.Commit(ctx, in.Commit)
		switch {
		case errors.Is(out.err, store.ErrStateLost):
			c.failed(out.err)
		case out.err != nil && !errors.Is(out.err, store.ErrConflict) && !errors.Is(out.err, store.ErrFenced) && !errors.Is(out.err, store.ErrReplayed):
			out.unknown = true
			return in.op < 0
		}
		return true
	})
	c.happened(id, call, in, out, out.unknown)
	return out
}

// audit wants each press once at most in the log, and once where somebody was told so.
func (c *chronicle) audit(r *store.Redis) {
	entries, err := r.Audit(c.t.Context(), 0, 1000)
	if err != nil {
		c.failed(err)
	}
	logged := map[string]int{}
	for _, e := range entries {
		logged[string(e.Data)]++
	}
	told := map[string]int{}
	for _, o := range c.ops {
		if in, ok := o.Input.(commit); ok && in.op >= 0 && o.Output.(committed).err == nil {
			told[in.Op]++
		}
	}
	for op := range logged {
		if logged[op] != 1 || told[op] != 1 {
			c.failed(fmt.Errorf("%s is %d times in the log, and %d were told that it is done", op, logged[op], told[op]))
		}
	}
	for op := range told {
		if logged[op] == 0 {
			c.failed(fmt.Errorf("%s was done, and is not in the log", op))
		}
	}
}

// judge looks for an order in which all that was answered is right.
func (c *chronicle) judge() error {
	switch result, info := porcupine.CheckOperationsVerbose(linear, c.ops, time.Minute); result {
	case porcupine.Unknown:
		return errors.New("no order was found within a minute, and none was ruled out")
	case porcupine.Illegal:
		picture := filepath.Join(c.t.ArtifactDir(), fmt.Sprintf("history-%d.html", c.seed))
		return errors.Join(errors.New("no order explains what the clients were told"), porcupine.VisualizePath(linear, info, picture))
	default:
		return nil
	}
}

func startLines(t *testing.T, s *server) (lines []*proxy) {
	t.Helper()
	for range linearClients {
		lines = append(lines, startProxy(t, s.Addr))
	}
	return lines
}

func asItIs(r *store.Redis) store.Store { return r }

// Commit and Claim are linearizable: in whatever order five clients meet at a Redis that is killed under them, over lines
// that lose a request or a reply now and then, there is one order of all they were told. go test -artifacts keeps a
// picture of a history for which there is none.
func TestLinearizable(t *testing.T) {
	rounds := 4
	if os.Getenv("PROOF") != "" {
		rounds = 100
	}
	for name, resent := range map[string]bool{"sent once": false, "sent again by the client": true} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			lines := startLines(t, s)
			seed := rand.Uint64N(1 << 32)
			operations, unknown := 0, 0
			for i := range uint64(rounds) {
				c := &chronicle{t: t, server: s, lines: lines, seed: seed + i, prefix: fmt.Sprint("h", i), alter: asItIs, each: 30, kills: 2, resent: resent}
				if err := c.record(); err != nil {
					t.Errorf("history %d: %v", c.seed, err)
				}
				operations += len(c.ops)
				for _, o := range c.ops {
					if o.Return == time.Hour.Nanoseconds() {
						unknown++
					}
				}
			}
			t.Logf("%d histories from seed %d: %d operations, %d with an unknown outcome, %d kills", rounds, seed, operations, unknown, 2*rounds)
		})
	}
}

// Faults of a store as somebody might make them.
type (
	unversioned struct{ *store.Redis } // writes whatever version is there
	unfenced    struct{ *store.Redis } // takes the word of anybody who once had the lease
	unmarked    struct{ *store.Redis } // does not know its own commit again
)

func (s unversioned) Commit(ctx context.Context, c store.Commit) (uint64, error) {
	checks := []store.Check{}
	for _, k := range c.Checks {
		docs, err := s.Get(ctx, k.Key)
		if err != nil {
			return 0, err
		}
		checks = append(checks, store.Check{Key: k.Key, Version: docs[0].Version})
	}
	c.Checks = checks
	return s.Redis.Commit(ctx, c)
}

func (s unfenced) Commit(ctx context.Context, c store.Commit) (uint64, error) {
	c.Lease = nil
	return s.Redis.Commit(ctx, c)
}

func (s unmarked) Commit(ctx context.Context, c store.Commit) (uint64, error) {
	if c.Op != "" {
		c.Nonce = store.NewNonce()
	}
	return s.Redis.Commit(ctx, c)
}

// The judge is no friend: each of these faults it finds.
func TestPlantedInTheStore(t *testing.T) {
	for name, alter := range map[string]func(*store.Redis) store.Store{
		"a commit without its version check":    func(r *store.Redis) store.Store { return unversioned{r} },
		"a claim that went stale is not fenced": func(r *store.Redis) store.Store { return unfenced{r} },
		"a repeat gets a nonce of its own":      func(r *store.Redis) store.Store { return unmarked{r} },
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			lines := startLines(t, s)
			start := time.Now()
			for i := range uint64(50) {
				c := &chronicle{t: t, server: s, lines: lines, seed: i, prefix: fmt.Sprint("h", i), alter: alter, each: 20}
				if err := c.record(); err != nil {
					t.Logf("planted: %s | TestLinearizable | history %d | %v", name, i+1, time.Since(start).Round(time.Millisecond))
					return
				}
			}
			t.Error("not found in 50 histories")
		})
	}
}
