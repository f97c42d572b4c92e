package tree

import (
	"cmp"
	"fmt"
	"io"
	"strings"
)

// The drawings show what answers lead to: questions, their options, and the nodes at the end. Nodes that change
// something stand out, by a word as well as by their border. What is for quiet times or for afterwards is left out.

// Mermaid writes the tree as a flowchart for mermaid.js, which GitHub draws in Markdown.
func (t Tree) Mermaid(w io.Writer) error {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	b.WriteString("    classDef change stroke:#c00,stroke-width:3px\n")
	for _, n := range t.drawn() {
		shape := `    %s["%s"]`
		switch n.Kind {
		case Ask:
			shape = `    %s(["%s"])`
		case Change:
			shape += ":::change"
		case Advise, Wait:
		}
		fmt.Fprintf(&b, shape+"\n", mermaidID(n.ID), mermaidText(n.label()))
		for _, e := range n.edges() {
			arrow := "-->"
			if e.later {
				arrow = "-.->"
			}
			fmt.Fprintf(&b, "    %s %s|\"%s\"| %s\n", mermaidID(n.ID), arrow, mermaidText(e.label), mermaidID(e.to))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Dot writes the tree for Graphviz.
func (t Tree) Dot(w io.Writer) error {
	var b strings.Builder
	b.WriteString("digraph playbook {\n")
	b.WriteString("\tgraph [rankdir=LR, ordering=out];\n") // without it the options are shuffled
	b.WriteString("\tnode [shape=box, fontname=\"sans-serif\"];\n")
	b.WriteString("\tedge [fontname=\"sans-serif\", fontsize=11];\n")
	for _, n := range t.drawn() {
		style := ""
		switch n.Kind {
		case Ask:
			style = ", style=rounded"
		case Change:
			style = ", color=red, penwidth=3"
		case Advise, Wait:
		}
		fmt.Fprintf(&b, "\t%s [label=%s%s];\n", dotText(n.ID), dotText(n.label()), style)
		for _, e := range n.edges() {
			style := ""
			if e.later {
				style = ", style=dashed"
			}
			fmt.Fprintf(&b, "\t%s -> %s [label=%s%s];\n", dotText(n.ID), dotText(e.to), dotText(e.label), style)
		}
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// drawn lists the nodes that answers lead to, in file order.
func (t Tree) drawn() []Node {
	reached := map[string]bool{start: true}
	for queue := []string{start}; len(queue) > 0; queue = queue[1:] {
		for _, e := range t.nodes[queue[0]].edges() {
			if !reached[e.to] {
				reached[e.to] = true
				queue = append(queue, e.to)
			}
		}
	}
	var out []Node
	for _, id := range t.ids {
		if reached[id] {
			out = append(out, t.nodes[id])
		}
	}
	return out
}

// edge is an answer and the node that it leads to.
type edge struct {
	label, to string
	later     bool // an answer of again
}

func (n Node) edges() []edge {
	var out []edge
	for _, o := range n.Options {
		out = append(out, edge{label: o.Label, to: o.Goto})
	}
	if n.Again == nil {
		return out
	}
	for _, e := range []edge{{"yes, later", n.Again.Yes, true}, {"no, later", n.Again.No, true}} {
		if e.to != Done && e.to != n.ID {
			out = append(out, e)
		}
	}
	return out
}

func (n Node) label() string {
	kind := map[Kind]string{Change: "Change: ", Wait: "Wait: "}
	return kind[n.Kind] + cmp.Or(n.Title, n.Text)
}

// mermaidID avoids the words and signs that mean something to mermaid.js: "end", "class", "--".
func mermaidID(id string) string { return "n_" + strings.ReplaceAll(id, "-", "_") }

// mermaidText escapes what would end a label, or be read as HTML or Markdown. Entities are written with #, not &.
func mermaidText(s string) string {
	return strings.NewReplacer(
		"#", "#35;", `"`, "#quot;", "&", "#amp;", "<", "#lt;", ">", "#gt;", "`", "#96;", "*", "#42;", "_", "#95;", `\`, "#92;",
	).Replace(s)
}

// dotText quotes a text, on lines short enough for a box.
func dotText(s string) string {
	return `"` + strings.ReplaceAll(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(strings.Join(wrap(s, 28), "\n")), "\n", `\n`) + `"`
}
