// Package tree is the playbook: a tree of questions that leads from "what is affected?" to what to do about it.
//
// A playbook is a YAML file with a flat map of nodes, see playbook.yaml. Parse checks all of it, so code that walks a
// Tree has no checks to repeat: every way from the start reaches, in finitely many answers, a node that says what to do.
// The playbook names what to change in words that fit any vendor (close-chat); how that is done is code elsewhere.
package tree

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"switchback/bot/config"
)

// Kind is what a node is.
type Kind string

// The kinds. All but Ask end a walk.
const (
	Ask    Kind = "ask"    // a question
	Advise Kind = "advise" // something to read
	Change Kind = "change" // something to change now and to put back later
	Wait   Kind = "wait"   // nothing to change: ask again and again until it works
)

// Done is the target of an answer by which the outage is over. No node has this id.
const Done = "done"

// Node is one node of a playbook. What the comments name as its kinds are the only ones that have the field; all of
// those must have it, but Offer, Meanwhile, Tell and After. Texts have no white space around them; Text and Tell are
// paragraphs with an empty line between, all others are one line.
//
// Outages are stored with the node that they began from, so fields may be added here, but not renamed.
type Node struct {
	ID        string            `yaml:"-" json:"id"`
	Kind      Kind              `yaml:"kind" json:"kind" jsonschema:"required,enum=ask,enum=advise,enum=change,enum=wait" jsonschema_description:"ask: a question. advise: something to read. change: something to change and to put back. wait: nothing to change, ask again until it works."`
	Title     string            `yaml:"title" json:"title,omitzero" jsonschema_description:"advise, change, wait: what is broken, as a headline; for what is left to do, the item on the list."`
	Channel   string            `yaml:"channel" json:"channel,omitzero" jsonschema:"enum=voice,enum=chat,enum=sms,enum=social,enum=email,enum=login" jsonschema_description:"change, wait: the customers' channel that is broken."`
	Text      string            `yaml:"text" json:"text" jsonschema:"required" jsonschema_description:"ask: the question. advise, wait: what to do. change: when it is advised. An empty line begins a new paragraph."`
	Options   []Option          `yaml:"options" json:"options,omitzero" jsonschema_description:"ask: the answers, in the order in which they are shown."`
	Action    string            `yaml:"action" json:"action,omitzero" jsonschema:"enum=close-chat,enum=phones-to-voicemail" jsonschema_description:"change: what is done."`
	Affects   string            `yaml:"affects" json:"affects,omitzero" jsonschema_description:"change: who will notice, and what."`
	ByHand    []string          `yaml:"by_hand" json:"by_hand,omitzero" jsonschema_description:"change: how a person does it, one instruction each."`
	Back      []string          `yaml:"back" json:"back,omitzero" jsonschema_description:"change: how a person puts it back, one instruction each."`
	For       string            `yaml:"for" json:"for,omitzero" jsonschema:"enum=gladly,enum=it,enum=carrier,enum=network" jsonschema_description:"wait: for whom we wait: gladly, our own it, the phone carrier, the social network."`
	Every     []config.Duration `yaml:"every" json:"every,omitzero" jsonschema_description:"wait: the time to the first question, from it to the second, and so on; the last repeats."`
	Again     *Again            `yaml:"again" json:"again,omitzero" jsonschema_description:"wait: the question that is asked again and again."`
	Offer     []string          `yaml:"offer" json:"offer,omitzero" jsonschema:"enum=close-chat,enum=phones-to-voicemail" jsonschema_description:"wait: actions that can still be taken from here."`
	Meanwhile []string          `yaml:"meanwhile" json:"meanwhile,omitzero" jsonschema:"enum=voice,enum=chat,enum=sms,enum=social,enum=email" jsonschema_description:"change, wait: channels by which agents can reach customers meanwhile."`
	Tell      string            `yaml:"tell" json:"tell,omitzero" jsonschema_description:"change, wait: a text for customers; {ways} becomes the ways to reach you that work."`
	After     []string          `yaml:"after" json:"after,omitzero" jsonschema_description:"change, wait: ids of advise nodes: what is left to do afterwards."`
	Source    string            `yaml:"source" json:"source,omitzero" jsonschema_description:"advise, change, wait: the passage of the vendor's guidance that this comes from."`
}

// Option is one answer to a question.
type Option struct {
	Label   string   `yaml:"label" json:"label" jsonschema:"required" jsonschema_description:"The answer as it stands on the button."`
	Aliases []string `yaml:"aliases" json:"aliases,omitzero" jsonschema_description:"What people type for it; the first is the one that they are told."`
	Goto    string   `yaml:"goto" json:"goto" jsonschema:"required" jsonschema_description:"The node that it leads to."`
}

// Again is the question of a Wait node, and where its answers lead: to a node, to the waiting node itself, which then
// goes on waiting, or to Done.
type Again struct {
	Text string `yaml:"text" json:"text" jsonschema:"required" jsonschema_description:"The question: does it work again?"`
	Yes  string `yaml:"yes" json:"yes" jsonschema:"required" jsonschema_description:"Where yes leads: done, or a node."`
	No   string `yaml:"no" json:"no" jsonschema:"required" jsonschema_description:"Where no leads: this node again, or another one."`
}

// playbook is the file.
type playbook struct {
	Nodes map[string]Node `yaml:"nodes" jsonschema:"required" jsonschema_description:"All nodes by id. The way begins at start."`
	Ready []string        `yaml:"ready" jsonschema_description:"Ids of advise nodes that are for quiet times."`
}

// Tree is a playbook without problems; it comes from Parse. The zero Tree has no nodes.
type Tree struct {
	version string
	nodes   map[string]Node
	ids     []string // in file order
	ready   []string
}

//go:embed playbook.yaml
var builtin []byte

// Builtin returns the YAML of the playbook that is part of the program.
func Builtin() []byte { return slices.Clone(builtin) }

// Schema returns the JSON schema of playbook files.
func Schema() ([]byte, error) { return config.Schema(playbook{}, "Playbook") }

const start = "start"

// Parse reads a playbook and checks it. The file's name is used in problems only; actions are those that a change may
// name. The error, if there is one, is a config.Problems with everything that is wrong.
func Parse(file string, data []byte, actions []string) (Tree, error) {
	doc, problems := config.Parse(file, data)
	if doc == nil {
		return Tree{}, problems.Err()
	}
	var p playbook
	misread := doc.Decode(&p)
	problems = append(problems, misread...)
	if len(p.Nodes) > maxNodes {
		problems = append(problems, doc.Problem("nodes", "%d nodes, at most %d", len(p.Nodes), maxNodes))
		return Tree{}, problems.Err()
	}
	sum := sha256.Sum256(data)
	t := Tree{version: hex.EncodeToString(sum[:]), nodes: p.Nodes, ready: p.Ready}
	for id, n := range t.nodes {
		n.ID = id
		t.nodes[id] = tidy(n)
	}
	t.ids = fileOrder(doc, t.nodes)
	problems = append(problems, check(t, doc, actions, misread)...)
	if err := problems.Err(); err != nil {
		return Tree{}, err
	}
	return t, nil
}

// fileOrder sorts the ids by where they stand.
func fileOrder(doc *config.Document, nodes map[string]Node) []string {
	places := make(map[string]config.Problem, len(nodes))
	ids := make([]string, 0, len(nodes))
	for id := range nodes {
		ids = append(ids, id)
		places[id] = doc.Problem("nodes."+id, "")
	}
	slices.SortFunc(ids, func(a, b string) int {
		p, q := places[a], places[b]
		return cmp.Or(cmp.Compare(p.Line, q.Line), cmp.Compare(p.Column, q.Column), strings.Compare(a, b))
	})
	return ids
}

// tidy makes the texts independent of how they are wrapped in the file.
func tidy(n Node) Node {
	for _, s := range []*string{&n.Title, &n.Affects, &n.Source} {
		*s = oneLine(*s)
	}
	n.Text, n.Tell = tidyParagraphs(n.Text), tidyParagraphs(n.Tell)
	if n.Kind == Ask {
		n.Text = oneLine(n.Text)
	}
	for _, list := range [][]string{n.ByHand, n.Back} {
		for i := range list {
			list[i] = oneLine(list[i])
		}
	}
	for i := range n.Options {
		o := &n.Options[i]
		o.Label = oneLine(o.Label)
		for k := range o.Aliases {
			o.Aliases[k] = oneLine(o.Aliases[k])
		}
	}
	if n.Again != nil {
		n.Again.Text = oneLine(n.Again.Text)
	}
	return n
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// tidyParagraphs makes a paragraph of every line: in folded YAML (>) an empty line is a single line break.
func tidyParagraphs(s string) string {
	var out []string
	for line := range strings.Lines(s) {
		if line = oneLine(line); line != "" {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n\n")
}

// Version names these exact bytes: the lower-case hex SHA-256 of the file.
func (t Tree) Version() string { return t.version }

// Start is the id of the first question.
func (t Tree) Start() string { return start }

// Node returns a node. Its lists belong to the tree and must not be changed.
func (t Tree) Node(id string) (Node, bool) {
	n, ok := t.nodes[id]
	return n, ok
}

// IDs lists all nodes in file order.
func (t Tree) IDs() []string { return slices.Clone(t.ids) }

// Ready lists the Advise nodes that are for quiet times, in the playbook's order.
func (t Tree) Ready() []string { return slices.Clone(t.ready) }

// Leaves lists the nodes at which a walk from the start can end, in file order.
func (t Tree) Leaves() []string {
	var out []string
	for _, id := range t.ids {
		if t.nodes[id].Kind != Ask && t.Path(id) != nil {
			out = append(out, id)
		}
	}
	return out
}

// Next returns the node to which an option, counted from 0, of a question leads.
func (t Tree) Next(id string, option int) (string, error) {
	n, ok := t.nodes[id]
	switch {
	case !ok:
		return "", fmt.Errorf("the playbook has no node %q", id)
	case n.Kind != Ask:
		return "", fmt.Errorf("node %q is no question", id)
	case option < 0 || option >= len(n.Options):
		return "", fmt.Errorf("node %q has no option %d", id, option)
	}
	return n.Options[option].Goto, nil
}
