package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"
)

// Schema returns the JSON schema (2020-12) of the documents that Decode reads into v's type, a struct or a pointer to
// one: for editors, which complete keys and mark mistakes with it. It is indented, and the same every time.
//
// A field's description is its `jsonschema_description:"…"` tag; `jsonschema:"required,enum=a,enum=b,pattern=…"` says
// more about it. A type can describe itself with a method JSONSchema() *jsonschema.Schema.
func Schema(v any, title string) ([]byte, error) {
	r := jsonschema.Reflector{
		Anonymous:                  true,
		ExpandedStruct:             true,
		RequiredFromJSONSchemaTags: true,
		FieldNameTag:               "yaml",
		KeyNamer:                   strings.ToLower, // as keys does
		Mapper:                     text,
		Namer: func(t reflect.Type) string { // two packages may have types of one name
			if t.Name() == "" {
				return ""
			}
			return path.Base(t.PkgPath()) + "." + t.Name()
		},
	}
	s := r.Reflect(v)
	s.Title = title
	loosen(s)
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("schema of %T: %w", v, err)
	}
	return append(b, '\n'), nil
}

// text describes the types that are read from text, which the reflector does not know.
func text(t reflect.Type) *jsonschema.Schema {
	switch {
	case t == reflect.TypeFor[Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+d)?([0-9.]+(h|m|s|ms|us|µs|ns))*$`, MinLength: new(uint64(2))}
	case t.Implements(reflect.TypeFor[interface{ JSONSchema() *jsonschema.Schema }]()):
		return nil
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return &jsonschema.Schema{Type: "string"}
	}
	return nil
}

// loosen lets a text be written without quotes where YAML sees a number or a bool in it, as Decode does.
func loosen(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if s.Type == "string" && s.Pattern == "" && s.Enum == nil {
		s.Type = ""
		s.Extras = map[string]any{"type": []string{"string", "number", "boolean"}}
	}
	loosen(s.Items)
	loosen(s.AdditionalProperties)
	for _, d := range s.Definitions {
		loosen(d)
	}
	for p := s.Properties.Oldest(); p != nil; p = p.Next() {
		loosen(p.Value)
	}
}
