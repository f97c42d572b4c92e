package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/handlers/flags"
	"switchback/handlers/ops"
)

const readme = "../README.md"

func readReadme(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The README's tables, and its picture of the playbook, are made of the program: between <!-- name --> and
// <!-- /name --> stands what the program has. With -update they are made anew.
func TestReadmeTables(t *testing.T) {
	keepReadme(t, map[string]func(*testing.T) string{
		"playbook": playbookPicture, "commands": commandTable, "words": wordTable, "variables": variableTable, "organisation": keyTable, "metrics": metricTable,
	})
}

func keepReadme(t *testing.T, made map[string]func(*testing.T) string) {
	t.Helper()
	is := readReadme(t)
	want := is
	for name, make := range made {
		begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->\n"
		before, rest, found := strings.Cut(want, begin)
		_, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			t.Errorf("the README has no %s…%s", begin, end)
			continue
		}
		want = before + begin + make(t) + end + after
	}
	if is == want {
		return
	}
	if *update {
		if err := os.WriteFile(readme, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("the README and the program differ; -update makes it anew (-README +program):\n%s", cmp.Diff(strings.Split(is, "\n"), strings.Split(want, "\n")))
}

func playbookPicture(t *testing.T) string {
	t.Helper()
	status, out, errs := calls(t, "tree", "--mermaid")
	if status != 0 {
		t.Fatalf("bot tree --mermaid = %d, %s", status, errs)
	}
	return "```mermaid\n" + out + "```\n"
}

// table is a table in Markdown.
func table(head []string, rows ...[]string) string {
	var b strings.Builder
	line := func(cells []string) {
		for i, c := range cells {
			cells[i] = strings.ReplaceAll(c, "|", `\|`)
		}
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	line(head)
	b.WriteString(strings.Repeat("|---", len(head)) + "|\n")
	for _, r := range rows {
		line(r)
	}
	return b.String()
}

func code(s string) string { return "`" + s + "`" }

func commandTable(t *testing.T) string {
	t.Helper()
	var cmd commands
	parser, err := kong.New(&cmd, kong.Name("bot"), environment{}.vars())
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for _, n := range parser.Model.Leaves(true) {
		call := n.FullPath()
		for _, a := range n.Positional {
			call += " " + a.Summary()
		}
		var flags []string
		for _, group := range n.AllFlags(true) {
			for _, f := range group {
				if f.Name != "help" {
					flags = append(flags, code("--"+f.Name))
				}
			}
		}
		rows = append(rows, []string{code(call), n.Help, strings.Join(flags, " ")})
	}
	return table([]string{"command", "", "flags"}, rows...)
}

// wordTable is what the bot says when somebody asks for help.
func wordTable(t *testing.T) string {
	t.Helper()
	cmd := bot(t, "chat", "--data", t.TempDir())
	cmd.Stdin = strings.NewReader("/outage help\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for _, m := range regexp.MustCompile(`(?m)^  - (/outage[^:]*): (.*)$`).FindAllStringSubmatch(string(out), -1) {
		rows = append(rows, []string{code(m[1]), m[2]})
	}
	return table([]string{"words", ""}, rows...)
}

func variableTable(t *testing.T) string {
	t.Helper()
	var rows [][]string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[environment]()) {
		secret := ""
		if f.Type == reflect.TypeFor[config.Secret]() {
			secret = "yes"
		}
		rows = append(rows, []string{code(f.Tag.Get("env")), f.Tag.Get("means"), secret})
	}
	return table([]string{"variable", "", "secret"}, rows...)
}

// keyTable is made of the schema, which is made of the types.
func keyTable(t *testing.T) string {
	t.Helper()
	status, out, errs := calls(t, "config", "schema")
	if status != 0 {
		t.Fatalf("bot config schema = %d, %s", status, errs)
	}
	var schema yaml.Node // which keeps the order of keys
	if err := yaml.Unmarshal([]byte(out), &schema); err != nil {
		t.Fatal(err)
	}
	root := schema.Content[0]
	var rows [][]string
	seen := map[string]bool{}
	var walk func(at string, n *yaml.Node)
	walk = func(at string, n *yaml.Node) {
		if items := child(n, "items"); items != nil {
			walk(at+"[]", items)
			return
		}
		if ref := child(n, "$ref"); ref != nil {
			if seen[ref.Value] { // as above
				return
			}
			seen[ref.Value] = true
			n = child(child(root, "$defs"), strings.TrimPrefix(ref.Value, "#/$defs/"))
		}
		all := child(n, "properties")
		if all == nil {
			return
		}
		for i := 0; i < len(all.Content); i += 2 {
			key, of := strings.TrimPrefix(at+"."+all.Content[i].Value, "."), all.Content[i+1]
			means := child(of, "description")
			if means == nil {
				t.Errorf("the key %s has no description", key)
				continue
			}
			rows = append(rows, []string{code(key), means.Value})
			walk(key, of)
		}
	}
	walk("", child(child(root, "properties"), "organisation"))
	return table([]string{"key", ""}, rows...)
}

func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil {
		return nil
	}
	for i := 0; i+1 < len(n.Content) && n.Kind == yaml.MappingNode; i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// metricTable is made of what a scrape says where everything has something to tell.
func metricTable(t *testing.T) string {
	t.Helper()
	counts, err := flags.NewEndpoints(flags.Config{})
	if err != nil {
		t.Fatal(err)
	}
	m := ops.New(ops.Sources{
		Open:    func(context.Context) ([]flow.Outage, error) { return nil, nil },
		Healthy: func(context.Context) (bool, string) { return true, "" },
		Waiting: func(context.Context) (map[string]flow.Queue, error) {
			return map[string]flow.Queue{"slack": {Cards: 1}}, nil
		},
		Flags: counts.Counts,
		Pages: func(context.Context) (map[string]time.Time, error) {
			return map[string]time.Time{"gladly": time.Now()}, nil
		},
	})
	m.Measure("slack", http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil))
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	var rows [][]string
	for _, h := range regexp.MustCompile(`(?m)^# HELP (switchback_\S+) (.*)$`).FindAllStringSubmatch(w.Body.String(), -1) {
		var labels []string
		one := regexp.MustCompile(`(?m)^` + h[1] + `(?:_count)?\{(.*)\}`).FindStringSubmatch(w.Body.String())
		for _, l := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(strings.Join(one, ""), -1) {
			if !slices.Contains(labels, code(l[1])) {
				labels = append(labels, code(l[1]))
			}
		}
		rows = append(rows, []string{code(h[1]), h[2], strings.Join(labels, " ")})
	}
	return table([]string{"metric", "", "labels"}, rows...)
}

// Every address within the README leads somewhere.
func TestReadmeLinks(t *testing.T) {
	text := readReadme(t)
	anchors := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		anchor := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		anchors["#"+strings.ReplaceAll(anchor, " ", "-")] = true
	}
	for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(text, -1) {
		switch to := m[1]; {
		case strings.HasPrefix(to, "https://"):
		case strings.HasPrefix(to, "#"):
			if !anchors[to] {
				t.Errorf("there is no heading %s", to)
			}
		default:
			if _, err := os.Stat(filepath.Join(filepath.Dir(readme), filepath.FromSlash(to))); err != nil {
				t.Error(err)
			}
		}
	}
}

// What the store keeps stands in the README's table of what is kept: every prefix of a key that its code names.
func TestReadmeSaysWhatIsKept(t *testing.T) {
	_, kept, found := strings.Cut(readReadme(t), "| what | for how long | keys |")
	kept, _, closed := strings.Cut(kept, "\n\n")
	if !found || !closed {
		t.Fatal("the table is missing")
	}
	prefixes := 0
	for _, file := range []string{"../store/flow.go", "../store/flags.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^\t\w+Doc\s+= "(.*)"$`).FindAllStringSubmatch(string(text), -1) {
			if prefixes++; !strings.Contains(kept, code(m[1])) {
				t.Errorf("%s keeps %s, and the README does not say how long", file, m[1])
			}
		}
	}
	if prefixes < 22 {
		t.Errorf("found %d prefixes, want all 22", prefixes)
	}
}
