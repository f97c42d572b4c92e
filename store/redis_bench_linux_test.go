package store_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"switchback/store"
)

// BenchmarkStores commits the same to Redis, with either way of writing its append-only file, and to the file store, and
// waits for the disk with as many bytes. All are done in turn, since the disk's mood changes; what counts are ratios.
func BenchmarkStores(b *testing.B) {
	dir := b.TempDir()
	raw, err := os.Create(filepath.Join(dir, "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	stores := map[string]store.Store{
		"always":   openRedis(b, store.RedisConfig{URL: startServer(b).url()}),
		"everysec": openRedis(b, store.RedisConfig{URL: startServer(b, "--appendfsync", "everysec").url()}),
		"file":     openBench(b, dir),
	}
	names := []string{"always", "everysec", "file", "raw"}
	data := bytes.Repeat([]byte("x"), 1500)
	took := map[string][]time.Duration{}
	var version uint64
	for i := 0; b.Loop(); i++ {
		c := store.Commit{
			Op: fmt.Sprint("press:", i), Nonce: store.NewNonce(),
			Checks: []store.Check{{Key: "outage:1", Version: version}},
			Puts:   []store.Put{{Key: "outage:1", Data: data}},
			Timers: []store.Timer{{ID: "remind:1", At: time.Now().Add(time.Hour)}},
			Audit:  []store.Entry{{Log: "outage:1", Data: []byte(`{"did":"confirm"}`)}},
		}
		for _, name := range names {
			start := time.Now()
			if s, ok := stores[name]; ok {
				version, err = s.Commit(b.Context(), c)
			} else if _, err = raw.Write(data); err == nil {
				err = syscall.Fdatasync(int(raw.Fd()))
			}
			if err != nil {
				b.Fatal(name, err)
			}
			took[name] = append(took[name], time.Since(start))
		}
	}
	at := func(name string, percent int) float64 {
		slices.Sort(took[name])
		return float64(took[name][(len(took[name])-1)*percent/100].Microseconds())
	}
	for _, name := range names {
		b.ReportMetric(at(name, 50), name+"-p50-µs")
		b.ReportMetric(at(name, 99), name+"-p99-µs")
	}
	b.ReportMetric(at("always", 50)/at("raw", 50), "always/raw")
	b.ReportMetric(at("always", 50)/at("everysec", 50), "always/everysec")
}
