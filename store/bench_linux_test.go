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

// BenchmarkCommit compares a whole commit (a document of 1.5 KB, its op, a timer and an audit entry) with the least that
// any durable store must do: append as many bytes and wait for the disk. Both are done in turn, since the disk's mood
// changes; what counts is their ratio.
func BenchmarkCommit(b *testing.B) {
	dir := b.TempDir()
	s := openBench(b, dir)
	raw, err := os.Create(filepath.Join(dir, "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	data := bytes.Repeat([]byte("x"), 1500)
	var version uint64
	var commits, raws []time.Duration
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		if _, err := raw.Write(data); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(raw.Fd())); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		version, err = s.Commit(b.Context(), store.Commit{
			Op: fmt.Sprint("press:", i), Nonce: store.NewNonce(),
			Checks: []store.Check{{Key: "outage:1", Version: version}},
			Puts:   []store.Put{{Key: "outage:1", Data: data}},
			Timers: []store.Timer{{ID: "remind:1", At: middle.Add(time.Hour)}},
			Audit:  []store.Entry{{Log: "outage:1", Data: []byte(`{"did":"confirm"}`)}},
		})
		if err != nil {
			b.Fatal(err)
		}
		raws = append(raws, middle.Sub(start))
		commits = append(commits, time.Since(middle))
	}
	at := func(d []time.Duration, percent int) float64 {
		slices.Sort(d)
		return float64(d[(len(d)-1)*percent/100].Microseconds())
	}
	b.ReportMetric(at(raws, 50), "raw-p50-µs")
	b.ReportMetric(at(commits, 50), "p50-µs")
	b.ReportMetric(at(commits, 99), "p99-µs")
	b.ReportMetric(at(commits, 50)/at(raws, 50), "p50/raw")
}

// BenchmarkGet reads an outage and its record.
func BenchmarkGet(b *testing.B) {
	s := openBench(b, b.TempDir())
	_, err := s.Commit(b.Context(), store.Commit{
		Checks: []store.Check{{Key: "outage:1"}, {Key: "change:1"}},
		Puts:   []store.Put{{Key: "outage:1", Data: make([]byte, 1500)}, {Key: "change:1", Data: make([]byte, 1500)}},
	})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Get(b.Context(), "outage:1", "change:1"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkClaimNothing is the poll of an idle bot that has a thousand timers ahead and a hundred leased.
func BenchmarkClaimNothing(b *testing.B) {
	s := openBench(b, b.TempDir())
	var c store.Commit
	for i := range 1100 {
		at := time.Now().Add(time.Hour)
		if i < 100 {
			at = time.Now().Add(-time.Hour)
		}
		c.Timers = append(c.Timers, store.Timer{ID: fmt.Sprint("remind:", i), At: at})
	}
	if _, err := s.Commit(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	if _, err := s.Claim(b.Context(), time.Hour, 100); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if claims, err := s.Claim(b.Context(), time.Hour, 10); len(claims) > 0 || err != nil {
			b.Fatal(claims, err)
		}
	}
}

func openBench(b *testing.B, dir string) store.Store {
	b.Helper()
	s, err := store.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}
