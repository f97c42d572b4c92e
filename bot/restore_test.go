package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/store"
)

// command runs the program in this process and returns what it printed and its exit status. The practice company that
// it may start is this test binary.
func command(t *testing.T, stdin string, args ...string) (string, int) {
	t.Helper()
	t.Setenv(asBot, "1")
	var out, errs bytes.Buffer // two, because the company's process writes to the second at any time
	status := run(t.Context(), args, strings.NewReader(stdin), &out, &errs)
	return out.String() + errs.String(), status
}

// talk is a whole session of bot chat.
func talk(t *testing.T, dir string, lines ...string) string {
	t.Helper()
	out, status := command(t, strings.Join(lines, "\n")+"\n", "chat", "--data", dir)
	if status != 0 {
		t.Fatalf("bot chat = %d:\n%s", status, out)
	}
	return out
}

// theOpen is the only open outage of a folder, with its record.
func theOpen(t *testing.T, dir string) (flow.Outage, change.Record) {
	t.Helper()
	f, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	kept := store.Flow{Store: f}
	open, err := kept.Open(t.Context())
	if err != nil || len(open) != 1 {
		t.Fatalf("open outages: %v, %v; want one", open, err)
	}
	_, r, err := kept.Outage(t.Context(), open[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	return open[0], r.Value
}

// closed is a folder in which chat is closed, and the settings from before.
func closed(t *testing.T) (dir, before string) {
	t.Helper()
	dir = t.TempDir()
	before = settings(t, dir)
	talk(t, dir, "/outage chat late", "1", "1")
	return dir, before
}

// wantRestored checks a restore that ended well.
func wantRestored(t *testing.T, dir, before, out string, status int) {
	t.Helper()
	if status != 0 || !strings.Contains(out, "is over: restored") {
		t.Errorf("bot restore = %d, want 0:\n%s", status, out)
	}
	if diff := cmp.Diff(before, settings(t, dir)); diff != "" {
		t.Errorf("settings (-before +after):\n%s", diff)
	}
}

func TestRestoreWithoutTheBot(t *testing.T) {
	dir, before := closed(t)
	during := settings(t, dir)

	out, status := command(t, "n\n", "restore", "--data", dir)
	if status != 3 || !strings.Contains(out, `now:    "Closed"`) || !strings.Contains(out, "Nothing was changed") {
		t.Errorf("bot restore, answered no = %d, want 3:\n%s", status, out)
	}
	if out, status = command(t, "", "restore", "--data", dir); status != 3 || settings(t, dir) != during {
		t.Errorf("bot restore without an answer = %d, want 3 and nothing changed:\n%s", status, out)
	}
	if out, status = command(t, "", "restore", "--data", dir, "--yes", "chat-none"); status != 1 || !strings.Contains(out, "there is no outage \"chat-none\". Open is: chat-") {
		t.Errorf("bot restore of another outage = %d, want 1 and what is open:\n%s", status, out)
	}
	out, status = command(t, "y\n", "restore", "--data", dir)
	wantRestored(t, dir, before, out, status)
	if !strings.Contains(out, `Web shop, message: as before, "Hello!`) {
		t.Errorf("not said item by item:\n%s", out)
	}
	if out, status = command(t, "", "restore", "--data", dir); status != 1 || !strings.Contains(out, "Open is: nothing") {
		t.Errorf("bot restore with nothing open = %d, want 1:\n%s", status, out)
	}
}

func TestRestoreBesideTheBot(t *testing.T) {
	t.Setenv(asBot, "1")
	dir := t.TempDir()
	before := settings(t, dir)
	p := chat(t, dir)
	p.until("Type /outage")
	p.types("/outage chat late", "1", "1", "/company")
	p.until("visitors cannot chat")
	out, err := bot(t, "restore", "--yes", "--data", dir).CombinedOutput()
	if err != nil || !strings.Contains(string(out), `now:    "Closed"`) || !strings.Contains(string(out), "is over: restored") {
		t.Fatalf("bot restore beside the running bot = %v:\n%s", err, out)
	}
	p.until("CHAT – Web shop and Help centre open again") // the channel hears of it
	p.ends()
	if diff := cmp.Diff(before, settings(t, dir)); diff != "" {
		t.Errorf("settings (-before +after):\n%s", diff)
	}
}

const byHand = "chat/help-centre/unavailable-message: Ask Anna."

func TestRestoreNeverOverwritesWithoutAWord(t *testing.T) {
	dir, before := closed(t)
	talk(t, dir, "/company edit chat/help-centre/unavailable-message Ask Anna.")

	out, status := command(t, "", "restore", "--yes", "--data", dir)
	if status != 3 || !strings.Contains(out, "somebody else changed it; you are asked") || !strings.Contains(out, `not put back: somebody else set it to "Ask Anna."`) {
		t.Errorf("bot restore --yes = %d, want 3 and a question:\n%s", status, out)
	}
	if now := settings(t, dir); !strings.Contains(now, byHand) || !strings.Contains(now, "chat/web-shop/unavailable-message: Hello!") {
		t.Errorf("want the edited setting as it is, and the others back:\n%s", now)
	}
	out, status = command(t, "7\n1\n", "restore", "--yes", "--data", dir)
	if !strings.Contains(out, `"7" is not one of the numbers`) {
		t.Errorf("a number that is none was taken:\n%s", out)
	}
	wantRestored(t, dir, before, out, status)
}

func TestRestoreLeavesByName(t *testing.T) {
	dir, _ := closed(t)
	talk(t, dir, "/company edit chat/help-centre/unavailable-message Ask Anna.")
	out, status := command(t, "y\n2\nAnna knows\n", "restore", "--data", dir)
	if status != 0 || !strings.Contains(out, "Help centre, message: left as it is: Anna knows") {
		t.Errorf("bot restore, one left = %d, want 0:\n%s", status, out)
	}
	if now := settings(t, dir); !strings.Contains(now, byHand) {
		t.Errorf("what was left was changed:\n%s", now)
	}
}

// copyOf writes down the open outage of a folder, as it would stand in its thread.
func copyOf(t *testing.T, o flow.Outage, r change.Record) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "thread.txt")
	if err := os.WriteFile(file, []byte("Anna 10:02\n"+strings.Join(flow.Capsule(o, r, "lost", 7), "\nsome talk\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// The store is lost; the platform is as the outage left it.
func TestRestoreFromTheThread(t *testing.T) {
	dir, before := closed(t)
	file := copyOf(t, first(theOpen(t, dir)), second(theOpen(t, dir)))
	if err := os.Remove(filepath.Join(dir, "store.db")); err != nil {
		t.Fatal(err)
	}
	if out, status := command(t, "", "restore", "--data", dir, "--yes"); status != 1 || !strings.Contains(out, "nothing is kept in") {
		t.Errorf("bot restore over nothing = %d, want 1:\n%s", status, out)
	}
	if out, status := command(t, "", "restore", "voice-1", "--data", dir, "--yes", "--capsule", file); status != 1 || !strings.Contains(out, "not about voice-1") {
		t.Errorf("bot restore of another outage than the text's = %d, want 1:\n%s", status, out)
	}
	if out, status := command(t, "", "restore", "--data", dir, "--capsule", file); status != 3 || !strings.Contains(out, "Taken back: chat-") {
		t.Errorf("bot restore --capsule without an answer = %d, want 3:\n%s", status, out)
	}
	out, status := command(t, "", "restore", "--data", dir, "--yes", "--capsule", file)
	if !strings.Contains(out, "is on record here: the text is not needed") {
		t.Errorf("the second time it was taken from the text again:\n%s", out)
	}
	wantRestored(t, dir, before, out, status)
}

// A store that forgot a part knows the outage, and not what was said last. Nothing is put back unseen.
func TestRestoreWhereTheTextSaysOtherwise(t *testing.T) {
	dir, before := closed(t)
	o, r := theOpen(t, dir)
	during := settings(t, dir)
	mended, more := *r.Steps[0].Before, r.Steps[1]
	mended.Value, mended.By = change.Value{Raw: []byte("Mended"), Text: "Mended"}, "@sam"
	r.Steps[0].Before = &mended
	more.Key, more.Name = "sim/chat/web-shop/more", "one more"
	r.Steps = append(r.Steps, more)
	older := copyOf(t, o, r)
	o.Head = "later"
	file := copyOf(t, o, r)
	for stdin, args := range map[string][]string{"": {"--yes"}, "n\n": nil} {
		out, status := command(t, stdin, append([]string{"restore", "--data", dir, "--capsule", file}, args...)...)
		if want := map[string]int{"": 1, "n\n": 3}[stdin]; status != want || strings.Contains(out, "not needed") ||
			!strings.Contains(out, `before, in the text: "Mended" (@sam,`) || strings.Count(out, "before, on record:") != 2 || !strings.Contains(out, "on record:   nothing of it") {
			t.Errorf("bot restore %v --capsule = %d, want %d and what the text says otherwise:\n%s", args, status, want, out)
		}
	}
	if settings(t, dir) != during {
		t.Error("settings were changed")
	}
	if out, status := command(t, "n\n", "restore", "--data", dir, "--capsule", older); status != 3 || !strings.Contains(out, "the text is not needed") {
		t.Errorf("bot restore --capsule with a text that is older than the store = %d, want 3 and that it is not needed:\n%s", status, out)
	}
	for _, want := range []string{"is over: restored", "is over already"} { // what is on record, for it was seen; the rest stays as it is
		out, status := command(t, "y\n", "restore", "--data", dir, "--capsule", file)
		_, hand, _ := strings.Cut(out, want)
		if status != 3 || !strings.Contains(hand, "Look at these by hand, this store did not know them:\n  "+more.Label+", one more\n") || strings.Contains(hand, "Mended") {
			t.Errorf("bot restore --capsule where the store knows a setting less = %d, want 3, %q and that setting alone:\n%s", status, want, out)
		}
	}
	if diff := cmp.Diff(before, settings(t, dir)); diff != "" {
		t.Errorf("settings (-before +after):\n%s", diff)
	}
}

func first[A, B any](a A, _ B) A  { return a }
func second[A, B any](_ A, b B) B { return b }

// What a person has to click is listed, and never said to be done.
func TestRestoreNeverSpeaksForAPerson(t *testing.T) {
	dir, _ := closed(t)
	o, r := theOpen(t, dir)
	i := slices.IndexFunc(r.Steps, func(st change.Step) bool { return strings.HasSuffix(string(st.Key), "help-centre/unavailable-message") })
	r.Steps[i].Way = change.Guided
	file := copyOf(t, o, r)
	if err := os.Remove(filepath.Join(dir, "store.db")); err != nil {
		t.Fatal(err)
	}
	out, status := command(t, strings.Repeat("1\n", 9), "restore", "--data", dir, "--yes", "--capsule", file)
	if status != 3 || !strings.Contains(out, "only a person can see it") || !strings.Contains(out, `Help centre, message: a person puts it back to "We're closed right now. See <b>help.example.com/faq</b> meanwhile.": Settings > Glad App > Help centre`) {
		t.Errorf("bot restore --yes = %d, want 3 and the clicks:\n%s", status, out)
	}
	if now := settings(t, dir); !strings.Contains(now, "chat/help-centre/unavailable-message: Chat is down") || !strings.Contains(now, "chat/web-shop/unavailable-message: Hello!") {
		t.Errorf("want all back but what a person clicks:\n%s", now)
	}
}

// What this process cannot reach is not half done.
func TestRestoreOfAnUnknownPlatform(t *testing.T) {
	dir, _ := closed(t)
	o, r := theOpen(t, dir)
	r.Steps[1].Key = "gladly/chat/web-shop/unavailable-message"
	file := copyOf(t, o, r)
	during := settings(t, dir)
	if err := os.Remove(filepath.Join(dir, "store.db")); err != nil {
		t.Fatal(err)
	}
	out, status := command(t, "", "restore", "--data", dir, "--yes", "--capsule", file)
	if status != 1 || !strings.Contains(out, "nothing was changed: the organisation document does not say how to reach Web shop, message") || settings(t, dir) != during {
		t.Errorf("bot restore = %d, want 1 and nothing changed:\n%s", status, out)
	}
}

// A restore does not say that the platform works again.
func TestRestoreOfAWait(t *testing.T) {
	dir := t.TempDir()
	before := settings(t, dir)
	talk(t, dir, "/outage login", "1", "1")
	out, status := command(t, "", "restore", "--data", dir, "--yes")
	if status != 0 || !strings.Contains(out, "stays open until somebody says that it works again") {
		t.Errorf("bot restore = %d, want 0 and that it stays open:\n%s", status, out)
	}
	if diff := cmp.Diff(before, settings(t, dir)); diff != "" {
		t.Errorf("settings (-before +after):\n%s", diff)
	}
	if out, status := command(t, "", "restore", "--data", dir, "--yes"); status != 0 {
		t.Errorf("bot restore again = %d, want 0:\n%s", status, out)
	}
	talk(t, dir, "/outage sms reply", "1")
	if out, status := command(t, "", "restore", "--data", dir, "--yes"); status != 1 || !strings.Contains(out, "which outage? Open is: ") {
		t.Errorf("bot restore of one of two = %d, want 1:\n%s", status, out)
	}
}

// Whoever forgets --live, or says it where it does not belong, is told so, and nothing is touched.
func TestRestoreOfTheOtherCompany(t *testing.T) {
	dir := t.TempDir()
	p := begin(t, bot(t, "chat", "--live", "--data", dir))
	p.until("Type /outage")
	p.types("/outage chat late", "1", "1")
	p.until("HAS NOT ASKED YET")
	p.ends()
	file := copyOf(t, first(theOpen(t, dir)), second(theOpen(t, dir)))
	practised, _ := closed(t)
	for _, test := range []struct{ words, want string }{
		{"restore --yes --data " + dir, "add --live"},
		{"restore --yes --capsule " + file + " --data " + t.TempDir(), "add --live"},
		{"import " + file + " --data " + t.TempDir(), "add --live"},
		{"restore --yes --live --data " + practised, "leave --live out"},
	} {
		if out, status := command(t, "", strings.Fields(test.words)...); status != 1 || !strings.Contains(out, test.want) {
			t.Errorf("bot %s = %d, want 1 and %q:\n%s", test.words, status, test.want, out)
		}
	}
	if out, status := command(t, "", "restore", "--yes", "--live", "--data", dir); status != 0 || !strings.Contains(out, "is over: restored") {
		t.Errorf("bot restore --live = %d:\n%s", status, out)
	}
}
