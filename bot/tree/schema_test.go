package tree_test

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"switchback/bot/change"
	"switchback/bot/tree"
)

var update = flag.Bool("update", false, "rewrite the schema and the golden files")

// golden compares what came with a file, or rewrites it with -update.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s is out of date (go test ./bot/tree -update rewrites it), -file +now:\n%s", file, diff)
	}
}

// TestSchema: the file beside the playbook is that of the types, and editors find nothing wrong with the playbook.
func TestSchema(t *testing.T) {
	b, err := tree.Schema()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "playbook.schema.json", b)

	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("playbook.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("playbook.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var playbook any
	if err := yaml.Unmarshal(tree.Builtin(), &playbook); err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(playbook); err != nil {
		t.Error(err)
	}

	// The words that only the schema or only the code would know: each must accept what the other does.
	defs := doc.(map[string]any)["$defs"].(map[string]any)
	action := defs["tree.Node"].(map[string]any)["properties"].(map[string]any)["action"].(map[string]any)["enum"].([]any)
	var actions []string
	for _, a := range action {
		actions = append(actions, a.(string))
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(change.Actions())), slices.Sorted(slices.Values(actions))); diff != "" {
		t.Errorf("actions that exist, and those in the schema: %s", diff)
	}
	if first, _, _ := strings.Cut(string(tree.Builtin()), "\n"); first != "# yaml-language-server: $schema=./playbook.schema.json" {
		t.Errorf("the first line of the playbook is %q, and tells editors no schema", first)
	}
}
