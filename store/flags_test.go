package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/store"
)

const shop change.Key = "flag/chat/web-shop"

// counts is what Asked says.
type counts struct {
	Ago           time.Duration // -1: never
	In5min, Total int
}

func asked(t *testing.T, f *store.Flags, k change.Key) counts {
	t.Helper()
	last, in5min, total, err := f.Asked(t.Context(), k)
	if err != nil {
		t.Fatalf("Asked %s: %v", k, err)
	}
	if last.IsZero() {
		return counts{-1, in5min, total}
	}
	return counts{time.Since(last), in5min, total}
}

func wantAsked(t *testing.T, f *store.Flags, want counts) {
	t.Helper()
	if diff := cmp.Diff(want, asked(t, f, shop)); diff != "" {
		t.Errorf("Asked (-want +got):\n%s", diff)
	}
}

// counter is the number of commits so far.
func counter(t *testing.T, s store.Store) uint64 {
	t.Helper()
	h, err := s.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h.Counter
}

// run runs f until the function that it returns is called, or the test ends.
func run(t *testing.T, f *store.Flags) func() {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		f.Run(ctx)
		close(ended)
	}()
	return func() {
		stop()
		<-ended
	}
}

func TestAskedSlides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openVolatile(t, t.TempDir())
		f := store.NewFlags(s)
		defer run(t, f)()
		time.Sleep(time.Second) // between the writes, which are at whole tens of seconds
		wantAsked(t, f, counts{-1, 0, 0})
		for range 14 { // one each 20 s: 0:01 to 4:21
			f.Note(shop, 1, time.Now())
			time.Sleep(20 * time.Second)
		}
		wantAsked(t, f, counts{20 * time.Second, 14, 14})
		time.Sleep(2 * time.Minute) // 6:41: those up to 1:41 are too old
		wantAsked(t, f, counts{140 * time.Second, 8, 14})
		time.Sleep(24 * time.Hour)
		wantAsked(t, f, counts{24*time.Hour + 140*time.Second, 0, 14})
		if got := counter(t, s); got != 14 {
			t.Errorf("%d commits, want one for each 10 s with a question", got)
		}
		f.Note(shop, 1, time.Now())
		wantAsked(t, f, counts{0, 1, 15})
		time.Sleep(10 * time.Second)
		docs, err := s.Get(t.Context(), "asked:chat/web-shop")
		if err != nil {
			t.Fatal(err)
		}
		if want := `{"last":"2000-01-02T00:06:41Z","total":15,"recent":[{"at":"2000-01-02T00:06:40Z","n":1}]}`; string(docs[0].Data) != want {
			t.Errorf("kept is %s\n    want %s", docs[0].Data, want)
		}
	})
}

func TestAskingCostsNoCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openVolatile(t, t.TempDir())
		f := store.NewFlags(s)
		stop := run(t, f)
		for range 100 {
			for i := range 5 {
				f.Note(change.Key(fmt.Sprintf("flag/chat/app-%d", i)), 1, time.Now())
			}
			time.Sleep(99 * time.Millisecond)
		}
		if got := counter(t, s); got != 0 {
			t.Errorf("%d commits within 10 s, want none", got)
		}
		time.Sleep(5 * time.Second)
		if got := counter(t, s); got != 1 {
			t.Errorf("%d commits after 10 s, want one for all flags", got)
		}
		f.Note(shop, 1, time.Now())
		stop()
		if got := counter(t, s); got != 2 {
			t.Errorf("%d commits after the end, want one more", got)
		}
		again := store.NewFlags(s) // another process
		wantAsked(t, again, counts{0, 1, 1})
		if got := asked(t, again, "flag/chat/app-3"); got.Total != 100 {
			t.Errorf("app-3 was asked for %d times, want 100", got.Total)
		}
	})
}

// Two replicas that write at the same moment lose nothing of each other.
func TestReplicasAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openVolatile(t, t.TempDir())
		one, two := store.NewFlags(s), store.NewFlags(s)
		defer run(t, one)()
		defer run(t, two)()
		for range 10 {
			one.Note(shop, 1, time.Now())
			two.Note(shop, 1, time.Now())
			time.Sleep(10 * time.Second)
		}
		time.Sleep(time.Second)
		wantAsked(t, one, counts{11 * time.Second, 20, 20})
		wantAsked(t, two, counts{11 * time.Second, 20, 20})
	})
}

// broken is a store whose commits fail while it is away.
type broken struct {
	store.Store
	away bool
}

func (b *broken) Commit(ctx context.Context, c store.Commit) (uint64, error) {
	if b.away {
		return 0, errors.New("connection refused")
	}
	return b.Store.Commit(ctx, c)
}

func TestCountsOutliveStoreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &broken{Store: openVolatile(t, t.TempDir()), away: true}
		f := store.NewFlags(s)
		stop := run(t, f)
		f.Note(shop, 1, time.Now())
		time.Sleep(time.Minute)
		f.Note(shop, 1, time.Now())
		synctest.Wait()
		wantAsked(t, f, counts{0, 2, 2})
		s.away = false
		stop()
		wantAsked(t, store.NewFlags(s), counts{0, 2, 2})
	})
}

// A document that nobody can read keeps back its own counts, and those of no other flag; mended, it gets them.
func TestUnreadableCountsKeepNoOthersBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openVolatile(t, t.TempDir())
		put := func(version uint64, data string) uint64 {
			v, err := s.Commit(t.Context(), store.Commit{
				Checks: []store.Check{{Key: "asked:chat/odd", Version: version}}, Puts: []store.Put{{Key: "asked:chat/odd", Data: []byte(data)}},
			})
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		odd := put(0, "scribble")
		f := store.NewFlags(s)
		stop := run(t, f)
		f.Note("flag/chat/odd", 3, time.Now())
		f.Note(shop, 1, time.Now())
		time.Sleep(11 * time.Second)
		wantAsked(t, store.NewFlags(s), counts{11 * time.Second, 1, 1})
		put(odd, "{}")
		stop()
		if got := asked(t, store.NewFlags(s), "flag/chat/odd").Total; got != 3 {
			t.Errorf("the mended one was asked for %d times, want 3", got)
		}
		wantAsked(t, store.NewFlags(s), counts{11 * time.Second, 1, 1})
	})
}

func TestFlagDocument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := openVolatile(t, dir)
		ctx := t.Context()
		keeper := flow.Save{Outage: &flow.Doc[flow.Outage]{Value: flow.Outage{ID: "17"}}, Lock: []change.Key{shop}}
		if err := (store.Flow{Store: s}).Save(ctx, keeper); err != nil {
			t.Fatal(err)
		}
		f := store.NewFlags(s)
		if got, err := f.Get(ctx, shop); got != "" || err != nil {
			t.Errorf("Get before the first Set = %q, %v, want nothing", got, err)
		}
		for _, k := range []change.Key{shop, "drill/chat/web-shop"} {
			if err := f.Set(ctx, k, "closed", ""); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Set(ctx, shop, "open", ""); !errors.Is(err, change.ErrRefused) {
			t.Errorf("Set from a value that is gone = %v, want ErrRefused", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}

		s = openVolatile(t, dir)
		docs, err := s.Get(ctx, "flag:chat/web-shop", "flag:drill/chat/web-shop")
		if err != nil {
			t.Fatal(err)
		}
		for i, outage := range []string{"17", ""} {
			var got map[string]any
			if err := json.Unmarshal(docs[i].Data, &got); err != nil {
				t.Fatalf("%s: %v", docs[i].Key, err)
			}
			want := map[string]any{"schema": 1.0, "value": "closed", "outage": outage, "at": time.Now().UTC().Format(time.RFC3339)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", docs[i].Key, diff)
			}
		}
		if got, err := store.NewFlags(s).Get(ctx, shop); got != "closed" || err != nil {
			t.Errorf("Get after a restart = %q, %v, want closed", got, err)
		}
	})
}

func TestNewerFlagIsLeftAlone(t *testing.T) {
	s := openVolatile(t, t.TempDir())
	newer := store.Commit{
		Checks: []store.Check{{Key: "flag:chat/web-shop"}},
		Puts:   []store.Put{{Key: "flag:chat/web-shop", Data: []byte(`{"schema":2,"value":"closed"}`)}},
	}
	if _, err := s.Commit(t.Context(), newer); err != nil {
		t.Fatal(err)
	}
	f := store.NewFlags(s)
	if _, err := f.Get(t.Context(), shop); !errors.Is(err, store.ErrNewerSchema) {
		t.Errorf("Get = %v, want ErrNewerSchema", err)
	}
	all, err := f.All(t.Context(), []change.Key{shop, "flag/chat/help-centre"})
	if diff := cmp.Diff(map[change.Key]string{"flag/chat/help-centre": ""}, all); err != nil || diff != "" {
		t.Errorf("All = error %v (-want +got):\n%s", err, diff)
	}
	if err := f.Set(t.Context(), shop, "open", "closed"); !errors.Is(err, store.ErrNewerSchema) {
		t.Errorf("Set = %v, want ErrNewerSchema", err)
	}
}

// lostAnswer is a store whose first commit takes effect without an answer.
type lostAnswer struct {
	store.Store
	lost bool
}

func (l *lostAnswer) Commit(ctx context.Context, c store.Commit) (uint64, error) {
	n, err := l.Store.Commit(ctx, c)
	if !l.lost {
		l.lost = true
		return 0, errors.New("connection reset")
	}
	return n, err
}

func TestSetWithoutAnAnswer(t *testing.T) {
	f := store.NewFlags(&lostAnswer{Store: openVolatile(t, t.TempDir())})
	if err := f.Set(t.Context(), shop, "closed", ""); err != nil {
		t.Errorf("Set = %v, want none: the same commit is asked for again", err)
	}
}

func BenchmarkNote(b *testing.B) {
	f := store.NewFlags(nil)
	for i := range 31 { // as many slots as there can be
		f.Note(shop, 1, time.Now().Add(time.Duration(i-31)*10*time.Second))
	}
	b.ReportAllocs()
	for b.Loop() {
		f.Note(shop, 1, time.Now())
	}
}
