package tree_test

import (
	"bytes"
	"io"
	"testing"
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
