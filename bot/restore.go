package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/handlers/terminal"
	"switchback/store"
)

const (
	lookAgain  = 50 * time.Millisecond
	stuckAfter = 2 * time.Minute // without any progress
)

// errLeft ends a command that did what it could and leaves something for a person: exit status 3.
var errLeft = errors.New("something is left for a person")

type restoreCommand struct {
	benchFlags
	ID      string `arg:"" optional:"" help:"Which outage, as bot outages names it; it may be left out where only one is open, or with --capsule."`
	Yes     bool   `help:"Do not ask whether to begin. Settings that somebody else changed are asked about all the same."`
	Capsule string `help:"The messages from the outage's thread, for when the store is lost; - reads them from the input." type:"path"`
}

// Help says how it ends.
func (restoreCommand) Help() string {
	return `Shows each setting as it was before, as it was set, and as it is now, and puts back what was there before. It compares
first: what somebody else changed is never overwritten without an answer. What only a person can click is listed.

Exit status: 0 everything is as before, or was left by name; 1 an error; 3 something is left for a person.`
}

// Run restores an outage.
func (c restoreCommand) Run(ctx context.Context, s streams) error {
	b, err := c.open(c.Capsule != "")
	if err != nil {
		return err
	}
	defer func() { b.close() }()
	log := zerolog.New(s.errs).Level(zerolog.ErrorLevel)
	ctx = log.WithContext(ctx)
	var forgotten []string
	if c.Capsule != "" {
		if c.ID, forgotten, err = c.known(ctx, b, s); err != nil {
			return err
		}
	}
	if c.ID, err = theOutage(ctx, b, c.ID); err != nil {
		return err
	}
	_, record, err := b.kept().Outage(ctx, c.ID)
	if err != nil {
		return err
	}
	if err := c.fits(c.ID, record.Value); err != nil {
		return err
	}
	platforms := live(b.org, store.NewFlags(b.store))
	if !c.Live {
		// Where another process works on the folder this company is looked at, and never written to: it begins with the
		// settings as that process saved them.
		company, err := startCompany(ctx, c.Config, filepath.Join(b.dir, "company.json"), s.errs)
		if err != nil {
			return err
		}
		defer company.stop()
		platforms = company.platforms(b.org)
	}
	b.on(platforms)
	r := restoring{bench: b, id: c.ID, platforms: platforms, in: bufio.NewReader(s.in), out: s.out, asked: map[string]bool{}}
	err = r.run(ctx, c.Yes)
	if len(forgotten) == 0 {
		return err
	}
	fmt.Fprintf(s.out, "Look at these by hand, this store did not know them:\n%s", strings.Join(forgotten, ""))
	return cmp.Or(err, errLeft)
}

// known imports the outage of the text, unless the store knows it: then the store's own word counts. Where the text
// says otherwise, and was written at a moment that the store does not know of, somebody has to look. It returns which
// outage it is, and the settings that the store knows nothing of: nobody puts them back, and nothing reminds of them.
func (c restoreCommand) known(ctx context.Context, b *bench, s streams) (id string, forgotten []string, err error) {
	text, err := readText(c.Capsule, s.in)
	if err != nil {
		return "", nil, err
	}
	o, r, _, err := flow.ReadCapsule(text)
	if err != nil {
		return "", nil, err
	}
	if err := c.fits(o.ID, r); err != nil {
		return "", nil, err
	}
	if c.ID != "" && c.ID != o.ID {
		return "", nil, fmt.Errorf("the text is about %s, not about %s", o.ID, c.ID)
	}
	here, record, err := b.kept().Outage(ctx, o.ID)
	if err != nil {
		return "", nil, err
	}
	if here.Version == 0 {
		id, err := b.take(ctx, s.out, text)
		return id, nil, err
	}
	log, err := b.kept().Log(ctx, outageLog+o.ID)
	if err != nil {
		return "", nil, err
	}
	other, forgotten := otherwise(r, record.Value)
	if len(other) == 0 || flow.ReadChain(log, here.Value.Head).Heads[o.Head] { // else something was said that is not in the store
		fmt.Fprintf(s.out, "%s is on record here: the text is not needed.\n", o.ID)
		return o.ID, nil, nil
	}
	fmt.Fprintf(s.out, "Careful: %s is on record here, and goes by that. The text says otherwise, and comes from a moment that this store does not know: it has forgotten something.\n%s", o.ID, strings.Join(other, ""))
	if c.Yes {
		return "", nil, errors.New("nothing was changed: look at the above first, and try again without --yes")
	}
	return o.ID, forgotten, nil
}

// otherwise says of which settings a text knows another value before than what is on record, and which of them are not
// on record at all.
func otherwise(text, here change.Record) (other, forgotten []string) {
	for _, st := range text.Steps {
		now, ok := here.Step(st.Key)
		if st.Before == nil || now.Before != nil && now.Before.Value.Equal(st.Before.Value) {
			continue
		}
		said := fmt.Sprintf("  %s, %s\n    before, in the text: %s (%s, %s)\n", st.Label, st.Name, before(st), st.Before.By, st.Before.At.Local().Format(time.RFC1123Z))
		word := before(now)
		if !ok {
			word = "nothing of it"
			forgotten = append(forgotten, said)
		}
		other = append(other, said+"    before, on record:   "+word+"\n")
	}
	return other, forgotten
}

// theOutage finds out which one is meant.
func theOutage(ctx context.Context, b *bench, id string) (string, error) {
	open, err := b.kept().Open(ctx)
	if err != nil {
		return "", err
	}
	open = slices.DeleteFunc(open, func(o flow.Outage) bool { return o.Drill })
	if id == "" && len(open) == 1 {
		return open[0].ID, nil
	}
	names := make([]string, len(open))
	for i, o := range open {
		names[i] = o.ID
	}
	known := cmp.Or(strings.Join(names, ", "), "nothing")
	if id == "" {
		return "", fmt.Errorf("which outage? Open is: %s", known)
	}
	o, _, err := b.kept().Outage(ctx, id)
	if err == nil && o.Version == 0 {
		err = fmt.Errorf("there is no outage %q. Open is: %s", id, known)
	}
	if o.Value.Drill {
		err = fmt.Errorf("%s is a drill: there is nothing to put back. Open is: %s", id, known)
	}
	return id, err
}

// restoring is one run of bot restore.
type restoring struct {
	*bench
	id        string
	platforms change.Platforms
	in        *bufio.Reader
	out       io.Writer
	asked     map[string]bool // questions that were put, by what they were
}

func (j *restoring) run(ctx context.Context, yes bool) error {
	o, r, err := j.load(ctx)
	switch {
	case err != nil:
		return err
	case o.Ended != nil:
		_, err := fmt.Fprintf(j.out, "%s is over already: %s by %s, %s. Nothing was changed.\n", o.ID, o.Ended.How, o.Ended.By, o.Ended.At.Local().Format(time.RFC1123Z))
		return err
	case len(r.Steps) == 0:
		fmt.Fprintf(j.out, "%s changed nothing, so there is nothing to put back. Whether it works again is for %s to say.\n", o.ID, o.Owner.Name)
		return errLeft
	}
	if err := j.reach(r); err != nil {
		return err
	}
	shown := time.Now()
	n, err := j.show(ctx, o, r)
	if err != nil {
		return err
	}
	if n > 0 {
		if !yes {
			if ok, err := j.sure(ctx, n); err != nil || !ok {
				return err
			}
		}
		if _, err := j.press(ctx, flow.PutBack(o, r, shown), nil); err != nil {
			return err
		}
		if err := j.taken(ctx); err != nil {
			return err
		}
	}
	for {
		if o, r, err = j.settle(ctx); err != nil {
			return err
		}
		again, err := j.questions(ctx, o, r)
		if err != nil {
			return err
		}
		if !again {
			return j.verdict(o, r)
		}
	}
}

// reach makes sure that this process can set what it would have to set, before anything begins.
func (j *restoring) reach(r change.Record) error {
	for _, st := range r.Steps {
		if _, err := j.platforms.For(st.Key); j.able && st.Open() && st.Way != change.Guided && err != nil {
			return fmt.Errorf("nothing was changed: the organisation document does not say how to reach %s, %s: %w", st.Label, st.Name, err)
		}
	}
	return nil
}

// taken makes sure that the restore was begun: it is not where the list that was shown is no longer the present one.
func (j *restoring) taken(ctx context.Context) error {
	_, r, err := j.load(ctx)
	if err != nil {
		return err
	}
	for _, st := range r.Steps {
		if st.Open() && !st.Back {
			return errors.New("nothing was put back: the list above was shown more than ten minutes ago, or something was added to the outage since. Look again with the same command")
		}
	}
	return nil
}

func (j *restoring) load(ctx context.Context) (flow.Outage, change.Record, error) {
	o, r, err := j.kept().Outage(ctx, j.id)
	return o.Value, r.Value, err
}

// show prints every open setting as it was, was set and is, and returns for how many no restore was asked for yet.
func (j *restoring) show(ctx context.Context, o flow.Outage, r change.Record) (int, error) {
	n := 0
	fmt.Fprintf(j.out, "%s, %s, looked after by %s:\n", o.ID, o.Leaf.Title, o.Owner.Name)
	for _, st := range r.Steps {
		if !st.Open() {
			continue
		}
		if !st.Back {
			n++
		}
		note := ""
		p, err := j.platforms.For(st.Key)
		var v change.Value
		if err == nil {
			v, err = p.Read(ctx, st.Key)
		}
		now := strconv.Quote(v.Text)
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case st.Way == change.Guided:
			now = "only a person can see it"
		case err != nil:
			now = "cannot be read (" + err.Error() + ")"
		case st.Before == nil:
			note = "   it was like this before the outage; you are asked"
		case v.Equal(st.Before.Value):
			note = "   as before already"
		case !v.Equal(st.Want) && (st.Set == nil || !v.Equal(*st.Set)):
			note = "   somebody else changed it; you are asked"
		}
		fmt.Fprintf(j.out, "  %s, %s\n    before: %s\n    set:    %q\n    now:    %s%s\n", st.Label, st.Name, before(st), st.Want.Text, now, note)
	}
	return n, nil
}

func before(st change.Step) string {
	if st.Before == nil {
		return "not known"
	}
	return strconv.Quote(st.Before.Value.Text)
}

// sure asks whether to begin. No is an errLeft: the outage is still open.
func (j *restoring) sure(ctx context.Context, n int) (bool, error) {
	fmt.Fprintf(j.out, "Put these %d settings back now? [y/N] ", n)
	answer, err := j.line(ctx)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a == "y" || a == "yes" {
		return true, nil
	}
	fmt.Fprintln(j.out, "Nothing was changed.")
	return false, errLeft
}

// line reads one line of the input, without its end. It ends with ctx, although a read of a terminal does not.
func (j *restoring) line(ctx context.Context) (string, error) {
	type read struct {
		text string
		err  error
	}
	done := make(chan read, 1)
	go func() {
		text, err := j.in.ReadString('\n')
		if text != "" {
			err = nil
		}
		done <- read{strings.TrimRight(text, "\r\n"), err}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// press is a button of a card, pressed here.
func (j *restoring) press(ctx context.Context, a flow.Action, fields map[string]string) (flow.Reply, error) {
	done, err := j.service.Accept(ctx, j.event(flow.Press{Action: a, Fields: fields}))
	if err != nil {
		return flow.Reply{}, err
	}
	reply, ok := <-done
	if !ok {
		return flow.Reply{}, fmt.Errorf("it was taken in, but not decided; look with %s, and try again", j.flags.again("outages"))
	}
	return reply, nil
}

// settle returns when the bot has nothing left to do for the outage: this process does it where it may, else the one that
// has the folder. On Redis it is one of those that may, beside the running ones.
func (j *restoring) settle(ctx context.Context) (flow.Outage, change.Record, error) {
	var last uint64
	moved := time.Now()
	for {
		o, r, err := j.kept().Outage(ctx, j.id)
		if err != nil || !flow.Working(r.Value) {
			return o.Value, r.Value, err
		}
		if r.Version != last {
			last, moved = r.Version, time.Now()
		}
		if time.Since(moved) > stuckAfter {
			return o.Value, r.Value, fmt.Errorf("%s: nothing has moved for %s. What was asked for is on record and goes on by itself once the bot works again", j.id, stuckAfter)
		}
		if j.able {
			if err := j.drive(ctx); err != nil {
				return o.Value, r.Value, err
			}
		}
		select {
		case <-ctx.Done():
			return o.Value, r.Value, fmt.Errorf("stopped. What was asked for is on record, and goes on when the bot is started: %w", ctx.Err())
		case <-time.After(lookAgain):
		}
	}
}

// drive lets the engine work on this outage, under a lease as in the running bot: of two only one does. Everything else
// that is due waits for the bot.
func (j *restoring) drive(ctx context.Context) error {
	c, ok, err := j.kept().Take(ctx, flow.DriveTimer(j.id), flow.ClaimFor)
	if err != nil || !ok {
		return err
	}
	_, err = j.service.Due(ctx, c)
	return err
}

// questions puts each open question once, and reports whether one was answered.
func (j *restoring) questions(ctx context.Context, o flow.Outage, r change.Record) (bool, error) {
	answered := false
	for _, c := range flow.Questions(o, r) {
		name := fmt.Sprintf("%+v", c)
		if j.asked[name] {
			continue
		}
		j.asked[name] = true
		ok, err := j.ask(ctx, c)
		if err != nil {
			return false, err
		}
		answered = answered || ok
	}
	return answered, nil
}

// ask shows a card and presses the button that is chosen. No choice, and no input, leave the question open.
func (j *restoring) ask(ctx context.Context, c card.Card) (bool, error) {
	buttons := c.Buttons
	c.Buttons = nil
	fmt.Fprintf(j.out, "\n%s", terminal.Render(c, 0, time.Local))
	for i, b := range buttons {
		fmt.Fprintf(j.out, "  [%d] %s\n", i+1, card.In(b.Label, time.Local))
	}
	for {
		fmt.Fprint(j.out, "Which? (nothing leaves it open) ")
		text, err := j.line(ctx)
		if errors.Is(err, io.EOF) || err == nil && strings.TrimSpace(text) == "" {
			fmt.Fprintln(j.out)
			return false, nil
		}
		if err != nil {
			return false, err
		}
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 || n > len(buttons) {
			fmt.Fprintf(j.out, "%q is not one of the numbers.\n", text)
			continue
		}
		return true, j.choose(ctx, buttons[n-1])
	}
}

// choose presses a button, and fills in the form that it opens.
func (j *restoring) choose(ctx context.Context, b card.Button) error {
	a, err := flow.DecodeAction(b.Action)
	if err != nil {
		return err
	}
	reply, err := j.press(ctx, a, nil)
	if err != nil || reply.Form == nil || reply.Form.Form == nil {
		return err
	}
	form := reply.Form.Form
	fields := map[string]string{}
	for _, in := range form.Inputs {
		if fields[in.ID], err = j.field(ctx, in); err != nil {
			return err
		}
	}
	if a, err = flow.DecodeAction(form.Action); err != nil {
		return err
	}
	_, err = j.press(ctx, a, fields)
	return err
}

// field asks for one value of a form.
func (j *restoring) field(ctx context.Context, in card.Input) (string, error) {
	how := ""
	if in.Kind == card.Long {
		how = ", and a line with only a dot at its end"
	}
	if in.Value != "" {
		how += fmt.Sprintf("; nothing means %q", in.Value)
	}
	fmt.Fprintf(j.out, "%s%s: ", in.Label, how)
	var lines []string
	for {
		text, err := j.line(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return "", errLeft // a value that was not finished is none
		case err != nil:
			return "", err
		case text == "" && len(lines) == 0:
			return in.Value, nil
		case in.Kind != card.Long:
			return text, nil
		case text == ".":
			return strings.Join(lines, "\n"), nil
		}
		lines = append(lines, text)
	}
}

// verdict says item by item how it ended.
func (j *restoring) verdict(o flow.Outage, r change.Record) error {
	fmt.Fprintln(j.out)
	for _, st := range r.Steps {
		fmt.Fprintf(j.out, "  %s, %s: %s\n", st.Label, st.Name, j.ended(st))
	}
	if o.Ended != nil {
		fmt.Fprintf(j.out, "%s is over: %s by %s.\n", o.ID, o.Ended.How, o.Ended.By)
		return nil
	}
	if r.Phase() == change.Ended {
		fmt.Fprintf(j.out, "Every setting is answered for. %s stays open until somebody says that it works again: %s looks after it.\n", o.ID, o.Owner.Name)
		return nil
	}
	fmt.Fprintf(j.out, "%s is still open: %s looks after it.\n", o.ID, o.Owner.Name)
	return errLeft
}

// ended is how far one setting came.
func (j *restoring) ended(st change.Step) string {
	switch {
	case st.State == change.Restored && st.Before != nil && !st.Spared:
		return "as before, " + before(st)
	case st.State == change.Restored:
		return "never changed"
	case st.State == change.Left:
		return fmt.Sprintf("left as it is: %s (%s)", st.Reason, st.By)
	case st.Way == change.Guided:
		text := "a person puts it back to " + before(st)
		if p, err := j.platforms.For(st.Key); err == nil && st.Before != nil {
			g := p.Guide(st.Key, st.Before.Value)
			text += ": " + strings.TrimSpace(g.Path+" "+g.Click)
		}
		return text
	case st.State == change.Conflict && st.Now != nil:
		return fmt.Sprintf("not put back: somebody else set it to %q, and it waits for an answer", st.Now.Text)
	case st.State == change.Failed:
		return "NOT put back: " + st.Reason
	}
	return "waits for an answer"
}
