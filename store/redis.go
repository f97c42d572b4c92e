package store

import (
	"context"
	"crypto/rand"
	_ "embed" // the scripts
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

// The layout in Redis, where p is "{switchback:<name>}:". All keys share the hash tag, so that they live in one slot of
// a cluster and one script may write them all. Only op keys expire. To change the layout, raise redisSchema and go on
// reading the one before.
//
//	p meta      hash: lineage, schema, counter (of commits), fence (the last token), audit (the last entry's ID)
//	p d:<key>   hash: v (version), d (the document's bytes)
//	p keys      sorted set: the keys of all documents, all with score 0
//	p due       sorted set: timer → milliseconds since 1970
//	p lease     hash: timer → token, space, when it was due as a commit set it
//	p audit     stream: <ID>-0 → at (milliseconds since 1970), log, data
//	p op:<op>   string: counter, space, nonce of the commit that did it
//
// A Redis user needs no more than this, and in a cluster +cluster|slots; to prune, +xdel too. CONFIG tells how often data
// go to the disk, and may be missing:
//
//	~{switchback:<name>}:* resetchannels -@all +evalsha +eval +hello +ping +info +config|get +wait +time +exists +get +set
//	+del +hset +hsetnx +hget +hmget +hdel +hlen +zadd +zrem +zscore +zcard +zrangebyscore +zrangebylex +xadd +xlen +xrange
const redisSchema = 1

// The keys, without p.
const (
	metaKey  = "meta"
	docKey   = "d:"
	keysKey  = "keys"
	dueKey   = "due"
	leaseKey = "lease"
	auditKey = "audit"
	opKey    = "op:"
)

//go:embed redis/commit.lua
var commitScript string

//go:embed redis/claim.lua
var claimScript string

//go:embed redis/read.lua
var readScript string

// examinedLife is for how long what a server says of itself is believed.
const examinedLife = time.Minute

// Redis is the store for several processes: a Redis server, with Sentinel or a cluster or alone.
//
// All it does is three scripts, each of which runs alone and whole. The client never sends anything twice by itself:
// whoever gets an error whose outcome is unknown repeats the commit, and Op and Nonce make that harmless. Where the
// server has replicas, a commit has succeeded only when one of them has it.
//
// Every reply carries the lineage and the commit counter. A server that was emptied, or set back behind a counter this
// process has seen, is answered with ErrStateLost by all methods but Health, which says it in a warning.
type Redis struct {
	client   redis.UniversalClient
	prefix   string
	operator bool
	lineage  string
	commit   *redis.Script
	claim    *redis.Script
	read     *redis.Script

	seen       atomic.Uint64 // the highest counter
	replicated atomic.Bool   // there are, or once were, replicas

	mu       sync.Mutex
	examined time.Time // when info was asked for
	info     map[string]string
	failed   error // of the last commit, if the server refused or did not confirm it
}

// OpenRedis connects to a Redis and, where it holds no store yet, begins one. It returns ErrNewerSchema if the store is
// newer than this program, and ErrStateLost if parts of a store are there and its lineage is not. A Redis that must not
// be relied on for changes can be opened; Health says so.
func OpenRedis(ctx context.Context, cfg RedisConfig) (*Redis, error) {
	options, err := cfg.options()
	if err != nil {
		return nil, fmt.Errorf("open store in redis: %w", err)
	}
	r := &Redis{
		client:   redis.NewUniversalClient(options),
		prefix:   cfg.keyPrefix(),
		operator: cfg.Durability == "operator",
		commit:   redis.NewScript(commitScript),
		claim:    redis.NewScript(claimScript),
		read:     redis.NewScript(readScript),
	}
	redis.SetLogger(redisLog{})
	r.replicated.Store(options.MasterName != "") // Sentinel makes no sense without
	if err := r.begin(ctx); err != nil {
		_ = r.client.Close()
		return nil, fmt.Errorf("open store in redis: %w", explainRedis(err))
	}
	return r, nil
}

// redisLog sends what the client says beside its errors to where the context says, instead of to the standard error.
type redisLog struct{}

// Printf writes a line.
func (redisLog) Printf(ctx context.Context, format string, args ...any) {
	zerolog.Ctx(ctx).Debug().Msgf(format, args...)
}

// begin reads the lineage, or makes one in an empty store.
func (r *Redis) begin(ctx context.Context) error {
	var s state
	err := r.on(ctx, func(node *redis.Client) error {
		p := node.Pipeline()
		// In this order: somebody else may begin the store, and use it, meanwhile.
		others := p.Exists(ctx, r.prefix+keysKey, r.prefix+dueKey, r.prefix+auditKey)
		meta := r.meta(ctx, p)
		if _, err := p.Exec(ctx); err != nil {
			return err
		}
		if meta.Val()[0] == nil {
			if others.Val() > 0 {
				return fmt.Errorf("%w: documents are there, and what says whose they are is not", ErrStateLost)
			}
			p.HSetNX(ctx, r.prefix+metaKey, "schema", redisSchema)
			p.HSetNX(ctx, r.prefix+metaKey, "lineage", rand.Text()) // of several that begin at once the first is right
			meta = r.meta(ctx, p)
			if _, err := p.Exec(ctx); err != nil {
				return err
			}
		}
		var err error
		s, err = readState(meta)
		return err
	})
	if err != nil {
		return err
	}
	r.lineage = s.lineage
	return r.trust(s, 0)
}

// Close closes the connections.
func (r *Redis) Close() error { return r.client.Close() }

// Get implements Store.
func (r *Redis) Get(ctx context.Context, keys ...string) ([]Doc, error) {
	found, err := r.look(ctx, keys, "get", anys(keys)...)
	if err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	return documents(keys, found)
}

// documents reads what the script answers to "get".
func documents(keys, found []string) ([]Doc, error) {
	if len(found) != 2*len(keys) {
		return nil, fmt.Errorf("get: redis answered %d documents with %d values", len(keys), len(found))
	}
	docs := make([]Doc, len(keys))
	for i, key := range keys {
		var err error
		docs[i].Key = key
		if docs[i].Version, err = strconv.ParseUint(found[2*i], 10, 64); err != nil {
			return nil, fmt.Errorf("get %s: %w", key, err)
		}
		if docs[i].Version > 0 {
			docs[i].Data = []byte(found[2*i+1])
		}
	}
	return docs, nil
}

// List implements Store.
func (r *Redis) List(ctx context.Context, prefix string) ([]string, error) {
	// No key has the byte 0xff, which is not UTF-8.
	keys, err := r.look(ctx, nil, "list", "["+prefix, "("+prefix+"\xff")
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", prefix, err)
	}
	return keys, nil
}

// Audit implements Store.
func (r *Redis) Audit(ctx context.Context, after uint64, n int) ([]Logged, error) {
	if n <= 0 || after == math.MaxUint64 {
		return nil, ctx.Err()
	}
	found, err := r.look(ctx, nil, "audit", after+1, n)
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	entries := make([]Logged, 0, len(found)/4)
	for ; len(found) >= 4; found = found[4:] {
		text, _, _ := strings.Cut(found[0], "-")
		id, err := strconv.ParseUint(text, 10, 64)
		at, err2 := strconv.ParseInt(found[1], 10, 64)
		if err := errors.Join(err, err2); err != nil {
			return nil, fmt.Errorf("read audit log: entry %s: %w", found[0], err)
		}
		entries = append(entries, Logged{ID: id, At: moment(at), Entry: Entry{Log: found[2], Data: []byte(found[3])}})
	}
	return entries, nil
}

// look runs the script that reads.
func (r *Redis) look(ctx context.Context, docs []string, what string, args ...any) ([]string, error) {
	seen := r.seen.Load()
	keys, args := r.reading(docs, what, args...)
	reply, _, err := r.run(ctx, r.read, 0, keys, args...)
	if err != nil {
		return nil, explainRedis(err)
	}
	if _, err := r.outcome(reply, seen); err != nil {
		return nil, err
	}
	return reply[replyHead:], nil
}

// reading is the keys and arguments of the script that reads.
func (r *Redis) reading(docs []string, what string, args ...any) ([]string, []any) {
	keys := []string{r.prefix + metaKey, r.prefix + keysKey, r.prefix + auditKey}
	for _, doc := range docs {
		keys = append(keys, r.prefix+docKey+doc)
	}
	return keys, append([]any{what}, args...)
}

// Claim implements Store. Redis' own clock says what is due.
func (r *Redis) Claim(ctx context.Context, life time.Duration, n int) ([]Claim, error) {
	return r.lease(ctx, life, n, "")
}

// lease claims timers: all that are due, or the one that is named.
func (r *Redis) lease(ctx context.Context, life time.Duration, n int, only string) ([]Claim, error) {
	seen := r.seen.Load()
	keys := []string{r.prefix + metaKey, r.prefix + dueKey, r.prefix + leaseKey}
	reply, _, err := r.run(ctx, r.claim, 0, keys, r.lineage, seen, redisSchema, wholeMillis(life), max(0, n), only)
	if err == nil {
		_, err = r.outcome(reply, seen)
	}
	if err != nil {
		return nil, fmt.Errorf("claim timers: %w", explainRedis(err))
	}
	rest := reply[replyHead:]
	claims := make([]Claim, 0, len(rest)/3)
	for ; len(rest) >= 3; rest = rest[3:] {
		at, err := strconv.ParseInt(rest[1], 10, 64)
		token, err2 := strconv.ParseUint(rest[2], 10, 64)
		if err := errors.Join(err, err2); err != nil {
			return nil, fmt.Errorf("claim timer %s: %w", rest[0], err)
		}
		claims = append(claims, Claim{ID: rest[0], At: moment(at), Token: token})
	}
	return claims, nil
}

// scriptCommit is a Commit as the script takes it: see commit.lua.
type scriptCommit struct {
	Lineage string         `json:"lineage"`
	Seen    uint64         `json:"seen,string"`
	Schema  int            `json:"schema"`
	Nonce   string         `json:"nonce,omitempty"`
	OpLife  int64          `json:"op_life,omitempty"` // milliseconds
	Lease   *scriptLease   `json:"lease,omitempty"`
	Checks  []scriptCheck  `json:"checks,omitempty"`
	Puts    []scriptTarget `json:"puts,omitempty"`
	Deletes []scriptTarget `json:"deletes,omitempty"`
	Timers  []scriptTimer  `json:"timers,omitempty"`
	Logs    []string       `json:"logs,omitempty"`
	Forget  []string       `json:"forget,omitempty"` // IDs of audit entries to delete
}

type scriptLease struct {
	Timer  string `json:"timer"`
	Token  uint64 `json:"token,string"`
	Extend int64  `json:"extend,omitempty"` // milliseconds
}

type scriptCheck struct {
	Key     string `json:"key"`
	Version uint64 `json:"version,string"`
}

// scriptTarget is a document to write: its key, and which of the checks, from 1, is about it.
type scriptTarget struct {
	Key string `json:"key"`
	At  int    `json:"at"`
}

type scriptTimer struct {
	ID string `json:"id"`
	At string `json:"at,omitempty"` // milliseconds; empty removes it
}

// Commit implements Store. Where there are replicas and none confirms within a second it returns ErrNotDurable.
func (r *Redis) Commit(ctx context.Context, c Commit) (uint64, error) {
	return r.carryOut(ctx, c, nil)
}

// carryOut is Commit, which besides deletes the entries of the audit log with these IDs.
func (r *Redis) carryOut(ctx context.Context, c Commit, forget []string) (uint64, error) {
	if err := c.check(); err != nil {
		return 0, err
	}
	if _, err := r.examine(ctx); err != nil { // for its word on replicas
		return 0, fmt.Errorf("commit: %w", explainRedis(err))
	}
	seen := r.seen.Load()
	keys, args, err := r.encode(c, forget, seen)
	if err != nil {
		return 0, fmt.Errorf("commit: %w", err)
	}
	wait := 0
	if r.replicated.Load() {
		wait = 1
	}
	reply, confirmed, err := r.run(ctx, r.commit, wait, keys, args...)
	if err != nil {
		err = explainRedis(err)
		if _, refused := errors.AsType[redis.Error](err); refused {
			r.note(err)
		}
		return 0, fmt.Errorf("commit: %w", err)
	}
	counter, err := r.outcome(reply, seen)
	switch {
	case errors.Is(err, ErrReplayed):
		return 0, fmt.Errorf("%s: %w", c.Op, err)
	case errors.Is(err, ErrFenced):
		return 0, fmt.Errorf("timer %s: %w", c.Lease.Timer, err)
	case err != nil:
		return 0, err
	case confirmed < wait:
		err := fmt.Errorf("%w: no replica has confirmed it", ErrNotDurable)
		r.note(err)
		return 0, fmt.Errorf("commit: %w", err)
	}
	r.note(nil)
	return counter, nil
}

// note remembers how the last commit ended. With a failure, and when it is over, the server is examined anew.
func (r *Redis) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil || r.failed != nil {
		r.examined = time.Time{}
	}
	r.failed = err
}

// encode returns the keys and arguments of the script.
func (r *Redis) encode(c Commit, forget []string, seen uint64) (keys []string, args []any, err error) {
	keys = []string{
		r.prefix + metaKey, r.prefix + keysKey, r.prefix + dueKey, r.prefix + leaseKey, r.prefix + auditKey,
		r.prefix + opKey + c.Op,
	}
	s := scriptCommit{Lineage: r.lineage, Seen: seen, Schema: redisSchema, Nonce: c.Nonce, Forget: forget}
	if c.Op != "" {
		s.OpLife = max(1, wholeMillis(c.opLife()))
	}
	if c.Lease != nil {
		s.Lease = &scriptLease{Timer: c.Lease.Timer, Token: c.Lease.Token, Extend: wholeMillis(c.Lease.Extend)}
	}
	at := map[string]int{}
	for i, k := range c.Checks {
		at[k.Key] = i + 1
		keys = append(keys, r.prefix+docKey+k.Key)
		s.Checks = append(s.Checks, scriptCheck(k))
	}
	args = []any{nil}
	for _, p := range c.Puts {
		s.Puts = append(s.Puts, scriptTarget{Key: p.Key, At: at[p.Key]})
		args = append(args, p.Data)
	}
	for _, key := range c.Deletes {
		s.Deletes = append(s.Deletes, scriptTarget{Key: key, At: at[key]})
	}
	for _, t := range c.Timers {
		timer := scriptTimer{ID: t.ID}
		if !t.At.IsZero() {
			timer.At = strconv.FormatInt(roundUp(t.At), 10)
		}
		s.Timers = append(s.Timers, timer)
	}
	for _, e := range c.Audit {
		s.Logs = append(s.Logs, e.Log)
		args = append(args, e.Data)
	}
	args[0], err = json.Marshal(s)
	return keys, args, err
}

// replyHead is how much every script answers: status, text, lineage, schema, counter.
const replyHead = 5

// outcome returns what a script's answer says, and remembers the counter. What it returns is the text, as a number.
func (r *Redis) outcome(reply []string, seen uint64) (uint64, error) {
	if len(reply) < replyHead {
		return 0, fmt.Errorf("a script answered %q", reply)
	}
	status, text := reply[0], reply[1]
	s, err := parseState(reply[2], reply[3], reply[4])
	if err != nil {
		return 0, err
	}
	if err := r.trust(s, seen); err != nil {
		return 0, err
	}
	switch status {
	case "done":
		if text == "" {
			return 0, nil
		}
		return strconv.ParseUint(text, 10, 64)
	case "conflict":
		return 0, &ConflictError{Key: text}
	case "fenced":
		return 0, ErrFenced
	case "replayed":
		return 0, ErrReplayed
	case "lost":
		return 0, fmt.Errorf("%w: %s is gone", ErrStateLost, text)
	default:
		return 0, fmt.Errorf("a script answered %q", reply)
	}
}

// state is what every reply tells of the store.
type state struct {
	lineage         string // empty: there is none
	schema, counter uint64
}

func (r *Redis) meta(ctx context.Context, p redis.Pipeliner) *redis.SliceCmd {
	return p.HMGet(ctx, r.prefix+metaKey, "lineage", "schema", "counter")
}

func readState(meta *redis.SliceCmd) (state, error) {
	var text [3]string
	for i, v := range meta.Val() {
		text[i], _ = v.(string)
	}
	return parseState(text[0], text[1], text[2])
}

func parseState(lineage, schema, counter string) (s state, err error) {
	s.lineage = lineage
	for _, n := range []struct {
		text string
		into *uint64
	}{{schema, &s.schema}, {counter, &s.counter}} {
		if n.text == "" {
			continue
		}
		if *n.into, err = strconv.ParseUint(n.text, 10, 64); err != nil {
			return state{}, fmt.Errorf("read what the store says of itself: %w", err)
		}
	}
	return s, nil
}

// trust returns ErrNewerSchema or ErrStateLost if the store is not the one that it was when the counter was seen.
func (r *Redis) trust(s state, seen uint64) error {
	switch {
	case s.schema > redisSchema:
		return fmt.Errorf("%w: the store has schema %d, this program knows %d", ErrNewerSchema, s.schema, redisSchema)
	case s.lineage == "":
		return fmt.Errorf("%w: it is empty, and was %s", ErrStateLost, r.lineage)
	case s.lineage != r.lineage:
		return fmt.Errorf("%w: it is %s, and was %s", ErrStateLost, s.lineage, r.lineage)
	case s.counter < seen:
		return fmt.Errorf("%w: it has %d commits, and had %d", ErrStateLost, s.counter, seen)
	}
	for now := r.seen.Load(); now < s.counter && !r.seen.CompareAndSwap(now, s.counter); now = r.seen.Load() {
		continue
	}
	return nil
}

// run runs a script, and waits on the same connection until so many replicas have what it wrote. It returns how many
// have confirmed.
func (r *Redis) run(ctx context.Context, s *redis.Script, replicas int, keys []string, args ...any) (reply []string, confirmed int, err error) {
	err = r.on(ctx, func(node *redis.Client) error {
		// One pipeline is one connection, and WAIT speaks only for its own.
		send := func(script func(redis.Pipeliner) *redis.Cmd) error {
			p := node.Pipeline()
			answer := script(p)
			var waited *redis.Cmd
			if replicas > 0 {
				waited = p.Do(ctx, "wait", replicas, waitLimit.Milliseconds())
			}
			_, _ = p.Exec(ctx) // each command has its own error
			if reply, err = answer.StringSlice(); err != nil {
				return err
			}
			if waited != nil {
				confirmed, _ = waited.Int() // an error is none that has confirmed
			}
			return nil
		}
		err := send(func(p redis.Pipeliner) *redis.Cmd { return s.EvalSha(ctx, p, keys, args...) })
		if redis.HasErrorPrefix(err, "NOSCRIPT") { // so nothing was run
			err = send(func(p redis.Pipeliner) *redis.Cmd { return s.Eval(ctx, p, keys, args...) })
		}
		return err
	})
	return reply, confirmed, err
}

// on calls fn with the server that has the keys. In a cluster this is what keeps the client from following, and sending
// again, by itself.
func (r *Redis) on(ctx context.Context, fn func(*redis.Client) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	switch client := r.client.(type) {
	case *redis.ClusterClient:
		node, err := client.MasterForKey(ctx, r.prefix+metaKey)
		if err == nil {
			err = fn(node)
		}
		if err != nil {
			client.ReloadState(ctx) // the slot may have moved
		}
		return err
	case *redis.Client:
		return fn(client)
	default:
		return fmt.Errorf("unexpected client %T", client)
	}
}

// wholeMillis returns d in milliseconds, rounded up.
func wholeMillis(d time.Duration) int64 { return (d + time.Millisecond - 1).Milliseconds() }
