package config_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"switchback/bot/config"
)

// TestSchema: what an editor marks is what Decode refuses.
func TestSchema(t *testing.T) {
	schema := compile(t, shop{})
	tests := []struct {
		name, text string
		fits       bool
	}{
		{"everything", good, true},
		{"unknown key", "name: a\nnaem: b\n", false},
		{"unknown key further in", "name: a\nowner: {fone: 1}\n", false},
		{"unknown key in a list", "name: a\nstaff: [{fone: 1}]\n", false},
		{"a field without a key", "name: a\nderived: 1\n", false},
		{"an inlined key", "name: a\ncity: b\n", true},
		{"no quotes around a number or a bool", "name: 7\nphones: [+1650, true]\n", true},
		{"a list for a text", "name: [a]\n", false},
		{"a text for a list", "name: a\nphones: b\n", false},
		{"a text for keys", "name: a\nowner: b\n", false},
		{"no value", "name: a\nphones:\n", false},
		{"a number in quotes", "name: a\nfloors: '1'\n", false},
		{"not a bool", "name: a\nopen: 1\n", false},
		{"durations", "name: a\nevery: [30m, 1.5h, 1h30m, 2d, 1d12h, 0s, 250ms]\n", true},
		{"a duration without a unit", "name: a\nretry: 30\n", false},
		{"a duration in words", "name: a\nretry: 15 min\n", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, problems := config.Parse("", []byte(test.text))
			problems = append(problems, d.Decode(new(shop))...)
			if err := problems.Err(); (err == nil) != test.fits {
				t.Errorf("Decode: %v, want fits = %t", err, test.fits)
			}
			if err := schema.Validate(instance(t, test.text)); (err == nil) != test.fits {
				t.Errorf("schema: %v, want fits = %t", err, test.fits)
			}
		})
	}
	// These only the schema knows, from tags: Decode leaves them to the package that has the rule.
	for _, text := range []string{"open: true\n", "name: a\nkind: huge\n"} {
		if schema.Validate(instance(t, text)) == nil {
			t.Errorf("schema accepts %q", text)
		}
	}
}

func TestSchemaText(t *testing.T) {
	first, err := config.Schema(shop{}, "Shop")
	if err != nil {
		t.Fatal(err)
	}
	second, err := config.Schema(&shop{}, "Shop")
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("Schema of a pointer, again: %v, differs:\n%s", err, second)
	}
	for _, want := range []string{
		`"$schema": "https://json-schema.org/draft/2020-12/schema"`, `"title": "Shop"`,
		`"description": "what people call it"`, `"$ref": "#/$defs/config_test.person"`,
	} {
		if !bytes.Contains(first, []byte(want)) {
			t.Errorf("Schema lacks %s:\n%s", want, first)
		}
	}
}

func compile(t *testing.T, v any) *jsonschema.Schema {
	t.Helper()
	text, err := config.Schema(v, "test")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("test.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("test.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// instance reads a document as an editor does, by the types that YAML sees.
func instance(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
