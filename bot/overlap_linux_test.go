package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/handlers/slack/slacktest"
	"switchback/store"
	"switchback/store/storetest"
)

// written is the outage as a newer version writes it: with a schema and a field that this program does not know.
func written(t *testing.T, st store.Store, id string) store.Doc {
	t.Helper()
	return rewritten(t, st, id, func(o map[string]any) { o["schema"], o["since_version_2"] = 2, map[string]any{"kept": true} })
}

func rewritten(t *testing.T, st store.Store, id string, edit func(map[string]any)) store.Doc {
	t.Helper()
	for {
		docs, err := st.Get(t.Context(), "outage:"+id)
		if err != nil || docs[0].Version == 0 {
			t.Fatalf("outage:%s = %+v, %v", id, docs, err)
		}
		o := map[string]any{}
		if err := json.Unmarshal(docs[0].Data, &o); err != nil {
			t.Fatal(err)
		}
		edit(o)
		data, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = st.Commit(t.Context(), store.Commit{Checks: []store.Check{{Key: docs[0].Key, Version: docs[0].Version}}, Puts: []store.Put{{Key: docs[0].Key, Data: data}}})
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		docs, err = st.Get(t.Context(), "outage:"+id)
		if err != nil {
			t.Fatal(err)
		}
		return docs[0]
	}
}

// Two versions run at the same time, on one Redis, while one is replaced by the other. What the newer one has written the
// older one shows and does not touch; whoever presses there is told so. The one that is asked to go ends in time.
func TestServeBesideANewerVersion(t *testing.T) {
	t.Parallel()
	url := storetest.Redis(t)
	n := acmeInSlack(t, slacktest.Config{NoRateLimits: true})
	older, newer := n.serve("REDIS_URL="+url), n.serve("REDIS_URL="+url)
	n.look("")
	n.Within(time.Minute)
	n.slack.Connect(slacktest.At(older.url), slacktest.At(newer.url))
	home := n.closed()
	if took := newer.terminate(); took > 25*time.Second {
		t.Errorf("it ended after %v", took)
	}
	n.slack.Connect(slacktest.At(older.url))

	st, err := store.OpenRedis(t.Context(), store.RedisConfig{URL: config.Secret(url)})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	id := n.id(home)
	want := written(t, st, id)
	n.support.Shows("Restore…").As(n.sam).Press("Restore…")
	n.sam.Alone("A newer version of me looks after it now")
	n.kim.Types("#support", "/outage status")
	n.kim.Alone(id)
	n.kim.Types("#support", "/outage note hello")
	n.kim.Alone("A newer version of me looks after it now")
	docs, err := st.Get(t.Context(), want.Key)
	if err != nil {
		t.Fatal(err)
	}
	if got := docs[0]; got.Version != want.Version || !bytes.Equal(got.Data, want.Data) {
		t.Errorf("the older one has written it, as version %d:\n%s\nwant version %d:\n%s", got.Version, got.Data, want.Version, want.Data)
	}

	rewritten(t, st, id, func(o map[string]any) { o["schema"] = 1 }) // as if that other version were here again
	n.support.Shows("Restore…").As(n.sam).Press("Restore…")
	n.support.Thread("Web shop").Shows("Put everything back now").As(n.sam).Press("Put everything back now")
	n.support.Shows("open again")
}

// A reminder of an outage that only a newer version knows is not lost by the older one that it came to.
func TestReminderOfANewerVersionStays(t *testing.T) {
	n := inSlack(t)
	id := n.id(n.closed())
	n.end()
	due := func() (*store.File, flow.Claim) {
		t.Helper()
		st, err := store.Open(n.env.DataDir)
		if err != nil {
			t.Fatal(err)
		}
		claims, err := store.Flow{Store: st}.Claim(t.Context(), time.Minute, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range claims {
			if c.ID == "outage/"+id+"/deadline" {
				return st, c
			}
		}
		t.Fatalf("the reminder is lost; due are %+v", claims)
		return nil, flow.Claim{}
	}
	st, err := store.Open(n.env.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	written(t, st, id)
	if _, err := st.Commit(t.Context(), store.Commit{Timers: []store.Timer{{ID: "outage/" + id + "/deadline", At: time.Now().Add(-time.Second)}}}); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		st, c := due()
		tr, playbook, err := loadPlaybook("")
		if err != nil {
			t.Fatal(err)
		}
		org, _ := parseOrganisation("acme.yaml", []byte(acme))
		service := flow.New(flow.Config{Store: store.Flow{Store: st}, Policy: org.Policy, Tree: tr, Playbook: playbook, Platforms: live(org, store.NewFlags(st))})
		if _, err := service.Due(t.Context(), c); !errors.Is(err, flow.ErrNewer) {
			t.Errorf("Due = %v, want ErrNewer", err)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
