package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strconv"
	"time"

	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/bot/tree"
	"switchback/handlers/terminal"
	"switchback/store"
)

// benchFlags say with what a command works on a folder.
type benchFlags struct {
	storeFlags
	Playbook string `help:"Playbook; without one, the built-in." default:"${playbook_file}" type:"path"`
}

// bench is an open folder, and the decisions of the bot over it in the name of whoever runs the command.
type bench struct {
	flags   storeFlags
	dir     string
	org     organisation
	tree    tree.Tree
	book    []byte
	store   store.Store
	able    bool // this process may change settings itself: another one that has the folder would have to
	service *flow.Service
	me      flow.Person
}

// open opens Redis where its address is given, else the folder, or reaches the bot that has it open. A folder in which
// nothing is kept is an error, unless fresh says that a new one will do.
func (f benchFlags) open(fresh bool) (*bench, error) {
	b := &bench{flags: f.storeFlags}
	var err error
	if b.org, err = loadOrganisation(f.Config); err != nil {
		return nil, err
	}
	if b.tree, b.book, err = loadPlaybook(f.Playbook); err != nil {
		return nil, err
	}
	if b.dir, err = f.folder(); err != nil {
		return nil, err
	}
	b.org.Practice = !f.Live
	b.org.Policy, b.me = operator(b.org.Policy)
	if b.store, err = openStore(b.dir, f.Live, fresh); err != nil {
		return nil, err
	}
	switch b.store.(type) {
	case *store.File:
		b.able = true
	case *store.Redis:
		b.able = f.Live || !running(b.dir) // a practice company belongs to the process that runs it
	}
	b.on(nil)
	return b, nil
}

// fits refuses an outage of the other company: what it set cannot be reached, or asked for, from here.
func (f benchFlags) fits(id string, r change.Record) error {
	practice := slices.ContainsFunc(r.Steps, func(st change.Step) bool { return st.Key.Platform() == "sim" })
	switch {
	case len(r.Steps) == 0 || practice != f.Live:
		return nil
	case practice:
		return fmt.Errorf("nothing was changed: %s is an outage of the practice company; leave --live out", id)
	}
	return fmt.Errorf("nothing was changed: %s is an outage of the real company; add --live", id)
}

// running reports whether a bot works on the folder.
func running(dir string) bool {
	other, err := store.Dial(dir)
	if err == nil {
		_ = other.Close()
	}
	return err == nil
}

// on gives the bench the platforms where settings live.
func (b *bench) on(platforms change.Platforms) {
	b.service = flow.New(flow.Config{Store: b.kept(), Policy: b.org.Policy, Playbook: b.book, Tree: b.tree, Platforms: platforms})
}

func (b *bench) kept() store.Flow { return store.Flow{Store: b.store} }

// close ends the work on the folder, when all of it is saved.
func (b *bench) close() {
	b.service.Wait()
	_ = b.store.Close()
}

// event is something that whoever runs the command did.
func (b *bench) event(what flow.What) flow.Event {
	return flow.Event{
		ID: "command/" + rand.Text(), At: time.Now(), By: b.me, What: what,
		Place: flow.Place{Platform: terminal.Platform, Channel: b.org.Home("", terminal.Platform).Channel},
		Until: time.Now().Add(time.Hour), // a form is answered right where it is asked for
	}
}

// operator returns the policy under which a command decides, and who runs it: "terminal:" and the name that the
// operating system knows. The right comes from the folder, or from the address of Redis: whoever can open the store could
// change everything in it with any tool. So the operator is a responder, for this process only: the running bot
// goes on asking everybody who they are.
func operator(p flow.Policy) (flow.Policy, flow.Person) {
	name := "uid " + strconv.Itoa(os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	i := slices.IndexFunc(p.People, func(s flow.Someone) bool { return s.Terminal == name })
	if i < 0 {
		// Not the bare name: somebody else may be called the same.
		p.People = append(slices.Clone(p.People), flow.Someone{Name: name + " (command line)", Terminal: name})
		i = len(p.People) - 1
	}
	if who := p.People[i].Name; !slices.Contains(p.Responders, who) {
		p.Responders = append(slices.Clone(p.Responders), who)
	}
	return p, p.Who(terminal.Platform+":"+name, true)
}

type importCommand struct {
	benchFlags
	File string `arg:"" help:"The messages from the outage's thread, all of them, in any order; - reads them from the input." type:"path"`
}

// Help says what an import is for.
func (importCommand) Help() string {
	return `When settings are changed, the values from before are posted in the outage's thread. From that text this
command brings the outage back into a store that does not know it any more, also into an empty folder. No setting is
changed by it: afterwards "bot restore" compares, and puts back. An outage for which nothing was changed has no such text:
begin it again with /outage, so that somebody is asked whether it works again.`
}

// Run takes an outage back from the text that was posted about it.
func (c importCommand) Run(ctx context.Context, s streams) error {
	text, err := readText(c.File, s.in)
	if err != nil {
		return err
	}
	o, r, _, err := flow.ReadCapsule(text)
	if err != nil {
		return err
	}
	if err := c.fits(o.ID, r); err != nil {
		return err
	}
	b, err := c.open(true)
	if err != nil {
		return err
	}
	defer b.close()
	_, err = b.take(ctx, s.out, text)
	return err
}

// readText reads a file; "-" is the input.
func readText(file string, in io.Reader) (string, error) {
	if file == "-" {
		data, err := io.ReadAll(in)
		return string(data), err
	}
	data, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	return string(data), err
}

// take imports the outage that a text holds, says so, and returns its id.
func (b *bench) take(ctx context.Context, out io.Writer, text string) (string, error) {
	o, r, from, err := flow.ReadCapsule(text)
	if err != nil {
		return "", err
	}
	b.on(live(b.org, store.NewFlags(b.store))) // flags are looked at
	if err := b.service.Import(ctx, o, r, b.event(flow.Stepped{})); err != nil {
		return "", err
	}
	here, err := b.store.Health(ctx)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(out, "Taken back: %s, %s, with %d settings. No setting was changed.\n", o.ID, o.Leaf.Title, len(r.Steps))
	switch {
	case here.Lineage != from.Lineage:
		fmt.Fprintln(out, "It was written by another store than the one in this folder.")
		if here.Kind == "redis" {
			fmt.Fprintln(out, "A bot that knew the other one ends by itself: start it again.")
		}
	case here.Counter < from.Counter:
		fmt.Fprintf(out, "Careful: this store has forgotten something. It is at commit %d, and was at %d when the text was written.\n", here.Counter, from.Counter)
	}
	fmt.Fprintf(out, "Compare and put back: %s\n", b.flags.again("restore", o.ID))
	return o.ID, nil
}
