package config

import (
	"fmt"
	"io"
)

// Secret is a token or password. However it is printed, logged or encoded, it comes out as "[secret]"; Reveal is the
// only way to the value, for the line that sends it.
//
// Two traps of Go remain: fmt cannot call the methods of an unexported field, so a struct that has a Secret in one must
// not be printed whole; and encoding/json writes the keys of a map as they are, so a Secret is no map key.
type Secret string

const hidden = "[secret]"

// Reveal returns the value.
func (s Secret) Reveal() string { return string(s) }

// String returns "[secret]".
func (Secret) String() string { return hidden }

// GoString returns "[secret]".
func (Secret) GoString() string { return hidden }

// Format writes "[secret]" for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalText returns "[secret]".
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON returns "[secret]" as a JSON string.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }
