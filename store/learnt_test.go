package store_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/flow"
	"switchback/store"
)

func TestLearnt(t *testing.T) {
	f, err := store.OpenVolatile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l, ctx := store.Learnt{Store: f, Platform: "teams"}, t.Context()
	if err := l.Learn(ctx, "person/a", 0, []byte(`{"id":"29:a"}`)); err != nil {
		t.Fatal(err)
	}
	if err := l.Learn(ctx, "conversation/c", 0, []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	if err := (store.Learnt{Store: f, Platform: "other"}).Learn(ctx, "person/b", 0, []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	data, version, err := l.Learnt(ctx, "person/a")
	if string(data) != `{"id":"29:a"}` || version == 0 || err != nil {
		t.Errorf("Learnt = %s, %d, %v", data, version, err)
	}
	if err := l.Learn(ctx, "person/a", 0, []byte(`{}`)); !errors.Is(err, flow.ErrConflict) {
		t.Errorf("Learn over what was not looked at: %v, want a conflict", err)
	}
	keys, err := l.AllLearnt(ctx, "person/")
	if diff := cmp.Diff([]string{"person/a"}, keys); diff != "" || err != nil {
		t.Errorf("AllLearnt (-want +got):\n%s%v", diff, err)
	}
	if err := l.Learn(ctx, "person/a", version, nil); err != nil {
		t.Fatal(err)
	}
	if _, version, err := l.Learnt(ctx, "person/a"); version != 0 || err != nil {
		t.Errorf("Learnt after it was forgotten: version %d, %v", version, err)
	}
}
