package slack

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Slack is left alone for a while after it did not answer, however long that took. That there was no time left to ask
// says nothing of it.
func TestCacheWhileSlackHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c cache[bool]
		asked := 0
		get := func(ctx context.Context) {
			t.Helper()
			_, _, err := c.get(ctx, time.Now, "C1", func(ctx context.Context) (bool, error) {
				asked++
				<-ctx.Done()
				return false, ctx.Err()
			})
			if err == nil {
				t.Error("what nobody said is known")
			}
		}
		late, cancel := context.WithDeadline(t.Context(), time.Now())
		defer cancel()
		get(late)
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			get(ctx)
			cancel()
			time.Sleep(failedFor - time.Second)
		}
		if asked != 1 {
			t.Errorf("it was asked %d times, want 1", asked)
		}
	})
}
