package tree_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGolden: the built-in playbook on paper and as drawings. The diff is the review.
func TestGolden(t *testing.T) {
	p := builtin(t)
	for file, write := range map[string]func(io.Writer) error{
		"playbook.txt": func(w io.Writer) error { return p.Text(w, p.Start()) },
		"chat.txt":     func(w io.Writer) error { return p.Text(w, "chat-in") },
		"playbook.mmd": p.Mermaid,
		"playbook.dot": p.Dot,
	} {
		t.Run(file, func(t *testing.T) {
			var b bytes.Buffer
			if err := write(&b); err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/"+file, b.Bytes())
		})
	}
}

// TestEscapes: no text ends a label, or becomes markup.
func TestEscapes(t *testing.T) {
	p := parse(t, odd)
	for _, test := range []struct {
		name  string
		write func(io.Writer) error
		want  string
	}{
		{"Mermaid", p.Mermaid, `flowchart LR
    classDef change stroke:#c00,stroke-width:3px
    n_start(["A?"])
    n_start -->|"One"| n_b
    n_start -->|"Two #amp; #lt;more#gt;"| n_c
    n_b(["B?"])
    n_b -->|"To the same"| n_c
    n_b -->|"Say #quot;no#quot;"| n_d
    n_c(["C?"])
    n_c -->|"On"| n_d
    n_d["Wait: D"]
    n_d -.->|"yes, later"| n_e
    n_e["E"]
`},
		{"Dot", p.Dot, `digraph playbook {
	graph [rankdir=LR, ordering=out];
	node [shape=box, fontname="sans-serif"];
	edge [fontname="sans-serif", fontsize=11];
	"start" [label="A?", style=rounded];
	"start" -> "b" [label="One"];
	"start" -> "c" [label="Two & <more>"];
	"b" [label="B?", style=rounded];
	"b" -> "c" [label="To the same"];
	"b" -> "d" [label="Say \"no\""];
	"c" [label="C?", style=rounded];
	"c" -> "d" [label="On"];
	"d" [label="Wait: D"];
	"d" -> "e" [label="yes, later", style=dashed];
	"e" [label="E"];
}
`},
		{"Text", func(w io.Writer) error { return p.Text(w, "b") }, `B?
   To the same: go to 1.
   Say "no": go to 1.1.

1. C?
   On: go to 1.1.

1.1. D

   Wait.

   We wait for our own IT. Ask every 1 hour 30 minutes: Better?
    - Yes: go to 2.
    - No: it is over.

   Source: S.

2. E

   Read.

   Source: S.
`},
	} {
		var b bytes.Buffer
		if err := test.write(&b); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(test.want, "\n"), strings.Split(b.String(), "\n")); diff != "" {
			t.Errorf("%s, -want +got:\n%s", test.name, diff)
		}
	}
}
