package tree

import (
	"slices"
	"strings"
)

// Find follows typed words from a node, and returns the ids that it passed, from first, and the words that were left
// over. At each question the option is taken whose alias or label has the most words in common with what comes next;
// upper and lower case and punctuation around a word do not count. It stops at the first word that means nothing there.
func (t Tree) Find(from string, words []string) (path, rest []string) {
	for _, w := range words {
		rest = append(rest, strings.Fields(w)...)
	}
	path = []string{from}
	for len(rest) > 0 {
		n := t.nodes[path[len(path)-1]]
		next, used := "", 0
		for _, o := range n.Options {
			for _, name := range o.names() {
				if k := begins(rest, name); k > used {
					next, used = o.Goto, k
				}
			}
		}
		if used == 0 {
			break
		}
		path, rest = append(path, next), rest[used:]
	}
	return path, rest
}

// names are all that an option can be called by, most wanted first.
func (o Option) names() []string { return append(slices.Clone(o.Aliases), o.Label) }

// begins returns how many words name has if words begin with it, else 0.
func begins(words []string, name string) int {
	parts := strings.Fields(name)
	if len(parts) > len(words) {
		return 0
	}
	for i, p := range parts {
		if fold(p) != fold(words[i]) {
			return 0
		}
	}
	return len(parts)
}

// fold makes alike what people type alike. Phones make apostrophes curly.
func fold(word string) string {
	word = strings.ReplaceAll(strings.ToLower(word), "’", "'")
	if bare := strings.Trim(word, ".,;:!?\"“”„'…"); bare != "" {
		return bare
	}
	return word
}

// foldAll folds each word of a name.
func foldAll(name string) string {
	parts := strings.Fields(name)
	for i := range parts {
		parts[i] = fold(parts[i])
	}
	return strings.Join(parts, " ")
}

// Words lists the words that mean something at a question, for suggestions: the aliases of each option, or its label
// where it has none. It is empty at other nodes.
func (t Tree) Words(from string) []string {
	var out []string
	for _, o := range t.nodes[from].Options {
		if len(o.Aliases) == 0 {
			out = append(out, o.Label)
		}
		out = append(out, o.Aliases...)
	}
	return out
}

// Path returns the shortest way from the start to a node, both included; of equally short ones the first. It is nil
// for nodes that no answers lead to.
func (t Tree) Path(id string) []string {
	before := map[string]string{start: ""}
	for queue := []string{start}; len(queue) > 0; queue = queue[1:] {
		if queue[0] == id {
			break
		}
		for _, o := range t.nodes[queue[0]].Options {
			if _, seen := before[o.Goto]; !seen {
				before[o.Goto] = queue[0]
				queue = append(queue, o.Goto)
			}
		}
	}
	if _, reached := before[id]; !reached || t.nodes == nil {
		return nil
	}
	var path []string
	for ; id != ""; id = before[id] {
		path = append(path, id)
	}
	slices.Reverse(path)
	return path
}

// Command returns the words with which people get to a node: "chat late". Of each option on its Path they are the alias
// with the fewest words, and of those the first. It is empty for the start and for nodes that no answers lead to.
func (t Tree) Command(id string) string {
	var out []string
	path := t.Path(id)
	for i := 1; i < len(path); i++ {
		options := t.nodes[path[i-1]].Options
		o := options[slices.IndexFunc(options, func(o Option) bool { return o.Goto == path[i] })]
		out = append(out, slices.MinFunc(o.names(), func(a, b string) int {
			return len(strings.Fields(a)) - len(strings.Fields(b))
		}))
	}
	return strings.Join(out, " ")
}
