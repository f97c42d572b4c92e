// Package card says what the bot shows, in words that every chat platform can draw.
//
// A Card has meaning and no markup: each platform's renderer finds its own way to say it. Texts are plain strings; a
// renderer must never let them become markup or a mention.
package card

// Tone is how serious a card is. A renderer may show it as a colour or a sign, never as the only sign of anything.
type Tone string

// The tones, from quiet to loud.
const (
	Info    Tone = "info"
	Working Tone = "working"
	Done    Tone = "done"
	Warning Tone = "warning"
	Trouble Tone = "trouble"
)

// Card is one thing shown to a person or a channel.
type Card struct {
	Tone    Tone     `json:"tone,omitzero"`
	Drill   bool     `json:"drill,omitzero"` // on the simulated company: every renderer marks it
	Title   string   `json:"title"`          // the headline: the customers' truth
	Text    []string `json:"text,omitzero"`  // paragraphs
	Facts   []Fact   `json:"facts,omitzero"`
	Notes   []string `json:"notes,omitzero"`   // small print under the facts
	Keep    bool     `json:"keep,omitzero"`    // to be kept rather than read: a copy of the values from before
	Outside string   `json:"outside,omitzero"` // all that is shown where people of other organisations read along; empty: nothing
	Form    *Form    `json:"form,omitzero"`    // not nil: the card asks for input
	Buttons []Button `json:"buttons,omitzero"`
}

// Fact is one line of a list: a setting before → after, or just a name and what is to say about it.
type Fact struct {
	Name   string `json:"name"`
	How    string `json:"how,omitzero"` // "by the bot, at once", "by a person in Gladly"
	Before string `json:"before,omitzero"`
	After  string `json:"after,omitzero"`
	Note   string `json:"note,omitzero"`
}

// Style is how a button looks.
type Style string

// The styles. Danger is for what the bot itself changes for customers.
const (
	Plain   Style = ""
	Primary Style = "primary"
	Danger  Style = "danger"
)

// Button is something a person can press.
type Button struct {
	Label  string `json:"label"`
	Style  Style  `json:"style,omitzero"`
	Action string `json:"action"`         // opaque; comes back with the press
	Sure   *Sure  `json:"sure,omitzero"`  // not nil: the platform asks once more before it sends the press
	Opens  bool   `json:"opens,omitzero"` // the press opens a form
}

// Sure is the question asked once more before a press counts.
type Sure struct {
	Title string `json:"title"`
	Text  string `json:"text"`
	Yes   string `json:"yes"`
	No    string `json:"no"`
}

// Form is a set of inputs with one way to send them.
type Form struct {
	Inputs []Input `json:"inputs"`
	Submit string  `json:"submit"` // the label of the button that sends it
	Action string  `json:"action"` // opaque; comes back with the values
}

// InputKind is what an input takes.
type InputKind string

// The kinds of input.
const (
	Text   InputKind = "text"   // one line
	Long   InputKind = "long"   // several lines, byte for byte
	Choice InputKind = "choice" // one of Options
	Many   InputKind = "many"   // any of Options
)

// Input is one field of a form. Value is its default; for Many the values are separated by line breaks.
type Input struct {
	ID       string    `json:"id"`
	Kind     InputKind `json:"kind"`
	Label    string    `json:"label"`
	Hint     string    `json:"hint,omitzero"`
	Value    string    `json:"value,omitzero"`
	Options  []Option  `json:"options,omitzero"`
	Optional bool      `json:"optional,omitzero"`
	Error    string    `json:"error,omitzero"` // what was wrong with the value when it was sent last
}

// Option is one choice of an input.
type Option struct {
	Value string `json:"value"`
	Label string `json:"label"`
}
