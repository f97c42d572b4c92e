package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/flow"
	"switchback/store"
)

// R50: what was set for a month ahead is set anew where all of the store was lost meanwhile, without a new start.
func TestServeRemindsAfterALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file, err := store.OpenVolatile(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		kept := store.Flow{Store: file}
		upkeep := func() flow.Doc[flow.Upkeep] {
			t.Helper()
			up, err := kept.Upkeep(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return up
		}
		s := &server{service: flow.New(flow.Config{Store: kept}), log: zerolog.Nop()}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			s.watch(ctx)
			close(ended)
		}()
		synctest.Wait()
		up := upkeep()
		if up.Value.Next.IsZero() {
			t.Fatal("nobody is reminded")
		}
		lost := store.Commit{Checks: []store.Check{{Key: "ready:all", Version: up.Version}}, Deletes: []string{"ready:all"}, Timers: []store.Timer{{ID: "ready/all/monthly"}}}
		if _, err := file.Commit(t.Context(), lost); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if next := upkeep().Value.Next; next.IsZero() {
			t.Error("after the loss nobody is reminded any more")
		}
		stop()
		<-ended
	})
}
