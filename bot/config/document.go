// Package config reads what people write for the bot, and tells them where they went wrong: strict YAML whose problems
// are all reported at once with their places, its JSON schema, and secrets that cannot be printed.
//
// A package that has a part in a document declares a struct with yaml tags for it, decodes with [Document.Decode], and
// then checks its own rules, for which [Document.Problem] finds the places:
//
//	doc, problems := config.Parse(file, data)
//	if doc != nil {
//		problems = append(problems, doc.Decode(&org)...)
//	}
//	if len(problems) == 0 && org.Name == "" {
//		problems = append(problems, doc.Problem("name", "a name is needed"))
//	}
//	return org, problems.Err()
//
// The YAML is a plain subset: one document, no anchors, aliases or tags, each key once. A value means the same to
// everybody who reads the file, from top to bottom.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

const (
	maxSize  = 1 << 20 // bytes of a document
	maxDepth = 50      // lists and groups within each other
)

// Document is a YAML file that knows where everything stands. It comes from Parse.
type Document struct {
	file  string
	lines []string
	root  *yaml.Node
}

// Parse reads one YAML document. The file's name is used in problems only.
//
// The document is nil when nothing can be made of the file: bad syntax, no document or more than one, more than 1 MiB,
// nesting deeper than 50. Otherwise it is there, even beside problems (keys given twice, anchors, tags), so that the
// caller can go on to Decode and report everything at once.
func Parse(file string, data []byte) (*Document, Problems) {
	if len(data) > maxSize {
		return nil, Problems{{File: file, Text: fmt.Sprintf("larger than %d KiB", maxSize>>10)}}
	}
	d := &Document{file: file, lines: strings.Split(string(data), "\n")}
	if p := d.unreadable(data); len(p) > 0 {
		return nil, p
	}
	l, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		return nil, Problems{{File: file, Text: err.Error()}}
	}
	var first, second yaml.Node
	switch err := l.Load(&first); {
	case errors.Is(err, io.EOF) || err == nil && isNull(first.Content[0]):
		return nil, Problems{{File: file, Line: 1, Column: 1, Text: "the file is empty"}}
	case err != nil:
		return nil, Problems{d.syntax(err)}
	}
	switch err := l.Load(&second); {
	case err == nil:
		return nil, Problems{d.at(second.Content[0], "", "a second document begins here; a file holds one")}
	case !errors.Is(err, io.EOF):
		return nil, Problems{d.syntax(err)}
	}
	d.root = first.Content[0]
	var found Problems
	d.check(d.root, "", &found)
	return d, found.Sorted()
}

// Has reports whether the document has this key at its top level.
func (d *Document) Has(key string) bool {
	k, _, _ := child(d.root, key)
	return k != nil && k.Value == key
}

// Problem places a problem that was found after decoding at the value of path: "nodes.chat-in.options.2.goto", where
// list indexes count from 0, and the empty path is the document. If there is no such value, the place is that of the
// nearest one around it. A group or list stands where its key does.
func (d *Document) Problem(path, format string, args ...any) Problem {
	at, n := d.root, d.root
	for rest := path; rest != "" && n != nil; {
		var key *yaml.Node
		key, n, rest = child(n, rest)
		switch {
		case n == nil:
		case n.Kind == yaml.ScalarNode || key == nil:
			at = n
		default:
			at = key
		}
	}
	return d.at(at, path, format, args...)
}

// child takes the first step of a path: it returns the value, its key if it has one, and the rest of the path. Keys
// may hold dots themselves ("shop.example.com"), so the longest one that fits is taken.
func child(n *yaml.Node, path string) (key, value *yaml.Node, rest string) {
	if n.Kind == yaml.SequenceNode {
		index, after, _ := strings.Cut(path, ".")
		if i, err := strconv.Atoi(index); err == nil && i >= 0 && i < len(n.Content) {
			return nil, n.Content[i], after
		}
		return nil, nil, ""
	}
	for k, v := range pairs(n) {
		after, ok := strings.CutPrefix(path, k.Value)
		fits := ok && k.Kind == yaml.ScalarNode && (after == "" || after[0] == '.')
		if fits && (key == nil || len(k.Value) > len(key.Value)) {
			key, value, rest = k, v, strings.TrimPrefix(after, ".")
		}
	}
	return key, value, rest
}

// pairs goes through the keys and values of a mapping, as written; of anything else there are none.
func pairs(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(k, v *yaml.Node) bool) {
		if n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// at places a problem at a node.
func (d *Document) at(n *yaml.Node, path, format string, args ...any) Problem {
	return d.place(Problem{Line: n.Line, Column: n.Column, Path: path, Text: fmt.Sprintf(format, args...)})
}

// place moves a problem into the file: for the library the end of a file is a line that may not exist.
func (d *Document) place(p Problem) Problem {
	p.File = d.file
	if p.Line > len(d.lines) {
		p.Line, p.Column = len(d.lines), math.MaxInt
	}
	p.Line = max(p.Line, 1)
	p.Column = max(1, min(p.Column, utf8.RuneCountInString(d.lines[p.Line-1])+1))
	return p
}

// check finds what the plain subset of YAML does without.
func (d *Document) check(n *yaml.Node, path string, found *Problems) {
	if n.Kind == yaml.AliasNode {
		*found = append(*found, d.at(n, path, "aliases (*%s) are not supported; write the value out", n.Value))
		return
	}
	if n.Anchor != "" {
		*found = append(*found, d.at(n, path, "anchors (&%s) are not supported", n.Anchor))
	}
	if n.Style&yaml.TaggedStyle != 0 {
		*found = append(*found, d.at(n, path, "tags (%s) are not supported", n.Tag))
	}
	if n.Kind == yaml.SequenceNode {
		for i, c := range n.Content {
			d.check(c, join(path, strconv.Itoa(i)), found)
		}
	}
	seen := map[string]int{} // the line of each key
	for k, v := range pairs(n) {
		if k.Kind != yaml.ScalarNode {
			*found = append(*found, d.at(k, path, "a key must be plain text"))
			continue
		}
		here := join(path, k.Value)
		if line, ok := seen[k.Value]; ok {
			*found = append(*found, d.at(k, here, "given twice; first on line %d", line))
		} else {
			seen[k.Value] = k.Line
		}
		if k.Anchor != "" || k.Style&yaml.TaggedStyle != 0 {
			*found = append(*found, d.at(k, here, "anchors and tags are not supported"))
		}
		d.check(v, here, found)
	}
}

// unreadable finds what an editor does not show: bytes that are not UTF-8, control characters, and line breaks that
// YAML counts but editors do not, with which no place would be right.
func (d *Document) unreadable(data []byte) Problems {
	line, column := 1, 1
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		p := Problem{File: d.file, Line: line, Column: column}
		switch {
		case r == utf8.RuneError && size == 1:
			p.Text = "not UTF-8 text"
			return Problems{p}
		case r == '\n':
			line, column = line+1, 0
		case r == '\t', r == '\r' && bytes.HasPrefix(data[i+1:], []byte("\n")):
		case unicode.IsControl(r), r == '\u2028', r == '\u2029', r == '\ufeff' && i > 0:
			p.Text = fmt.Sprintf("invisible character %U", r)
			return Problems{p}
		case r == '\ufeff':
			column-- // a byte order mark at the start takes no place
		}
		column++
		i += size
	}
	return nil
}

// syntax turns an error of the YAML library into a problem.
func (d *Document) syntax(err error) Problem {
	e, ok := errors.AsType[*yaml.LoadError](err)
	if !ok {
		return d.place(Problem{Text: err.Error()})
	}
	p := d.place(Problem{Line: e.Mark.Line, Column: e.Mark.Column, Text: e.Message})
	if e.ContextMsg != "" {
		p.Text += ", " + e.ContextMsg
		if from := e.ContextMark.Line; from > 0 && from < p.Line {
			p.Text += fmt.Sprintf(" from line %d", from)
		}
	}
	switch line := []rune(d.lines[p.Line-1]); {
	case p.Column <= len(line) && line[p.Column-1] == '\t':
		p.Text += "; indent with spaces, not tabs"
	case strings.HasPrefix(e.Message, "mapping values are not allowed"):
		p.Text += `; put quotes around a text that has ": " in it`
	}
	return p
}

// join adds a step to a path.
func join(path, step string) string {
	if path == "" {
		return step
	}
	return path + "." + step
}

// isNull reports whether nothing was written, or null, or ~.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }
