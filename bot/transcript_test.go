package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/bot/gladly"
	"switchback/bot/sim"
	"switchback/handlers"
	"switchback/handlers/statuspage/statuspagetest"
	"switchback/handlers/terminal"
	"switchback/store"
)

var update = flag.Bool("update", false, "rewrite the transcripts")

// A transcript is a file of what is typed and what is shown. In it
//
//	# …           says what it is about
//	@ 2026-11-26T07:10:00Z   sets the clock, once, before anything is typed; "live" after it is bot chat --live,
//	                         "four-eyes" an organisation that wants them, "twelve" one with twelve numbers, and "new"
//	                         one in which nobody ever said that the IVR for an outage is published
//	> …           is a line that is typed
//	~ 2h30m       lets time pass
//	= restart     ends the program, and starts it again; "after 2h" later
//	= sam leaves  is that, with an organisation document that does not name them a responder any more
//	= store away  and "= store back": nothing can be kept meanwhile
//
// and everything else is what the program prints. -update rewrites that; the diff is the review.
//
// Each kind of card and form that they show is kept in testdata/cards.json, and drawn from there in the golden files of
// the chat platforms; -update rewrites those too.
func TestTranscripts(t *testing.T) {
	var cards kinds
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			cards.files++
			var got []byte
			synctest.Test(t, func(t *testing.T) { got = play(t, string(want), func(s *stage) { s.shown = cards.add }) })
			if *update {
				if err := os.WriteFile(file, got, 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
	if cards.files < len(files) { // only some were asked for
		return
	}
	const file = "testdata/cards.json"
	if *update {
		if err := os.WriteFile(file, cards.json(t), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, pkg := range []string{"../handlers/slack"} {
			if out, err := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-run", "^TestCards$", pkg, "-update").CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(cards.json(t))); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// kinds are cards of which each is unlike the others, whatever its numbers and times are.
type kinds struct {
	files int
	seen  map[string]bool
	cards []card.Card
}

var numbers = regexp.MustCompile(`\x02[^\x03]*\x03|[0-9]+`)

func (k *kinds) add(c card.Card) {
	if c.Keep { // names its store, which is another one each time
		return
	}
	like := fmt.Sprint(c.Tone, c.Drill, c.Form != nil, c.Title)
	for _, b := range c.Buttons {
		like += "\n" + b.Label
	}
	if like = numbers.ReplaceAllString(like, "0"); k.seen[like] {
		return
	}
	if k.seen == nil {
		k.seen = map[string]bool{}
	}
	k.seen[like] = true
	k.cards = append(k.cards, c)
}

// json has one card a line.
func (k *kinds) json(t *testing.T) []byte {
	t.Helper()
	out := []byte("[\n")
	for i, c := range k.cards {
		line, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			out = append(out, ",\n"...)
		}
		out = append(out, line...)
	}
	return append(out, "\n]\n"...)
}

// stage is a whole bot over a practice company, in one process and in fake time.
type stage struct {
	t        *testing.T
	out      bytes.Buffer
	dir      string
	org      organisation
	company  *sim.Company
	store    store.Store
	starts   int
	term     *terminal.Terminal
	worker   *handlers.Worker
	playbook string
	live     bool
	fresh    bool // nobody ever said anything of peace time
	shown    func(card.Card)
	front    front                // not nil: everything goes through a chat platform
	page     *statuspagetest.Page // nil: none is configured
	ids      []string             // of what the page reported, in order
	hook     *statuspagetest.Subscriber
	away     atomic.Bool // the store
}

// twelve are as many numbers as a larger company has.
func twelve() []gladly.Number {
	var out []gladly.Number
	for i, name := range []string{"Orders", "Returns", "Repairs", "Press", "Loans", "Gifts", "Night line", "Trade", "Spares", "Clinic", "Old hotline", "Board"} {
		ivr := "Main menu"
		out = append(out, gladly.Number{Number: fmt.Sprintf("+165055501%02d", i+1), Name: name, IVR: &ivr, Voicemail: "Voicemail Only"})
	}
	return out
}

// leaves takes the rights of a responder from somebody.
func (s *stage) leaves(who string) {
	s.org.Responders = slices.DeleteFunc(slices.Clone(s.org.Responders), func(p string) bool { return p == who })
}

// fleeting is a store that can be away.
type fleeting struct {
	store.Store
	away *atomic.Bool
}

var errAway = errors.New("the store is away")

func (f fleeting) Get(ctx context.Context, keys ...string) ([]store.Doc, error) {
	if f.away.Load() {
		return nil, errAway
	}
	return f.Store.Get(ctx, keys...)
}

func (f fleeting) List(ctx context.Context, prefix string) ([]string, error) {
	if f.away.Load() {
		return nil, errAway
	}
	return f.Store.List(ctx, prefix)
}

func (f fleeting) Commit(ctx context.Context, c store.Commit) (uint64, error) {
	if f.away.Load() {
		return 0, errAway
	}
	return f.Store.Commit(ctx, c)
}

func (f fleeting) Claim(ctx context.Context, lease time.Duration, n int) ([]store.Claim, error) {
	if f.away.Load() {
		return nil, errAway
	}
	return f.Store.Claim(ctx, lease, n)
}

func (f fleeting) Health(ctx context.Context) (store.Health, error) {
	if f.away.Load() {
		return store.Health{}, errAway
	}
	return f.Store.Health(ctx)
}

// play runs the typed lines of a transcript and returns it with what was shown.
func play(t *testing.T, script string, prepare ...func(*stage)) []byte {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir()}
	for _, p := range prepare {
		p(s)
	}
	var err error
	if s.org, err = loadOrganisation(""); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		mark, rest, _ := strings.Cut(line, " ")
		switch mark {
		case "#":
		case "@":
			clock, modes, _ := strings.Cut(rest, " ")
			s.live = strings.Contains(modes, "live")
			s.org.FourEyes = strings.Contains(modes, "four-eyes")
			if strings.Contains(modes, "drills") {
				s.org.Drills.Terminal = "#drills"
			}
			withPage := strings.Contains(modes, "page")
			s.fresh = strings.Contains(modes, "new")
			if strings.Contains(modes, "twelve") {
				s.org.Gladly.Numbers = twelve()
			}
			at, err := time.Parse(time.RFC3339, clock)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Until(at))
			if s.org.Pages.Pages = nil; withPage {
				s.publish(strings.Contains(modes, "down"))
				defer s.page.Close()
			}
			defer s.stop()
			fmt.Fprintln(&s.out, line)
			s.start()
			continue
		case ">":
			s.quiet()
			fmt.Fprintln(&s.out, line)
			if err := s.term.Line(t.Context(), rest); err != nil {
				t.Fatal(err)
			}
			continue
		case "~":
			d, err := time.ParseDuration(rest)
			if err != nil {
				t.Fatal(err)
			}
			s.quiet()
			fmt.Fprintln(&s.out, line)
			s.pass(d)
			continue
		case "=":
			s.quiet()
			fmt.Fprintln(&s.out, line)
			if rest == "store away" || rest == "store back" {
				s.away.Store(rest == "store away")
				continue
			}
			s.stop()
			if who, ok := strings.CutSuffix(rest, " leaves"); ok {
				s.leaves(who)
			}
			if _, away, ok := strings.Cut(rest, " after "); ok {
				d, err := time.ParseDuration(away)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(d)
			}
			s.start()
			continue
		default:
			continue
		}
		fmt.Fprintln(&s.out, line)
	}
	return bytes.TrimLeft(s.out.Bytes(), "\n")
}

// quiet puts an empty line between what was shown and what comes.
func (s *stage) quiet() {
	if b := s.out.Bytes(); len(b) > 0 && !bytes.HasSuffix(b, []byte("\n\n")) && !bytes.HasPrefix(lastLine(b), []byte("@ ")) {
		s.out.WriteByte('\n')
	}
}

func lastLine(b []byte) []byte {
	b = bytes.TrimSuffix(b, []byte("\n"))
	return b[bytes.LastIndexByte(b, '\n')+1:]
}

func (s *stage) start() {
	s.t.Helper()
	s.starts++
	tr, playbook, err := loadPlaybook(s.playbook)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.store, err = store.Open(s.dir); err != nil {
		s.t.Fatal(err)
	}
	if s.starts == 1 && !s.fresh {
		words := map[change.Key]change.Word{"ivr/Voicemail Only": {Value: change.Value{Raw: []byte("published"), Text: "published"}, By: "@ana", At: time.Now()}}
		if err := (store.Flow{Store: s.store}).Save(s.t.Context(), flow.Save{Words: words}); err != nil {
			s.t.Fatal(err)
		}
	}
	if s.company == nil {
		if s.company, err = sim.NewCompany(s.org.practice(), s.org.Location(), ""); err != nil {
			s.t.Fatal(err)
		}
	}
	client := sim.Local(s.company)
	client.Timeout = 10 * time.Second
	kept := fleeting{s.store, &s.away}
	session := session{
		Org: s.org, Tree: tr, Playbook: playbook, Store: kept, Out: &s.out, Name: fmt.Sprintf("t%d", s.starts), Shown: s.shown, Alone: true,
		Platforms: change.Platforms{"sim": sim.NewPlatform(s.org.practice(), "http://company", client)},
		Extras:    map[string]terminal.Extra{"/company": (&company{url: "http://company", client: client}).command},
	}
	if s.live {
		switches := store.NewFlags(kept)
		session.Platforms = live(s.org, switches)
		session.Extras["/page-asks"] = func(_ context.Context, _ []string, _ io.Writer) error {
			switches.Note("flag/chat/web-shop", 1, time.Now())
			return nil
		}
	}
	session.Org.Practice = !s.live
	s.attach(&session)
	open := session.open
	if s.front != nil {
		open = func(ctx context.Context) (*terminal.Terminal, *handlers.Worker, error) {
			return s.front.open(ctx, session)
		}
	}
	if s.term, s.worker, err = open(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	s.subscribe()
}

func (s *stage) stop() {
	s.worker.Service.Wait()
	if err := s.store.Close(); err != nil {
		s.t.Error(err)
	}
}

// pass lets time pass, and carries out what falls due, as the running program does each second.
func (s *stage) pass(d time.Duration) {
	end := time.Now().Add(d)
	tick := min(max(d/1800, time.Second), 30*time.Second) // days need not be played second by second
	for {
		if _, err := s.worker.Step(s.t.Context()); err != nil && !s.away.Load() {
			s.t.Fatal(err)
		}
		if err := s.worker.Settle(s.t.Context()); err != nil && !s.away.Load() {
			s.t.Fatal(err)
		}
		if !time.Now().Before(end) {
			return
		}
		time.Sleep(min(tick, time.Until(end)))
	}
}
