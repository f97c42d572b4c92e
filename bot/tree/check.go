package tree

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"switchback/bot/card"
	"switchback/bot/config"
)

const (
	maxNodes = 500
	maxID    = 40          // characters
	minEvery = time.Minute // between two questions
)

var (
	idForm      = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	placeholder = regexp.MustCompile(`\{([A-Za-z_-]+)\}`)
)

// commands are the words of the bot itself: typed first, they never reach the playbook.
func commands() []string {
	return []string{
		"status", "restore", "extend", "handover", "take", "abandon", "note",
		"ready", "drill", "history", "report", "page", "help",
	}
}

// reachable are the channels by which agents and customers reach each other.
func reachable() []string { return []string{"voice", "chat", "sms", "social", "email"} }

func channels() []string { return append(reachable(), "login") }

// check returns all that is wrong with a tree beyond what misread already says.
func check(t Tree, doc *config.Document, actions []string, misread config.Problems) config.Problems {
	c := checker{tree: t, doc: doc, actions: actions, misread: misread}
	for _, id := range t.ids {
		c.node(t.nodes[id])
	}
	c.advice("ready", t.ready)
	c.loops()
	if _, ok := t.nodes[start]; !ok && !c.within("nodes") {
		c.add("nodes", "there is no node %q, where the way begins%s", start, didYouMean(start, t.ids))
	} else if len(misread) == 0 { // otherwise what leads where is not known
		c.unreachable()
	}
	return c.found
}

type checker struct {
	tree    Tree
	doc     *config.Document
	actions []string
	misread config.Problems
	found   config.Problems
}

func (c *checker) add(path, format string, args ...any) {
	c.found = append(c.found, c.doc.Problem(path, format, args...))
}

// within reports whether a value could not be read, wholly or in part. What seems to be missing there may have been
// misspelt, which was said already.
func (c *checker) within(path string) bool {
	return slices.ContainsFunc(c.misread, func(p config.Problem) bool {
		return p.Path == "" || p.Path == path || strings.HasPrefix(p.Path, path+".")
	})
}

func (c *checker) node(n Node) {
	at := "nodes." + n.ID
	switch {
	case n.ID == Done:
		c.add(at, "%q is no node: it is where an answer leads when the outage is over", Done)
	case !idForm.MatchString(n.ID) || len(n.ID) > maxID:
		c.add(at, "an id is at most %d lower-case letters and digits, with single dashes between", maxID)
	}
	if c.keys(at, n) {
		c.oneOf(at+".channel", n.Channel, channels())
		c.oneOf(at+".action", n.Action, c.actions)
		c.oneOf(at+".for", n.For, []string{"gladly", "it", "carrier", "network"})
	}
	c.texts(at, n)
	if n.Kind == Ask {
		c.options(at, n.Options)
	}
	c.waiting(at, n)
	c.lists(at, n)
	c.advice(at+".after", n.After)
}

// keys checks that a node has the keys of its kind and no others. It is false when the kind is not known.
func (c *checker) keys(at string, n Node) bool {
	kinds := []string{string(Ask), string(Advise), string(Change), string(Wait)}
	misread := c.within(at)
	if n.Kind == "" {
		if !misread {
			c.add(at, "no kind: one of %s", strings.Join(kinds, ", "))
		}
		return false
	}
	if !slices.Contains(kinds, string(n.Kind)) {
		c.oneOf(at+".kind", string(n.Kind), kinds)
		return false
	}
	only := func(k ...Kind) []Kind { return k }
	for _, key := range []struct {
		name     string
		set      bool
		on       []Kind
		optional bool
		without  string // said instead of "no name", for what deserves a reason
	}{
		{name: "title", set: n.Title != "", on: only(Advise, Change, Wait)},
		{name: "channel", set: n.Channel != "", on: only(Change, Wait)},
		{name: "text", set: n.Text != "", on: only(Ask, Advise, Change, Wait)},
		{name: "options", set: len(n.Options) > 0, on: only(Ask), without: "a dead end: a question without options"},
		{name: "action", set: n.Action != "", on: only(Change)},
		{name: "affects", set: n.Affects != "", on: only(Change), without: "no affects: who will notice the change"},
		{name: "by_hand", set: len(n.ByHand) > 0, on: only(Change), without: "no by_hand: how a person does it when the bot cannot"},
		{name: "back", set: len(n.Back) > 0, on: only(Change), without: "a change without a way back: back is missing"},
		{name: "for", set: n.For != "", on: only(Wait), without: "no for: whom we wait for"},
		{name: "every", set: len(n.Every) > 0, on: only(Wait), without: "no every: when to ask, such as [30m, 1h, 2h]"},
		{name: "again", set: n.Again != nil, on: only(Wait), without: "no again: what to ask, and where the answers lead"},
		{name: "offer", set: len(n.Offer) > 0, on: only(Wait), optional: true},
		{name: "meanwhile", set: len(n.Meanwhile) > 0, on: only(Change, Wait), optional: true},
		{name: "tell", set: n.Tell != "", on: only(Change, Wait), optional: true},
		{name: "after", set: len(n.After) > 0, on: only(Change, Wait), optional: true},
		{name: "source", set: n.Source != "", on: only(Advise, Change, Wait), without: "no source: the passage of the guidance that it comes from"},
	} {
		belongs := slices.Contains(key.on, n.Kind)
		switch {
		case key.set && !belongs:
			c.add(at+"."+key.name, "does not belong to the kind %q, only to %s", n.Kind, quoted(key.on))
		case !key.set && belongs && !key.optional && !misread && key.without != "":
			c.add(at, "%s", key.without)
		case !key.set && belongs && !key.optional && !misread:
			c.add(at, "no %s", key.name)
		}
	}
	return true
}

func quoted(kinds []Kind) string {
	var out []string
	for _, k := range kinds {
		out = append(out, fmt.Sprintf("%q", k))
	}
	return strings.Join(out, ", ")
}

// oneOf checks a word that is given.
func (c *checker) oneOf(at, got string, known []string) {
	if got != "" && !slices.Contains(known, got) {
		c.add(at, "%q is not one of %s%s", got, strings.Join(known, ", "), didYouMean(got, known))
	}
}

func didYouMean(got string, known []string) string {
	if meant := config.Suggest(got, known); meant != "" {
		return fmt.Sprintf("; did you mean %q?", meant)
	}
	return ""
}

// texts checks the lengths: what is accepted fits on every chat platform.
func (c *checker) texts(at string, n Node) {
	c.short(at+".title", n.Title, card.MaxTitle)
	c.short(at+".affects", n.Affects, card.MaxText)
	c.short(at+".source", n.Source, card.MaxText)
	c.paragraphs(at+".text", n.Text)
	c.paragraphs(at+".tell", n.Tell)
	if n.Kind == Ask {
		c.short(at+".text", n.Text, card.MaxTitle) // a question stands where others have their title
	}
	for name, steps := range map[string][]string{".by_hand": n.ByHand, ".back": n.Back} {
		for i, s := range steps {
			here := fmt.Sprintf("%s%s.%d", at, name, i)
			if s == "" {
				c.add(here, "an empty instruction")
			}
			c.short(here, s, card.MaxText)
		}
	}
	for _, m := range placeholder.FindAllStringSubmatch(n.Tell, -1) {
		if m[1] != "ways" {
			c.add(at+".tell", "%s means nothing here; only {ways} does", m[0])
		}
	}
}

func (c *checker) short(at, s string, most int) {
	if n := utf8.RuneCountInString(s); n > most {
		c.add(at, "%d characters, at most %d", n, most)
	}
}

func (c *checker) paragraphs(at, s string) {
	for p := range strings.SplitSeq(s, "\n\n") {
		c.short(at, p, card.MaxText)
	}
}

func (c *checker) options(at string, options []Option) {
	at += ".options"
	if len(options) > card.MaxOptions {
		c.add(at, "%d options, at most %d", len(options), card.MaxOptions)
	}
	used := map[string]int{} // what an option is called → its number
	for i, o := range options {
		here := fmt.Sprintf("%s.%d", at, i)
		if o.Label == "" && !c.within(here) {
			c.add(here, "no label")
		}
		c.short(here+".label", o.Label, card.MaxLabel)
		if o.Goto != "" {
			c.target(here+".goto", o.Goto)
		} else if !c.within(here) {
			c.add(here, "a dead end: no goto")
		}
		c.name(used, i, here+".label", o.Label)
		if word := foldAll(o.Label); slices.Contains(commands(), word) {
			c.add(here+".label", "%q is a command of the bot", word)
		}
		for k, a := range o.Aliases {
			here := fmt.Sprintf("%s.aliases.%d", here, k)
			if a == "" {
				c.add(here, "an empty alias")
			}
			c.short(here, a, card.MaxLabel)
			c.name(used, i, here, a)
			if word, _, _ := strings.Cut(foldAll(a), " "); slices.Contains(commands(), word) {
				c.add(here, "%q is a command of the bot", word)
			}
		}
	}
}

// name reports a name that an earlier option of the same question has.
func (c *checker) name(used map[string]int, option int, at, name string) {
	name = foldAll(name)
	if other, ok := used[name]; ok && other != option && name != "" {
		c.add(at, "%q is what option %d is called already", name, other+1)
		return
	}
	used[name] = option
}

// target checks that a node is there; more is what else could be meant.
func (c *checker) target(at, id string, more ...string) {
	switch _, ok := c.tree.nodes[id]; {
	case id == Done:
		c.add(at, "%q ends an outage; only the answers of again may lead there", Done)
	case !ok:
		c.add(at, "there is no node %q%s", id, didYouMean(id, append(more, c.tree.ids...)))
	}
}

func (c *checker) waiting(at string, n Node) {
	for i, d := range n.Every {
		if here := fmt.Sprintf("%s.every.%d", at, i); time.Duration(d) < minEvery && !c.within(here) {
			c.add(here, "too often: at least %s", config.Duration(minEvery))
		}
	}
	if n.Again == nil {
		return
	}
	at += ".again"
	c.short(at+".text", n.Again.Text, card.MaxTitle)
	for _, key := range []struct{ name, value string }{{"text", n.Again.Text}, {"yes", n.Again.Yes}, {"no", n.Again.No}} {
		switch {
		case key.value == "" && !c.within(at):
			c.add(at, "no %s", key.name)
		case key.value != "" && key.value != Done && key.name != "text":
			c.target(at+"."+key.name, key.value, Done)
		}
	}
}

// lists checks the lists of known words.
func (c *checker) lists(at string, n Node) {
	for i, a := range n.Offer {
		here := fmt.Sprintf("%s.offer.%d", at, i)
		c.oneOf(here, a, c.actions)
		c.once(here, n.Offer, i)
	}
	for i, ch := range n.Meanwhile {
		here := fmt.Sprintf("%s.meanwhile.%d", at, i)
		c.oneOf(here, ch, reachable())
		c.once(here, n.Meanwhile, i)
		if ch == n.Channel && ch != "" {
			c.add(here, "%q is the channel that is broken", ch)
		}
	}
}

// once reports what stands in a list a second time.
func (c *checker) once(at string, list []string, i int) {
	if list[i] != "" && slices.Contains(list[:i], list[i]) {
		c.add(at, "%q stands here twice", list[i])
	}
}

// advice checks a list of ids of Advise nodes.
func (c *checker) advice(at string, ids []string) {
	for i, id := range ids {
		here := fmt.Sprintf("%s.%d", at, i)
		c.once(here, ids, i)
		n, ok := c.tree.nodes[id]
		switch {
		case !ok:
			c.target(here, id)
		case n.Kind != Advise && n.Kind != "":
			c.add(here, "%q has the kind %q; only advise can be listed here", id, n.Kind)
		}
	}
}

// loops reports each option that leads back to a question on the way to it. The answers of again may lead back,
// because time passes there.
func (c *checker) loops() {
	const (
		open = iota + 1 // on the way that is being followed
		closed
	)
	state := map[string]int{}
	var way []string
	var follow func(id string)
	follow = func(id string) {
		state[id] = open
		way = append(way, id)
		for i, o := range c.tree.nodes[id].Options {
			switch state[o.Goto] {
			case open:
				loop := append(slices.Clone(way[slices.Index(way, o.Goto):]), o.Goto)
				c.add(fmt.Sprintf("nodes.%s.options.%d.goto", id, i), "leads in a circle: %s", strings.Join(loop, " → "))
			case closed:
			default:
				follow(o.Goto)
			}
		}
		way = way[:len(way)-1]
		state[id] = closed
	}
	for _, id := range append([]string{start}, c.tree.ids...) {
		if state[id] == 0 {
			follow(id)
		}
	}
}

// unreachable reports the nodes that nobody can come to. A misspelt target counts as the node that was meant.
func (c *checker) unreachable() {
	reached := map[string]bool{}
	queue := append([]string{start}, c.tree.ready...)
	for ; len(queue) > 0; queue = queue[1:] {
		id := queue[0]
		if _, ok := c.tree.nodes[id]; !ok && id != Done {
			id = config.Suggest(id, c.tree.ids)
		}
		if reached[id] {
			continue
		}
		reached[id] = true
		n := c.tree.nodes[id]
		for _, o := range n.Options {
			queue = append(queue, o.Goto)
		}
		if n.Again != nil {
			queue = append(queue, n.Again.Yes, n.Again.No)
		}
		queue = append(queue, n.After...)
	}
	for _, id := range c.tree.ids {
		if !reached[id] {
			c.add("nodes."+id, "nothing leads here")
		}
	}
}
