package flow_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"switchback/bot/change"
	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/store"
	"switchback/store/storetest"
)

// tolled passes everything on to a server, and counts what comes from the clients: a round trip each.
func tolled(tb testing.TB, server string) (addr string, trips *atomic.Int64) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	trips = new(atomic.Int64)
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", server)
			if err != nil {
				_ = client.Close()
				return
			}
			go func() { _, _ = io.Copy(client, up); _ = client.Close() }()
			go func() {
				defer func() { _ = up.Close() }()
				for buf := make([]byte, 1<<20); ; {
					n, err := client.Read(buf)
					if err != nil {
						return
					}
					trips.Add(1)
					if _, err := up.Write(buf[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String(), trips
}

// A press goes to a store that is far away at most four times until its effects are safe: to take it in, to look, and to
// keep what was decided.
func TestAPressTakesFourRoundTripsAtMost(t *testing.T) {
	server, err := url.Parse(storetest.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	addr, trips := tolled(t, server.Host)
	n := nightOn(t, &stops{at: -1}, onRedis(config.Secret("redis://"+addr), "trips"))
	n.start()
	defer n.end()
	n.types("ana", "chat late")
	n.presses("ana", n.button("Close"), nil)
	n.types("sam", "sms")
	for _, press := range []struct{ who, label string }{{"ana", "One hour more"}, {"sam", "Back"}, {"ana", "One hour more"}, {"ana", "More…"}} {
		a, before := n.button(press.label), trips.Load()
		done, err := n.service.Accept(t.Context(), n.event("trip/"+press.label+fmt.Sprint(before), press.who, flow.Press{Action: a}))
		if err != nil {
			t.Fatal(err)
		}
		<-done
		if took := trips.Load() - before; took > 4 {
			t.Errorf("%s takes %d round trips, want at most 4", press.label, took)
		}
		if err := n.worker.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkPressOnRedis is BenchmarkPress over a real server, in a walk and on an open outage: how often it goes to the
// server and back until the effects are safe. At most four times.
func BenchmarkPressOnRedis(b *testing.B) {
	for name, at := range map[string]struct {
		begin  []string
		labels []string // pressed in turn
	}{
		"walk":   {nil, []string{"Chat", "Back"}},
		"outage": {[]string{"chat", "late"}, []string{"One hour more"}},
	} {
		b.Run(name, func(b *testing.B) {
			server, err := url.Parse(storetest.Redis(b, "--appendfsync", "always"))
			if err != nil {
				b.Fatal(err)
			}
			addr, trips := tolled(b, server.Host)
			st, err := store.OpenRedis(b.Context(), store.RedisConfig{URL: config.Secret("redis://" + addr)})
			if err != nil {
				b.Fatal(err)
			}
			d := newDeskOn(b, st, nil)
			d.accept(flow.Command{Words: at.begin})
			d.show()
			if at.begin != nil {
				d.accept(flow.Press{Action: d.button("Close")})
				d.show()
			}
			var presses, sum int64
			for b.Loop() {
				a, before := d.button(at.labels[presses%int64(len(at.labels))]), trips.Load()
				d.accept(flow.Press{Action: a})
				sum += trips.Load() - before
				presses++
				d.show()
			}
			b.ReportMetric(float64(sum)/float64(presses), "trips/press")
			if sum > 4*presses {
				b.Errorf("%d presses took %d round trips, want at most four each", presses, sum)
			}
		})
	}
}

// wide is a platform with as many apps as anybody has.
type wide struct {
	*shop
	apps int
}

func newWide(s *stops, apps int) wide {
	w := wide{newShop(s), apps}
	for i := range apps {
		w.settings[change.Key(fmt.Sprintf("shop/%03d/hours", i))] = "08:00-20:00"
	}
	return w
}

// BenchmarkPlan500 is a change of 500 settings on a real server: from the command to the preview, from the confirm to the
// first setting on record, and all of it.
func BenchmarkPlan500(b *testing.B) {
	if testing.Short() {
		b.Skip("it takes its time")
	}
	var preview, confirm, all time.Duration
	n := 0
	for b.Loop() {
		st, err := store.OpenRedis(b.Context(), store.RedisConfig{URL: config.Secret(storetest.Redis(b))})
		if err != nil {
			b.Fatal(err)
		}
		d := newDeskOn(b, st, newWide(&stops{at: -1}, 500))
		start := time.Now()
		d.accept(flow.Command{Words: strings.Fields("chat late")})
		if err := d.worker.Settle(b.Context()); err != nil {
			b.Fatal(err)
		}
		shown := time.Now()
		d.accept(flow.Press{Action: d.button("Close")})
		d.service.Wait()
		begun := time.Now()
		if err := d.worker.Settle(b.Context()); err != nil {
			b.Fatal(err)
		}
		preview, confirm, all = preview+shown.Sub(start), confirm+begun.Sub(shown), all+time.Since(shown)
		n++
	}
	b.ReportMetric(float64(preview.Milliseconds())/float64(n), "preview-ms")
	b.ReportMetric(float64(confirm.Milliseconds())/float64(n), "confirm-ms")
	b.ReportMetric(float64(all.Milliseconds())/float64(n), "all-set-ms")
}

func (w wide) Resources(context.Context) ([]change.Resource, error) {
	out := make([]change.Resource, w.apps)
	for i := range out {
		id := fmt.Sprintf("%03d", i)
		out[i] = change.Resource{Key: change.Key("shop/" + id + "/hours"), Action: change.CloseChat, Target: id, Label: "App " + id, Name: "hours", Way: change.Auto}
	}
	return out, nil
}
