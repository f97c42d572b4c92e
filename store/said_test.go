package store_test

import (
	"testing"
	"time"

	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/store"
)

// What somebody said of a setting stays when an older word comes after it: the values of a drill may be kept days later.
func TestTheNewestWordCounts(t *testing.T) {
	f, err := store.OpenVolatile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	kept, now := store.Flow{Store: f}, time.Now().UTC()
	for _, w := range []change.Word{
		{Value: change.Value{Text: "first"}, At: now.Add(-2 * time.Hour)},
		{Value: change.Value{Text: "newest"}, At: now},
		{Value: change.Value{Text: "late"}, At: now.Add(-time.Hour)},
	} {
		if err := kept.Save(t.Context(), flow.Save{Words: map[change.Key]change.Word{"gladly/a": w}}); err != nil {
			t.Fatal(err)
		}
	}
	said, err := kept.Words(t.Context(), []change.Key{"gladly/a"})
	if got := said["gladly/a"].Value.Text; got != "newest" || err != nil {
		t.Errorf("said is %q, %v; want the newest word", got, err)
	}
}
