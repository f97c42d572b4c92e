package slacktest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"switchback/handlers/slack/slacktest"
)

// raw is a block that slack-go does not look into.
type raw string

func (raw) BlockType() slack.MessageBlockType { return "raw" }
func (raw) ID() string                        { return "" }
func (r raw) MarshalJSON() ([]byte, error)    { return []byte(r), nil }

func long(n int) string { return strings.Repeat("é", n) } // counted in characters, not in bytes

func texted(n int) string {
	return fmt.Sprintf(`{"type":"section","text":{"type":"mrkdwn","text":%q}}`, long(n))
}

func TestLimitsOfMessages(t *testing.T) {
	s := acme(t, slacktest.Config{NoRateLimits: true})
	api := client(s)
	times := func(n int, block string) []string { return slices.Repeat([]string{block}, n) }
	actions := func(elements ...string) string {
		return `{"type":"actions","elements":[` + strings.Join(elements, ",") + `]}`
	}
	pressable := func(fields string) string {
		return `{"type":"button","text":{"type":"plain_text","text":"Go"}` + fields + `}`
	}
	sure := func(title, text, yes, no string) string {
		return fmt.Sprintf(`,"confirm":{"title":{"type":"plain_text","text":%q},"text":{"type":"plain_text","text":%q},"confirm":{"type":"plain_text","text":%q},"deny":{"type":"plain_text","text":%q}}`, title, text, yes, no)
	}
	options := func(n int, text, value string) string {
		var out []string
		for i := range n {
			out = append(out, fmt.Sprintf(`{"text":{"type":"plain_text","text":%q},"value":"%s%d"}`, text, value, i))
		}
		return `[` + strings.Join(out, ",") + `]`
	}
	for _, row := range []struct {
		name   string
		blocks []string
		want   string // the error, or the first message of it
	}{
		{"50 blocks", times(50, `{"type":"divider"}`), ""},
		{"51 blocks", times(51, `{"type":"divider"}`), "no more than 50 items allowed [json-pointer:/blocks]"},
		{"3,000 characters", []string{texted(3000)}, ""},
		{"3,001 characters", []string{texted(3001)}, "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"},
		{"no characters", []string{texted(0)}, "must be more than 0 characters [json-pointer:/blocks/0/text/text]"},
		{"text missing", []string{`{"type":"section"}`}, "missing required field: text [json-pointer:/blocks/0]"},
		{"much text", times(4, texted(3000)), ""},
		{"too much text", times(5, texted(2640)), "msg_blocks_too_long"},
		{"unknown block", []string{`{"type":"nonsense"}`}, "unsupported type: nonsense [json-pointer:/blocks/0/type]"},
		{"alert in a message", []string{`{"type":"alert","text":{"type":"plain_text","text":"x"}}`}, "unsupported type: alert [json-pointer:/blocks/0/type]"},
		{"unknown element", []string{actions(`{"type":"lever"}`)}, "unsupported type: lever [json-pointer:/blocks/0/elements/0/type]"},
		{"unknown field", []string{`{"type":"divider","colour":"red"}`}, "invalid additional property: colour [json-pointer:/blocks/0]"},
		{"emoji in mrkdwn", []string{`{"type":"section","text":{"type":"mrkdwn","text":"x","emoji":true}}`}, "invalid additional property: emoji [json-pointer:/blocks/0/text]"},
		{"header", []string{fmt.Sprintf(`{"type":"header","text":{"type":"plain_text","text":%q}}`, long(151))}, "must be less than 151 characters [json-pointer:/blocks/0/text/text]"},
		{"header in mrkdwn", []string{`{"type":"header","text":{"type":"mrkdwn","text":"x"}}`}, "unsupported type: mrkdwn [json-pointer:/blocks/0/text/type]"},
		{"11 fields", []string{`{"type":"section","fields":[` + strings.Repeat(`{"type":"mrkdwn","text":"x"},`, 10) + `{"type":"mrkdwn","text":"x"}]}`}, "no more than 10 items allowed [json-pointer:/blocks/0/fields]"},
		{"long field", []string{fmt.Sprintf(`{"type":"section","fields":[{"type":"mrkdwn","text":%q}]}`, long(2001))}, "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]"},
		{"11 notes", []string{`{"type":"context","elements":[` + strings.Repeat(`{"type":"mrkdwn","text":"x"},`, 10) + `{"type":"mrkdwn","text":"x"}]}`}, "no more than 10 items allowed [json-pointer:/blocks/0/elements]"},
		{"26 buttons", []string{actions(times(26, pressable(""))...)}, "no more than 25 items allowed [json-pointer:/blocks/0/elements]"},
		{"long button", []string{actions(fmt.Sprintf(`{"type":"button","text":{"type":"plain_text","text":%q}}`, long(76)))}, "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]"},
		{"long value", []string{actions(pressable(`,"value":"` + long(2001) + `"`))}, "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]"},
		{"long action id", []string{actions(pressable(`,"action_id":"` + long(256) + `"`))}, "must be less than 256 characters [json-pointer:/blocks/0/elements/0/action_id]"},
		{"same action id", []string{actions(pressable(`,"action_id":"a"`), pressable(`,"action_id":"a"`))}, "`action_id` \"a\" already exists [json-pointer:/blocks/0/elements/1/action_id]"},
		{"same action id in two blocks", []string{actions(pressable(`,"action_id":"a"`)), actions(pressable(`,"action_id":"a"`))}, ""},
		{"same block id", []string{`{"type":"divider","block_id":"b"}`, `{"type":"divider","block_id":"b"}`}, "`block_id` \"b\" already exists [json-pointer:/blocks/1/block_id]"},
		{"long block id", []string{`{"type":"divider","block_id":"` + long(256) + `"}`}, "must be less than 256 characters [json-pointer:/blocks/0/block_id]"},
		{"green button", []string{actions(pressable(`,"style":"green"`))}, "must be one of: primary, danger [json-pointer:/blocks/0/elements/0/style]"},
		{"dialog", []string{actions(pressable(sure(long(100), long(300), long(30), long(30))))}, ""},
		{"long dialog", []string{actions(pressable(sure("Sure?", long(301), "Yes", "No")))}, "must be less than 301 characters [json-pointer:/blocks/0/elements/0/confirm/text/text]"},
		{"dialog without a no", []string{actions(pressable(`,"confirm":{"title":{"type":"plain_text","text":"Sure?"},"text":{"type":"plain_text","text":"x"},"confirm":{"type":"plain_text","text":"Yes"}}`))}, "missing required field: deny [json-pointer:/blocks/0/elements/0/confirm]"},
		{"101 options", []string{actions(`{"type":"static_select","options":` + options(101, "x", "v") + `}`)}, "no more than 100 items allowed [json-pointer:/blocks/0/elements/0/options]"},
		{"6 in the overflow", []string{actions(`{"type":"overflow","options":` + options(6, "x", "v") + `}`)}, "no more than 5 items allowed [json-pointer:/blocks/0/elements/0/options]"},
		{"long option", []string{actions(`{"type":"static_select","options":` + options(1, long(76), "v") + `}`)}, "must be less than 76 characters [json-pointer:/blocks/0/elements/0/options/0/text/text]"},
		{"initial option that is none", []string{actions(`{"type":"static_select","options":` + options(1, "x", "v") + `,"initial_option":{"text":{"type":"plain_text","text":"y"},"value":"y"}}`)}, "must be one of the provided options [json-pointer:/blocks/0/elements/0/initial_option]"},
		{"two tables", times(2, `{"type":"table","rows":[[{"type":"raw_text","text":"x"}]]}`), "only one table per message is allowed [json-pointer:/blocks/1/rows]"},
		{"markdown", []string{`{"type":"markdown","text":"` + long(12001) + `"}`}, "must be less than 12001 characters [json-pointer:/blocks/0/text]"},
	} {
		var blocks []slack.Block
		for _, b := range row.blocks {
			blocks = append(blocks, raw(b))
		}
		_, _, err := api.PostMessageContext(t.Context(), "C0SUPPORT", slack.MsgOptionText("x", false), slack.MsgOptionBlocks(blocks...))
		got := ""
		if refused, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
			got = refused.Err
			if len(refused.ResponseMetadata.Messages) > 0 {
				got = strings.TrimPrefix(refused.ResponseMetadata.Messages[0], "[ERROR] ")
			}
		} else if err != nil {
			t.Fatal(err)
		}
		if got != row.want {
			t.Errorf("%s: refused with %q, want %q", row.name, got, row.want)
		}
	}
}

func TestLimitsOfText(t *testing.T) {
	s := acme(t, slacktest.Config{NoRateLimits: true})
	api, ctx := client(s), t.Context()
	_, ts, err := api.PostMessageContext(ctx, "C0SUPPORT", slack.MsgOptionText(long(40001), false))
	if err != nil {
		t.Fatal(err)
	}
	if m, _ := s.Message("C0SUPPORT", ts); len([]rune(m.Text)) != 40000 {
		t.Errorf("kept %d characters, want 40000", len([]rune(m.Text)))
	}
	if _, _, _, err := api.UpdateMessageContext(ctx, "C0SUPPORT", ts, slack.MsgOptionText(long(4001), false)); code(err) != "msg_too_long" {
		t.Errorf("chat.update with 4,001 characters: %v", err)
	}
	if _, _, err := api.PostMessageContext(ctx, "C0SUPPORT"); code(err) != "no_text" {
		t.Errorf("nothing to say: %v", err)
	}
}

func TestLimitsOfViews(t *testing.T) {
	s := acme(t, slacktest.Config{NoRateLimits: true})
	api := client(s)
	field := `{"type":"input","block_id":"b","label":{"type":"plain_text","text":"Name"},"element":{"type":"plain_text_input"}}`
	for _, row := range []struct{ name, view, want string }{
		{"good", `{"type":"modal","title":{"type":"plain_text","text":"T"},"submit":{"type":"plain_text","text":"S"},"blocks":[` + field + `]}`, ""},
		{"no title", `{"type":"modal","blocks":[{"type":"divider"}]}`, "missing required field: title [json-pointer:/view]"},
		{"long title", `{"type":"modal","title":{"type":"plain_text","text":"` + long(25) + `"},"blocks":[{"type":"divider"}]}`, "must be less than 25 characters [json-pointer:/view/title/text]"},
		{"no submit", `{"type":"modal","title":{"type":"plain_text","text":"T"},"blocks":[` + field + `]}`, "missing required field: submit [json-pointer:/view]"},
		{"long metadata", `{"type":"modal","title":{"type":"plain_text","text":"T"},"blocks":[{"type":"divider"}],"private_metadata":"` + long(3001) + `"}`, "must be less than 3001 characters [json-pointer:/view/private_metadata]"},
		{"101 blocks", `{"type":"modal","title":{"type":"plain_text","text":"T"},"blocks":[` + strings.Repeat(`{"type":"divider"},`, 100) + `{"type":"divider"}]}`, "no more than 100 items allowed [json-pointer:/view/blocks]"},
		{"markdown in a form", `{"type":"modal","title":{"type":"plain_text","text":"T"},"blocks":[{"type":"markdown","text":"x"}]}`, "unsupported type: markdown [json-pointer:/view/blocks/0/type]"},
		{"a home tab", `{"type":"home","blocks":[{"type":"divider"}]}`, "missing required field: title [json-pointer:/view]"},
	} {
		body, err := json.Marshal(map[string]any{"trigger_id": trigger(t, s), "view": json.RawMessage(row.view)})
		if err != nil {
			t.Fatal(err)
		}
		got := call(t, s, "views.open", string(body))
		want := row.want
		if want != "" {
			want = "[ERROR] " + want
		}
		if got != want {
			t.Errorf("%s: refused with %q, want %q", row.name, got, want)
		}
	}
	if _, err := api.PublishViewContext(t.Context(), slack.PublishViewContextRequest{UserID: "U0NOBODY", View: slack.HomeTabViewRequest{
		Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: []slack.Block{slack.NewDividerBlock()}},
	}}); code(err) != "user_not_found" {
		t.Errorf("published to nobody: %v", err)
	}
}
