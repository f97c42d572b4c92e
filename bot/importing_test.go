package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchback/bot/flow"
	"switchback/store"
)

func TestImport(t *testing.T) {
	dir, _ := closed(t)
	o, r := theOpen(t, dir)
	file := copyOf(t, o, r)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	fresh := filepath.Join(t.TempDir(), "new")
	out, status := command(t, string(text), "import", "-", "--data", fresh)
	if status != 0 || !strings.Contains(out, "Taken back: "+o.ID) || !strings.Contains(out, "written by another store") || !strings.Contains(out, "bot restore --data "+fresh+" "+o.ID+"\n") {
		t.Errorf("bot import into an empty folder = %d:\n%s", status, out)
	}
	if got, _ := theOpen(t, fresh); got.ID != o.ID || got.Leaf.Text != o.Leaf.Text || !got.Deadline.Equal(o.Deadline) {
		t.Errorf("taken back was %+v, want %+v", got, o)
	}
	if out, status := command(t, "", "import", file, "--data", fresh); status != 1 || !strings.Contains(out, "on record here already") {
		t.Errorf("a second bot import = %d, want 1:\n%s", status, out)
	}
	if out := talk(t, fresh, "/outage status"); !strings.Contains(out, "1 open") || !strings.Contains(out, "Restore…") {
		t.Errorf("bot chat after the import:\n%s", out)
	}
	if out, status := command(t, "", "import", filepath.Join(dir, "store.db"), "--data", fresh); status != 1 || !strings.Contains(out, "no values from before") {
		t.Errorf("bot import of something else = %d, want 1:\n%s", status, out)
	}
	if out, status := command(t, "", "audit", "verify", "--data", fresh, file); status != 0 {
		t.Errorf("bot audit verify after the import = %d:\n%s", status, out)
	}
}

func TestImportNamesWhatIsHeld(t *testing.T) {
	dir, _ := closed(t)
	o, r := theOpen(t, dir)
	o.ID = "chat-other"
	out, status := command(t, "", "import", copyOf(t, o, r), "--data", dir)
	if status != 1 || !strings.Contains(out, "sim/chat/web-shop/hours/") || !strings.Contains(out, "belongs to chat-") {
		t.Errorf("bot import while an open outage holds the settings = %d, want 1, the setting's name and the outage's:\n%s", status, out)
	}
}

// A store that was set back to a copy from before the outage does not know it; the text in the thread does.
func TestImportIntoAStoreThatWasSetBack(t *testing.T) {
	dir := t.TempDir()
	talk(t, dir, "/outage status")
	backup, err := os.ReadFile(filepath.Join(dir, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	talk(t, dir, "/outage chat late", "1", "1")
	o, r := theOpen(t, dir)
	f, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	h, err := f.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	thread := filepath.Join(t.TempDir(), "thread.txt")
	if err := os.WriteFile(thread, []byte(strings.Join(flow.Capsule(o, r, h.Lineage, h.Counter), "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "store.db"), backup, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, status := command(t, "", "audit", "verify", "--data", dir, thread); status != 1 || !strings.Contains(out, "it was set back") {
		t.Errorf("bot audit verify = %d, want 1 and that the store was set back:\n%s", status, out)
	}
	if out, status := command(t, "", "import", thread, "--data", dir); status != 0 || !strings.Contains(out, "this store has forgotten something") {
		t.Errorf("bot import = %d, want 0 and a warning:\n%s", status, out)
	}
}
