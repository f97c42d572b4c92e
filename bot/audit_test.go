package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"switchback/bot/flow"
	"switchback/store"
)

// edited is a copy of a folder's store with one change by somebody who knows the file's layout.
func edited(t *testing.T, dir string, edit func(tx *bolt.Tx) error) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	path := filepath.Join(other, "store.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(edit); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return other
}

func nth(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func TestAuditVerify(t *testing.T) {
	dir, _ := closed(t)
	o, r := theOpen(t, dir)
	file := copyOf(t, o, r) // as of another store: only the audit log is compared
	talk(t, dir, "/outage note the carrier says 30 minutes", "/outage restore", "1", "1")

	out, status := command(t, "", "audit", "verify", "--data", dir, file)
	if status != 0 || !strings.Contains(out, "every link holds") {
		t.Fatalf("bot audit verify = %d:\n%s", status, out)
	}
	var entries int
	if _, err := fmt.Sscanf(out, "ok: %d entries", &entries); err != nil || entries < 5 {
		t.Fatalf("%d entries (%v) are too few for this test:\n%s", entries, err, out)
	}
	found := func(what, want string, edit func(tx *bolt.Tx) error) {
		t.Helper()
		out, status := command(t, "", "audit", "verify", "--data", edited(t, dir, edit), file)
		if status != 1 || !strings.Contains(out, want) {
			t.Errorf("%s: bot audit verify = %d, want 1 and %q:\n%s", what, status, want, out)
		}
	}
	for n := 1; n <= entries; n++ {
		found(fmt.Sprintf("a byte of entry %d", n), "altered", func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte("audit"))
			v := bytes.Clone(b.Get(nth(uint64(n))))
			v[len(v)-len(v)/5] ^= 1
			return b.Put(nth(uint64(n)), v)
		})
	}
	found("an entry that is gone", "missing", func(tx *bolt.Tx) error { return tx.Bucket([]byte("audit")).Delete(nth(uint64(entries))) })
	found("an outage that is gone", "the outage itself is missing", func(tx *bolt.Tx) error { return tx.Bucket([]byte("docs")).Delete([]byte("outage:" + o.ID)) })
	found("a counter that was set back", "it was set back", func(tx *bolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("counter"), nth(3)) })
	// Somebody with full access writes the whole log anew, and the outage too: only the thread still knows.
	found("a log that was written anew", "written anew", func(tx *bolt.Tx) error {
		return forge(tx, "outage:"+o.ID, time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
	})
}

// forge replaces a log by another one that holds.
func forge(tx *bolt.Tx, log string, at time.Time) error {
	audit, docs := tx.Bucket([]byte("audit")), tx.Bucket([]byte("docs"))
	head := ""
	c := audit.Cursor()
	fresh := map[string][]byte{}
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if name, _, _ := bytes.Cut(v[8:], []byte{0}); string(name) == log {
			data := flow.NewEntry(head, at, flow.Person{}, "nothing", nil)
			sum := sha256.Sum256(data)
			head = hex.EncodeToString(sum[:])
			fresh[string(k)] = append(append(bytes.Clone(v[:8]), log+"\x00"...), data...)
		}
	}
	for k, v := range fresh {
		if err := audit.Put([]byte(k), v); err != nil {
			return err
		}
	}
	v := bytes.Clone(docs.Get([]byte(log)))
	var doc map[string]any
	if err := json.Unmarshal(v[8:], &doc); err != nil {
		return err
	}
	doc["head"] = head
	data, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	return docs.Put([]byte(log), append(v[:8:8], data...))
}

func TestAuditExport(t *testing.T) {
	dir, _ := closed(t)
	talk(t, dir, "/outage voice agents", "1", "1", "/outage note <b>quiet</b>")
	f, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	open, err := store.Flow{Store: f}.Open(t.Context())
	if err != nil || len(open) != 2 {
		t.Fatalf("open outages: %v, %v", open, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	export := func(args ...string) []exported {
		t.Helper()
		out, status := command(t, "", append([]string{"audit", "export", "--data", dir}, args...)...)
		if status != 0 {
			t.Fatalf("bot audit export %v = %d:\n%s", args, status, out)
		}
		var list []exported
		for line := range strings.Lines(out) {
			var e exported
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			list = append(list, e)
		}
		return list
	}
	all := export()
	chain := map[string]string{}
	for _, e := range all {
		sum := sha256.Sum256(e.Entry)
		read, err := flow.ReadEntry(e.Entry)
		if err != nil || hex.EncodeToString(sum[:]) != e.Hash || read.Prev != chain[e.Log] {
			t.Errorf("entry %d does not follow the one before it, or has another hash: %v", e.ID, err)
		}
		chain[e.Log] = e.Hash
	}
	one := export("--outage", open[0].ID)
	if len(one) == 0 || len(one) >= len(all) {
		t.Errorf("%d entries of one outage, of %d in all", len(one), len(all))
	}
	walk := false
	for _, e := range one {
		walk = walk || strings.HasPrefix(e.Log, "walk:")
		if strings.HasPrefix(e.Log, "outage:") && e.Log != "outage:"+open[0].ID {
			t.Errorf("an entry of %s", e.Log)
		}
	}
	if !walk {
		t.Error("the conversation that led to the outage is missing")
	}
	at := all[len(all)/2].At.UTC().Format(time.RFC3339Nano)
	if got := len(export("--from", at)) + len(export("--to", at)); got != len(all) {
		t.Errorf("%d entries before and after %s, want all %d", got, at, len(all))
	}
	if got := export("--to", "2020-01-01"); len(got) != 0 {
		t.Errorf("%d entries of before 2020", len(got))
	}
	if out, status := command(t, "", "audit", "export", "--data", dir, "--from", "yesterday"); status != 1 || !strings.Contains(out, `"yesterday" is neither`) {
		t.Errorf("bot audit export --from yesterday = %d:\n%s", status, out)
	}
}

// The report of the chat is to be had without one, as text.
func TestAuditReport(t *testing.T) {
	dir, _ := closed(t)
	o, _ := theOpen(t, dir)
	for _, what := range [][]string{{o.ID}, {"today"}} {
		out, status := command(t, "", append([]string{"audit", "report", "--data", dir}, what...)...)
		if status != 0 || !strings.Contains(out, "Report: CHAT") || !strings.Contains(out, "The record is whole") || strings.Contains(out, "[0.1]") {
			t.Errorf("bot audit report %v = %d:\n%s", what, status, out)
		}
	}
	if out, status := command(t, "", "audit", "report", "--data", dir, "2020-01-01"); status != 0 || !strings.Contains(out, "Nothing is on record") {
		t.Errorf("a day without one: %d\n%s", status, out)
	}
	if out, status := command(t, "", "audit", "report", "--data", dir, "someday"); status == 0 || !strings.Contains(out, "neither an outage nor a day") {
		t.Errorf("no day: %d\n%s", status, out)
	}
}
