package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Health implements Store. What the server says of itself is asked for once a minute; lineage, counter, and how the last
// commit ended are always of now.
func (r *Redis) Health(ctx context.Context) (Health, error) {
	info, err := r.examine(ctx)
	if err != nil {
		return Health{}, fmt.Errorf("look at redis: %w", explainRedis(err))
	}
	h := Health{Kind: "redis", Lineage: r.lineage, Counter: r.seen.Load()}
	h.Changes, h.Warnings, h.Answered = judge(info, r.operator, r.replicated.Load())
	if info["loading"] == "1" {
		return h, nil // and would answer nothing else
	}
	seen := h.Counter
	var meta *redis.SliceCmd
	err = r.on(ctx, func(node *redis.Client) error {
		p := node.Pipeline()
		meta = r.meta(ctx, p)
		_, err := p.Exec(ctx)
		return err
	})
	if err != nil {
		return Health{}, fmt.Errorf("look at redis: %w", explainRedis(err))
	}
	s, err := readState(meta)
	if err != nil {
		return Health{}, fmt.Errorf("look at redis: %w", err)
	}
	h.Lineage, h.Counter = s.lineage, s.counter
	if err := r.trust(s, seen); err != nil {
		h.Changes, h.Warnings, h.Lost = false, append(h.Warnings, err.Error()), errors.Is(err, ErrStateLost)
	}
	r.remember(&h)
	return h, nil
}

// judged is Health right after a reply that could be trusted: lineage and counter are those of that reply.
func (r *Redis) judged(info map[string]string) Health {
	h := Health{Kind: "redis", Lineage: r.lineage, Counter: r.seen.Load()}
	h.Changes, h.Warnings, h.Answered = judge(info, r.operator, r.replicated.Load())
	r.remember(&h)
	return h
}

// remember adds how the last commit ended.
func (r *Redis) remember(h *Health) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed != nil {
		h.Changes, h.Warnings = false, append(h.Warnings, fmt.Sprintf("the last commit failed: %s", r.failed))
	}
}

// examine returns what the server said of itself within the last minute: the fields of INFO, appendfsync where CONFIG is
// allowed, and in refuses why it would not write. Nothing else is there where INFO is not allowed. What may be over in a
// moment is asked for anew each time.
func (r *Redis) examine(ctx context.Context) (map[string]string, error) {
	r.mu.Lock()
	info, examined := r.info, r.examined
	r.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !examined.IsZero() && time.Since(examined) < examinedLife {
		return info, nil
	}
	start := time.Now()
	var text *redis.StringCmd
	var fsync *redis.MapStringStringCmd
	var write *redis.IntCmd
	err := r.on(ctx, func(node *redis.Client) error {
		p := node.Pipeline()
		text = p.Info(ctx)
		fsync = p.ConfigGet(ctx, "appendfsync")
		write = p.ZAddXX(ctx, r.prefix+keysKey, redis.Z{Member: ""}) // a write that never changes anything
		_, _ = p.Exec(ctx)
		if err := text.Err(); err != nil && !redis.IsPermissionError(err) {
			return err
		}
		err := write.Err()
		if _, answered := errors.AsType[redis.Error](err); !answered || redis.HasErrorPrefix(err, "MOVED") || redis.HasErrorPrefix(err, "ASK") {
			return err // where it is another server that has the keys, this one's word means nothing
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	info = parseInfo(text.Val())
	if how, ok := fsync.Val()["appendfsync"]; ok {
		info["appendfsync"] = how
	}
	if err := write.Err(); err != nil && info["loading"] != "1" {
		info["refuses"] = explainRedis(err).Error()
	}
	if replicas(info) > 0 {
		// From now on one must confirm each commit, also if all seem to be gone: that is how a primary looks that was
		// cut off, whose commits are lost when the others elect a new one.
		r.replicated.Store(true)
	}
	if info["loading"] != "1" && info["refuses"] == "" {
		r.mu.Lock()
		r.info, r.examined = info, start
		r.mu.Unlock()
	}
	return info, nil
}

func parseInfo(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info
}

func replicas(info map[string]string) int {
	n, _ := strconv.Atoi(info["connected_slaves"])
	return n
}

// judge says whether changes may be made with a server that tells this of itself, and what the operator should know.
// An operator who answers for durability is asked for nothing but the append-only file, and gets a warning instead.
// What would be refused otherwise is answered, too.
func judge(info map[string]string, operator, replicated bool) (changes bool, warnings, answered []string) {
	changes = true
	warn := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	refuse := func(format string, args ...any) {
		changes = false
		warn(format, args...)
	}
	durable := refuse
	if operator {
		durable = func(format string, args ...any) {
			warn(format, args...)
			answered = append(answered, fmt.Sprintf(format, args...))
		}
	}

	if info["loading"] == "1" {
		refuse("redis is still loading its data")
	}
	if info["role"] == "slave" {
		refuse("redis is a read-only replica: give the address of its primary")
	}
	switch policy := info["maxmemory_policy"]; {
	case strings.HasPrefix(policy, "allkeys-"):
		refuse("redis throws any data away when its memory is full (maxmemory-policy is %s): set it to noeviction", policy)
	case strings.HasPrefix(policy, "volatile-"):
		warn("redis may forget too early which events were handled (maxmemory-policy is %s): set it to noeviction", policy)
	case policy == "":
		durable("redis does not tell whether it throws data away when its memory is full")
	}
	switch info["aof_enabled"] {
	case "1":
	case "0":
		durable("redis keeps no append-only file, so a restart loses data: set appendonly to yes")
	default:
		durable("redis does not tell whether it keeps an append-only file")
	}
	if status := cmp.Or(info["aof_last_write_status"], "ok"); status != "ok" {
		refuse("redis could not write its append-only file: look at its disk")
	}
	if status := cmp.Or(info["rdb_last_bgsave_status"], "ok"); status != "ok" {
		warn("redis could not save its last snapshot: look at its disk")
	}
	if info["appendfsync"] == "no" {
		warn("redis leaves it to the system when data reach the disk (appendfsync is no): set it to everysec or always")
	}
	if replicated && info["role"] != "slave" && info["connected_slaves"] == "0" {
		refuse("redis has no replica left, so nothing confirms what is written: if they were taken away on purpose, restart the bot")
	}
	used, _ := strconv.ParseFloat(info["used_memory"], 64)
	limit, _ := strconv.ParseFloat(info["maxmemory"], 64)
	switch full := int(100 * used / max(1, limit)); {
	case limit == 0: // none
	case full >= 95:
		refuse("the memory of redis is full (%d %%): raise maxmemory", full)
	case full >= 80:
		warn("the memory of redis is nearly full (%d %%): raise maxmemory", full)
	}
	if why := info["refuses"]; why != "" && changes { // else it was said already, with what to do
		refuse("%s", why)
	}
	return changes, warnings, answered
}

// explainRedis says in plain words why the server refused, where that is known. Nothing was written then.
func explainRedis(err error) error {
	for _, known := range []struct{ prefix, text string }{
		{"READONLY", "redis is a read-only replica"},
		{"LOADING", "redis is still loading its data"},
		{"OOM", "the memory of redis is full"},
		{"MISCONF", "redis cannot write to its disk"},
		{"NOREPLICAS", "redis has too few replicas to write (min-replicas-to-write)"},
		{"MASTERDOWN", "redis is a replica that has lost its primary"},
		{"CLUSTERDOWN", "the redis cluster is down"},
		{"MOVED", "the redis cluster has moved the data; try again"},
		{"WRONGPASS", "redis does not know this user and password"},
		{"NOAUTH", "redis wants a password"},
		{"NOPERM", "redis does not allow its user this command: give it the rights that store/redis.go lists"},
	} {
		if redis.HasErrorPrefix(err, known.prefix) {
			return fmt.Errorf("%s: %w", known.text, err)
		}
	}
	if errors.Is(err, redis.ErrPoolTimeout) {
		return fmt.Errorf("redis is too slow: %w", err)
	}
	return err
}
