package handlers

// Finding is what was found out about one outside part: for bot doctor, and for people.
type Finding struct {
	Part  string `json:"part"`
	State State  `json:"state"`
	Text  string `json:"text"`
	Next  string `json:"next,omitzero"` // what to do about it; empty where all is well
}

// Examined is what an adapter looks at of the organisation document, by the ids of its chat platform.
type Examined struct {
	Channels map[string]string // id → what it is for
	Inside   string            // where the work goes when a channel is shared outside; "" is none
	People   map[string]string // id → name
}

// State is how well a part works.
type State string

// The states of a part.
const (
	OK   State = "ok"
	Warn State = "warn" // it works, and will be missed on a bad night
	Fail State = "fail"
)
