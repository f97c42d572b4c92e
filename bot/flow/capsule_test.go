package flow_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/bot/tree"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func text(s string) change.Value { return change.Value{Raw: []byte(s), Text: s} }

// sample is an outage with every kind of step that a capsule can hold, and one that it leaves out.
func sample() (flow.Outage, change.Record) {
	at := time.Date(2026, 11, 26, 7, 10, 0, 0, time.UTC)
	before := func(v change.Value, by string) *change.Baseline { return &change.Baseline{Value: v, By: by, At: at} }
	o := flow.Outage{
		Schema: 1, ID: "chat-46l48nm9", Channel: "chat", Playbook: "f00d", Head: "beef",
		Leaf:  tree.Node{ID: "chat-in", Kind: tree.Change, Title: "Chat cannot be started, or arrives late", Channel: "chat", Action: change.CloseChat, Source: "Chat / late"},
		Owner: flow.Person{ID: "ana", Account: "slack:U01", Name: "@ana", Member: true, Responder: true},
		Since: at.Add(-time.Hour), Began: at, Deadline: at.Add(4 * time.Hour), Home: flow.Place{Platform: "slack", Channel: "C01"},
		Routed:  []flow.Place{{Platform: "slack", Channel: "C02"}, {Platform: "terminal", Channel: "#leads"}},
		Message: "Chat is down. Write to help@acme.example – we answer today.",
		Todos:   []flow.Todo{{ID: "refused", Text: "Answer the refused chats"}},
	}
	r := change.Record{Schema: change.Schema, Outage: o.ID, Steps: []change.Step{
		{
			Key: "sim/chat/web-shop/hours/wednesday", Action: change.CloseChat, Target: "web-shop", Label: "Web shop", Name: "Wed 25 Nov", Way: change.Auto, Day: "2026-11-25",
			State: change.Recorded, Before: before(change.Value{Raw: []byte("08:00-20:00"), Text: "08:00–20:00"}, change.ByAPI), Want: change.Value{Raw: []byte("closed"), Text: "Closed"},
		},
		{
			Key: "sim/chat/web-shop/unavailable-message", Action: change.CloseChat, Target: "web-shop", Label: "Web shop", Name: "message", Way: change.Guided,
			State: change.IsSet, Before: before(text("Grüezi!  *We* chat -- from 8_to_8...\n{\"step\":{}}\n<b>&amp;</b> 😀"), "@sam"), Want: text("Chat is down"), Set: new(text("Chat is down.")),
		},
		{
			Key: "sim/blob", Action: change.CloseChat, Target: "blob", Label: "Blob", Name: "bytes", Way: change.Auto,
			State: change.Restored, Before: before(change.Value{Raw: []byte{0xff, 0, 0xfe}, Text: "3 bytes"}, change.ByAPI), Want: change.Value{Raw: []byte{}, Text: "Blank"},
		},
		{Key: "sim/was", Action: change.CloseChat, Target: "was", Label: "Help centre", Name: "Sunday", Way: change.Auto, State: change.Adopted, Want: text("closed"), Known: new(text("open"))},
	}}
	return o, r
}

func TestCapsuleReads(t *testing.T) {
	o, r := sample()
	r.Steps = append(r.Steps, change.Step{Key: "sim/untouched", Way: change.Guided, State: change.Planned, Want: text("x")})
	got := strings.Join(flow.Capsule(o, r, "LINEAGE", 42), "\n\n") + "\n"
	file := "testdata/capsule.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the messages (-want +got):\n%s", diff)
	}
	if found := regexp.MustCompile(`(?i)\b(flag|guided|baseline|capsule|drift|lease|leaf)\b`).FindString(got); found != "" {
		t.Errorf("the messages have the house word %q", found)
	}
	if got := flow.Capsule(o, change.Record{}, "L", 1); got != nil {
		t.Errorf("without a value from before there are messages: %q", got)
	}
}

// What lies in people's threads must stay readable: also from before a copy said where the outage is shown too, and what
// visitors read.
func TestOldCapsuleIsRead(t *testing.T) {
	for file, old := range map[string]bool{"testdata/capsule.txt": false, "testdata/capsule-1.txt": true} {
		t.Run(file, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			wantO, wantR := sample()
			if old {
				wantO.Routed, wantO.Message = nil, ""
			}
			o, r, from, err := flow.ReadCapsule(string(data))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wantO, o, cmpopts.IgnoreUnexported(flow.Outage{})); diff != "" {
				t.Errorf("outage (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(wantR, r, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
			if want := (flow.Origin{Lineage: "LINEAGE", Counter: 42}); from != want {
				t.Errorf("origin is %v, want %v", from, want)
			}
		})
	}
}

// big is a capsule of several messages, with a value that is longer than a message.
func big() []string {
	o, r := sample()
	for i := range 20 {
		s := r.Steps[i%3]
		s.Key = change.Key(fmt.Sprintf("sim/more/%d", i))
		r.Steps = append(r.Steps, s)
	}
	r.Steps[1].Before.Value = text(strings.Repeat("Wir sind zurück — „bald“.\n", 400))
	return flow.Capsule(o, r, "LINEAGE", 42)
}

func TestCapsuleSurvivesChatPrograms(t *testing.T) {
	parts := big()
	if len(parts) < 5 {
		t.Fatalf("%d messages are too few for this test", len(parts))
	}
	_, want, _, err := flow.ReadCapsule(strings.Join(parts, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	shuffled := append([]string{}, parts...)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	lines := func(f func(string) string) string {
		all := strings.Split(strings.Join(parts, "\n"), "\n")
		for i, l := range all {
			all[i] = f(l)
		}
		return strings.Join(all, "\n")
	}
	for name, pasted := range map[string]string{
		"another order":                         strings.Join(shuffled, "\n"),
		"Windows line ends":                     strings.ReplaceAll(strings.Join(parts, "\r\n\r\n"), "\n", "\r\n"),
		"old Mac line ends":                     strings.ReplaceAll(strings.Join(parts, "\n"), "\n", "\r"),
		"spaces at the ends":                    lines(func(l string) string { return l + " \t\u00a0" }),
		"non-breaking spaces before":            lines(func(l string) string { return "\u00a0\u00a0" + l }),
		"spaces that do not break":              strings.ReplaceAll(strings.Join(parts, "\n"), " ", "\u00a0"),
		"quote marks":                           lines(func(l string) string { return "> " + l }),
		"code fences":                           "```\n" + strings.Join(parts, "\n```\nswitchback 10:02\n```json\n") + "```",
		"each line as code":                     lines(func(l string) string { return "`" + l + "`" }),
		"curly quotes":                          strings.NewReplacer(`{"`, `{“`, `"}`, `”}`, `":"`, `”:“`).Replace(strings.Join(parts, "\n")),
		"zero-width spaces":                     lines(func(l string) string { return "\u200b" + strings.ReplaceAll(l, ":", ":\u200b") }),
		"what people said between":              strings.Join(parts, "\nsam 10:02\nlooks {good} to me\n{\"a\":1}\n"),
		"an empty line after each":              lines(func(l string) string { return l + "\n" }),
		"a byte order mark, and a word before":  "\ufeffhello\n" + strings.Join(parts, "\n"),
		"the words for people changed by a fix": strings.ReplaceAll(strings.Join(parts, "\n"), "read by the bot", "read by the b0t"),
	} {
		_, got, _, err := flow.ReadCapsule(pasted)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestCapsuleThatIsNotWhole(t *testing.T) {
	parts := big()
	n := len(parts)
	all := strings.Join(parts, "\n")
	o, r := sample()
	later := flow.Capsule(o, r, "LINEAGE", 43)
	o.ID = "voice-1"
	other := flow.Capsule(o, r, "LINEAGE", 42)
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "hello {world}", "no values from before"},
		{"empty", "", "no values from before"},
		{"only the words", strings.Split(parts[0], "For the bot")[0], "no values from before"},
		{"a part is missing", strings.Join(append(parts[:1:1], parts[2:]...), "\n"), fmt.Sprintf("part 2 of %d is missing", n)},
		{"several are missing", parts[n-1], fmt.Sprintf("and %d of %d is missing", n-1, n)},
		{"a part twice", all + "\n" + parts[2], "part 3 stands here twice"},
		{"the end is cut off", all[:len(all)-10], fmt.Sprintf("part %d is cut off: 1 of its lines", n)},
		{"a line is missing", all[:strings.LastIndex(all, "\n")], fmt.Sprintf("part %d is cut off: 1 of its lines", n)},
		{"a value was altered", strings.Replace(all, `"raw":"08:00-20:00"`, `"raw":"08:00-21:00"`, 1), "the checksum is another one"},
		{"two outages", all + "\n" + other[0], "about two outages"},
		{"two moments", all + "\n" + later[0], "from different moments"},
		{"a newer program", strings.ReplaceAll(all, `{"switchback":1,`, `{"switchback":2,`), "newer version"},
		{"a damaged head", strings.Replace(all, `"part":1,`, `"part":x,`, 1), "is damaged"},
		{"a part that cannot be", strings.ReplaceAll(all, `"part":1,`, `"part":0,`), "there is no part 0"},
	} {
		_, _, _, err := flow.ReadCapsule(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: ReadCapsule = %v, want an error with %q", tt.name, err, tt.want)
		}
	}
}

func anyValue(t *rapid.T, name string) change.Value {
	raw := rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(t, name+" raw")
	if rapid.Bool().Draw(t, name+" is text") {
		raw = []byte(rapid.StringN(0, 2000, -1).Draw(t, name+" text"))
	}
	return change.Value{Raw: raw, Text: rapid.OneOf(rapid.Just(strings.ToValidUTF8(string(raw), "?")), rapid.String()).Draw(t, name+" shown")}
}

// Whatever the values are, the messages are short enough and give them back byte by byte.
func TestCapsuleRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, r := sample()
		o.Leaf.Title = rapid.String().Draw(t, "title")
		o.Owner.Name = rapid.StringN(0, 2000, -1).Draw(t, "owner")
		o.Message = rapid.String().Draw(t, "message")
		o.Routed = o.Routed[:rapid.IntRange(0, len(o.Routed)).Draw(t, "routed")]
		r.Steps = nil
		for i := range rapid.IntRange(1, 12).Draw(t, "steps") {
			s := change.Step{
				Key: change.Key(fmt.Sprintf("sim/%d", i)), Label: rapid.String().Draw(t, "label"), Name: rapid.String().Draw(t, "name"),
				Way: change.Auto, State: change.Recorded, Want: anyValue(t, "want"),
			}
			s.Before = &change.Baseline{Value: anyValue(t, "before"), By: rapid.String().Draw(t, "by"), At: time.Unix(int64(i), 1)}
			if rapid.Bool().Draw(t, "adopted") {
				s.State, s.Before = change.Adopted, nil
			}
			if rapid.Bool().Draw(t, "known from before") {
				s.Known, s.Doubt = new(anyValue(t, "known")), rapid.Bool().Draw(t, "in doubt")
			}
			r.Steps = append(r.Steps, s)
		}
		parts := flow.Capsule(o, r, "L", 7)
		for _, p := range parts {
			if n := len(utf16.Encode([]rune(p))); n >= 3500 {
				t.Fatalf("a message has %d characters", n)
			}
		}
		for _, c := range flow.CapsuleCards(o, r, "L", 7) {
			if problems := c.Problems(); len(problems) > 0 {
				t.Fatalf("a card does not fit: %v", problems)
			}
		}
		gotO, gotR, _, err := flow.ReadCapsule(strings.Join(rapid.Permutation(parts).Draw(t, "order"), "\n"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(o, gotO, cmpopts.IgnoreUnexported(flow.Outage{}), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("outage (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(r.Steps, gotR.Steps, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("steps (-want +got):\n%s", diff)
		}
	})
}

func TestCapsuleCardsCanBePasted(t *testing.T) {
	o, r := sample()
	var pasted strings.Builder
	for _, c := range flow.CapsuleCards(o, r, "LINEAGE", 42) {
		pasted.WriteString(c.Title + "\n" + strings.Join(c.Text, "\n\n") + "\n")
	}
	_, got, _, err := flow.ReadCapsule(pasted.String())
	if diff := cmp.Diff(r, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Errorf("ReadCapsule of the cards = %v (-want +got):\n%s", err, diff)
	}
}

// Whatever is pasted, there is an error in words, or an outage that can be taken back.
func FuzzReadCapsule(f *testing.F) {
	for _, p := range big()[:3] {
		f.Add(p)
	}
	o, r := sample()
	f.Add(strings.Join(flow.Capsule(o, r, "L", 1), "\n"))
	f.Add(`{"switchback":1,"outage":"a","part":1,"of":1,"lines":0,"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}`)
	f.Fuzz(func(t *testing.T, text string) {
		o, r, from, err := flow.ReadCapsule(text)
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Error("an error without words")
			}
			return
		}
		if o.ID == "" || len(r.Steps) == 0 || r.Outage != o.ID {
			t.Errorf("ReadCapsule = %+v, %+v", o, r)
		}
		_, again, _, err := flow.ReadCapsule(strings.Join(flow.Capsule(o, r, from.Lineage, from.Counter), "\n"))
		if diff := cmp.Diff(r, again, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("written and read again: %v (-want +got):\n%s", err, diff)
		}
	})
}
