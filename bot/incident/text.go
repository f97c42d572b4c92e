package incident

import (
	"html"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxText = 8000 // characters of one text; the longest update seen on real pages had 3,106

// Plain makes plain text of what a page wrote in HTML or Markdown, CRLF or not. No markup survives that a chat
// platform could take for its own, and no mention of everybody: a page must not be able to ring a channel.
func Plain(s string) string {
	s = strings.ToValidUTF8(s, "")
	if utf8.RuneCountInString(s) > 4*maxText {
		s = string([]rune(s)[:4*maxText])
	}
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n").Replace(s)
	s = html.UnescapeString(untag(s))
	s = strings.Map(visible, s)
	s = markdown(s)
	s = loud.ReplaceAllString(s, "$1$2")
	s = brackets.ReplaceAllString(s, "‹") // what was written as text, &lt;b&gt;, stays readable and is no tag
	s = lines(s)
	if utf8.RuneCountInString(s) > maxText {
		s = string([]rune(s)[:maxText-1]) + "…"
	}
	return s
}

var (
	block    = regexp.MustCompile(`(?i)^/?(br|p|div|h[1-6]|ul|ol|tr|table|blockquote|hr|pre)\b`)
	item     = regexp.MustCompile(`(?i)^li\b`)
	hidden   = regexp.MustCompile(`(?i)^(script|style|title|template)\b`)
	image    = regexp.MustCompile(`!\[([^\[\]\n]*)\]\([^()\s]*\)`)
	link     = regexp.MustCompile(`\[([^\[\]\n]+)\]\([^()\s]*\)`)
	strong   = regexp.MustCompile("\\*\\*|__|~~|`+")
	slanted  = regexp.MustCompile(`(^|[\s(])[*_]([^\s*_](?:[^*_\n]*[^\s*_])?)[*_]([\s).,:;!?]|$)`)
	heading  = regexp.MustCompile(`(?m)^[ \t]*(#{1,6}[ \t]+|>+[ \t]?)+`)
	bullet   = regexp.MustCompile(`(?m)^[ \t]*[*+•][ \t]+`)
	loud     = regexp.MustCompile(`(?i)[@＠]+(\s*)(channel|here|everyone|everybody|group|all)\b`)
	brackets = regexp.MustCompile(`<`)
	empty    = regexp.MustCompile(`\n{3,}`)
)

// untag takes tags and comments out. A bracket that begins no tag is text.
func untag(s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '<')
		if i < 0 || i+1 == len(s) {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		s = s[i+1:]
		if strings.HasPrefix(s, "!--") {
			_, s, _ = strings.Cut(s, "-->")
			continue
		}
		if c := s[0]; !strings.ContainsRune("/!?@#", rune(c)) && (c|0x20 < 'a' || c|0x20 > 'z') {
			b.WriteByte('<')
			continue
		}
		end := tagEnd(s)
		tag := s[:end]
		s = strings.TrimPrefix(s[end:], ">")
		switch {
		case hidden.MatchString(tag): // up to its end, or all of the rest
			_, s = cutFold(s, "</"+strings.ToLower(hidden.FindString(tag)))
			_, s, _ = strings.Cut(s, ">")
		case item.MatchString(tag):
			b.WriteString("\n- ")
		case block.MatchString(tag):
			b.WriteByte('\n')
		}
	}
}

// tagEnd is where a tag ends: at its bracket, outside quotes. One that is never closed takes the rest with it, unless
// another begins.
func tagEnd(s string) int {
	quote := byte(0)
	for i := range len(s) {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			if i > 0 && s[i-1] == '=' {
				quote = c
			}
		case c == '>' || c == '<':
			return i
		}
	}
	if i := strings.IndexAny(s, "<>"); i >= 0 { // a quote that is never closed
		return i
	}
	return len(s)
}

func cutFold(s, sep string) (before, after string) {
	if i := strings.Index(strings.ToLower(s), sep); i >= 0 && len(strings.ToLower(s)) == len(s) {
		return s[:i], s[i+len(sep):]
	}
	return s, ""
}

// markdown takes the marks out and leaves their words.
func markdown(s string) string {
	s = image.ReplaceAllString(s, "$1")
	s = link.ReplaceAllString(s, "$1")
	s = heading.ReplaceAllString(s, "")
	s = bullet.ReplaceAllString(s, "- ")
	s = strong.ReplaceAllString(s, "")
	return slanted.ReplaceAllString(s, "$1$2$3")
}

// visible takes out what nobody sees: control characters, which could forge a time on a card, and marks that join, split
// or turn text around.
func visible(r rune) rune {
	switch {
	case r == '\n':
		return r
	case r == '\t' || unicode.Is(unicode.Zs, r):
		return ' '
	case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r), r == utf8.RuneError:
		return -1
	}
	return r
}

// lines trims each line, and leaves at most one empty line between two.
func lines(s string) string {
	all := strings.Split(s, "\n")
	for i, l := range all {
		all[i] = strings.Join(strings.Fields(l), " ")
	}
	return strings.Trim(empty.ReplaceAllString(strings.Join(all, "\n"), "\n\n"), "\n")
}

// Line is Plain on one line, for names.
func Line(s string) string { return strings.Join(strings.Fields(Plain(s)), " ") }
