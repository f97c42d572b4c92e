package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Problem is one thing that is wrong in a file, and where.
type Problem struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`   // from 1; 0 if there is no place
	Column int    `json:"column,omitempty"` // in characters, from 1
	Path   string `json:"path,omitempty"`   // the value: "nodes.chat-in.options.2.goto"; list indexes count from 0
	Text   string `json:"text"`             // what is wrong: `unknown key; did you mean "action"?`

	Warning bool `json:"warning,omitempty"` // it works like this, but not on a bad night
}

// String returns "file:line:column: path: text" on one line, without the parts that are not known.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		for _, n := range []int{p.Line, p.Column} {
			if b.Len() > 0 {
				b.WriteByte(':')
			}
			b.WriteString(strconv.Itoa(n))
		}
	}
	text := p.Text
	if p.Warning {
		text = "warning: " + text
	}
	for _, part := range []string{p.Path, text} {
		if part == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		if strings.ContainsFunc(part, unicode.IsControl) { // a key may hold anything
			part = strconv.Quote(part)
		}
		b.WriteString(part)
	}
	return b.String()
}

// Problems is all that is wrong, as one error.
type Problems []Problem

// Error returns the problems, one per line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, q := range p {
		lines[i] = q.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns the problems sorted by place, without the warnings, or nil if there are none.
func (p Problems) Err() error {
	p = slices.DeleteFunc(slices.Clone(p), func(q Problem) bool { return q.Warning })
	if len(p) == 0 {
		return nil
	}
	return p.Sorted()
}

// Sorted returns the problems by place.
func (p Problems) Sorted() Problems {
	p = slices.Clone(p)
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return p
}

// Suggest returns the known word that somebody who wrote got most likely meant: a few letters off, or cut short. It
// is "" if none is close; of several equally close ones it is the first.
func Suggest(got string, known []string) string {
	letters := utf8.RuneCountInString(got)
	limit := min((letters+2)/3, 3)
	best, least := "", limit+1
	for _, k := range known {
		d := distance(strings.ToLower(got), strings.ToLower(k), limit)
		if letters >= 3 && strings.HasPrefix(strings.ToLower(k), strings.ToLower(got)) {
			d = min(d, 1)
		}
		if d < least && k != "" {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters to add, drop, change, or swap with the next one that lie between a and b; anything
// above limit means more than limit.
func distance(a, b string, limit int) int {
	from, to := []rune(a), []rune(b)
	if d := len(from) - len(to); d > limit || -d > limit {
		return limit + 1
	}
	rows := make([][]int, len(from)+1)
	for i := range rows {
		rows[i] = make([]int, len(to)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(from); i++ {
		for j := 1; j <= len(to); j++ {
			change := 1
			if from[i-1] == to[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && from[i-1] == to[j-2] && from[i-2] == to[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(from)][len(to)]
}
