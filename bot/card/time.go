package card

import (
	"regexp"
	"strconv"
	"time"
)

// A time on a card is the reader's, and a card may have many readers. So texts carry times as marks, which each
// renderer turns into what its platform offers: a date that the client draws, or a time in a known zone.
//
// A mark is made of control characters that no platform lets people type; Plain takes them out of what people wrote.

// Layouts of a marked time.
const (
	clockMark = 'c' // 15:04
	dayMark   = 'd' // Mon 2 Jan 15:04
)

// Clock marks the time of day of t.
func Clock(t time.Time) string { return mark(clockMark, t) }

// Day marks date and time of day of t.
func Day(t time.Time) string { return mark(dayMark, t) }

func mark(layout rune, t time.Time) string {
	return "\x02" + string(layout) + strconv.FormatInt(t.Unix(), 10) + "\x03"
}

var marks = regexp.MustCompile("\x02([cd])(-?[0-9]{1,12})\x03")

// Channel marks a channel by the id that its chat platform gave it: a renderer shows its name.
func Channel(id string) string { return "\x02#" + id + "\x03" }

var channels = regexp.MustCompile("\x02#([^\x02\x03]{1,200})\x03")

// Channels replaces the marked channels in s by what draw makes of their ids.
func Channels(s string, draw func(id string) string) string {
	return channels.ReplaceAllStringFunc(s, func(m string) string { return draw(m[2 : len(m)-1]) })
}

// Times replaces the marks in s by what draw makes of them; withDate tells whether the date is wanted too.
func Times(s string, draw func(t time.Time, withDate bool) string) string {
	return marks.ReplaceAllStringFunc(s, func(m string) string {
		sec, err := strconv.ParseInt(m[2:len(m)-1], 10, 64)
		if err != nil {
			return m
		}
		return draw(time.Unix(sec, 0), m[1] == dayMark)
	})
}

// In replaces the marks in s by times in zone, and by the ids of channels.
func In(s string, zone *time.Location) string {
	s = Channels(s, func(id string) string { return id })
	return Times(s, func(t time.Time, withDate bool) string {
		if withDate {
			return t.In(zone).Format("Mon 2 Jan 15:04")
		}
		return t.In(zone).Format("15:04")
	})
}
