package store

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchback/bot/config"
)

func TestRedisConfig(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		cfg  RedisConfig
		want string // part of the error; empty: none
	}{
		{"one server", RedisConfig{URL: "redis://bot:s3cret@redis.example.com:6380/3"}, ""},
		{"only a host", RedisConfig{URL: "rediss://redis.example.com"}, ""},
		{"IPv6", RedisConfig{URL: "redis://[::1]:6379"}, ""},
		{"a cluster", RedisConfig{URL: "redis://:s3cret@a:6379?addr=b:6379&addr=c:6379"}, ""},
		{"a cluster behind one address", RedisConfig{URL: "rediss://a:6379", Cluster: true}, ""},
		{"Sentinel", RedisConfig{URL: "redis://bot:s3cret@a/1?addr=b:26379&master_name=main&sentinel_username=u&sentinel_password=s3cret2"}, ""},
		{"an operator", RedisConfig{URL: "redis://a", Durability: "operator", Prefix: "night-2"}, ""},
		{"nothing", RedisConfig{}, "is not redis://"},
		{"no URL", RedisConfig{URL: "localhost:6379"}, "is not redis://"},
		{"another scheme", RedisConfig{URL: "http://a"}, `begins with "http"`},
		{"an unescaped password", RedisConfig{URL: "redis://bot:s3cret/x@a:6379"}, "%2F"},
		{"an unescaped #", RedisConfig{URL: "redis://bot:s3cret#x@a:6379"}, "%23"},
		{"a database that is no number", RedisConfig{URL: "redis://a/main"}, `"main" is not the number`},
		{"unchecked certificates", RedisConfig{URL: "rediss://a?skip_verify=true"}, "REDIS_TLS_CA_FILE"},
		{"retries", RedisConfig{URL: "redis://a?max_retries=3"}, `unknown parameter "max_retries"`},
		{"no port", RedisConfig{URL: "redis://a?addr=b"}, "addr=b is not host:port"},
		{"a database of a cluster", RedisConfig{URL: "redis://a/1", Cluster: true}, "only database 0"},
		{"Sentinel of a cluster", RedisConfig{URL: "redis://a?master_name=main", Cluster: true}, "master_name"},
		{"a Sentinel's password alone", RedisConfig{URL: "redis://a?sentinel_password=s3cret"}, "no master_name"},
		{"a CA without TLS", RedisConfig{URL: "redis://a", CAFile: empty}, "rediss://"},
		{"an empty CA file", RedisConfig{URL: "rediss://a", CAFile: empty}, "holds no certificate"},
		{"no CA file", RedisConfig{URL: "rediss://a", CAFile: empty + "x"}, "read CA file"},
		{"a prefix with a brace", RedisConfig{URL: "redis://a", Prefix: "a}b"}, "prefix"},
		{"another word for durability", RedisConfig{URL: "redis://a", Durability: "yes"}, `the only word is "operator"`},
	} {
		o, err := test.cfg.options()
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.want == "" && (o.MaxRetries != -1 || o.MaxRedirects != -1 || o.ReadOnly || !o.ContextTimeoutEnabled):
			t.Errorf("%s: the options are not safe: %+v", test.name, o)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		case err != nil && strings.Contains(err.Error(), "s3cret"):
			t.Errorf("%s: the error has the password: %v", test.name, err)
		}
	}
}

func FuzzRedisURL(f *testing.F) {
	for _, url := range []string{"redis://a", "rediss://u:p@[::1]:1/2?addr=b:3&master_name=m", "redis://%", "redis://u:p#q@a"} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		o, err := RedisConfig{URL: config.Secret(url)}.options()
		if (o == nil) == (err == nil) {
			t.Errorf("options = %v, %v", o, err)
		}
		if err == nil && (o.TLSConfig != nil) != strings.HasPrefix(strings.ToLower(url), "rediss:") {
			t.Errorf("%q: TLS is %t", url, o.TLSConfig != nil)
		}
	})
}

// TestJudge is about what a test cannot make a server say, or not quickly. TestRedisHealth has the rest.
func TestJudge(t *testing.T) {
	good := map[string]string{
		"role": "master", "loading": "0", "aof_enabled": "1", "aof_last_write_status": "ok", "rdb_last_bgsave_status": "ok",
		"maxmemory_policy": "noeviction", "maxmemory": "0", "used_memory": "5000000", "connected_slaves": "0",
	}
	for _, test := range []struct {
		name                 string
		but                  map[string]string
		operator, replicated bool
		changes, answered    bool
		about                []string
	}{
		{name: "good", changes: true},
		{name: "good, with a replica", but: map[string]string{"connected_slaves": "1"}, replicated: true, changes: true},
		{name: "the last replica is gone", replicated: true, about: []string{"no replica left"}},
		{name: "loading", but: map[string]string{"loading": "1"}, about: []string{"loading"}},
		{name: "the disk of the append-only file is full", but: map[string]string{"aof_last_write_status": "err"}, about: []string{"disk"}},
		{name: "and an operator answers", but: map[string]string{"aof_last_write_status": "err"}, operator: true, about: []string{"disk"}},
		{name: "the last snapshot failed", but: map[string]string{"rdb_last_bgsave_status": "err"}, changes: true, about: []string{"snapshot"}},
		{name: "79 %", but: map[string]string{"maxmemory": "100", "used_memory": "79"}, changes: true},
		{name: "80 %", but: map[string]string{"maxmemory": "100", "used_memory": "80"}, changes: true, about: []string{"80 %"}},
		{name: "95 %", but: map[string]string{"maxmemory": "100", "used_memory": "95"}, about: []string{"95 %"}},
		{
			name: "two reasons", but: map[string]string{"maxmemory_policy": "allkeys-lfu", "aof_enabled": "0"},
			about: []string{"allkeys-lfu", "append-only"},
		},
		{
			name: "it does not tell", but: map[string]string{"maxmemory_policy": "", "aof_enabled": ""},
			about: []string{"does not tell", "does not tell"},
		},
		{
			name: "it does not tell, and an operator answers", but: map[string]string{"maxmemory_policy": "", "aof_enabled": ""},
			operator: true, changes: true, answered: true, about: []string{"does not tell", "does not tell"},
		},
	} {
		info := maps.Clone(good)
		maps.Copy(info, test.but)
		changes, warnings, answered := judge(info, test.operator, test.replicated)
		ok := changes == test.changes && len(warnings) == len(test.about) && (len(answered) > 0) == test.answered
		for i := 0; ok && i < len(warnings); i++ {
			ok = strings.Contains(warnings[i], test.about[i])
		}
		if !ok {
			t.Errorf("%s: %t, %q, answered %q, want %t, and warnings about %q, answered %t", test.name, changes, warnings, answered, test.changes, test.about, test.answered)
		}
	}
}
