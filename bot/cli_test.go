package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"switchback/bot/config"
)

// calls runs the program without its process.
func calls(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(t.Context(), args, strings.NewReader(""), &o, &e)
	return status, o.String(), e.String()
}

const (
	brokenPlaybook     = "nodes:\n  start: {kind: ask, text: What?, options: [{label: Chat, aliases: [chat], goto: caht}]}\n"
	playbookProblem    = `playbook.yaml:2:82: nodes.start.options.0.goto: there is no node "caht"`
	brokenOrganisation = "organisation:\n  name: acme\n  zone: Mars\n  responders: [bob]\n"
	zoneProblem        = `organisation.yaml:3:9: organisation.zone: "Mars" is not a time zone such as America/Los_Angeles`
	responderProblem   = `organisation.yaml:4:16: organisation.responders.0: "bob" is not in people`
	neitherProblem     = "neither.yaml:1:1: neither a playbook (nodes:) nor an organisation document (organisation:)"
)

// documents writes the broken documents into a folder and goes there.
func documents(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"playbook.yaml": brokenPlaybook, "organisation.yaml": brokenOrganisation, "neither.yaml": "shop: acme\n",
		"little.yaml": "organisation:\n  name: acme\n  zone: UTC\n", "example.yaml": string(example),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// withoutWarnings leaves the lines out that are of no matter here.
func withoutWarnings(out string) string {
	lines := slices.DeleteFunc(strings.Split(out, "\n"), func(l string) bool { return strings.Contains(l, ": warning: ") })
	return strings.Join(lines, "\n")
}

func TestCalls(t *testing.T) {
	documents(t)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args   string
		status int
		out    string // all of it, with the folder taken off the names
		errs   string // part of it
	}{
		{"check", 0, "ok\n", ""},
		{"check example.yaml", 0, "ok\n", ""},
		{"check playbook.yaml", 1, playbookProblem + "\n", ""},
		{"check organisation.yaml", 1, zoneProblem + "\n" + responderProblem + "\n", ""},
		{"check little.yaml", 0, "ok\n", ""}, // warnings alone
		{"check neither.yaml", 1, neitherProblem + "\n", ""},
		{"check playbook.yaml example.yaml neither.yaml", 1, neitherProblem + "\n" + playbookProblem + "\n", ""},
		{"check nowhere.yaml", 1, "", "nowhere.yaml: no such file"},
		{"check --json", 0, "[]\n", ""},
		{"check --jsn", 2, "", `did you mean "--json"?`},
		{"tree playbook.yaml", 1, "", playbookProblem},
		{"tree nowhere.yaml", 1, "", "nowhere.yaml: no such file"},
		{"tree --text --dot", 2, "", "--text and --dot"},
		{"config", 2, "", `"example", "schema"`},
		{"outages --data nowhere", 1, "", "nothing is kept in"},
		{"nonsense", 2, "", "nonsense"},
		{"", 2, "", `"chat", "serve", "check"`},
	} {
		t.Run(tt.args, func(t *testing.T) {
			status, out, errs := calls(t, strings.Fields(tt.args)...)
			out = withoutWarnings(strings.ReplaceAll(out, here+string(filepath.Separator), ""))
			if diff := cmp.Diff(tt.out, out); status != tt.status || diff != "" {
				t.Errorf("bot %s = %d, want %d; output (-want +got):\n%s", tt.args, status, tt.status, diff)
			}
			if !strings.Contains(errs, tt.errs) || (errs == "") != (tt.errs == "") {
				t.Errorf("bot %s says %q, want %q in it", tt.args, errs, tt.errs)
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	if status, out, errs := calls(t, "--help"); status != 0 || !strings.Contains(out, "Use the bot in this terminal") || errs != "" {
		t.Errorf("bot --help = %d, %q, %q", status, out, errs)
	}
	if status, out, errs := calls(t, "version"); status != 0 || !strings.HasPrefix(out, "switchback ") || errs != "" {
		t.Errorf("bot version = %d, %q, %q", status, out, errs)
	}
}

func TestCheckAsJSON(t *testing.T) {
	documents(t)
	status, out, _ := calls(t, "check", "--json", "organisation.yaml", "playbook.yaml")
	var got config.Problems
	if err := json.Unmarshal([]byte(out), &got); err != nil || status != 1 {
		t.Fatalf("bot check --json = %d, %v:\n%s", status, err, out)
	}
	for i := range got {
		got[i].File = filepath.Base(got[i].File)
	}
	if diff := cmp.Diff(strings.Join([]string{zoneProblem, responderProblem, playbookProblem}, "\n"), withoutWarnings(got.Error())); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// The pictures themselves are the tree's to test.
func TestTreeDraws(t *testing.T) {
	for form, golden := range map[string]string{"": "playbook.txt", "--text": "playbook.txt", "--mermaid": "playbook.mmd", "--dot": "playbook.dot"} {
		want, err := os.ReadFile(filepath.Join("tree", "testdata", golden))
		if err != nil {
			t.Fatal(err)
		}
		status, out, errs := calls(t, strings.Fields("tree "+form)...)
		if diff := cmp.Diff(string(want), out); status != 0 || errs != "" || diff != "" {
			t.Errorf("bot tree %s = %d, %q (-%s +got):\n%s", form, status, errs, golden, diff)
		}
	}
}

// R62: the paper version has the playbook, and every number and app to fill in, those that ask the bot too.
func TestTreeWithLists(t *testing.T) {
	playbook, err := os.ReadFile(filepath.Join("tree", "testdata", "playbook.txt"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "organisation.yaml")
	if err := os.WriteFile(file, example, 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, errs := calls(t, "tree", "--text", "--with-lists", "--config", file)
	rest, ok := strings.CutPrefix(out, string(playbook))
	if status != 0 || !ok {
		t.Fatalf("bot tree --with-lists = %d, %s:\n%s", status, errs, out)
	}
	for _, want := range []string{
		"LISTS OF ACME", "America/Los_Angeles", "Gladly administrators: ana, sam", "https://help.gladly.com/support-form", "write to help@acme.example",
		"SETTINGS > VOICE", "DO NOT change the Queue IVR", "+1 650 555 0101 Orders", "Initial IVR  now: ____", "in peace time (2026-11-03): Main menu", "+1 650 555 0104 Press",
		"WEB SHOP > CONFIGURE", "Wednesday    now: ____", "08:00–20:00", "message      now: ____", "HELP CENTRE > CONFIGURE", "Closed",
	} {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Fatalf("not in the lists, or not in this order: %q\n%s", want, out)
		}
		rest = after
	}
	if status, _, errs := calls(t, "tree", "--dot", "--with-lists"); status == 0 || !strings.Contains(errs, "--text") {
		t.Errorf("a drawing with lists = %d, %q", status, errs)
	}
}

// What people begin with passes the check that they are told to run, and the schema that their editor uses.
func TestConfigExample(t *testing.T) {
	schema := schemaOf(t)
	status, out, errs := calls(t, "config", "example")
	if status != 0 || errs != "" {
		t.Fatalf("bot config example = %d, %q", status, errs)
	}
	file := filepath.Join(t.TempDir(), "organisation.yaml")
	if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, said, _ := calls(t, "check", file); status != 0 {
		t.Errorf("bot check of the example = %d:\n%s", status, said)
	}
	if err := schema.Validate(instance(t, out)); err != nil {
		t.Errorf("the example does not fit the schema: %v", err)
	}
	if schema.Validate(instance(t, strings.Replace(out, "responders:", "respondents:", 1))) == nil {
		t.Error("the schema lets a typo through")
	}
}

// instance is a document as the schema sees it.
func instance(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if v, err = jsonschema.UnmarshalJSON(bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	return v
}

func schemaOf(t *testing.T) *jsonschema.Schema {
	t.Helper()
	status, out, errs := calls(t, "config", "schema")
	if status != 0 || errs != "" {
		t.Fatalf("bot config schema = %d, %q", status, errs)
	}
	const golden = "organisation.schema.json"
	if *update {
		if err := os.WriteFile(golden, []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out); diff != "" {
		t.Errorf("%s is not of this program; run go test ./bot -update (-file +program):\n%s", golden, diff)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(golden, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(golden)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A document with problems stops bot chat before anything is there: no folder, no company, no store.
func TestChatStartsNothingWithABrokenDocument(t *testing.T) {
	documents(t)
	for args, want := range map[string]string{
		"--playbook playbook.yaml":   playbookProblem,
		"--config organisation.yaml": zoneProblem,
		"--config playbook.yaml":     "organisation",
		"--playbook nowhere.yaml":    "nowhere.yaml: no such file",
	} {
		status, out, errs := calls(t, strings.Fields("chat --data kept "+args)...)
		if status != 1 || out != "" || !strings.Contains(errs, want) {
			t.Errorf("bot chat %s = %d, %q, %q; want 1 and %q", args, status, out, errs, want)
		}
		if _, err := os.Stat("kept"); !os.IsNotExist(err) {
			t.Errorf("bot chat %s made its folder: %v", args, err)
		}
	}
}
