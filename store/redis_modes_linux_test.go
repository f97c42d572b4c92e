package store_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchback/bot/config"
	"switchback/store"
	"switchback/store/storetest"
)

// course does each thing once.
func course(t *testing.T, cfg store.RedisConfig) {
	t.Helper()
	r := openRedis(t, cfg)
	c := put("press", "a", 0, "A")
	c.Timers = []store.Timer{{ID: "t", At: time.UnixMilli(1)}}
	c.Audit = []store.Entry{{Log: "a", Data: []byte("{}")}}
	mustCommit(t, r, c)
	if n := mustCommit(t, r, c); n != 1 {
		t.Errorf("the same commit = %d", n)
	}
	docs, err := r.Get(t.Context(), "a", "b")
	if err != nil || string(docs[0].Data) != "A" {
		t.Errorf("Get = %v, %v", docs, err)
	}
	names, err := r.List(t.Context(), "")
	if err != nil || fmt.Sprint(names) != "[a]" {
		t.Errorf("List = %v, %v", names, err)
	}
	claims, err := r.Claim(t.Context(), time.Minute, 9)
	if err != nil || len(claims) != 1 {
		t.Fatalf("Claim = %v, %v", claims, err)
	}
	mustCommit(t, r, store.Commit{
		Lease:  &store.Lease{Timer: "t", Token: claims[0].Token, Extend: time.Hour},
		Checks: []store.Check{{Key: "a", Version: 1}}, Deletes: []string{"a"}, Timers: []store.Timer{{ID: "t"}},
	})
	entries, err := r.Audit(t.Context(), 0, 9)
	if err != nil || len(entries) != 1 {
		t.Errorf("Audit = %v, %v", entries, err)
	}
	wantChanges(t, r, true)
}

// TestRedisUser gives the user the rights that the layout's comment lists, and no CONFIG.
func TestRedisUser(t *testing.T) {
	source, err := os.ReadFile("redis.go")
	if err != nil {
		t.Fatal(err)
	}
	var rules []any
	for line := range strings.Lines(string(source)) {
		if text, ok := strings.CutPrefix(line, "//\t"); ok && strings.Contains(text, "+") {
			for rule := range strings.FieldsSeq(text) {
				if rule != "+config|get" {
					rules = append(rules, strings.ReplaceAll(rule, "<name>", "acl"))
				}
			}
		}
	}
	if len(rules) < 20 {
		t.Fatalf("the comment lists %q", rules)
	}
	s := startServer(t)
	s.do(t, append([]any{"acl", "setuser", "bot", "on", ">hunter2"}, rules...)...)
	course(t, store.RedisConfig{URL: config.Secret("redis://bot:hunter2@" + s.Addr), Prefix: "acl"})

	for name, cfg := range map[string]store.RedisConfig{
		"another's keys": {URL: config.Secret("redis://bot:hunter2@" + s.Addr), Prefix: "other"},
		"wrong password": {URL: config.Secret("redis://bot:hunter3@" + s.Addr), Prefix: "acl"},
	} {
		_, err := store.OpenRedis(t.Context(), cfg)
		if err == nil || strings.Contains(err.Error(), "hunter") || !strings.Contains(err.Error(), "redis does not") {
			t.Errorf("%s: OpenRedis = %v", name, err)
		}
	}
}

func TestRedisTLS(t *testing.T) {
	dir := t.TempDir()
	ca, key := certificate(t, dir, "one")
	other, _ := certificate(t, dir, "two")
	addr := storetest.FreeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	s := startServer(t, "--tls-port", port, "--tls-cert-file", ca, "--tls-key-file", key, "--tls-ca-cert-file", ca, "--tls-auth-clients", "no")
	s.do(t, "ping")
	url := config.Secret("rediss://" + addr)
	course(t, store.RedisConfig{URL: url, CAFile: ca})
	for name, file := range map[string]string{"another authority": other, "the system's authorities": ""} {
		_, err := store.OpenRedis(t.Context(), store.RedisConfig{URL: url, CAFile: file})
		if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
			t.Errorf("%s: OpenRedis = %v, want %T", name, err, unknown)
		}
	}
}

// certificate makes a certificate for 127.0.0.1 that is signed by itself, and returns its file and its key's.
func certificate(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotAfter:    time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:        true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(file, kind string, der []byte) string {
		file = filepath.Join(dir, file)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return write(name+".pem", "CERTIFICATE", der), write(name+".key", "PRIVATE KEY", secret)
}

// TestRedisCluster has two primaries, and stores on both.
func TestRedisCluster(t *testing.T) {
	a, b := startServer(t, "--cluster-enabled", "yes"), startServer(t, "--cluster-enabled", "yes")
	a.do(t, "cluster", "addslotsrange", 0, 8191)
	b.do(t, "cluster", "addslotsrange", 8192, 16383)
	host, port, _ := net.SplitHostPort(b.Addr)
	a.do(t, "cluster", "meet", host, port)
	for _, s := range []*server{a, b} {
		eventually(t, "the cluster", func() bool { return strings.Contains(fmt.Sprint(s.do(t, "cluster", "info")), "cluster_state:ok") })
	}
	for i := range 6 {
		course(t, store.RedisConfig{URL: a.url(), Cluster: true, Prefix: fmt.Sprint("n", i)})
	}
	for _, s := range []*server{a, b} {
		if s.do(t, "dbsize") == int64(0) {
			t.Error("one of the primaries has nothing")
		}
	}
}

// TestRedisSentinel kills the primary. Nothing is confirmed until the new one has a replica, and nothing is lost.
func TestRedisSentinel(t *testing.T) {
	primary := startServer(t, "--repl-diskless-sync-delay", "0")
	host, port, _ := net.SplitHostPort(primary.Addr)
	replica := startServer(t, "--repl-diskless-sync-delay", "0", "--replicaof", host+" "+port)
	addr := startSentinel(t, primary.Addr)
	sentinel := redis.NewSentinelClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = sentinel.Close() })
	eventually(t, "Sentinel to know the replica", func() bool {
		known, err := sentinel.Replicas(t.Context(), "main").Result()
		return err == nil && len(known) == 1 && known[0]["flags"] == "slave"
	})
	eventually(t, "the replica to follow", func() bool {
		return strings.Contains(fmt.Sprint(primary.do(t, "info", "replication")), "state=online")
	})

	r := openRedis(t, store.RedisConfig{URL: config.Secret("redis://" + addr + "?master_name=main")})
	version := uint64(0)
	for i := range 20 {
		version = mustCommit(t, r, put(fmt.Sprint(i), "a", version, fmt.Sprint(i)))
	}
	primary.Kill()
	c := put("last", "a", version, "last")
	eventually(t, "the new primary", func() bool {
		_, err := r.Commit(t.Context(), c)
		if errors.Is(err, store.ErrConflict) || err == nil {
			t.Fatalf("Commit = %v", err)
		}
		return errors.Is(err, store.ErrNotDurable)
	})
	if got := fmt.Sprint(replica.do(t, "hget", "{switchback:bot}:d:a", "d")); got != "last" {
		t.Errorf("the new primary has %s", got)
	}
	host, port, _ = net.SplitHostPort(replica.Addr)
	primary.Start(t, "--replicaof", host+" "+port) // Sentinel would say so too, ten seconds later
	eventually(t, "the old primary to follow the new one", func() bool {
		n, err := r.Commit(t.Context(), c)
		if err == nil && n != version+1 {
			t.Fatalf("Commit = %d, want %d", n, version+1)
		}
		return err == nil
	})
	wantChanges(t, r, true)
}

func startSentinel(t *testing.T, primary string) (addr string) {
	t.Helper()
	addr = storetest.FreeAddr(t)
	_, own, _ := net.SplitHostPort(addr)
	host, port, _ := net.SplitHostPort(primary)
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("port %s\nbind 127.0.0.1\nsentinel monitor main %s %s 1\nsentinel down-after-milliseconds main 300\nsentinel failover-timeout main 1000\n", own, host, port)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	storetest.Serve(t, addr, file, "--sentinel")
	return addr
}
