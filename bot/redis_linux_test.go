package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/store"
	"switchback/store/storetest"
)

// inRedis makes all commands of a test keep everything in a Redis of its own, and returns a look into it.
func inRedis(t *testing.T, practice bool) store.Flow {
	t.Helper()
	url := storetest.Redis(t)
	t.Setenv(asBot, "1")
	t.Setenv("REDIS_URL", url)
	e := environment{RedisURL: config.Secret(url)}
	if practice {
		e = e.practice()
	}
	st, err := e.open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return store.Flow{Store: st}
}

// The way back from a shell, on Redis: no bot runs, and none has to.
func TestCommandsOnRedis(t *testing.T) {
	kept := inRedis(t, true)
	dir, before := closed(t)
	if _, err := os.Stat(filepath.Join(dir, "store.db")); err == nil {
		t.Error("something is kept in the folder too")
	}
	if out, status := command(t, "", "outages", "--data", dir); status != 0 || !strings.Contains(out, `before: "08:00-20:00"`) {
		t.Errorf("bot outages = %d:\n%s", status, out)
	}
	talk(t, dir, "/company edit chat/help-centre/unavailable-message Ask Anna.")
	out, status := command(t, "", "restore", "--yes", "--data", dir)
	if status != 3 || !strings.Contains(out, `not put back: somebody else set it to "Ask Anna."`) {
		t.Errorf("bot restore over somebody's edit = %d, want 3 and a question:\n%s", status, out)
	}
	out, status = command(t, "1\n", "restore", "--yes", "--data", dir)
	wantRestored(t, dir, before, out, status)
	if out, status = command(t, "", "audit", "verify", "--data", dir); status != 0 {
		t.Errorf("bot audit verify = %d:\n%s", status, out)
	}
	now := time.Now().UTC().Format(time.RFC3339Nano)
	if out, status = command(t, "y\n", "prune", "--data", dir, "--before", now); status != 0 || !strings.Contains(out, "Removed: 1 outages") {
		t.Errorf("bot prune = %d:\n%s", status, out)
	}
	if keys, err := kept.Store.List(t.Context(), ""); err != nil || containing(keys, "chat-") != nil {
		t.Errorf("left of what ended: %q, %v", containing(keys, "chat-"), err)
	}
	if out, status = command(t, "", "audit", "verify", "--data", dir); status != 0 || !strings.Contains(out, "ok: 1 entries in 1 logs") {
		t.Errorf("bot audit verify after it = %d:\n%s", status, out)
	}
}

// A practice company belongs to the process that runs it: beside that one, a restore is done by it.
func TestCommandsBesideTheBotOnRedis(t *testing.T) {
	inRedis(t, true)
	dir := t.TempDir()
	before := settings(t, dir)
	p := chat(t, dir)
	p.until("Type /outage")
	p.types("/outage chat late", "1", "1", "/company")
	p.until("visitors cannot chat")
	out, err := bot(t, "restore", "--yes", "--data", dir).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "is over: restored") {
		t.Fatalf("bot restore beside the running bot = %v:\n%s", err, out)
	}
	p.until("CHAT – Web shop and Help centre open again")
	now := time.Now().UTC().Format(time.RFC3339Nano)
	out, err = bot(t, "prune", "--yes", "--data", dir, "--before", now).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Removed: 1 outages") && !strings.Contains(string(out), "Nothing ended before") {
		t.Errorf("bot prune beside the running bot = %v:\n%s", err, out)
	}
	p.types("/outage chat late", "1", "1", "/company") // it works on
	p.until("visitors cannot chat")
	p.ends()
	text, status := command(t, "y\n", "restore", "--data", dir)
	wantRestored(t, dir, before, text, status)
}

// On the real company a restore from the shell is one more process among those that share Redis: it puts back what the
// bot can reach, whether or not one runs.
func TestRestoreOfTheLiveCompanyOnRedis(t *testing.T) {
	for name, beside := range map[string]bool{"no bot runs": false, "beside a running bot": true} {
		t.Run(name, func(t *testing.T) {
			kept := inRedis(t, false)
			dir := t.TempDir()
			p := begin(t, bot(t, "chat", "--live", "--data", dir))
			p.until("Type /outage")
			p.types("/outage chat late", "1", "1")
			p.until("HAS NOT ASKED YET")
			if !beside {
				p.kill()
			}
			open, err := kept.Open(t.Context())
			if err != nil || len(open) != 1 {
				t.Fatalf("open: %v, %v; want one", open, err)
			}
			for _, words := range []string{"outages", "restore --yes", "audit verify", "prune --before 2026-01-01"} { // which would all be well
				out, status := command(t, "", append(strings.Fields(words), "--data", t.TempDir())...)
				if status != 1 || !strings.Contains(out, "--live means the real one") {
					t.Errorf("bot %s of the practice company that nobody has = %d, want 1:\n%s", words, status, out)
				}
			}
			out, err := bot(t, "restore", open[0].ID, "--live", "--yes", "--data", dir).CombinedOutput()
			if err != nil || !strings.Contains(string(out), `Web shop, chat: as before, "open"`) || !strings.Contains(string(out), "is over: restored") {
				t.Errorf("bot restore --live = %v:\n%s", err, out)
			}
			_, r, err := kept.Outage(t.Context(), open[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			if flow.Working(r.Value) {
				t.Errorf("something is left for the bot: %+v", r.Value)
			}
			flag, err := store.NewFlags(kept.Store).Get(t.Context(), "flag/chat/web-shop")
			if diff := cmp.Diff("open", flag); err != nil || diff != "" {
				t.Errorf("the flag that pages ask for: %v (-want +got):\n%s", err, diff)
			}
			if beside {
				p.ends()
			}
		})
	}
}

// What the thread says, taken back into a Redis that has lost everything.
func TestRestoreFromTheThreadOnRedis(t *testing.T) {
	kept := inRedis(t, true)
	dir, before := closed(t)
	open, err := kept.Open(t.Context())
	if err != nil || len(open) != 1 {
		t.Fatalf("open: %v, %v; want one", open, err)
	}
	_, r, err := kept.Outage(t.Context(), open[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	file := copyOf(t, open[0], r.Value)
	inRedis(t, true)
	if out, status := command(t, "", "outages", "--data", dir); status != 1 || !strings.Contains(out, "nothing is kept of a practice company in this Redis") {
		t.Errorf("bot outages of what was lost = %d, want 1:\n%s", status, out)
	}
	if out, status := command(t, "", "import", "--data", dir, file); status != 0 || !strings.Contains(out, "written by another store") {
		t.Errorf("bot import = %d:\n%s", status, out)
	}
	out, status := command(t, "", "restore", "--data", dir, "--yes", "--capsule", file)
	wantRestored(t, dir, before, out, status)
}
