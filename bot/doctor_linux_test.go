package main

import (
	"testing"

	"github.com/redis/go-redis/v9"

	"switchback/bot/config"
	"switchback/handlers"
	"switchback/store"
	"switchback/store/storetest"
)

// memory is a Redis that remembers for a bot, and its operator.
type memory struct {
	t      *testing.T
	server *storetest.Server
	admin  *redis.Client
	env    environment
}

func (m *memory) do(args ...any) {
	m.t.Helper()
	if err := m.admin.Do(m.t.Context(), args...).Err(); err != nil {
		m.t.Fatal(err)
	}
}

func (m *memory) use(address string) { m.env.RedisURL = config.Secret("redis://" + address) }

// replica is another server that follows this one.
func (m *memory) replica() string {
	m.t.Helper()
	r := storetest.StartRedis(m.t)
	c := redis.NewClient(&redis.Options{Addr: r.Addr})
	m.t.Cleanup(func() { _ = c.Close() })
	m.do("config", "set", "repl-diskless-sync-delay", "0")
	if err := c.Do(m.t.Context(), "replicaof", "127.0.0.1", m.admin.Options().Addr[len("127.0.0.1:"):]).Err(); err != nil {
		m.t.Fatal(err)
	}
	if n, err := m.admin.Do(m.t.Context(), "wait", 1, 20_000).Int(); err != nil || n != 1 {
		m.t.Fatalf("the replica does not follow: %d, %v", n, err)
	}
	return r.Addr
}

// A Redis that answers is not yet one that remembers.
func TestDoctorOfRedis(t *testing.T) {
	const password = "hunter2"
	for name, tt := range map[string]ailment[*memory]{
		"all is well": {func(*memory) {}, "", "", handlers.OK, "", func(*memory) {}},
		"it is away": {
			func(m *memory) { m.server.Kill() }, "store", "", handlers.Fail, "see whether it runs", func(m *memory) { m.server.Start(m.t) },
		},
		"a wrong password": {
			func(m *memory) {
				m.do("acl", "setuser", "bot", "on", ">"+password, "+@all", "~*")
				m.use("bot:hunter3@" + m.server.Addr)
			},
			"store", "does not know this user and password", handlers.Fail, "whether REDIS_URL", func(m *memory) { m.use("bot:" + password + "@" + m.server.Addr) },
		},
		"its memory is full": {
			func(m *memory) { m.do("config", "set", "maxmemory", "1") }, "store", "raise maxmemory", handlers.Fail, "do that",
			func(m *memory) { m.do("config", "set", "maxmemory", "0") },
		},
		"a replica, which is only read": {
			func(m *memory) { m.use(m.replica()) }, "store", "give the address of its primary", handlers.Fail, "do that", func(m *memory) { m.use(m.server.Addr) },
		},
		"a user who may only read": {
			func(m *memory) {
				m.do("acl", "setuser", "bot", "on", ">"+password, "~*", "-@all", "+@read", "+@connection", "+eval", "+evalsha", "+info", "+time", "+config|get")
				m.use("bot:" + password + "@" + m.server.Addr)
			},
			"store", "does not allow its user this command: give it the rights", handlers.Fail, "do that", func(m *memory) { m.do("acl", "setuser", "bot", "+@write") },
		},
		"too few replicas to write": {
			func(m *memory) { m.do("config", "set", "min-replicas-to-write", "1") }, "store", "too few replicas", handlers.Fail, "do that",
			func(m *memory) { m.do("config", "set", "min-replicas-to-write", "0") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &memory{t: t, server: storetest.StartRedis(t, "--appendfsync", "always")} // one is killed, and has to remember
			m.admin = redis.NewClient(&redis.Options{Addr: m.server.Addr})
			defer m.admin.Close()
			m.use(m.server.Addr)
			st, err := m.env.open(t.Context(), "") // the bot was here
			if err != nil {
				t.Fatal(err)
			}
			if _, err := st.Commit(t.Context(), store.Commit{}); err != nil {
				t.Fatal(err)
			}
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
			tt.cure(t, m, &m.env, password)
		})
	}
}
