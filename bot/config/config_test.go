package config_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/config"
)

// shop is a document with everything that Decode knows.
type shop struct {
	Name    string                     `yaml:"name" jsonschema:"required" jsonschema_description:"what people call it"`
	Kind    kind                       `yaml:"kind" jsonschema:"enum=big,enum=small"`
	Open    bool                       `yaml:"open"`
	Floors  int8                       `yaml:"floors"`
	Seats   uint                       `yaml:"seats"`
	Share   float64                    `yaml:"share"`
	Retry   config.Duration            `yaml:"retry"`
	Every   []config.Duration          `yaml:"every"`
	Since   time.Time                  `yaml:"since"`
	Phones  []string                   `yaml:"phones"`
	Owner   *person                    `yaml:"owner"`
	Staff   []person                   `yaml:"staff"`
	Sites   map[string]person          `yaml:"sites"`
	Hours   map[kind]string            `yaml:"hours"`
	Waits   map[string]config.Duration `yaml:"waits"`
	Token   config.Secret              `yaml:"token"`
	Place   place                      `yaml:",inline"`
	Comment string                     // no tag: comment
	Derived int                        `yaml:"-"`
}

type (
	kind   string
	person struct {
		Name  string `yaml:"name"`
		Phone string `yaml:"phone"`
	}
	place struct {
		City string `yaml:"city"`
		Zone string `yaml:"zone"`
	}
)

const good = `# a shop
name: "Web shop"   # quoted
kind: small
open: true
floors: -3
seats: 120
share: 0.25
retry: 2h
every: [30m, 1h30m, 2d]
since: 2026-11-25T23:10:00Z
phones: [+16505550101, 0044 20, 1_000, 0x1f, 12:30, yes, 1e3, 2026-11-25]
owner: {name: Ada, phone: +16505550102}
staff:
  - name: Bo
  - phone: 0012
sites:
  shop.example.com: {name: Cy}
hours: {monday: 08:00-20:00, sunday: closed}
waits: {it: 1d12h}
token: hush
city: Zürich
zone: Europe/Zurich
comment: |
  two
  lines
`

func parse(t *testing.T, text string) *config.Document {
	t.Helper()
	d, problems := config.Parse("shop.yaml", []byte(text))
	if err := problems.Err(); err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return d
}

func TestDecode(t *testing.T) {
	d := parse(t, good)
	var got shop
	if err := d.Decode(&got).Err(); err != nil {
		t.Fatal(err)
	}
	hours := func(n float64) config.Duration { return config.Duration(n * float64(time.Hour)) }
	want := shop{
		Name: "Web shop", Kind: "small", Open: true, Floors: -3, Seats: 120, Share: 0.25,
		Retry: hours(2), Every: []config.Duration{hours(0.5), hours(1.5), hours(48)},
		Since: time.Date(2026, 11, 25, 23, 10, 0, 0, time.UTC),
		// What was written, though YAML sees numbers, a bool and a date.
		Phones: []string{"+16505550101", "0044 20", "1_000", "0x1f", "12:30", "yes", "1e3", "2026-11-25"},
		Owner:  &person{Name: "Ada", Phone: "+16505550102"},
		Staff:  []person{{Name: "Bo"}, {Phone: "0012"}},
		Sites:  map[string]person{"shop.example.com": {Name: "Cy"}},
		Hours:  map[kind]string{"monday": "08:00-20:00", "sunday": "closed"},
		Waits:  map[string]config.Duration{"it": hours(36)},
		Token:  "hush", Place: place{City: "Zürich", Zone: "Europe/Zurich"}, Comment: "two\nlines\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Decode (-want +got):\n%s", diff)
	}
	if !d.Has("name") || d.Has("shop.example.com") || d.Has("nam") {
		t.Error("Has: want the top-level keys and no others")
	}
}

// TestDecodeIntoMap: the playbook's nodes, for one, are a map.
func TestDecodeIntoMap(t *testing.T) {
	var got map[string]person
	problems := parse(t, "a: {name: x}\nb: {nme: y}\n").Decode(&got)
	want := `shop.yaml:2:5: b.nme: unknown key; did you mean "name"?`
	if problems.Error() != want {
		t.Errorf("Decode: %v\nwant %s", problems, want)
	}
	if got["a"].Name != "x" {
		t.Errorf("Decode set %v: want what fits to be set beside problems", got)
	}
}

// TestProblems holds the broken documents: each has its problems with their places, all at once.
func TestProblems(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"everything at once", "naem: x\nopen: maybe\nstaff:\n  - name: [a]\n  - 7\nzoen: here\nqqqqq: 1\n", `
1:1: naem: unknown key; did you mean "name"?
2:7: open: want true or false, got "maybe"
4:11: staff.0.name: want text, got a list
5:5: staff.1: want keys with values, got text
6:1: zoen: unknown key; did you mean "zone"?
7:1: qqqqq: unknown key`},
		{"beside what Parse finds", "name: a\nnome: b\nname: c\n", `
2:1: nome: unknown key; did you mean "name"?
3:1: name: given twice; first on line 1`},
		{"given twice further in, with a name of the same kind", "sites:\n  a.b: {name: x}\n  'a.b': {name: y}\n", `
3:3: sites.a.b: given twice; first on line 2`},
		{"columns count characters", "owner: {name: Zoë, fone: ü}\n", `
1:20: owner.fone: unknown key; did you mean "phone"?`},
		{"yes is not a bool", "open: yes\n", `
1:7: open: want true or false, got "yes"`},
		{"a quoted bool is text", "open: 'true'\n", `
1:7: open: want true or false, got "true"`},
		{"numbers that are read differently elsewhere", "floors: 010\nseats: 0x10\nshare: .inf\n", `
1:9: floors: want a whole number, got "010"
2:8: seats: want a whole number from 0, got "0x10"
3:8: share: want a number, got ".inf"`},
		{"numbers out of range", "floors: 128\nseats: -1\n", `
1:9: floors: want a whole number, got "128"
2:8: seats: want a whole number from 0, got "-1"`},
		{"long text is cut", "seats: " + strings.Repeat("x", 100) + "\n", `
1:8: seats: want a whole number from 0, got "` + strings.Repeat("x", 40) + `"…`},
		{"a duration, at its place in a list", "every: [30m, 15 min, 30, 1h]\nretry: {a: 1}\n", `
1:14: every.1: want a duration such as 30m, 1h30m or 2d, got "15 min"
1:22: every.2: want a duration such as 30m, 1h30m or 2d, got "30"
2:8: retry: want text, got keys with values`},
		{"a key without a value", "name:\nowner: ~\nstaff:\n  -\n", `
1:6: name: has no value; leave the key out, or write "" for an empty text
2:8: owner: has no value; leave the key out, or write "" for an empty text
4:4: staff.0: has no value; leave the key out, or write "" for an empty text`},
		{"a colon in the prose of a flow map", "owner: {name: Let it pass, or use the phone}\n", `
1:28: owner.or use the phone: unknown key`},
		{"anchors, aliases, tags", "name: &n x\nzone: *n\ncity: !!str 5\nowner: {<<: {name: a}}\n", `
1:7: name: anchors (&n) are not supported
2:7: zone: aliases (*n) are not supported; write the value out
3:7: city: tags (!!str) are not supported
4:9: owner.<<: unknown key`},
		{"a value after the end of the file", "?", `
1:2: unknown key`},
		{"a list as a key", "? [a]\n: b\n", `
1:3: a key must be plain text`},
		{"a list as a document", "- a\n", `
1:1: want keys with values, got a list`},
		{"a key that would break the line", "\"a\\nb\": 1\n", `
1:1: "a\nb": unknown key`},

		// Nothing can be made of these.
		{"empty", "", `
1:1: the file is empty`},
		{"only a comment", "# name: x\n", `
1:1: the file is empty`},
		{"only a mark", "---\n", `
1:1: the file is empty`},
		{"two documents", "name: a\n---\nname: b\n", `
3:1: a second document begins here; a file holds one`},
		{"broken second document", "name: a\n---\nname: [\n", `
4:1: did not find expected node content, while parsing a flow node`},
		{"tab", "owner:\n\tname: x\n", `
2:1: found character that cannot start any token, while scanning for the next token; indent with spaces, not tabs`},
		{"a colon in prose", "name: Note: this\n", `
1:11: mapping values are not allowed in this context; put quotes around a text that has ": " in it`},
		{"a quote that does not end", "name: 'x\n\ncity: y", `
3:8: found unexpected end of stream, while scanning a quoted scalar from line 1`},
		{"unknown alias", "name: *x\n", `
1:7: unknown anchor 'x' referenced`},
		{"not UTF-8", "name: ü\ncity: \xff\n", `
2:7: not UTF-8 text`},
		{"control character", "name: a\x00\n", `
1:8: invisible character U+0000`},
		{"a line break that editors do not count", "name: a\u2028city: b\n", `
1:8: invisible character U+2028`},
		{"deep", strings.Repeat("[", 60), `
1:51: exceeded max depth of 50, while increasing flow level`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, problems := config.Parse("", []byte(test.text))
			if d != nil {
				problems = append(problems, d.Decode(new(shop))...)
			}
			if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n"), fmt.Sprint(problems.Err())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseTooLarge(t *testing.T) {
	_, problems := config.Parse("big.yaml", slices.Repeat([]byte("#"), 1<<20+1))
	if got, want := problems.Error(), "big.yaml: larger than 1024 KiB"; got != want {
		t.Errorf("Parse: %s, want %s", got, want)
	}
}

// TestParseMark: editors on Windows write a byte order mark and \r\n.
func TestParseMark(t *testing.T) {
	var got shop
	problems := parse(t, "\ufeffname: a\r\nseats: x\r\n").Decode(&got)
	if want := `shop.yaml:2:8: seats: want a whole number from 0, got "x"`; problems.Error() != want || got.Name != "a" {
		t.Errorf("Decode: %q and %v, want \"a\" and %s", got.Name, problems, want)
	}
}

func TestProblemPlaces(t *testing.T) {
	d := parse(t, `
nodes:
  chat:
    text: what?
    options:
      - {label: in, goto: chat-in}
      - label: out
  chat.late: {text: when?}
`)
	tests := []struct{ path, want string }{
		{"nodes.chat.text", "4:11"},
		{"nodes.chat.options", "5:5"}, // a list stands at its key
		{"nodes.chat", "3:3"},         // so does a group
		{"nodes.chat.options.0.goto", "6:27"},
		{"nodes.chat.options.1", "7:9"},
		{"nodes.chat.options.1.goto", "7:9"}, // absent: the nearest around it
		{"nodes.chat.options.2.goto", "5:5"},
		{"nodes.chat.options.-1", "5:5"},
		{"nodes.chat.text.deeper", "4:11"},
		{"nodes.chat.late.text", "8:21"}, // a key with a dot in it
		{"nodes.sms", "2:1"},
		{"sms", "2:1"}, // the document begins at its first key
		{"", "2:1"},
	}
	for _, test := range tests {
		p := d.Problem(test.path, "no such %s", "node")
		want := strings.ReplaceAll(fmt.Sprintf("shop.yaml:%s: %s: no such node", test.want, test.path), " : ", " ")
		if p.String() != want {
			t.Errorf("Problem(%q) = %v, want %s", test.path, p, want)
		}
	}
}

func TestProblemsErr(t *testing.T) {
	if err := (config.Problems{}).Err(); err != nil {
		t.Errorf("Err of none = %v, want nil", err)
	}
	err := fmt.Errorf("check: %w", config.Problems{{File: "b", Line: 1, Column: 2, Text: "x"}, {File: "a"}, {File: "b", Line: 1, Column: 1}}.Err())
	p, ok := errors.AsType[config.Problems](err)
	if want := "a\nb:1:1\nb:1:2: x"; !ok || p.Error() != want {
		t.Errorf("Err = %v, want %q", err, want)
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"status", "restore", "extend", "take", "close-chat", "Voice"}
	tests := map[string]string{
		"statsu": "status", "restroe": "restore", "exend": "extend", "closechat": "close-chat", "voice": "Voice",
		"rest": "restore", // cut short
		"tke":  "take", "banana": "", "": "", "x": "", "zz": "",
	}
	for got, want := range tests {
		if s := config.Suggest(got, known); s != want {
			t.Errorf("Suggest(%q) = %q, want %q", got, s, want)
		}
	}
}

func TestDuration(t *testing.T) {
	tests := []struct {
		text  string
		want  time.Duration
		shown string
	}{
		{"30m", 30 * time.Minute, "30m"},
		{"90m", 90 * time.Minute, "1h30m"},
		{"2h", 2 * time.Hour, "2h"},
		{"1.5h", 90 * time.Minute, "1h30m"},
		{"2d", 48 * time.Hour, "2d"},
		{"1d12h", 36 * time.Hour, "1d12h"},
		{"24h", 24 * time.Hour, "1d"},
		{"10s", 10 * time.Second, "10s"},
		{"20m10s", 20*time.Minute + 10*time.Second, "20m10s"},
		{"0s", 0, "0s"},
		{"250ms", 250 * time.Millisecond, "250ms"},
	}
	for _, test := range tests {
		var d config.Duration
		if err := d.UnmarshalText([]byte(test.text)); err != nil || time.Duration(d) != test.want || d.String() != test.shown {
			t.Errorf("UnmarshalText(%q) = %v, %v; want %v", test.text, d, err, test.shown)
		}
	}
	for _, text := range []string{"", "d", "0", "30", "2d0", "-1h", "+1h", "1d-1h", "12hd", "1.5d", "1h2d", "15 min", "200000d", "106751d24h"} {
		var d config.Duration
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("UnmarshalText(%q) = %v, want an error", text, d)
		}
	}
}

// FuzzDocument: whatever the bytes are, nothing panics, and every problem lies within the file.
func FuzzDocument(f *testing.F) {
	for _, s := range []string{
		good, "", "---\n", "a: &x [*x]\n", "?", "? {a: b}\n: c\n", "name: 'x\n", "a: [", "\ufeffname:\n\r\n - x", "name: ~\n---\n",
		"owner: {name, phone: }", "sites:\n  a.b: 1\n  a: {b: 2}\n", "\"\\n\": 1\n", "!!map {}\n", "%YAML 1.2\n--- |\n x\n...\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, problems := config.Parse("f", data)
		if d != nil {
			problems = append(problems, d.Decode(new(shop))...)
			for _, p := range problems {
				problems = append(problems, d.Problem(p.Path, "again"), d.Problem(p.Path+".x.0", "below"))
			}
		} else if len(problems) == 0 {
			t.Fatal("Parse returned neither a document nor a problem")
		}
		lines := strings.Split(string(data), "\n")
		for _, p := range problems {
			if p.Line < 1 || p.Line > len(lines) {
				t.Fatalf("%v: the file has %d lines", p, len(lines))
			}
			if n := len([]rune(lines[p.Line-1])); p.Column < 1 || p.Column > n+1 {
				t.Fatalf("%v: the line has %d characters", p, n)
			}
			if strings.Contains(p.String(), "\n") {
				t.Fatalf("%q: a problem takes one line", p.String())
			}
		}
	})
}
