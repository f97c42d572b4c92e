package flow

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/tree"
)

// A capsule is the copy of the before-values that outlives the store: messages in the outage's thread, which a person
// can read and act on, and from whose last lines the bot can take the outage back. Each message reads
//
//	What was there before chat-46l48nm9 (part 1 of 2)
//	… for people: each setting, its value before, in the outage, on whose word and when …
//	{"switchback":1,"outage":"chat-46l48nm9","part":1,"of":2,"lines":3,"sha256":"…"}
//	{"outage":{…}}                    once: whose it is, since when, from which store
//	{"step":{…}}                      one for each setting
//	{"cut":"{\"step\":…","more":true} a piece of such a line that is too long for one message
//
// The checksum is of all lines after the first of each part, in the order of the parts, each with a line break. They
// are ASCII, without anything that chat programs like to make prettier, so that what such a program did to them all
// the same can be told and undone.
const (
	capsuleSchema  = 1
	capsuleMessage = 3400    // bytes of one message, so that it has fewer than 3,500 characters however they are counted
	capsuleLine    = 1600    // bytes of one line
	capsuleText    = 300     // characters of a value in the part for people
	maxCapsule     = 4 << 20 // bytes of a text that may hold one
	maxParts       = 1000
)

// Origin says which store a capsule came from, and how far that store had come.
type Origin struct {
	Lineage string
	Counter uint64
}

// capsuleHead begins the lines of one part.
type capsuleHead struct {
	Schema int    `json:"switchback"`
	Outage string `json:"outage"`
	Part   int    `json:"part"`
	Of     int    `json:"of"`
	Lines  int    `json:"lines"`
	Sum    string `json:"sha256"`
}

// capsuleRow is one line: exactly one of its fields is set.
type capsuleRow struct {
	Outage *capsuleOutage `json:"outage,omitzero"`
	Step   *capsuleStep   `json:"step,omitzero"`
}

// capsuleCut is a piece of a row; the pieces of one row stand in their order, and all but the last say more.
type capsuleCut struct {
	Cut  string `json:"cut"`
	More bool   `json:"more,omitzero"`
}

// capsuleOutage is what is needed to go on with an outage. Its leaf is without the long texts: they are taken from the
// playbook where that is still the same.
type capsuleOutage struct {
	ID       string    `json:"id"`
	Channel  string    `json:"channel"`
	Leaf     tree.Node `json:"node"`
	Playbook string    `json:"playbook"`
	Owner    Person    `json:"owner"`
	Since    stamp     `json:"since"`
	Began    stamp     `json:"began"`
	Deadline stamp     `json:"deadline"`
	Home     Place     `json:"home"`
	Routed   []Place   `json:"routed,omitzero"`
	Message  string    `json:"message,omitzero"`
	Todos    []Todo    `json:"todos,omitzero"`
	Drill    bool      `json:"drill,omitzero"`
	Head     string    `json:"head"` // of the audit chain
	Lineage  string    `json:"lineage"`
	Counter  uint64    `json:"counter"`
}

type capsuleStep struct {
	Key    change.Key   `json:"key"`
	Action string       `json:"action"`
	Target string       `json:"target"`
	Label  string       `json:"label"`
	Name   string       `json:"name"`
	Way    way          `json:"way"`
	Day    string       `json:"day,omitzero"`
	Before *cell        `json:"before,omitzero"` // nil: it had the outage's value already
	By     string       `json:"by,omitzero"`     // whose word it is
	At     stamp        `json:"at,omitzero"`
	Want   cell         `json:"want"`
	Set    *cell        `json:"set,omitzero"`
	Known  *cell        `json:"known,omitzero"` // the value of peace time, as the organisation wrote it down
	Doubt  bool         `json:"doubt,omitzero"` // nobody said yet which of the two should come back
	State  change.State `json:"state"`
}

// cell is a value as readable as its bytes allow. Text is left out where it is the same as the bytes.
type cell struct {
	Raw    string  `json:"raw,omitzero"`
	Base64 string  `json:"base64,omitzero"` // instead of Raw, where the bytes are no text
	Text   *string `json:"text,omitzero"`
}

// way is a change.Way in a word that people may read.
type way string

func ways() map[change.Way]way {
	return map[change.Way]way{change.Auto: "api", change.Flag: "own", change.Guided: "person"}
}

func (w way) way() (change.Way, error) {
	for out, word := range ways() {
		if word == w {
			return out, nil
		}
	}
	return "", fmt.Errorf("%.40q is no way to change a setting", w)
}

// stamp is a moment that cannot fail to be written; empty is the zero time.
type stamp string

func stampOf(t time.Time) stamp {
	if t.IsZero() {
		return ""
	}
	return stamp(t.UTC().Format(time.RFC3339Nano))
}

func (s stamp) time() (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339Nano, string(s))
}

func cellOf(v change.Value) cell {
	c := cell{Raw: string(v.Raw)}
	if v.Text != c.Raw {
		c.Text = &v.Text
	}
	if !utf8.Valid(v.Raw) {
		c.Raw, c.Base64 = "", base64.StdEncoding.EncodeToString(v.Raw)
	}
	return c
}

func (c cell) value() (change.Value, error) {
	v := change.Value{Raw: []byte(c.Raw), Text: c.Raw}
	if c.Base64 != "" {
		var err error
		if v.Raw, err = base64.StdEncoding.DecodeString(c.Base64); err != nil {
			return v, err
		}
		v.Text = string(v.Raw)
	}
	if c.Text != nil {
		v.Text = *c.Text
	}
	return v, nil
}

// optional is nil where c is.
func (c *cell) optional() (*change.Value, error) {
	if c == nil {
		return nil, nil
	}
	v, err := c.value()
	return &v, err
}

// unit is what is kept together in one message.
type unit struct {
	words string // for people; may be empty
	line  string
}

// Capsule writes down what was there before an outage, in messages of fewer than 3,500 characters each. Steps that
// nobody touched, because their value before is not on record yet, are not in it; where that leaves none, the result
// is nil. Texts of values that are not valid UTF-8 are written as well as they can be; their bytes are exact.
func Capsule(o Outage, r change.Record, lineage string, counter uint64) []string {
	leaf := tree.Node{
		ID: o.Leaf.ID, Kind: o.Leaf.Kind, Title: o.Leaf.Title, Channel: o.Leaf.Channel, Action: o.Leaf.Action,
		For: o.Leaf.For, Every: o.Leaf.Every, Again: o.Leaf.Again, Offer: o.Leaf.Offer, Source: o.Leaf.Source,
	}
	todos := make([]Todo, len(o.Todos))
	for i, t := range o.Todos {
		todos[i] = Todo{ID: t.ID, Text: t.Text}
	}
	units := inLines("", capsuleRow{Outage: &capsuleOutage{
		ID: o.ID, Channel: o.Channel, Leaf: leaf, Playbook: o.Playbook, Owner: o.Owner,
		Since: stampOf(o.Since), Began: stampOf(o.Began), Deadline: stampOf(o.Deadline),
		Home: o.Home, Routed: o.Routed, Message: o.Message, Todos: todos, Drill: o.Drill, Head: o.Head, Lineage: lineage, Counter: counter,
	}})
	none := true
	for _, st := range r.Steps {
		if st.Before == nil && st.State != change.Adopted {
			continue
		}
		none = false
		row := capsuleStep{
			Key: st.Key, Action: st.Action, Target: st.Target, Label: st.Label, Name: st.Name, Way: ways()[st.Way], Day: st.Day,
			Want: cellOf(st.Want), State: st.State, Doubt: st.Doubt,
		}
		if st.Before != nil {
			row.Before, row.By, row.At = new(cellOf(st.Before.Value)), st.Before.By, stampOf(st.Before.At)
		}
		if st.Set != nil && !st.Set.Equal(st.Want) {
			row.Set = new(cellOf(*st.Set))
		}
		if st.Known != nil {
			row.Known = new(cellOf(*st.Known))
		}
		units = append(units, inLines(beforeWords(st), capsuleRow{Step: &row})...)
	}
	if none {
		return nil
	}
	return messages(o, units)
}

// beforeWords tells people of one setting, in lines of which none can be taken for one of the bot's.
func beforeWords(st change.Step) string {
	short := func(v change.Value) string {
		text := strings.Join(strings.Fields(plain(v.Text)), " ")
		if s := card.Shorten(text, capsuleText); s != text {
			return s + " (the rest is in the lines for the bot)"
		}
		return cmp.Or(text, "(empty)")
	}
	name := strings.Join(strings.Fields(card.Shorten(plain(stepName(st)), capsuleText)), " ")
	known := ""
	if st.Known != nil && (st.Before == nil || st.Doubt) {
		known = "  as a rule: " + strings.Join(strings.Fields(card.Shorten(plain(st.Known.Text), 60)), " ") + " (nobody said yet what should come back)\n"
	}
	if st.Before == nil {
		return fmt.Sprintf("- %s\n  before: not known, it was like this already\n%s  in the outage: %s\n", name, known, short(st.Want))
	}
	who := "read by the bot"
	if st.Before.By != change.ByAPI {
		who = "says " + st.Before.By
	}
	return fmt.Sprintf("- %s\n  before: %s (%s, %s)\n%s  in the outage: %s\n",
		name, short(st.Before.Value), who, st.Before.At.UTC().Format("2 Jan 2006 15:04 MST"), known, short(st.Want))
}

// inLines writes a row as one line, or as several where it is too long.
func inLines(words string, row capsuleRow) []unit {
	line := ascii(row)
	if len(line) <= capsuleLine {
		return []unit{{words, line}}
	}
	var out []unit
	for line != "" {
		n := min(len(line), capsuleLine/2) // escaping makes at most two of one
		out = append(out, unit{"", ascii(capsuleCut{line[:n], n < len(line)})})
		line = line[n:]
	}
	out[0].words = words
	return out
}

// messages puts the units into as few messages as possible.
func messages(o Outage, units []unit) []string {
	sum := sha256.New()
	for _, u := range units {
		sum.Write([]byte(u.line + "\n"))
	}
	head := capsuleHead{Schema: capsuleSchema, Outage: o.ID, Part: maxParts, Of: maxParts, Lines: maxParts, Sum: hex.EncodeToString(sum.Sum(nil))}
	room := capsuleMessage - len(capsuleIntro(o, head)) - len(capsuleLinesFollow) - len(ascii(head)) - 1
	var parts [][]unit
	size := room
	for _, u := range units {
		n := len(u.words) + len(u.line) + 1
		if size+n > room {
			parts, size = append(parts, nil), 0
		}
		size += n
		parts[len(parts)-1] = append(parts[len(parts)-1], u)
	}
	out := make([]string, len(parts))
	for i, part := range parts {
		head.Part, head.Of, head.Lines = i+1, len(parts), len(part)
		var words, lines strings.Builder
		for _, u := range part {
			words.WriteString(u.words)
			lines.WriteString("\n" + u.line)
		}
		out[i] = capsuleIntro(o, head) + words.String() + capsuleLinesFollow + ascii(head) + lines.String()
	}
	return out
}

const capsuleLinesFollow = "For the bot, to be copied unchanged:\n"

func capsuleIntro(o Outage, h capsuleHead) string {
	s := fmt.Sprintf("What was there before %s (part %d of %d)\n", o.ID, h.Part, h.Of)
	if h.Part > 1 && h.Part < maxParts {
		return s
	}
	title := strings.Join(strings.Fields(card.Shorten(plain(o.Leaf.Title), card.MaxTitle)), " ")
	owner := strings.Join(strings.Fields(card.Shorten(plain(o.Owner.Name), card.MaxLabel)), " ")
	return s + fmt.Sprintf("%s. Since %s; %s looks after it.\n", title, o.Began.UTC().Format("2 Jan 2006 15:04 MST"), owner) +
		"Even if the bot forgets everything, this brings it back: save all parts of the newest such copy as one file, and give it to bot import.\n"
}

// ascii writes v as one line of JSON in ASCII. Besides what is not ASCII, it escapes what marks bold, italic or code,
// and the second of two spaces, dashes and dots: programs that show text take such for markup, or put one sign for two.
func ascii(v any) string {
	data, _ := json.Marshal(v) // of strings and numbers only: there is nothing to fail
	var b strings.Builder
	last := rune(0)
	for _, c := range string(data) {
		switch {
		case c > unicode.MaxASCII || strings.ContainsRune("*_~`\x7f", c), c == last && strings.ContainsRune(" -.", c):
			for _, u := range utf16.Encode([]rune{c}) {
				fmt.Fprintf(&b, `\u%04x`, u)
			}
			last = 0
		default:
			b.WriteRune(c)
			last = c
		}
	}
	return b.String()
}

// ReadCapsule takes an outage and its record out of a text that holds all the messages of one Capsule, in any order,
// with anything around them, as chat and mail programs give them back. States are those of the moment when it was
// written. What is missing, doubled or altered is an error, in words for the person who pasted it.
func ReadCapsule(text string) (Outage, change.Record, Origin, error) {
	rows, head, err := capsuleRows(text)
	if err != nil {
		return Outage{}, change.Record{}, Origin{}, err
	}
	o, r, from, err := unpack(rows)
	if err == nil && o.ID != head.Outage {
		err = errors.New("they speak of another outage")
	}
	if err != nil {
		return Outage{}, change.Record{}, Origin{}, fmt.Errorf("the lines for the bot of %s are complete, but make no sense to this version: %w", head.Outage, err)
	}
	return o, r, from, nil
}

type capsulePart struct {
	head  capsuleHead
	lines []string
}

// capsuleRows finds the parts and returns their lines in order, as they were written.
func capsuleRows(text string) ([]string, capsuleHead, error) {
	var none capsuleHead
	if len(text) > maxCapsule {
		return nil, none, fmt.Errorf("the text is longer than %d MiB", maxCapsule>>20)
	}
	var parts []capsulePart
	for line := range strings.FieldsFuncSeq(text, func(c rune) bool { return strings.ContainsRune("\n\r\v\f\u0085\u2028\u2029", c) }) {
		line = undecorated(line)
		switch {
		case strings.HasPrefix(line, `{"switchback":`):
			var h capsuleHead
			if err := json.Unmarshal([]byte(line), &h); err != nil {
				return nil, none, fmt.Errorf("the line that begins with %.40s is damaged", line)
			}
			if h.Schema != capsuleSchema {
				return nil, none, fmt.Errorf("the text about %.100q was written by a newer version of this program", h.Outage)
			}
			parts = append(parts, capsulePart{head: h})
		case len(parts) > 0 && hasPrefix(line, `{"outage":{`, `{"step":{`, `{"cut":"`):
			p := &parts[len(parts)-1]
			if len(p.lines) < p.head.Lines && json.Valid([]byte(line)) { // what comes after belongs to something else
				p.lines = append(p.lines, line)
			}
		}
	}
	if len(parts) == 0 {
		return nil, none, errors.New("this text holds no values from before: copy the whole messages, also their last lines, which begin with {")
	}
	return inOrder(parts)
}

// inOrder checks that the parts are all the parts of one capsule, and returns their lines.
func inOrder(parts []capsulePart) ([]string, capsuleHead, error) {
	h := parts[0].head
	found := map[int]capsulePart{}
	for _, p := range parts {
		switch {
		case p.head.Outage != h.Outage:
			return nil, h, fmt.Errorf("this text is about two outages, %.100q and %.100q: keep the messages of one", h.Outage, p.head.Outage)
		case p.head.Sum != h.Sum || p.head.Of != h.Of:
			return nil, h, fmt.Errorf("this text holds messages about %s from different moments: keep those of one moment, the newest", h.Outage)
		case p.head.Of < 1 || p.head.Of > maxParts || p.head.Part < 1 || p.head.Part > p.head.Of:
			return nil, h, fmt.Errorf("there is no part %d of %d", p.head.Part, p.head.Of)
		}
		if _, twice := found[p.head.Part]; twice {
			return nil, h, fmt.Errorf("part %d stands here twice: keep it once", p.head.Part)
		}
		found[p.head.Part] = p
	}
	var missing, rows []string
	sum := sha256.New()
	for i := 1; i <= h.Of; i++ {
		p, ok := found[i]
		switch {
		case !ok:
			missing = append(missing, fmt.Sprint(i))
		case len(p.lines) < p.head.Lines:
			return nil, h, fmt.Errorf("part %d is cut off: %d of its lines for the bot are missing or damaged", i, p.head.Lines-len(p.lines))
		}
		for _, l := range p.lines {
			sum.Write([]byte(l + "\n"))
			rows = append(rows, l)
		}
	}
	if len(missing) > 0 {
		return nil, h, fmt.Errorf("part %s of %d is missing", list(missing), h.Of)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != h.Sum {
		return nil, h, errors.New("a line for the bot was altered: the checksum is another one. Copy the messages again, unchanged")
	}
	return rows, h, nil
}

func hasPrefix(s string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

// typography takes back what programs make of ASCII to make it prettier.
var typography = strings.NewReplacer( //nolint:gochecknoglobals // never changed, and costly to make
	"\u200b", "", "\u200c", "", "\u200d", "", "\u2060", "", "\ufeff", "", "\u00ad", "",
	"\u00a0", " ", "\u2007", " ", "\u202f", " ",
	"“", `"`, "”", `"`, "„", `"`, "‘", "'", "’", "'", "–", "-", "‑", "-", "&quot;", `"`,
)

// undecorated takes off what programs put around a line, such as marks of quotes and code, and takes back what they
// make of ASCII inside of it: no line of ours has such signs.
func undecorated(line string) string {
	from, to := strings.IndexByte(line, '{'), strings.LastIndexByte(line, '}')
	if from < 0 || to < from || strings.ContainsFunc(line[:from], func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }) {
		return ""
	}
	return typography.Replace(line[from : to+1])
}

// unpack reads the rows.
func unpack(rows []string) (Outage, change.Record, Origin, error) {
	var o Outage
	var from Origin
	r := change.Record{Schema: change.Schema}
	var cut strings.Builder
	seen := map[change.Key]bool{}
	for _, line := range rows {
		if strings.HasPrefix(line, `{"cut":`) {
			var c capsuleCut
			if err := json.Unmarshal([]byte(line), &c); err != nil {
				return o, r, from, err
			}
			cut.WriteString(c.Cut)
			if c.More {
				continue
			}
			line = cut.String()
			cut.Reset()
		}
		var row capsuleRow
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			return o, r, from, err
		}
		if row.Outage != nil {
			var err error
			if o, from, err = row.Outage.outage(); err != nil {
				return o, r, from, err
			}
			r.Outage = o.ID
		}
		if row.Step != nil {
			st, err := row.Step.step()
			if err != nil {
				return o, r, from, err
			}
			if seen[st.Key] {
				return o, r, from, fmt.Errorf("%s stands there twice", st.Key)
			}
			seen[st.Key] = true
			r.Steps = append(r.Steps, st)
		}
	}
	if cut.Len() > 0 || o.ID == "" || len(r.Steps) == 0 {
		return o, r, from, errors.New("something is missing")
	}
	return o, r, from, nil
}

func (c capsuleOutage) outage() (Outage, Origin, error) {
	var o Outage
	if c.ID == "" || len(c.ID) > 100 || strings.ContainsFunc(c.ID, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-'
	}) {
		return o, Origin{}, fmt.Errorf("%.100q is no name of an outage", c.ID)
	}
	var errs [3]error
	o = Outage{
		Schema: outageSchema, ID: c.ID, Channel: c.Channel, Leaf: c.Leaf, Playbook: c.Playbook, Owner: c.Owner,
		Home: c.Home, Routed: c.Routed, Message: c.Message, Todos: c.Todos, Drill: c.Drill, Head: c.Head,
	}
	o.Since, errs[0] = c.Since.time()
	o.Began, errs[1] = c.Began.time()
	o.Deadline, errs[2] = c.Deadline.time()
	return o, Origin{c.Lineage, c.Counter}, errors.Join(errs[:]...)
}

func (c capsuleStep) step() (change.Step, error) {
	st := change.Step{
		Key: c.Key, Action: c.Action, Target: c.Target, Label: c.Label, Name: c.Name, Day: c.Day, State: c.State, Doubt: c.Doubt,
	}
	var err error
	if st.Way, err = c.Way.way(); err != nil {
		return st, fmt.Errorf("%s: %w", c.Key, err)
	}
	if st.Want, err = c.Want.value(); err != nil {
		return st, fmt.Errorf("%s: %w", c.Key, err)
	}
	if st.Set, err = c.Set.optional(); err != nil {
		return st, fmt.Errorf("%s: %w", c.Key, err)
	}
	if st.Known, err = c.Known.optional(); err != nil {
		return st, fmt.Errorf("%s: %w", c.Key, err)
	}
	switch {
	case c.Key == "":
		return st, errors.New("a setting has no name")
	case c.Before != nil:
		b := change.Baseline{By: c.By}
		if b.Value, err = c.Before.value(); err != nil {
			return st, fmt.Errorf("%s: %w", c.Key, err)
		}
		if b.At, err = c.At.time(); err != nil {
			return st, fmt.Errorf("%s: %w", c.Key, err)
		}
		st.Before = &b
	case c.State != change.Adopted:
		return st, fmt.Errorf("%s has no value before", c.Key)
	}
	return st, nil
}

// CapsuleCards are the messages of a Capsule as cards for the outage's thread.
func CapsuleCards(o Outage, r change.Record, lineage string, counter uint64) []card.Card {
	var out []card.Card
	for _, m := range Capsule(o, r, lineage, counter) {
		title, rest, _ := strings.Cut(m, "\n")
		words, lines, _ := strings.Cut(rest, capsuleLinesFollow)
		c := card.Card{Title: title, Drill: o.Drill}
		for _, text := range []string{words, capsuleLinesFollow + lines} {
			c.Text = append(c.Text, paragraphsOf(text)...)
		}
		out = append(out, c)
	}
	return out
}

// paragraphsOf breaks a text at its line ends into as few paragraphs as a card's limits allow.
func paragraphsOf(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if n := len(out); n > 0 && len(out[n-1])+len(line) <= card.MaxText {
			out[n-1] += line
			continue
		}
		out = append(out, line)
	}
	for i := range out {
		out[i] = strings.TrimSuffix(out[i], "\n")
	}
	return out
}
