package flags_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"switchback/handlers/flags"
)

// benchmarked is a bot that runs, its flags set, behind a real connection; ask asks for one number, as a menu does.
func benchmarked(b *testing.B, h func(*flags.Endpoints) http.Handler) (ask func() error) {
	b.Helper()
	s, _ := openStore(b, b.TempDir())
	e := endpoints(b, flags.Config{Targets: targets(), Store: s, Secret: secret})
	if err := flags.New(targets(), s).Write(b.Context(), orders, voicemail, normal); err != nil {
		b.Fatal(err)
	}
	if err := e.Refresh(b.Context()); err != nil {
		b.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { e.Run(b.Context()) })
	b.Cleanup(running.Wait)
	server := httptest.NewServer(h(e))
	b.Cleanup(server.Close)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	b.Cleanup(client.CloseIdleConnections)
	return func() error {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL+"/flags/voice?number=+16505550101", nil)
		if err != nil {
			return err
		}
		r.SetBasicAuth("ivr", "right:horse")
		resp, err := client.Do(r)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return err
	}
}

func ours(e *flags.Endpoints) http.Handler { return e }

// bare is what any handler in Go costs that sends the same answer.
func bare(*flags.Endpoints) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"state":"voicemail","message":"Please leave a message."}`+"\n")
	})
}

// besideBare runs a benchmark with our endpoints and with a bare handler, in one run: what the machine and the loopback
// cost is in both.
func besideBare(b *testing.B, run func(b *testing.B, ask func() error)) {
	b.Helper()
	b.Run("ours", func(b *testing.B) { run(b, benchmarked(b, ours)) })
	b.Run("bare", func(b *testing.B) { run(b, benchmarked(b, bare)) })
}

// A thousand calls a second, each answer's time taken from when the call should have begun. The goal is a p99 of 5 ms.
func BenchmarkDataDipAt1000PerSecond(b *testing.B) {
	besideBare(b, func(b *testing.B, ask func() error) {
		b.Helper()
		took := make([]time.Duration, b.N)
		var all sync.WaitGroup
		b.ResetTimer()
		begin := time.Now()
		for i := range b.N {
			at := begin.Add(time.Duration(i) * time.Millisecond)
			time.Sleep(time.Until(at))
			all.Go(func() {
				if err := ask(); err != nil {
					b.Error(err)
				}
				took[i] = time.Since(at)
			})
		}
		all.Wait()
		b.StopTimer()
		slices.Sort(took)
		for name, share := range map[string]float64{"p50-ms": 0.5, "p99-ms": 0.99, "p99.9-ms": 0.999} {
			b.ReportMetric(float64(took[min(len(took)-1, int(share*float64(len(took))))])/1e6, name)
		}
		b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "calls/s")
		b.ReportMetric(0, "ns/op") // it is the pace
	})
}

// As many calls as possible.
func BenchmarkDataDipMaximum(b *testing.B) {
	besideBare(b, func(b *testing.B, ask func() error) {
		b.Helper()
		b.SetParallelism(16)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := ask(); err != nil {
					b.Error(err)
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	})
}

// What the handlers cost by themselves.
func BenchmarkAnswer(b *testing.B) {
	s, _ := openStore(b, b.TempDir())
	e := endpoints(b, flags.Config{Targets: targets(), Store: s, Secret: secret})
	if err := e.Refresh(b.Context()); err != nil {
		b.Fatal(err)
	}
	for name, path := range map[string]string{"chat": "/flags/chat/web-shop", "voice": "/flags/voice?number=+16505550101"} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Header.Set("Origin", shopOrigin)
			r.SetBasicAuth("ivr", "right:horse")
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				if e.ServeHTTP(w, r); w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
