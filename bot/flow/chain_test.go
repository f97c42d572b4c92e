package flow_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"switchback/bot/flow"
	"switchback/store"
)

// logOf is the audit log of one outage or walk.
func (n *night) logOf(name string) [][]byte {
	n.t.Helper()
	all, err := n.file.Audit(n.t.Context(), 0, 1<<20)
	if err != nil {
		n.t.Fatal(err)
	}
	var out [][]byte
	for _, e := range all {
		if e.Log == name {
			out = append(out, e.Data)
		}
	}
	return out
}

func TestChainShowsEveryEdit(t *testing.T) {
	in(t, func(n *night) {
		n.types("ana", "chat late")
		n.presses("ana", n.button("Close"), nil)
		n.types("ana", "note the carrier says 30 minutes")
		n.types("ana", "extend 1h")
		open, err := store.Flow{Store: n.file}.Open(n.t.Context())
		if err != nil || len(open) != 1 {
			t.Fatalf("open outages: %v, %v", open, err)
		}
		entries, head := n.logOf("outage:"+open[0].ID), open[0].Head
		if len(entries) < 3 {
			t.Fatalf("%d entries are too few for this test", len(entries))
		}
		c := flow.ReadChain(entries, head)
		if len(c.Problems) > 0 || len(c.Entries) != len(entries) || !c.Heads[head] {
			t.Fatalf("the chain as it was written: %+v", c)
		}
		for i, e := range entries {
			for at := range e {
				edited := append([][]byte{}, entries...)
				edited[i] = bytes.Clone(e)
				edited[i][at] ^= 1
				if c := flow.ReadChain(edited, head); len(c.Problems) == 0 {
					t.Fatalf("byte %d of entry %d was edited, and nothing was found: %s", at, i, edited[i])
				}
			}
			without := append(append([][]byte{}, entries[:i]...), entries[i+1:]...)
			if c := flow.ReadChain(without, head); len(c.Problems) == 0 {
				t.Errorf("entry %d was removed, and nothing was found", i)
			}
		}
		swapped := append([][]byte{entries[1], entries[0]}, entries[2:]...)
		if c := flow.ReadChain(swapped, head); len(c.Problems) == 0 {
			t.Error("two entries changed places, and nothing was found")
		}
	})
}

func TestReadEntryAndNewEntry(t *testing.T) {
	at := time.Date(2026, 11, 25, 18, 0, 0, 0, time.UTC)
	first := flow.NewEntry("", at, flow.Person{Account: "terminal:ana", Name: "@ana"}, "prune", map[string]string{"before": "2026-01-01"})
	e, err := flow.ReadEntry(first)
	if err != nil || !e.At.Equal(at) || e.By != "terminal:ana" || e.What != "prune" || e.Data["before"] != "2026-01-01" {
		t.Errorf("ReadEntry = %+v, %v", e, err)
	}
	second := flow.NewEntry(e.Hash, at, flow.Person{}, "prune", nil)
	if c := flow.ReadChain([][]byte{first, second}, ""); len(c.Problems) > 0 {
		t.Errorf("a chain of two: %v", c.Problems)
	}
	if _, err := flow.ReadEntry([]byte("{")); err == nil || !strings.Contains(err.Error(), "not readable") {
		t.Errorf("ReadEntry of rubbish = %v", err)
	}
}
