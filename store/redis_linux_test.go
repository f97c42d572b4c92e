package store_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchback/bot/config"
	"switchback/store"
	"switchback/store/storetest"
)

// server is a redis-server of the test's own, that syncs each write.
type server struct{ *storetest.Server }

func startServer(tb testing.TB, args ...string) *server {
	tb.Helper()
	return &server{storetest.StartRedis(tb, append([]string{"--appendfsync", "always"}, args...)...)}
}

// client is a connection besides the store's.
func (s *server) client(tb testing.TB) *redis.Client {
	tb.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true})
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *server) url() config.Secret { return config.Secret("redis://" + s.Addr) }

func (s *server) do(tb testing.TB, args ...any) any {
	tb.Helper()
	v, err := s.client(tb).Do(tb.Context(), args...).Result()
	if err != nil {
		tb.Fatalf("%v: %v", args, err)
	}
	return v
}

func openRedis(tb testing.TB, cfg store.RedisConfig) *store.Redis {
	tb.Helper()
	r, err := store.OpenRedis(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = r.Close() })
	return r
}

// eventually asks again and again, with a breath between, until done says yes.
func eventually(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	end, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	defer cancel()
	breath := time.NewTicker(2 * time.Millisecond)
	defer breath.Stop()
	for !done() {
		select {
		case <-breath.C:
		case <-end.Done():
			tb.Fatalf("waited too long for %s", what)
		}
	}
}

func TestRedisKeepsContract(t *testing.T) {
	s := startServer(t, "--appendfsync", "everysec") // it dies with the test, not with the machine
	n := 0
	storetest.Run(t, func(t *testing.T) store.Store {
		t.Helper()
		n++
		return openRedis(t, store.RedisConfig{URL: s.url(), Prefix: fmt.Sprint("n", n)})
	})
}

// TestRedisKilled kills redis-server between the commits of three clients, again and again. What was acknowledged must
// be there, and what was not is repeated until it is, once.
func TestRedisKilled(t *testing.T) {
	s := startServer(t)
	const rounds, perRound = 6, 40
	clients := []*store.Redis{}
	for range 3 {
		clients = append(clients, openRedis(t, store.RedisConfig{URL: s.url()}))
	}
	var wg sync.WaitGroup
	var acknowledged atomic.Int64
	made := make(chan error)
	stop := make(chan struct{})
	for _, c := range clients {
		wg.Go(func() {
			for {
				err := increment(t, c)
				if err == nil {
					acknowledged.Add(1)
				}
				select {
				case made <- err:
				case <-stop:
					return
				}
			}
		})
	}
	for range rounds {
		for range perRound {
			if err := <-made; err != nil {
				t.Fatal(err)
			}
		}
		s.Kill()
		s.Start(t)
	}
	close(stop)
	wg.Wait()
	total := int(acknowledged.Load())
	var docs []store.Doc
	eventually(t, "the client to find the server again", func() (ok bool) {
		var err error
		docs, err = clients[0].Get(t.Context(), "sum")
		return err == nil
	})
	if string(docs[0].Data) != fmt.Sprint(total) {
		t.Errorf("the sum is %s, and %d increments were acknowledged", docs[0].Data, total)
	}
	entries, err := clients[0].Audit(t.Context(), 0, total+100)
	if err != nil || len(entries) != total {
		t.Errorf("%d entries, %v, want %d", len(entries), err, total)
	}
}

// increment adds 1 to the document "sum", whatever it takes.
func increment(t *testing.T, s store.Store) error {
	t.Helper()
	breath := time.NewTicker(time.Millisecond)
	defer breath.Stop()
	for {
		docs, err := s.Get(t.Context(), "sum")
		if errors.Is(err, store.ErrStateLost) || t.Context().Err() != nil {
			return err
		}
		if err != nil {
			<-breath.C
			continue
		}
		n := 0
		if docs[0].Version > 0 {
			if _, err := fmt.Sscan(string(docs[0].Data), &n); err != nil {
				return err
			}
		}
		nonce := store.NewNonce()
		c := store.Commit{
			Op: nonce, Nonce: nonce,
			Checks: []store.Check{{Key: "sum", Version: docs[0].Version}},
			Puts:   []store.Put{{Key: "sum", Data: fmt.Append(nil, n+1)}},
			Audit:  []store.Entry{{Log: "sum", Data: fmt.Append(nil, n+1)}},
		}
		for err = errors.New("not yet sent"); err != nil; {
			_, err = s.Commit(t.Context(), c)
			if errors.Is(err, store.ErrConflict) {
				break
			}
			if errors.Is(err, store.ErrStateLost) || errors.Is(err, store.ErrReplayed) || t.Context().Err() != nil {
				return err
			}
			if err != nil {
				<-breath.C
			}
		}
		if err == nil {
			return nil
		}
	}
}

// put is a commit that writes one document.
func put(op, key string, version uint64, data string) store.Commit {
	return store.Commit{
		Op: op, Nonce: store.NewNonce(),
		Checks: []store.Check{{Key: key, Version: version}},
		Puts:   []store.Put{{Key: key, Data: []byte(data)}},
	}
}

func mustCommit(t *testing.T, s store.Store, c store.Commit) uint64 {
	t.Helper()
	n, err := s.Commit(t.Context(), c)
	if err != nil {
		t.Fatalf("Commit = %v", err)
	}
	return n
}

// wantChanges opens the store, and looks whether changes may be made, and whether the warnings are about these.
func wantChanges(t *testing.T, s store.Store, changes bool, about ...string) {
	t.Helper()
	h, err := s.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if h.Changes != changes || len(h.Warnings) != len(about) {
		t.Fatalf("Health = %+v, want changes %t, and warnings about %q", h, changes, about)
	}
	for i, text := range about {
		if !strings.Contains(h.Warnings[i], text) {
			t.Errorf("warning %q, want it to be about %s", h.Warnings[i], text)
		}
	}
}

func TestRedisIsReadable(t *testing.T) {
	s := startServer(t)
	r := openRedis(t, store.RedisConfig{URL: s.url(), Prefix: "night"})
	c := put("press:1", "outage:17", 0, `{"schema":1,"owner":"anna"}`)
	c.Nonce = "N1"
	c.Timers = []store.Timer{{ID: "remind:17", At: time.UnixMilli(1_790_000_000_000)}}
	c.Audit = []store.Entry{{Log: "outage:17", Data: []byte(`{"did":"confirm"}`)}}
	mustCommit(t, r, c)
	for _, test := range []struct {
		command []any
		want    string
	}{
		{[]any{"hgetall", "{switchback:night}:d:outage:17"}, `map[d:{"schema":1,"owner":"anna"} v:1]`},
		{[]any{"get", "{switchback:night}:op:press:1"}, "1 N1"},
		{[]any{"zrange", "{switchback:night}:keys", 0, -1}, "[outage:17]"},
		{[]any{"zrange", "{switchback:night}:due", 0, -1, "withscores"}, "[[remind:17 1.79e+12]]"},
		{[]any{"hmget", "{switchback:night}:meta", "schema", "counter", "audit"}, "[1 1 1]"},
		{[]any{"xlen", "{switchback:night}:audit"}, "1"},
		{[]any{"pttl", "{switchback:night}:d:outage:17"}, "-1"},
	} {
		if got := fmt.Sprint(s.do(t, test.command...)); got != test.want {
			t.Errorf("%v = %s, want %s", test.command, got, test.want)
		}
	}
	if left := s.do(t, "pttl", "{switchback:night}:op:press:1").(int64); left < 6*24*3600*1000 || left > 7*24*3600*1000 {
		t.Errorf("the op is kept for %d ms, want seven days", left)
	}
}

// TestRedisLostState takes data away behind the store's back.
func TestRedisLostState(t *testing.T) {
	s := startServer(t)
	open := func(t *testing.T) *store.Redis {
		t.Helper()
		s.do(t, "flushall")
		r := openRedis(t, store.RedisConfig{URL: s.url()})
		mustCommit(t, r, put("1", "a", 0, "A"))
		mustCommit(t, r, put("2", "b", 0, "B"))
		return r
	}
	for _, test := range []struct {
		name string
		lose func(t *testing.T)
	}{
		{"emptied", func(t *testing.T) { t.Helper(); s.do(t, "flushall") }},
		{"emptied, and begun by another bot", func(t *testing.T) {
			t.Helper()
			s.do(t, "flushall")
			other := openRedis(t, store.RedisConfig{URL: s.url()})
			for i := range 9 {
				mustCommit(t, other, put(fmt.Sprint(i), fmt.Sprint(i), 0, "other"))
			}
		}},
		{"set back", func(t *testing.T) { t.Helper(); s.do(t, "hset", "{switchback:bot}:meta", "counter", 1) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := open(t)
			test.lose(t)
			_, get := r.Get(t.Context(), "a")
			_, list := r.List(t.Context(), "")
			_, claim := r.Claim(t.Context(), time.Hour, 1)
			_, audit := r.Audit(t.Context(), 0, 1)
			_, commit := r.Commit(t.Context(), put("3", "a", 1, "A2"))
			_, blind := r.Commit(t.Context(), store.Commit{})
			for call, err := range map[string]error{
				"Get": get, "List": list, "Claim": claim, "Audit": audit, "Commit": commit, "Commit of nothing": blind,
			} {
				if !errors.Is(err, store.ErrStateLost) {
					t.Errorf("%s = %v, want ErrStateLost", call, err)
				}
			}
			wantChanges(t, r, false, "lost state")
		})
	}
	t.Run("a document is gone", func(t *testing.T) {
		r := open(t)
		s.do(t, "del", "{switchback:bot}:d:a")
		_, get := r.Get(t.Context(), "b", "a")
		_, commit := r.Commit(t.Context(), put("3", "a", 0, "the outage's own value"))
		if !errors.Is(get, store.ErrStateLost) || !errors.Is(commit, store.ErrStateLost) {
			t.Errorf("Get = %v, Commit = %v, want ErrStateLost", get, commit)
		}
	})
	t.Run("the lineage is gone, and a bot starts", func(t *testing.T) {
		open(t)
		s.do(t, "del", "{switchback:bot}:meta")
		if _, err := store.OpenRedis(t.Context(), store.RedisConfig{URL: s.url()}); !errors.Is(err, store.ErrStateLost) {
			t.Errorf("OpenRedis = %v, want ErrStateLost", err)
		}
	})
	t.Run("a newer program was here", func(t *testing.T) {
		r := open(t)
		s.do(t, "hset", "{switchback:bot}:meta", "schema", 2)
		_, open := store.OpenRedis(t.Context(), store.RedisConfig{URL: s.url()})
		_, get := r.Get(t.Context(), "a")
		_, claim := r.Claim(t.Context(), time.Hour, 1)
		_, commit := r.Commit(t.Context(), put("3", "a", 1, "A2"))
		for call, err := range map[string]error{"OpenRedis": open, "Get": get, "Claim": claim, "Commit": commit} {
			if !errors.Is(err, store.ErrNewerSchema) {
				t.Errorf("%s = %v, want ErrNewerSchema", call, err)
			}
		}
	})
}

// TestRedisWritesAllOrNothing gives each key another type, which is an error in the middle of a script.
func TestRedisWritesAllOrNothing(t *testing.T) {
	s := startServer(t)
	for _, key := range []string{"meta", "keys", "due", "lease", "audit", "op:press", "d:b"} {
		s.do(t, "flushall")
		r := openRedis(t, store.RedisConfig{URL: s.url()})
		key = "{switchback:bot}:" + key
		s.do(t, "del", key)
		s.do(t, "geoadd", key, 1, 1, "x")
		if strings.HasSuffix(key, ":keys") || strings.HasSuffix(key, ":due") { // which are of that type
			s.do(t, "del", key)
			s.do(t, "set", key, "x")
		}
		c := put("press", "a", 0, "A")
		c.Checks = append(c.Checks, store.Check{Key: "b"})
		c.Timers = []store.Timer{{ID: "t", At: time.Now()}}
		c.Audit = []store.Entry{{Log: "l", Data: []byte("{}")}}
		if n, err := r.Commit(t.Context(), c); err == nil {
			t.Errorf("%s has another type, and Commit = %d", key, n)
		}
		for _, written := range s.do(t, "keys", "*").([]any) {
			if written != key && written != "{switchback:bot}:meta" {
				t.Errorf("%s has another type, and %s was written", key, written)
			}
		}
	}
}

func TestRedisHealth(t *testing.T) {
	s := startServer(t)
	set := func(name, value string) { s.do(t, "config", "set", name, value) }
	// Each look is a store of its own, since what the server says is believed for a minute.
	open := func(durability string) *store.Redis {
		return openRedis(t, store.RedisConfig{URL: s.url(), Durability: durability})
	}
	wantChanges(t, open(""), true)
	set("maxmemory", "100mb")
	set("maxmemory-policy", "allkeys-lru")
	wantChanges(t, open(""), false, "allkeys-lru")
	wantChanges(t, open("operator"), false, "allkeys-lru")
	set("maxmemory-policy", "volatile-lru")
	wantChanges(t, open(""), true, "volatile-lru")
	set("maxmemory-policy", "noeviction")
	set("appendonly", "no")
	wantChanges(t, open(""), false, "append-only file")
	wantChanges(t, open("operator"), true, "append-only file")
	set("appendonly", "yes")
	eventually(t, "the new append-only file", func() bool {
		return strings.Contains(fmt.Sprint(s.do(t, "info", "persistence")), "aof_rewrite_in_progress:0")
	})
	set("appendfsync", "no")
	wantChanges(t, open(""), true, "appendfsync")
	set("appendfsync", "always")
	set("min-replicas-to-write", "1")
	r := open("")
	if _, err := r.Commit(t.Context(), store.Commit{}); err == nil || !strings.Contains(err.Error(), "too few replicas") {
		t.Errorf("Commit without the replicas that the server wants = %v", err)
	}
	wantChanges(t, r, false, "too few replicas", "the last commit failed")
	r2 := open("")
	wantChanges(t, r2, false, "too few replicas")
	set("min-replicas-to-write", "0")
	wantChanges(t, r2, true) // at once
	mustCommit(t, r, store.Commit{})
	wantChanges(t, r, true)
	s.do(t, "set", "{switchback:bot}:keys", "something else")
	wantChanges(t, open(""), false, "WRONGTYPE") // whatever it is that keeps a server from writing
}

// TestRedisFull fills the memory. Changes are refused, and what a restore commits is still taken.
func TestRedisFull(t *testing.T) {
	s := startServer(t, "--maxmemory", "8mb")
	r := openRedis(t, store.RedisConfig{URL: s.url()})
	base := put("1", "base", 0, "09:00-17:00")
	base.Timers = []store.Timer{{ID: "t", At: time.UnixMilli(1)}}
	version := mustCommit(t, r, base)
	c := s.client(t)
	var err error
	for i := 0; err == nil; i++ {
		err = c.Set(t.Context(), fmt.Sprint("foreign", i), strings.Repeat("x", 10_000), 0).Err()
	}
	if !redis.IsOOMError(err) {
		t.Fatal(err)
	}
	wantChanges(t, openRedis(t, store.RedisConfig{URL: s.url()}), false, "memory of redis is full")
	claims, err := r.Claim(t.Context(), time.Hour, 1)
	if err != nil || len(claims) != 1 {
		t.Fatalf("Claim = %v, %v", claims, err)
	}
	restore := put("2", "base", version, "restored")
	restore.Lease = &store.Lease{Timer: "t", Token: claims[0].Token}
	restore.Audit = []store.Entry{{Log: "outage:1", Data: []byte("{}")}}
	if n := mustCommit(t, r, restore); n != version+1 {
		t.Errorf("Commit = %d", n)
	}
	if n := mustCommit(t, r, restore); n != version+1 {
		t.Errorf("the same commit = %d", n)
	}
	docs, err := r.Get(t.Context(), "base")
	if err != nil || string(docs[0].Data) != "restored" {
		t.Errorf("Get = %v, %v", docs, err)
	}
}

// TestRedisReplica follows a primary that has a replica, loses it, and is taken for the primary itself.
func TestRedisReplica(t *testing.T) {
	primary := startServer(t, "--repl-diskless-sync-delay", "0")
	host, port, _ := net.SplitHostPort(primary.Addr)
	replica := startServer(t, "--replicaof", host+" "+port)
	online := func() bool {
		return strings.Contains(fmt.Sprint(primary.do(t, "info", "replication")), "state=online")
	}
	eventually(t, "the replica to follow", online)
	r := openRedis(t, store.RedisConfig{URL: primary.url()})
	mustCommit(t, r, put("1", "a", 0, "A"))
	wantChanges(t, r, true)
	if got := replica.do(t, "hget", "{switchback:bot}:d:a", "d"); got != "A" {
		t.Errorf("the commit has returned, and the replica has %v", got)
	}

	reader := openRedis(t, store.RedisConfig{URL: replica.url()})
	if _, err := reader.Commit(t.Context(), store.Commit{}); err == nil || !strings.Contains(err.Error(), "read-only replica") {
		t.Errorf("Commit on a replica = %v", err)
	}
	wantChanges(t, reader, false, "read-only replica", "the last commit failed")

	replica.Kill()
	eventually(t, "the replica to be missed", func() bool { return !online() })
	c := put("2", "a", 1, "A2")
	for range 2 {
		if n, err := r.Commit(t.Context(), c); n != 0 || !errors.Is(err, store.ErrNotDurable) {
			t.Errorf("Commit without a replica = %d, %v, want ErrNotDurable", n, err)
		}
		wantChanges(t, r, false, "no replica left", "not yet durable")
	}
	replica.Start(t)
	eventually(t, "the replica to follow", online)
	eventually(t, "the replica to confirm it", func() bool { // it has a second for each, on a machine with much to do
		n, err := r.Commit(t.Context(), c)
		if err == nil && n != 2 || err != nil && !errors.Is(err, store.ErrNotDurable) {
			t.Fatalf("the same commit, confirmed = %d, %v, want 2", n, err)
		}
		return err == nil
	})
	wantChanges(t, r, true)
}

// proxy is a line that breaks at one message.
type proxy struct {
	*storetest.Line
	mu   sync.Mutex
	left map[string]int // messages until the cut, by direction; 0: none
	cuts int
}

const (
	requests = "request"
	replies  = "reply"
)

func startProxy(t *testing.T, server string) *proxy {
	t.Helper()
	p := &proxy{left: map[string]int{}}
	p.Line = storetest.StartLine(t, server, func(_ []byte, reply bool) bool {
		if reply {
			return !p.cut(replies)
		}
		return !p.cut(requests)
	})
	return p
}

func (p *proxy) cut(direction string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left[direction] > 0 {
		if p.left[direction]--; p.left[direction] == 0 {
			p.cuts++
			return true
		}
	}
	return false
}

// cutAt cuts at the k-th message from now, and tells how many cuts there were before.
func (p *proxy) cutAt(direction string, k int) (cuts int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.left)
	p.left[direction] = k
	return p.cuts
}

// TestRedisLostMessages loses the k-th request or reply of a course of commits, for every k. Each is repeated until it
// has an answer, and happens once.
func TestRedisLostMessages(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, s.Addr)
	for _, direction := range []string{requests, replies} {
		for k := 1; ; k++ {
			s.do(t, "script", "flush") // so that scripts are sent again too
			name := fmt.Sprint(direction, k)
			r := openRedis(t, store.RedisConfig{URL: config.Secret("redis://" + p.Addr), Prefix: name})
			before := p.cutAt(direction, k)
			var version uint64
			for i := range uint64(3) {
				c := put(fmt.Sprint(i), "sum", version, fmt.Sprint(i+1))
				c.Audit = []store.Entry{{Log: "sum", Data: []byte(c.Nonce)}}
				eventually(t, name, func() bool {
					n, err := r.Commit(t.Context(), c)
					if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrReplayed) || err == nil && n != i+1 {
						t.Fatalf("%s: commit %d = %d, %v", name, i+1, n, err)
					}
					version = n
					return err == nil
				})
			}
			cut := p.cutAt(direction, 0) > before
			entries, err := r.Audit(t.Context(), 0, 9)
			if err != nil || len(entries) != 3 {
				t.Errorf("%s: %d entries, %v, want 3", name, len(entries), err)
			}
			if !cut { // beyond the last message
				if k < 4 {
					t.Errorf("only %d %ss were seen", k-1, direction)
				}
				break
			}
		}
	}
}

// TestRedisSendsOnce loses the reply of a commit that nobody can repeat: it is an error, and it happened once.
func TestRedisSendsOnce(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, s.Addr)
	r := openRedis(t, store.RedisConfig{URL: config.Secret("redis://" + p.Addr)})
	mustCommit(t, r, store.Commit{})
	p.cutAt(replies, 1)
	if n, err := r.Commit(t.Context(), store.Commit{}); err == nil {
		t.Errorf("Commit without a reply = %d, want an error", n)
	}
	if h, err := r.Health(t.Context()); h.Counter != 2 || err != nil {
		t.Errorf("Health = %+v, %v, want the counter 2", h, err)
	}
}

// TestRedisShared has three clients that race for the same timers: each timer is had once, and who is late is fenced.
func TestRedisShared(t *testing.T) {
	s := startServer(t)
	const timers = 60
	var c store.Commit
	for i := range timers {
		c.Timers = append(c.Timers, store.Timer{ID: fmt.Sprint(i), At: time.UnixMilli(int64(i))})
	}
	mustCommit(t, openRedis(t, store.RedisConfig{URL: s.url()}), c)
	var mu sync.Mutex
	var had []store.Claim
	var wg sync.WaitGroup
	for range 3 {
		r := openRedis(t, store.RedisConfig{URL: s.url()})
		wg.Go(func() {
			for {
				claims, err := r.Claim(t.Context(), time.Hour, 2)
				if err != nil {
					t.Error(err)
				}
				if len(claims) == 0 {
					return
				}
				mu.Lock()
				had = append(had, claims...)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.SortFunc(had, func(a, b store.Claim) int { return cmp.Compare(a.Token, b.Token) })
	if len(had) != timers {
		t.Fatalf("%d claims of %d timers", len(had), timers)
	}
	for i, c := range had { // tokens and times rise together, whoever claimed
		if c.ID != fmt.Sprint(i) || c.At != time.UnixMilli(int64(i)).UTC() || i > 0 && c.Token <= had[i-1].Token {
			t.Errorf("claim %d is %+v", i, c)
		}
	}

	first, second := openRedis(t, store.RedisConfig{URL: s.url()}), openRedis(t, store.RedisConfig{URL: s.url()})
	mustCommit(t, first, store.Commit{Timers: []store.Timer{{ID: "t", At: time.UnixMilli(1)}}})
	slow, err := first.Claim(t.Context(), 0, 1) // runs out at once
	if err != nil || len(slow) != 1 {
		t.Fatalf("Claim = %v, %v", slow, err)
	}
	quick, err := second.Claim(t.Context(), time.Hour, 1)
	if err != nil || len(quick) != 1 {
		t.Fatalf("Claim = %v, %v", quick, err)
	}
	late := put("late", "a", 0, "late")
	late.Lease = &store.Lease{Timer: "t", Token: slow[0].Token}
	if _, err := first.Commit(t.Context(), late); !errors.Is(err, store.ErrFenced) {
		t.Errorf("Commit under the lost lease = %v, want ErrFenced", err)
	}
	done := put("done", "a", 0, "done")
	done.Lease = &store.Lease{Timer: "t", Token: quick[0].Token}
	mustCommit(t, second, done)
}
