package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Decode fills the struct (or map) that into points to, and returns everything in the document that does not fit it.
// Values that do fit are set even then.
//
// A key is a field's yaml tag, or its name, in lower case; a field tagged "-" has none, and a struct tagged ",inline"
// lends its keys to the struct around it. Fields may be structs, maps, lists, pointers (nil where the key is absent),
// strings, bools, whole numbers and floats, and whatever has UnmarshalText, whose error is reported at the value.
// Other types are a mistake in the program, and panic. There are no required keys: that is for the caller to check.
//
// A string is what was written, byte for byte, also where YAML would see a number, a date or a bool: a phone number
// needs no quotes. All other types are strict: true and false only, numbers in plain decimal. A key without a value is
// a problem, because it is hard to see.
func (d *Document) Decode(into any) Problems {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		panic(fmt.Sprintf("config: decode into %T, want a pointer", into))
	}
	r := reader{doc: d}
	r.value(d.root, "", v.Elem())
	return r.found.Sorted()
}

// reader checks and sets values in one pass, so that what was checked is what is set.
type reader struct {
	doc   *Document
	found Problems
}

func (r *reader) problem(n *yaml.Node, path, format string, args ...any) {
	r.found = append(r.found, r.doc.at(n, path, format, args...))
}

func (r *reader) value(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind == yaml.AliasNode {
		return // Parse has reported it
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if isNull(n) {
		r.problem(n, path, `has no value; leave the key out, or write "" for an empty text`)
		return
	}
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		if r.is(yaml.ScalarNode, n, path) {
			if err := u.UnmarshalText([]byte(n.Value)); err != nil {
				r.problem(n, path, "%v", err)
			}
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if r.is(yaml.MappingNode, n, path) {
			r.fields(n, path, v)
		}
	case reflect.Map:
		if r.is(yaml.MappingNode, n, path) {
			r.entries(n, path, v)
		}
	case reflect.Slice:
		if r.is(yaml.SequenceNode, n, path) {
			v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
			for i, c := range n.Content {
				r.value(c, join(path, strconv.Itoa(i)), v.Index(i))
			}
		}
	default:
		if r.is(yaml.ScalarNode, n, path) {
			r.scalar(n, path, v)
		}
	}
}

// fields fills a struct.
func (r *reader) fields(n *yaml.Node, path string, v reflect.Value) {
	known := keys(v.Type(), nil)
	for k, value := range pairs(n) {
		if k.Kind != yaml.ScalarNode {
			continue // Parse has reported it
		}
		at := slices.IndexFunc(known, func(f field) bool { return f.key == k.Value })
		if at >= 0 {
			r.value(value, join(path, k.Value), v.FieldByIndex(known[at].index))
			continue
		}
		names := make([]string, len(known))
		for j, f := range known {
			names[j] = f.key
		}
		if meant := Suggest(k.Value, names); meant != "" {
			r.problem(k, join(path, k.Value), "unknown key; did you mean %q?", meant)
		} else {
			r.problem(k, join(path, k.Value), "unknown key")
		}
	}
}

// entries fills a map.
func (r *reader) entries(n *yaml.Node, path string, v reflect.Value) {
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.Content)/2))
	for k, value := range pairs(n) {
		if k.Kind != yaml.ScalarNode {
			continue // Parse has reported it
		}
		here := join(path, k.Value)
		key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		r.value(k, here, key)
		r.value(value, here, elem)
		v.SetMapIndex(key, elem)
	}
}

// scalar sets what is written on one line.
func (r *reader) scalar(n *yaml.Node, path string, v reflect.Value) {
	// Quotes make a text of a number or a bool. n.Value is what was written: the library only guesses at the tag.
	plain := n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	switch {
	case v.Kind() == reflect.String:
		v.SetString(n.Value)
	case v.Kind() == reflect.Bool:
		if !plain || n.Value != "true" && n.Value != "false" {
			r.problem(n, path, "want true or false, got %s", quote(n))
			return
		}
		v.SetBool(n.Value == "true")
	case v.CanInt():
		i, err := strconv.ParseInt(n.Value, 10, v.Type().Bits())
		if !plain || err != nil || !decimal(n.Value) {
			r.problem(n, path, "want a whole number, got %s", quote(n))
			return
		}
		v.SetInt(i)
	case v.CanUint():
		i, err := strconv.ParseUint(n.Value, 10, v.Type().Bits())
		if !plain || err != nil || !decimal(n.Value) {
			r.problem(n, path, "want a whole number from 0, got %s", quote(n))
			return
		}
		v.SetUint(i)
	case v.CanFloat():
		f, err := strconv.ParseFloat(n.Value, v.Type().Bits())
		if !plain || err != nil || !decimal(n.Value) {
			r.problem(n, path, "want a number, got %s", quote(n))
			return
		}
		v.SetFloat(f)
	default:
		panic(fmt.Sprintf("config: %s: a document cannot hold %s", path, v.Type()))
	}
}

// decimal reports whether YAML, JSON and people read the number alike: no 0x1f, 017, 1_000, +1, inf.
func decimal(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	leading := len(digits) > 1 && digits[0] == '0' && digits[1] != '.'
	return !leading && strings.Trim(digits, "0123456789.") == ""
}

// is reports a problem if the node is of another kind.
func (r *reader) is(want yaml.Kind, n *yaml.Node, path string) bool {
	if n.Kind != want {
		r.problem(n, path, "want %s, got %s", called(want), called(n.Kind))
	}
	return n.Kind == want
}

func called(k yaml.Kind) string {
	switch k {
	case yaml.MappingNode:
		return "keys with values"
	case yaml.SequenceNode:
		return "a list"
	default:
		return "text"
	}
}

// quote returns the beginning of what was written.
func quote(n *yaml.Node) string {
	const most = 40
	if r := []rune(n.Value); len(r) > most {
		return strconv.Quote(string(r[:most])) + "…"
	}
	return strconv.Quote(n.Value)
}

// field is a key of a struct and where its value goes.
type field struct {
	key   string
	index []int // for reflect.Value.FieldByIndex
}

// keys lists the keys of a struct in the order of its fields, those of inlined structs in their place.
func keys(t reflect.Type, index []int) []field {
	var all []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		here := append(slices.Clone(index), i)
		if options == "inline" {
			all = append(all, keys(f.Type, here)...)
			continue
		}
		if name == "" {
			name = f.Name
		}
		all = append(all, field{key: strings.ToLower(name), index: here})
	}
	return all
}
