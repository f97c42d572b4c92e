// Package terminal is the chat platform of `bot chat`: one screen, several people, plain text.
//
// Lines are read one at a time, and the next one only when all that the last one caused has settled: so a session can
// be scripted and gives the same text each time.
package terminal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"switchback/bot/card"
	"switchback/bot/flow"
	"switchback/handlers"
)

// Platform is the name of this chat platform in places and accounts.
const Platform = "terminal"

// formWait is how long somebody at a terminal waits for a form: until it is there.
const formWait = time.Hour

// Flow is what the terminal needs of flow.Service.
type Flow interface {
	Accept(ctx context.Context, e flow.Event) (<-chan flow.Reply, error)
	// Offline is what to do by hand when an event could not be taken in.
	Offline(ctx context.Context, e flow.Event) card.Card
}

// Extra is a word of the terminal itself, such as /company: args are the words after it.
type Extra func(ctx context.Context, args []string, out io.Writer) error

// Config says how a terminal behaves. Zone tells whose clock an account reads; nil means UTC.
type Config struct {
	Out     io.Writer
	Session string // unique per start: event ids begin with it
	Me      string // who types where no @name is given
	Channel string // where people type
	Zone    func(account string) *time.Location
	Trust   bool // everybody who types is a member: the organisation document names nobody
	Extras  map[string]Extra
	Keep    func(name, text string) error // keeps a copy of the values from before; nil: nowhere but in the store
	Shown   func(c card.Card)             // is told of every card and form; nil: nobody wants to know
	Flow    Flow
	Settle  func(ctx context.Context) error // returns when nothing is under way
	Tick    func(ctx context.Context) error // carries out what has fallen due
}

// Terminal is one session.
type Terminal struct {
	config  Config
	events  int
	cards   []*shown            // by number - 1
	asking  map[string]question // who has to answer what next, by name
	writing string              // who is in the middle of a text of several lines; "" is nobody
	newest  int                 // the card that a bare button number means
	changed bool
}

// shown is a card on the screen.
type shown struct {
	lane, message string
	buttons       []card.Button
}

// question is what somebody was asked by the terminal itself: to be sure, or a field of a form.
type question struct {
	sure   *card.Button
	form   *card.Form
	fields map[string]string
	at     int      // the field that is asked for
	long   []string // lines of a Long field so far
	wrong  bool     // only the fields with an error are asked for
}

// New returns a session.
func New(c Config) *Terminal {
	if c.Zone == nil {
		c.Zone = func(string) *time.Location { return time.UTC }
	}
	if c.Shown == nil {
		c.Shown = func(card.Card) {}
	}
	return &Terminal{config: c, asking: map[string]question{}}
}

// Send prints a card: the terminal as a chat platform.
func (t *Terminal) Send(_ context.Context, p flow.Post, to handlers.Target) (string, error) {
	t.config.Shown(p.Card)
	if p.Card.Keep {
		if t.config.Keep == nil {
			return p.Message, nil
		}
		outage, _, _ := strings.Cut(p.Message, "/")
		return p.Message, t.config.Keep(outage, Render(p.Card, 0, t.config.Zone("")))
	}
	lane := p.Place.Lane()
	i := slices.IndexFunc(t.cards, func(s *shown) bool { return s.lane == lane && s.message == p.Message })
	if i < 0 {
		t.cards = append(t.cards, &shown{lane: lane, message: p.Message})
		i = len(t.cards) - 1
	}
	t.cards[i].buttons = p.Card.Buttons
	if len(p.Card.Buttons) > 0 {
		t.newest = i
	}
	head := fmt.Sprintf("[%d] In %s", i+1, p.Place.Channel)
	zone := t.config.Zone("")
	switch {
	case p.Place.Person != "":
		_, name, _ := strings.Cut(p.Place.Person, ":")
		head = fmt.Sprintf("[%d] To @%s", i+1, name)
		if mine := t.config.Zone(p.Place.Person); mine.String() != zone.String() {
			zone = mine
			head += " (times of " + zone.String() + ")"
		}
	case p.Place.Thread != "":
		head += ", in the thread of " + strings.TrimPrefix(strings.TrimPrefix(p.Place.Thread, "home:"), "incident:")
		if p.Broadcast {
			head += ", and in the channel"
		}
	}
	if to.Ref != "" {
		head += ", changed"
	}
	for _, who := range p.Mention {
		head += " @" + who
	}
	if _, err := fmt.Fprintf(t.config.Out, "\n%s:\n%s", head, Render(p.Card, i+1, zone)); err != nil {
		return "", err
	}
	return p.Message, nil
}

// Run reads lines until in ends, and returns when all they caused has settled.
func (t *Terminal) Run(ctx context.Context, in io.Reader) error {
	lines := make(chan string)
	failed := make(chan error, 1)
	go func() {
		defer close(lines)
		r := bufio.NewScanner(in)
		r.Buffer(nil, 1<<20)
		for r.Scan() {
			select {
			case lines <- r.Text():
			case <-ctx.Done():
				return
			}
		}
		failed <- r.Err()
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		t.prompt()
		select {
		case <-ctx.Done():
			return nil
		case line, more := <-lines:
			if !more {
				select {
				case err := <-failed:
					return err
				default:
					return nil
				}
			}
			if err := t.Line(ctx, line); err != nil {
				return err
			}
		case <-tick.C:
			if err := t.config.Tick(ctx); err != nil {
				return err
			}
		}
	}
}

func (t *Terminal) say(format string, args ...any) { fmt.Fprintf(t.config.Out, format, args...) }

func (t *Terminal) prompt() {
	if !t.changed {
		return
	}
	t.changed = false
	t.say("\n> ")
}

// Line takes one typed line and returns when all that it caused has settled.
func (t *Terminal) Line(ctx context.Context, line string) error {
	defer func() { t.changed = true }()
	who, text := t.config.Me, strings.TrimRight(line, "\r")
	if q, ok := t.asking[t.writing]; ok { // every line belongs to the text, up to the dot
		return t.answer(ctx, t.writing, q, text)
	}
	if rest, ok := strings.CutPrefix(strings.TrimSpace(text), "@"); ok {
		who, text, _ = strings.Cut(rest, " ")
	}
	if who == "" || strings.ContainsFunc(who, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-", r)
	}) {
		t.say("  A name after @ has letters, digits, dots and dashes only.\n")
		return nil
	}
	words := strings.Fields(text)
	if q, ok := t.asking[who]; ok {
		if len(words) == 0 || !t.isWord(words[0]) {
			return t.answer(ctx, who, q, text)
		}
		delete(t.asking, who)
		t.say("  The question before is closed. Nothing was changed by it.\n")
	}
	if len(words) == 0 {
		return nil
	}
	if extra, ok := t.config.Extras[words[0]]; ok {
		if err := extra(ctx, words[1:], t.config.Out); err != nil {
			t.say("  %s\n", safe(err.Error()))
		}
		return t.settle(ctx)
	}
	switch strings.ToLower(words[0]) {
	case "/outage", "outage":
		return t.accept(ctx, who, flow.Command{Words: words[1:]})
	case "help", "/help":
		return t.accept(ctx, who, flow.Command{Words: []string{"help"}})
	}
	if c, b, ok := t.buttonOf(words); ok {
		return t.press(ctx, who, c, b)
	}
	t.say("  Type /outage, the number of a button such as %d.1, or @name before either. /outage help lists more.\n", max(1, t.newest+1))
	return nil
}

// isWord reports whether a typed word is a command and no answer to a question.
func (t *Terminal) isWord(w string) bool {
	_, extra := t.config.Extras[w]
	return extra || strings.EqualFold(w, "/outage")
}

// buttonOf reads "2" as the second button of the newest card, and "7.2" as that of card 7.
func (t *Terminal) buttonOf(words []string) (cardAt, button int, ok bool) {
	if len(words) != 1 {
		return 0, 0, false
	}
	cardAt = t.newest
	number := words[0]
	if c, b, dotted := strings.Cut(number, "."); dotted {
		n, err := strconv.Atoi(c)
		if err != nil {
			return 0, 0, false
		}
		cardAt, number = n-1, b
	}
	n, err := strconv.Atoi(number)
	return cardAt, n - 1, err == nil
}

func (t *Terminal) press(ctx context.Context, who string, c, b int) error {
	if c < 0 || c >= len(t.cards) || b < 0 || b >= len(t.cards[c].buttons) {
		t.say("  There is no such button now. Nothing was pressed.\n")
		return nil
	}
	button := t.cards[c].buttons[b]
	if button.Sure != nil {
		t.asking[who] = question{sure: &button}
		t.say("  %s %s\n  [1] %s\n  [2] %s\n", safe(button.Sure.Title), safe(button.Sure.Text), safe(button.Sure.Yes), safe(button.Sure.No))
		return nil
	}
	return t.send(ctx, who, button.Action, nil)
}

func (t *Terminal) send(ctx context.Context, who, action string, fields map[string]string) error {
	a, err := flow.DecodeAction(action)
	if err != nil {
		return err
	}
	return t.accept(ctx, who, flow.Press{Action: a, Fields: fields})
}

// accept hands an event in and waits until all that it caused has settled.
func (t *Terminal) accept(ctx context.Context, who string, what flow.What) error {
	t.events++
	account := Platform + ":" + who
	e := flow.Event{
		ID: fmt.Sprintf("%s/%d", t.config.Session, t.events), At: time.Now(), By: flow.Person{Account: account, Member: t.config.Trust},
		Place: flow.Place{Platform: Platform, Channel: t.config.Channel}, What: what,
		Until: time.Now().Add(formWait),
	}
	reply, err := t.config.Flow.Accept(ctx, e)
	if err != nil {
		t.say("\nTo @%s:\n%s", who, Render(t.config.Flow.Offline(ctx, e), 0, t.config.Zone(account)))
		t.say("  (nothing was started: %s)\n", safe(err.Error()))
		return nil
	}
	r := <-reply
	if err := t.settle(ctx); err != nil {
		return err
	}
	if r.Form != nil {
		t.config.Shown(*r.Form)
		t.say("\nForm for @%s: %s\n", who, safe(r.Form.Title))
		q := question{form: r.Form.Form, fields: map[string]string{}}
		if slices.ContainsFunc(q.form.Inputs, func(in card.Input) bool { return in.Error != "" }) {
			q.skip() // what was right needs no second answer
		}
		t.next(who, q)
		return nil
	}
	return nil
}

// settle waits until all is done. Where that takes too long, the person is told, and it goes on meanwhile.
func (t *Terminal) settle(ctx context.Context) error {
	err := t.config.Settle(ctx)
	if errors.Is(err, handlers.ErrStillWorking) {
		t.say("  Something is still under way, and goes on: the store or a platform does not answer. Nothing that was taken in is lost.\n")
		return nil
	}
	return err
}

// Begin shows a person where things stand, as the bare command does.
func (t *Terminal) Begin(ctx context.Context) error {
	t.changed = true
	return t.accept(ctx, t.config.Me, flow.Command{Words: []string{"status"}})
}

// answer takes a line as the answer to what somebody was asked.
func (t *Terminal) answer(ctx context.Context, who string, q question, text string) error {
	if q.sure != nil {
		delete(t.asking, who)
		if yes := strings.TrimSpace(text); yes == "1" || strings.EqualFold(yes, "yes") {
			return t.send(ctx, who, q.sure.Action, nil)
		}
		t.say("  Not done. Nothing was changed.\n")
		return nil
	}
	in := q.form.Inputs[q.at]
	if strings.TrimSpace(text) == "/cancel" {
		delete(t.asking, who)
		t.writing = ""
		t.say("  The form is closed. Nothing was changed.\n")
		return nil
	}
	value, ok := in.Value, true
	switch {
	case in.Kind == card.Long && text != ".":
		if text == "" && len(q.long) == 0 {
			break // keeps what is there
		}
		q.long = append(q.long, text)
		t.asking[who], t.writing = q, who
		return nil
	case in.Kind == card.Long:
		value = strings.Join(q.long, "\n")
	case strings.TrimSpace(text) == "":
	case in.Kind == card.Text:
		value = text
	default:
		value, ok = choose(in, text)
	}
	if !ok {
		t.say("  Please type a number from the list.\n")
		t.asking[who] = q
		return nil
	}
	q.fields[in.ID], t.writing = value, ""
	q.at, q.long = q.at+1, nil
	if q.wrong {
		q.skip()
	}
	if q.at < len(q.form.Inputs) {
		t.next(who, q)
		return nil
	}
	delete(t.asking, who)
	return t.send(ctx, who, q.form.Action, q.fields)
}

// skip goes on to the next field with an error.
func (q *question) skip() {
	for q.at < len(q.form.Inputs) && q.form.Inputs[q.at].Error == "" {
		in := q.form.Inputs[q.at]
		q.fields[in.ID] = in.Value
		q.at++
	}
	q.wrong = true
}

// next asks for the next field of a form.
func (t *Terminal) next(who string, q question) {
	t.asking[who] = q
	in := q.form.Inputs[q.at]
	if in.Error != "" {
		t.say("  Not taken: %s\n", safe(in.Error))
	}
	t.say("  %s", safe(in.Label))
	if in.Hint != "" {
		t.say(" (%s)", safe(in.Hint))
	}
	t.say("\n")
	for i, o := range in.Options {
		t.say("    [%d] %s\n", i+1, safe(o.Label))
	}
	how := map[card.InputKind]string{
		card.Text: "type it", card.Long: "type it, and a line with only a dot at its end",
		card.Choice: "give one number", card.Many: "give one or more numbers",
	}[in.Kind]
	if in.Value != "" && in.Kind == card.Long {
		t.exactly(in.Value)
		t.say("    Enter keeps it; else %s. /cancel closes the form.\n", how)
		return
	}
	if in.Value != "" {
		now := strings.Split(label(in), "\n")
		for i, line := range now {
			now[i] = safe(line)
		}
		t.say("    Now: %s\n    Enter keeps it; else %s. /cancel closes the form.\n", strings.Join(now, "\n         "), how)
		return
	}
	t.say("    Please %s. /cancel closes the form.\n", how)
}

// exactly prints a text so that it can be copied: from the line after the first mark to the end of the line before the
// last. What would steer the terminal is not shown so; the text then stands there a second time, with numbers for such characters.
func (t *Terminal) exactly(text string) {
	const mark = "    ----------------------------------------"
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = safe(line)
	}
	shown := strings.Join(lines, "\n")
	t.say("    Now, between the marks:\n%s\n%s\n%s\n", mark, shown, mark)
	if shown != text {
		t.say("    Some of its characters cannot be shown here. With \\u and \\x for those, it is: %s\n", strconv.QuoteToASCII(text))
	}
}

// label is an input's present value as people read it.
func label(in card.Input) string {
	if len(in.Options) == 0 {
		return in.Value
	}
	var out []string
	for _, o := range in.Options {
		if slices.Contains(strings.Split(in.Value, "\n"), o.Value) {
			out = append(out, o.Label)
		}
	}
	return strings.Join(out, ", ")
}

// choose reads numbers of options.
func choose(in card.Input, text string) (string, bool) {
	var out []string
	for _, w := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }) {
		n, err := strconv.Atoi(w)
		if err != nil || n < 1 || n > len(in.Options) {
			return "", false
		}
		out = append(out, in.Options[n-1].Value)
	}
	if in.Kind == card.Choice && len(out) != 1 {
		return "", false
	}
	return strings.Join(out, "\n"), len(out) > 0
}
