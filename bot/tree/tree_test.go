package tree_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchback/bot/change"
	"switchback/bot/tree"
)

func builtin(t *testing.T) tree.Tree {
	t.Helper()
	return parse(t, string(tree.Builtin()))
}

func parse(t *testing.T, text string) tree.Tree {
	t.Helper()
	p, err := tree.Parse("playbook.yaml", []byte(text), change.Actions())
	if err != nil {
		t.Fatalf("Parse:\n%v", err)
	}
	return p
}

func TestFind(t *testing.T) {
	p := builtin(t)
	for _, test := range []struct {
		words string
		to    string
		rest  []string
	}{
		{"", "start", nil},
		{"chat", "chat", nil},
		{"chat late", "chat-in", nil},
		{"chat in", "chat-in", nil},
		{"Chat, LATE!", "chat-in", nil},
		{"chat out", "chat-out", nil},
		{"glad app late", "chat-in", nil},
		{"voice agents", "voice-agents", nil},
		{"voice reach", "voice-agents", nil},
		{"voice in", "voice-in", nil},
		{"voice out", "voice-out", nil},
		{"sms reply", "sms-out", nil},
		{"sms in", "sms-in", nil},
		{"social start", "social-start", nil},
		{"social start network", "social-start-network", nil},
		{"social arriving", "social-arriving", nil},
		{"email", "email", nil},
		{"E-Mail", "email", nil},
		{"login", "login", nil},
		{"platform", "login", nil},
		{"everything", "login", nil},
		{"down", "login", nil},
		{"cannot log in", "login", nil},
		{"can’t log in", "login", nil}, // as phones write it
		{"Nobody can log in", "login", nil},
		{"social messaging start", "social-start", nil}, // the label, which is longer than the alias

		// Where it stops, and what was not understood.
		{"chatt late", "start", []string{"chatt", "late"}},
		{"chat ltae", "chat", []string{"ltae"}},
		{"chat late please", "chat-in", []string{"please"}},
		{"late", "start", []string{"late"}},
		{"cannot log", "start", []string{"cannot", "log"}},
		{"? !", "start", []string{"?", "!"}},
	} {
		path, rest := p.Find(p.Start(), strings.Fields(test.words))
		if got := path[len(path)-1]; got != test.to || !slices.Equal(rest, test.rest) {
			t.Errorf("Find(%q) = %v, %q; want to %s, %q", test.words, path, rest, test.to, test.rest)
		}
	}
	path, rest := p.Find("social", []string{"start  network", "now"})
	if diff := cmp.Diff([]string{"social", "social-start", "social-start-network"}, path); diff != "" || !slices.Equal(rest, []string{"now"}) {
		t.Errorf("Find(from social) leaves %q, -want +got:\n%s", rest, diff)
	}
}

// odd is a playbook with what the built-in one has not: two ways to one node, a question that goes on with another
// node, an option without alias.
const odd = `nodes:
  start: {kind: ask, text: A?, options: [{label: One, aliases: ["first one", 'one #1'], goto: b}, {label: Two & <more>, goto: c}]}
  b: {kind: ask, text: B?, options: [{label: To the same, goto: c}, {label: 'Say "no"', goto: d}]}
  c: {kind: ask, text: C?, options: [{label: On, goto: d}]}
  d: {kind: wait, title: D, channel: sms, text: Wait., for: it, every: [90m], again: {text: Better?, yes: e, no: done}, source: S}
  e: {kind: advise, title: E, text: Read., source: S}
`

func TestWays(t *testing.T) {
	p := parse(t, odd)
	for id, want := range map[string][]string{
		"start": {"start"},
		"d":     {"start", "b", "d"}, // as short as by c, and first
		"e":     nil,                 // only time leads there
		"x":     nil,
	} {
		if diff := cmp.Diff(want, p.Path(id)); diff != "" {
			t.Errorf("Path(%s), -want +got:\n%s", id, diff)
		}
	}
	for id, want := range map[string]string{"start": "", "b": "One", "c": "Two & <more>", "d": `One Say "no"`, "e": ""} {
		if got := p.Command(id); got != want {
			t.Errorf("Command(%s) = %q, want %q", id, got, want)
		}
	}
	if diff := cmp.Diff([]string{"first one", "one #1", "Two & <more>"}, p.Words("start")); diff != "" {
		t.Errorf("Words(start), -want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"d"}, p.Leaves()); diff != "" {
		t.Errorf("Leaves, -want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"start", "b", "c", "d", "e"}, p.IDs()); diff != "" {
		t.Errorf("IDs, -want +got:\n%s", diff)
	}
	for _, bad := range []struct {
		id     string
		option int
	}{{"x", 0}, {"d", 0}, {"c", 1}, {"c", -1}} {
		if got, err := p.Next(bad.id, bad.option); err == nil {
			t.Errorf("Next(%s, %d) = %s, want an error", bad.id, bad.option, got)
		}
	}
	if err := p.Text(io.Discard, "x"); err == nil {
		t.Error("Text(x): no error for a node that is not there")
	}
}

// TestParagraphs: how a text is wrapped in the file does not matter, its paragraphs do.
func TestParagraphs(t *testing.T) {
	for _, text := range []string{
		"    text: \"One two.\\n\\nThree.\"\n",
		"    text: >-\n      One\n      two.\n\n      Three.\n",
		"    text: >\n      One\n      two.\n\n\n      Three.\n\n",
		"    text: |\n      One two.\n      Three.\n",
	} {
		p := parse(t, "nodes:\n  start:\n    kind: advise\n    title: >\n      T\n      u\n    source: S\n"+text)
		n, _ := p.Node("start")
		if n.Text != "One two.\n\nThree." || n.Title != "T u" {
			t.Errorf("%s: text %q, title %q", text, n.Text, n.Title)
		}
	}
}

// sound fails unless every way from every node ends at something to do.
func sound(t interface {
	Helper()
	Fatalf(string, ...any)
}, p tree.Tree,
) {
	t.Helper()
	ids := p.IDs()
	for _, id := range ids {
		here := map[string]bool{id: true}
		for range ids {
			next := map[string]bool{}
			for id := range here {
				n, ok := p.Node(id)
				if !ok {
					t.Fatalf("a way leads to %q, which is not there", id)
				}
				if n.Kind == tree.Ask && len(n.Options) == 0 {
					t.Fatalf("a way ends at the question %q", id)
				}
				for i := range n.Options {
					to, err := p.Next(id, i)
					if err != nil {
						t.Fatalf("Next(%s, %d): %v", id, i, err)
					}
					next[to] = true
				}
				if a := n.Again; a != nil {
					for _, to := range []string{a.Yes, a.No} {
						if _, ok := p.Node(to); !ok && to != tree.Done {
							t.Fatalf("an answer at %q leads to %q, which is not there", id, to)
						}
					}
				} else if n.Kind == tree.Wait {
					t.Fatalf("%q waits and never asks", id)
				}
			}
			here = next
		}
		if len(here) > 0 {
			t.Fatalf("a way from %q does not end", id)
		}
		if err := p.Text(io.Discard, id); err != nil {
			t.Fatalf("Text(%s): %v", id, err)
		}
	}
	for _, id := range p.Leaves() {
		if path := p.Path(id); path[0] != p.Start() || path[len(path)-1] != id {
			t.Fatalf("Path(%s) = %v", id, path)
		}
	}
	if err := p.Mermaid(io.Discard); err != nil {
		t.Fatalf("Mermaid: %v", err)
	}
	if err := p.Dot(io.Discard); err != nil {
		t.Fatalf("Dot: %v", err)
	}
}

// TestRandom: a random graph is accepted exactly when every node can be reached and every way ends.
func TestRandom(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 7).Draw(t, "nodes")
		name := func(i int) string {
			if i == 0 {
				return "start"
			}
			return fmt.Sprintf("n%d", i)
		}
		kinds := make([]string, n)
		for i := range kinds {
			kinds[i] = rapid.SampledFrom([]string{"ask", "ask", "advise", "wait"}).Draw(t, "kind")
		}
		good := true
		edges := make([][]int, n)   // options
		reaches := make([][]int, n) // all
		var b strings.Builder
		b.WriteString("nodes:\n")
		for i := range n {
			fmt.Fprintf(&b, "  %s: {kind: %s, text: T", name(i), kinds[i])
			if kinds[i] != "ask" {
				b.WriteString(", title: T, source: S")
			}
			switch kinds[i] {
			case "ask":
				// Mostly forward, so that some graphs are good; n is a node that is not there.
				to := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(min(i+1, n), n), rapid.IntRange(min(i+1, n-1), n-1), rapid.IntRange(min(i+1, n-1), n-1), rapid.IntRange(0, n-1)), 0, 4).Draw(t, "to")
				good = good && len(to) > 0
				b.WriteString(", options: [")
				for k, j := range to {
					fmt.Fprintf(&b, "{label: L%d, goto: %s}, ", k, name(j))
				}
				b.WriteString("]")
				edges[i], reaches[i] = to, to
			case "wait":
				no := rapid.IntRange(0, n-1).Draw(t, "no")
				fmt.Fprintf(&b, ", channel: sms, for: it, every: [1h], again: {text: A, yes: done, no: %s}", name(no))
				reaches[i] = []int{no}
				if rapid.Bool().Draw(t, "leaves something to do") {
					after := rapid.IntRange(0, n-1).Draw(t, "after")
					fmt.Fprintf(&b, ", after: [%s]", name(after))
					reaches[i] = append(reaches[i], after)
					good = good && kinds[after] == "advise"
				}
			}
			b.WriteString("}\n")
		}
		reached := map[int]bool{0: true}
		for queue := []int{0}; len(queue) > 0; queue = queue[1:] {
			for _, j := range reaches[queue[0]] {
				good = good && j < n
				if j < n && !reached[j] {
					reached[j] = true
					queue = append(queue, j)
				}
			}
		}
		good = good && len(reached) == n && len(endless(edges)) == 0

		p, err := tree.Parse("p.yaml", []byte(b.String()), nil)
		if (err == nil) != good {
			t.Fatalf("Parse accepts: %t, want %t\n%s\n%v", err == nil, good, b.String(), err)
		}
		if err != nil {
			refused++
			return
		}
		accepted++
		sound(t, p)
		for _, id := range p.Leaves() {
			if path, rest := p.Find(p.Start(), strings.Fields(p.Command(id))); path[len(path)-1] != id || len(rest) > 0 {
				t.Fatalf("Find(Command(%s)) = %v, %q\n%s", id, path, rest, b.String())
			}
		}
	})
	if !testing.Short() && (accepted == 0 || refused == 0) { // -short draws too few to be sure of both
		t.Errorf("%d accepted, %d refused: the test needs both", accepted, refused)
	}
}

// endless are the nodes that can be reached in as many steps as there are nodes, which takes a circle.
func endless(edges [][]int) map[int]bool {
	here := map[int]bool{}
	for i := range edges {
		here[i] = true
	}
	for range edges {
		next := map[int]bool{}
		for i := range here {
			for _, j := range edges[i] {
				if j < len(edges) {
					next[j] = true
				}
			}
		}
		here = next
	}
	return here
}

// FuzzParse: whatever the file, Parse returns problems, or a tree in which every way ends.
func FuzzParse(f *testing.F) {
	for _, s := range []string{string(tree.Builtin()), small, odd, "nodes: {start: {kind: ask, text: A, options: [{label: B, goto: start}]}}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := tree.Parse("p.yaml", data, change.Actions())
		if err == nil {
			sound(t, p)
		} else if err.Error() == "" {
			t.Error("Parse: an error without words")
		}
	})
}

func BenchmarkParse(b *testing.B) {
	data := tree.Builtin()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tree.Parse("playbook.yaml", data, change.Actions()); err != nil {
			b.Fatal(err)
		}
	}
}
