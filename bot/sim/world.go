package sim

import (
	"fmt"
	"strings"
	"time"

	"switchback/bot/change"
)

// World is what customers meet at one time.
type World struct {
	At       time.Time `json:"at"` // in the company's zone
	Callers  []Caller  `json:"callers"`
	Visitors []Visitor `json:"visitors"`
}

// Caller is what callers of one number hear.
type Caller struct {
	Number    string `json:"number"`
	Name      string `json:"name"`
	IVR       string `json:"ivr"`       // empty: none
	Voicemail bool   `json:"voicemail"` // they can only leave a message
	Words     string `json:"words"`
}

// Visitor is what visitors of one web site see.
type Visitor struct {
	App     string `json:"app"`
	Name    string `json:"name"`
	Site    string `json:"site"`
	Open    bool   `json:"open"`
	Message string `json:"message,omitempty"` // what they read instead of chat
	Words   string `json:"words"`
}

// World returns what customers meet at t. Weekday and time of day are those of the company's zone.
func (c *Company) World(t time.Time) World {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := World{At: t.In(c.zone), Callers: []Caller{}, Visitors: []Visitor{}}
	for _, n := range c.org.Numbers {
		ivr := c.values[ivrKey(n)]
		one := Caller{Number: n.Number, Name: n.Name, IVR: ivr, Voicemail: ivr == voicemailOnly || ivr == n.outageIVR()}
		switch {
		case one.Voicemail:
			one.Words = fmt.Sprintf("callers hear %q and can leave a voicemail", ivr)
		case ivr == "":
			one.Words = "callers hear no menu and wait for an agent"
		default:
			one.Words = fmt.Sprintf("callers hear %q and reach an agent", ivr)
		}
		w.Callers = append(w.Callers, one)
	}
	for _, a := range c.org.Apps {
		one := Visitor{App: a.ID, Name: a.label(), Site: a.Site}
		one.Open = change.Hours(c.values[hoursKey(a.ID, change.WeekdayOf(w.At))]).OpenAt(w.At)
		one.Words = "visitors can chat"
		if !one.Open {
			one.Message = c.values[messageKey(a.ID)]
			one.Words = "visitors cannot chat"
			if one.Message != "" {
				one.Words = fmt.Sprintf("visitors cannot chat and read: %s", one.Message)
			}
		}
		w.Visitors = append(w.Visitors, one)
	}
	return w
}

// String tells it in words, one line for each number and site.
func (w World) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "What customers meet, %s (%s):\n", w.At.Format("Mon 2 Jan 15:04"), w.At.Location())
	for _, c := range w.Callers {
		fmt.Fprintf(&b, "%s: %s\n", Number{Number: c.Number, Name: c.Name}.label(), c.Words)
	}
	for _, v := range w.Visitors {
		fmt.Fprintf(&b, "%s: %s\n", strings.TrimSpace(v.Name+" "+v.Site), v.Words)
	}
	return b.String()
}
