package slacktest_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/handlers/slack/slacktest"
)

func TestTextAsPeopleSeeIt(t *testing.T) {
	c := &clock{t: time.Date(2026, 11, 26, 7, 10, 0, 0, time.UTC)} // Thursday 02:10 in New York
	s := acme(t, slacktest.Config{Now: c.now})
	s.AddUser(slacktest.User{Name: "lee", TwelveHours: true}) // in Los Angeles
	for _, row := range []struct{ mrkdwn, ana, lee string }{
		{"*bold* _slant_ ~gone~ `code` 2*3*4 snake_case_name", "bold slant gone code 2*3*4 snake_case_name", ""},
		{"*one* *two* (*three*)", "one two (three)", ""},
		{"a &lt;b&gt; &amp;amp; &amp;lt;", "a <b> &amp; &lt;", ""},
		{"<https://acme.example|the page> <https://acme.example/a_b_c> <mailto:help@acme.example|help@acme.example>", "the page https://acme.example/a_b_c help@acme.example", ""},
		{"<@U0ANA> <@U0NOBODY> <#C0SUPPORT> <!subteam^S0SUPPORTONCALL> <!here>", "@ana @U0NOBODY #support @support-oncall @here", ""},
		{"<!date^1795677000^{date_num} {time}|x>", "2026-11-26 02:10", "2026-11-25 11:10 PM"},
		{"<!date^1795677000^{date_short_pretty} at {time_secs}|x>", "Today at 02:10:00", "Today at 11:10:00 PM"},
		{"<!date^1795687000^{date_long}^https://acme.example|x>", "Thursday, November 26th, 2026", ""},
		{"<!date^1795477000^{date_short_pretty}|x>", "Nov 23, 2026", ""},
		{"<!date^1795677000^{moon}|Thu 07:10 UTC>", "Thu 07:10 UTC", ""},
		{"one\ntwo", "one|two", ""},
	} {
		m := slacktest.Message{Text: row.mrkdwn}
		if got := strings.Join(s.Lines(m, "U0ANA"), "|"); got != row.ana {
			t.Errorf("%q is %q to @ana, want %q", row.mrkdwn, got, row.ana)
		}
		if got := strings.Join(s.Lines(m, "U0LEE"), "|"); row.lee != "" && got != row.lee {
			t.Errorf("%q is %q to @lee, want %q", row.mrkdwn, got, row.lee)
		}
	}
}

func TestBlocksAsPeopleSeeThem(t *testing.T) {
	s := acme(t, slacktest.Config{})
	var blocks []slacktest.Block
	if err := json.Unmarshal([]byte(`[
		{"type":"header","text":{"type":"plain_text","text":"Chat &amp; <phone> *late*"}},
		{"type":"section","text":{"type":"mrkdwn","text":"*Web shop*\nopen → closed"},"fields":[{"type":"mrkdwn","text":"*Who*\n<@U0ANA>"}],
		 "accessory":{"type":"overflow","options":[{"text":{"type":"plain_text","text":"Again"},"value":"1"},{"text":{"type":"plain_text","text":"Note"},"value":"2"}]}},
		{"type":"divider"},
		{"type":"context","elements":[{"type":"mrkdwn","text":"read"},{"type":"image","image_url":"https://acme.example/x.png","alt_text":"a clock"}]},
		{"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"Close"}},{"type":"static_select","placeholder":{"type":"plain_text","text":"Pick"},"options":[{"text":{"type":"plain_text","text":"a"},"value":"1"}]}]},
		{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"Values: "},{"type":"user","user_id":"U0BEN"}]},{"type":"rich_text_list","style":"bullet","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"08:00"}]}]}]},
		{"type":"table","rows":[[{"type":"raw_text","text":"Number"},{"type":"raw_text","text":"Before"}]]},
		{"type":"input","block_id":"b","label":{"type":"plain_text","text":"Text"},"hint":{"type":"plain_text","text":"Byte for byte"},"element":{"type":"plain_text_input","action_id":"a"}}
	]`), &blocks); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"Chat & <phone> *late*", "Web shop", "open → closed", "Who", "@ana", "[… Again | Note]", "---", "read  (a clock)", "[Close]  [Pick ▾]",
		"Values: @ben", "• 08:00", "Number | Before", "Text: ", "Byte for byte",
	}
	if diff := cmp.Diff(want, s.Lines(slacktest.Message{Blocks: blocks}, "U0ANA")); diff != "" {
		t.Errorf("as @ana sees it (-want +got):\n%s", diff)
	}
	held := slacktest.View{
		Title: "T", Submit: "Save", Blocks: blocks[7:], Errors: map[string]string{"b": "Too long."},
		Values: map[string]map[string]any{"b": {"a": map[string]any{"type": "plain_text_input", "value": "<x> &"}}},
	}
	if diff := cmp.Diff([]string{"T", "Text: <x> &", "Byte for byte", "! Too long.", "[Save]"}, s.ViewLines(held, "U0ANA")); diff != "" {
		t.Errorf("a form (-want +got):\n%s", diff)
	}
}
