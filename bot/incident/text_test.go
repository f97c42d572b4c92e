package incident

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestPlain(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"We are investigating.", "We are investigating."},
		{"First.<br />Second.\r\nThird.<br><br><br>\n\nFourth.", "First.\nSecond.\nThird.\n\nFourth."},
		{"<p>Some <strong>calls</strong> fail.</p><p>Others don&#39;t.</p>", "Some calls fail.\n\nOthers don't."},
		{"<ul><li>Voice</li><li>Chat &amp; SMS</li></ul>", "- Voice\n- Chat & SMS"},
		{"<script>alert('x')</script>Fine<style>p{}</style>.", "Fine."},
		{`<a href="https://evil.example/?a=1>2" title='x'>the form</a>`, "the form"},
		{"**Update** – see [our blog](https://blog.example/x) and `restart` it_all _now_.", "Update – see our blog and restart it_all now."},
		{"# Root cause\n> quoted\n* one\n* two", "Root cause\nquoted\n- one\n- two"},
		{"5 < 6 and 7 > 6, a<b", "5 ‹ 6 and 7 > 6, a"}, // <b could be a tag
		{"&lt;b&gt; is no tag, &amp;lt; neither", "‹b> is no tag, &lt; neither"},
		{"<!channel> <!here|here> <@U012AB3CD> <#C01> <at>Ana</at> @channel @Here @everyone! ops@all.example", "Ana channel Here everyone! opsall.example"},
		{"&lt;!channel&gt; &#60;@U012AB3CD&#62;", "‹!channel> ‹@U012AB3CD>"},
		{"a\x02c1700000000\x03b \u202eturned\u202c zero\u200bwidth", "ac1700000000b turned zerowidth"},
		{"<div", ""},
		{"<!-- hidden --> seen <!-- not closed", "seen"},
		{"  \n\n ", ""},
	} {
		if got := Plain(test.in); got != test.want {
			t.Errorf("Plain(%q)\n got %q\nwant %q", test.in, got, test.want)
		}
	}
	if got := Plain(strings.Repeat("word ", 3000)); utf8.RuneCountInString(got) > maxText || !strings.HasSuffix(got, "…") {
		t.Errorf("a long text: %d characters", utf8.RuneCountInString(got))
	}
}

var everybody = regexp.MustCompile(`(?i)[@＠]\s*(channel|here|everyone|everybody|group|all)\b`)

func FuzzPlain(f *testing.F) {
	for _, s := range []string{
		"<br />", "&lt;!here&gt;", "<!channel>", "@<b></b>channel", "&#64;channel", "@&#8203;here", "<<b>script>x</script>", "&amp;lt;!channel&amp;gt;",
		"[a](b)", "<at id='1'>x</at>", "<a href=\"'>", "@`x`here", "**@**channel", "\x02d1\x03", "<!--", "＠here", "@_here_",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for _, got := range []string{Plain(in), Plain(Plain(in)), Line(in)} {
			if strings.ContainsRune(got, '<') {
				t.Errorf("Plain(%q) = %q: a bracket", in, got)
			}
			if everybody.MatchString(got) {
				t.Errorf("Plain(%q) = %q: a mention of everybody", in, got)
			}
			if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool {
				return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r))
			}) {
				t.Errorf("Plain(%q) = %q: what nobody sees", in, got)
			}
			if utf8.RuneCountInString(got) > maxText {
				t.Errorf("Plain of %d bytes has %d characters", len(in), utf8.RuneCountInString(got))
			}
		}
	})
}
