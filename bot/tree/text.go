package tree

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	width  = 78 // columns of the plain text
	indent = 3
)

// Text writes a branch of the playbook as plain text, with all that a person needs who has nothing but this text: every
// question with its answers, and at the end of each way what to do by hand, how to put it back, and what is left to do
// afterwards. Sections are numbered by their place in the tree, and refer to each other by number. From the start it is
// the whole playbook, what to do in quiet times too.
func (t Tree) Text(w io.Writer, from string) error {
	if _, ok := t.nodes[from]; !ok {
		return fmt.Errorf("the playbook has no node %q", from)
	}
	p := paper{tree: t, number: map[string]string{}}
	p.enumerate(from, "")
	// What only the answer "it has become something else" leads to comes last.
	for i := 0; i < len(p.order); i++ {
		if a := t.nodes[p.order[i]].Again; a != nil {
			p.more(a.Yes)
			p.more(a.No)
		}
	}
	if from == start {
		p.whole()
	}
	for _, id := range p.order {
		p.section(t.nodes[id])
	}
	_, err := io.WriteString(w, p.b.String())
	return err
}

// paper is a text that is being written.
type paper struct {
	tree   Tree
	number map[string]string // "1.2" by id; "" for the section that everything begins with
	order  []string
	top    int // sections of the first level so far
	b      strings.Builder
}

// enumerate numbers a node and what its options lead to.
func (p *paper) enumerate(id, number string) {
	if _, ok := p.number[id]; ok {
		return
	}
	p.number[id] = number
	p.order = append(p.order, id)
	below := 0
	for _, o := range p.tree.nodes[id].Options {
		if _, ok := p.number[o.Goto]; ok {
			continue
		}
		if below++; number == "" {
			p.top = below
			p.enumerate(o.Goto, strconv.Itoa(below))
		} else {
			p.enumerate(o.Goto, number+"."+strconv.Itoa(below))
		}
	}
}

// more numbers a node that no option led to.
func (p *paper) more(id string) {
	if _, ok := p.number[id]; !ok && id != Done {
		p.top++
		p.enumerate(id, strconv.Itoa(p.top))
	}
}

// whole writes what stands before the first question.
func (p *paper) whole() {
	p.line(0, "What to do in an outage")
	p.line(0, "Playbook "+p.tree.version[:12])
	if len(p.tree.ready) > 0 {
		p.gap()
		p.line(0, "BEFORE AN OUTAGE")
	}
	for _, id := range p.tree.ready {
		n := p.tree.nodes[id]
		p.gap()
		p.line(0, n.Title)
		p.paragraphs(n)
	}
	p.gap()
	p.line(0, "IN AN OUTAGE")
}

func (p *paper) section(n Node) {
	p.gap()
	heading := cmp.Or(n.Title, n.Text)
	if number := p.number[n.ID]; number != "" {
		heading = number + ". " + heading
	}
	p.line(0, heading)
	if n.Kind == Ask {
		for _, o := range n.Options {
			p.line(indent, o.Label+": go to "+p.where(o.Goto)+".")
		}
		return
	}
	p.paragraphs(n)
	if n.Kind == Wait {
		p.wait(n)
	}
	if n.Affects != "" {
		p.gap()
		p.line(indent, "Who notices: "+n.Affects+".")
	}
	p.steps("By hand:", n.ByHand)
	if len(n.Meanwhile) > 0 {
		p.gap()
		p.line(indent, "Meanwhile, agents can reach customers by "+or(n.Meanwhile)+", where that works.")
	}
	if n.Tell != "" {
		p.gap()
		p.line(indent, "Tell customers:")
		for text := range strings.SplitSeq(n.Tell, "\n\n") {
			p.line(2*indent, strings.ReplaceAll(text, "{ways}", "[how else to reach you]"))
		}
	}
	p.steps("When it is over, put it back:", n.Back)
	if len(n.After) > 0 {
		p.gap()
		p.line(indent, "Afterwards:")
		for _, id := range n.After {
			after := p.tree.nodes[id]
			p.item("-", after.Title+". "+strings.ReplaceAll(after.Text, "\n\n", " "))
		}
	}
	p.gap()
	p.line(indent, "Source: "+n.Source+".")
}

func (p *paper) wait(n Node) {
	who := map[string]string{"gladly": "Gladly", "it": "our own IT", "carrier": "the phone carrier", "network": "the social network"}
	p.gap()
	p.line(indent, "We wait for "+who[n.For]+". Ask "+often(n)+": "+n.Again.Text)
	p.item("-", "Yes: "+p.answer(n, n.Again.Yes))
	p.item("-", "No: "+p.answer(n, n.Again.No))
	if len(n.Offer) > 0 {
		p.gap()
		p.line(indent, "What the bot may still be able to do from here: "+strings.ReplaceAll(or(n.Offer), "-", " ")+".")
	}
}

func (p *paper) answer(n Node, to string) string {
	switch to {
	case Done:
		return "it is over."
	case n.ID:
		return "go on waiting."
	}
	return "go to " + p.where(to) + "."
}

// where names a section: by its number, or the first one by its title.
func (p *paper) where(id string) string {
	n := p.tree.nodes[id]
	return cmp.Or(p.number[id], strconv.Quote(cmp.Or(n.Title, n.Text)))
}

func often(n Node) string {
	last := len(n.Every) - 1
	var out []string
	for _, d := range n.Every[:last] {
		out = append(out, "after "+spell(time.Duration(d)))
	}
	return strings.Join(append(out, "every "+spell(time.Duration(n.Every[last]))), ", then ")
}

// spell says a duration in full, as it is read aloud.
func spell(d time.Duration) string {
	var out []string
	for _, unit := range []struct {
		name string
		of   time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		switch n := d / unit.of; n {
		case 0:
		case 1:
			out = append(out, "1 "+unit.name)
		default:
			out = append(out, fmt.Sprintf("%d %ss", n, unit.name))
		}
		d %= unit.of
	}
	return strings.Join(out, " ")
}

// or joins words, of which one is enough.
func or(words []string) string {
	words = slices.Clone(words)
	for i, w := range words {
		switch w {
		case "voice":
			words[i] = "phone"
		case "email":
			words[i] = "e-mail"
		case "sms":
			words[i] = "SMS"
		}
	}
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func (p *paper) gap() {
	if p.b.Len() > 0 {
		p.b.WriteByte('\n')
	}
}

func (p *paper) paragraphs(n Node) {
	for text := range strings.SplitSeq(n.Text, "\n\n") {
		p.gap()
		p.line(indent, text)
	}
}

func (p *paper) steps(heading string, steps []string) {
	if len(steps) == 0 {
		return
	}
	p.gap()
	p.line(indent, heading)
	for i, s := range steps {
		p.item(strconv.Itoa(i+1)+".", s)
	}
}

// item writes a line of a list.
func (p *paper) item(mark, s string) {
	mark = fmt.Sprintf("%*s ", indent-1, mark)
	left := indent + len(mark)
	text := strings.Join(wrap(s, width-left), "\n"+strings.Repeat(" ", left))
	p.b.WriteString(strings.Repeat(" ", indent) + mark + text + "\n")
}

func (p *paper) line(left int, s string) {
	for _, l := range wrap(s, width-left) {
		p.b.WriteString(strings.Repeat(" ", left) + l + "\n")
	}
}

// wrap breaks s between words into lines of at most most characters; a word that is longer has a line of its own.
func wrap(s string, most int) []string {
	var lines []string
	line, length := "", 0
	for word := range strings.FieldsSeq(s) {
		n := utf8.RuneCountInString(word)
		if length > 0 && length+1+n > most {
			lines = append(lines, line)
			line, length = "", 0
		}
		if length > 0 {
			line, length = line+" ", length+1
		}
		line, length = line+word, length+n
	}
	return append(lines, line)
}
