package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	slackgo "github.com/slack-go/slack"

	"switchback/bot/card"
	"switchback/bot/flow"
)

func posted(t *testing.T, form url.Values) (incoming, error) {
	t.Helper()
	return decode(http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, "", []byte(form.Encode()))
}

func told(t *testing.T, body string) (incoming, error) {
	t.Helper()
	return decode(http.Header{"Content-Type": {"application/json; charset=utf-8"}}, "", []byte(body))
}

// typed is a slash command as Slack sends it.
func typed(text string) url.Values {
	return url.Values{
		"token": {"x"}, "team_id": {"T1"}, "team_domain": {"acme"}, "channel_id": {"C1"}, "channel_name": {"chat"}, "user_id": {"U1"}, "user_name": {"ana"},
		"command": {"/outage"}, "text": {text}, "api_app_id": {"A1"}, "is_enterprise_install": {"false"},
		"response_url": {"https://hooks.slack.com/commands/T1/1/x"}, "trigger_id": {"1.2.secret"},
	}
}

// alike compares what is not a secret capability or a hash.
func alike(t *testing.T, got, want incoming) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(incoming{}), cmpopts.EquateEmpty(), cmpopts.IgnoreFields(incoming{}, "id")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCommand(t *testing.T) {
	got, err := posted(t, typed(`chat  late &lt;b&gt;&amp;amp; "quoted" <@U2|sam> <#C2|chat> <https://x.test/?a=1&amp;b=2> <http://acme.test|acme.test> 😀`))
	if err != nil {
		t.Fatal(err)
	}
	text := `chat  late <b>&amp; "quoted" <@U2> <#C2> https://x.test/?a=1&b=2 acme.test 😀`
	alike(t, got, incoming{
		kind: kindCommand, app: "A1", team: "T1", userTeam: "T1", user: "U1", userName: "ana", channel: "C1", text: text,
		words: strings.Fields(text), trigger: "1.2.secret", responseURL: "https://hooks.slack.com/commands/T1/1/x",
	})
	socket, err := decodeSocket("slash_commands", []byte(`{"team_id":"T1","channel_id":"C1","channel_name":"chat","user_id":"U1","user_name":"ana","command":"/outage","text":"chat","api_app_id":"A1","is_enterprise_install":"false","response_url":"https://hooks.slack.com/x","trigger_id":"1.2.secret","enterprise_id":null}`))
	if err != nil {
		t.Fatal(err)
	}
	if got.eventID() != socket.eventID() || strings.Contains(got.eventID(), "secret") || !strings.HasPrefix(got.eventID(), "slack/cmd/") {
		t.Errorf("ids %q over HTTP and %q over Socket Mode, want one without the trigger", got.eventID(), socket.eventID())
	}
}

const pressBody = `{"type":"block_actions","user":{"id":"U1","username":"ana","name":"ana","team_id":"T2"},"api_app_id":"A1","token":"x",
 "container":{"type":"message","message_ts":"17.1","channel_id":"C1","is_ephemeral":true,"thread_ts":"16.0"},"trigger_id":"1.2.secret",
 "team":{"id":"T1","domain":"acme"},"enterprise":null,"is_enterprise_install":false,"channel":{"id":"C1","name":"chat"},
 "message":{"ts":"17.1","blocks":[{"type":"never_heard_of"}]},"state":{"values":{"x":{"y":{"type":"rich_text_input","rich_text_value":{}}}}},
 "response_url":"https://hooks.slack.com/actions/T1/1/x",
 "actions":[{"type":"button","block_id":%q,"action_id":"button0","value":"1.act","action_ts":"18.0","text":{"type":"plain_text","text":"Restore…"}}]}`

func TestPress(t *testing.T) {
	_, blocks := message(everything("", false), "chat-1/home")
	block := blocks[len(blocks)-1].ID()
	got, err := posted(t, url.Values{"payload": {fmt.Sprintf(pressBody, block)}})
	if err != nil {
		t.Fatal(err)
	}
	alike(t, got, incoming{
		kind: kindPress, app: "A1", team: "T1", userTeam: "T2", user: "U1", userName: "ana", channel: "C1", thread: "16.0", messageTS: "17.1", ephemeral: true,
		pressed: "chat-1/home", action: "1.act", trigger: "1.2.secret", responseURL: "https://hooks.slack.com/actions/T1/1/x",
	})
	if id := got.eventID(); !strings.HasPrefix(id, "slack/act/") || strings.Contains(id, "secret") {
		t.Errorf("eventID() = %q", id)
	}
	if s := fmt.Sprintf("%v %+v %#v", got, got, &got); strings.Contains(s, "secret") || strings.Contains(s, "hooks.slack") {
		t.Errorf("printed, it shows a capability: %s", s)
	}
}

func TestRefused(t *testing.T) {
	form := "application/x-www-form-urlencoded"
	for name, tt := range map[string]struct {
		contentType, query, body string
		want                     error
	}{
		"no content type":       {"", "", "command=%2Foutage", errContentType},
		"wrong content type":    {"text/plain", "", "command=%2Foutage", errContentType},
		"payload in the query":  {form, "payload=%7B%7D", "payload=%7B%7D", errQuery},
		"a broken query":        {form, "%zz", "", errQuery},
		"nothing":               {form, "", "", errPayload},
		"two payloads":          {form, "", "payload=%7B%7D&payload=%7B%7D", errPayload},
		"payload is no JSON":    {form, "", "payload=%7B", errPayload},
		"nothing was pressed":   {form, "", "payload=" + url.QueryEscape(`{"type":"block_actions","user":{"id":"U1"},"team":{"id":"T1"}}`), errPayload},
		"unknown interaction":   {form, "", "payload=" + url.QueryEscape(`{"type":"block_suggestion","user":{"id":"U1"},"team":{"id":"T1"}}`), errUnknown},
		"another app's form":    {form, "", "payload=" + url.QueryEscape(`{"type":"view_submission","user":{"id":"U1"},"team":{"id":"T1"},"view":{"id":"V1","callback_id":"x"}}`), errUnknown},
		"unknown shortcut":      {form, "", "payload=" + url.QueryEscape(`{"type":"shortcut","callback_id":"x","user":{"id":"U1"},"team":{"id":"T1"}}`), errUnknown},
		"shortcut of messages":  {form, "", "payload=" + url.QueryEscape(`{"type":"message_action","callback_id":"report","user":{"id":"U1"},"team":{"id":"T1"}}`), errUnknown},
		"press by nobody":       {form, "", "payload=" + url.QueryEscape(`{"type":"block_actions","actions":[{"type":"button"}],"team":{"id":"T1"}}`), errMissing},
		"press in no workspace": {form, "", "payload=" + url.QueryEscape(`{"type":"block_actions","actions":[{"type":"button"}],"user":{"id":"U1"},"team":null}`), errMissing},
		"command without team":  {form, "", "command=%2Foutage&user_id=U1", errMissing},
		"command without user":  {form, "", "command=%2Foutage&team_id=T1", errMissing},
		"no command":            {form, "", "command=outage&team_id=T1&user_id=U1", errMissing},
		"command as JSON":       {"application/json", "", `{"command":"/outage","user_id":"U1","team_id":"T1"}`, errUnknown},
		"event is no JSON":      {"application/json", "", `{`, errPayload},
		"no challenge":          {"application/json", "", `{"type":"url_verification"}`, errPayload},
		"event of no team":      {"application/json", "", `{"type":"event_callback","event":{"type":"app_mention"}}`, errMissing},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decode(http.Header{"Content-Type": {tt.contentType}}, tt.query, []byte(tt.body))
			if !errors.Is(err, tt.want) {
				t.Errorf("decode() = %v, %v, want the error %v", got, err, tt.want)
			}
		})
	}
}

func TestEvents(t *testing.T) {
	happened := func(event string) string {
		return `{"type":"event_callback","team_id":"T1","api_app_id":"A1","event_id":"Ev1","event":` + event + `,
			"authorizations":[{"team_id":"T1","user_id":"UBOT","is_bot":true,"is_enterprise_install":false}],"is_ext_shared_channel":false}`
	}
	base := incoming{app: "A1", team: "T1"}
	with := func(change func(in *incoming)) incoming {
		in := base
		change(&in)
		return in
	}
	said := func(k kind, text string) incoming {
		return with(func(in *incoming) {
			in.kind, in.user, in.userTeam, in.channel, in.messageTS, in.clientMsgID, in.text, in.words = k, "U1", "T1", "C1", "17.1", "m1", text, strings.Fields(text)
			if k == kindDirect {
				in.channel, in.direct = "D1", true
			}
		})
	}
	mentioned := func(text string) string {
		return happened(`{"type":"app_mention","user":"U1","team":"T1","ts":"17.1","client_msg_id":"m1","channel":"C1","text":` + text + `}`)
	}
	direct := func(text, more string) string {
		return happened(`{"type":"message","channel_type":"im","user":"U1","team":"T1","ts":"17.1","client_msg_id":"m1","channel":"D1","text":` + text + more + `}`)
	}
	for name, tt := range map[string]struct {
		body string
		want incoming
	}{
		"mention":              {mentioned(`"<@UBOT> chat late"`), said(kindMention, "chat late")},
		"mention and outage":   {mentioned(`"<@UBOT|bot> Outage  chat late"`), said(kindMention, "chat late")},
		"mention at the end":   {mentioned(`"/outage chat late <@UBOT>"`), said(kindMention, "chat late")},
		"mention of others":    {mentioned(`"<@U2> look: <@UBOT> handover <@U2>"`), said(kindMention, "handover <@U2>")},
		"mention alone":        {mentioned(`"<@UBOT>"`), said(kindMention, "")},
		"mention with signs":   {mentioned(`"<@UBOT> note a &lt;b&gt; &amp;amp; <!here> <!subteam^S1|@oncall> <https://x.test|here>\nnext"`), said(kindMention, "note a <b> &amp; @here <!subteam^S1> here (https://x.test)\nnext")},
		"direct":               {direct(`"chat late"`, ""), said(kindDirect, "chat late")},
		"direct to the bot":    {direct(`"<@UBOT> /outage chat"`, ""), said(kindDirect, "chat")},
		"direct of the bot":    {direct(`"note <@UBOT> said so"`, ""), said(kindDirect, "note <@UBOT> said so")},
		"direct with a file":   {direct(`"status"`, `,"subtype":"file_share","files":[1]`), said(kindDirect, "status")},
		"direct with an emoji": {direct(`"note :wave::skin-tone-3: :family: :custom: :x"`, `,"blocks":[{"elements":[{"elements":[{"type":"emoji","name":"wave","unicode":"1f44b-1f3fc","skin_tone":3},{"type":"emoji","name":"family","unicode":"1f468-200d-1f469"},{"type":"emoji","name":"custom"}]}]}]`), said(kindDirect, "note 👋🏼 👨‍👩 :custom: :x")},
		"own words": {direct(`"Done"`, `,"bot_id":"B1"`), with(func(in *incoming) {
			in.kind, in.user, in.userTeam, in.channel, in.direct, in.messageTS, in.clientMsgID = kindIgnored, "U1", "T1", "D1", true, "17.1", "m1"
		})},
		"an edit": {direct(`""`, `,"subtype":"message_changed"`), with(func(in *incoming) {
			in.kind, in.user, in.userTeam, in.channel, in.direct, in.messageTS, in.clientMsgID = kindIgnored, "U1", "T1", "D1", true, "17.1", "m1"
		})},
		"an edited mention": {happened(`{"type":"app_mention","user":"U1","channel":"C1","edited":{"user":"U1"},"text":"<@UBOT> x"}`), with(func(in *incoming) {
			in.kind, in.user, in.channel = kindIgnored, "U1", "C1"
		})},
		"a channel's message": {happened(`{"type":"message","channel_type":"channel","user":"U1","channel":"C1","text":"chat late"}`), with(func(in *incoming) {
			in.kind, in.user, in.channel = kindIgnored, "U1", "C1"
		})},
		"home opened": {happened(`{"type":"app_home_opened","user":"U1","channel":"D1","tab":"home","view":{"id":"V1","hash":"h"}}`), with(func(in *incoming) {
			in.kind, in.user, in.channel, in.direct, in.viewID, in.viewHash = kindHome, "U1", "D1", true, "V1", "h"
		})},
		"shared":       {happened(`{"type":"channel_shared","connected_team_id":"T2","channel":"C1"}`), with(func(in *incoming) { in.kind, in.channel = kindShared, "C1" })},
		"unshared":     {happened(`{"type":"channel_unshared","channel":"C1"}`), with(func(in *incoming) { in.kind, in.channel = kindUnshared, "C1" })},
		"archived":     {happened(`{"type":"channel_archive","channel":"C1","user":"U1"}`), with(func(in *incoming) { in.kind, in.channel, in.user = kindArchived, "C1", "U1" })},
		"renamed":      {happened(`{"type":"channel_rename","channel":{"id":"C1","name":"x"}}`), with(func(in *incoming) { in.kind, in.channel = kindIgnored, "C1" })},
		"left":         {happened(`{"type":"channel_left","channel":"C1"}`), with(func(in *incoming) { in.kind, in.channel = kindLeft, "C1" })},
		"uninstalled":  {happened(`{"type":"app_uninstalled"}`), with(func(in *incoming) { in.kind = kindUninstalled })},
		"revoked":      {happened(`{"type":"tokens_revoked","tokens":{"bot":["U1"]}}`), with(func(in *incoming) { in.kind = kindRevoked })},
		"deactivated":  {happened(`{"type":"user_change","user":{"id":"U1","team_id":"T1","name":"ana","deleted":true}}`), with(func(in *incoming) { in.kind, in.user, in.userTeam, in.userName = kindPersonChanged, "U1", "T1", "ana" })},
		"group":        {happened(`{"type":"subteam_members_changed","subteam_id":"S1","team_id":"T1"}`), with(func(in *incoming) { in.kind, in.group = kindGroupChanged, "S1" })},
		"never heard":  {happened(`{"type":"coffee_ready","channel":7,"user":[1],"text":{}}`), with(func(in *incoming) { in.kind = kindIgnored })},
		"rate limited": {`{"type":"app_rate_limited","team_id":"T1","api_app_id":"A1","minute_rate_limited":1518467820}`, with(func(in *incoming) { in.kind = kindRateLimited })},
		"challenge":    {`{"type":"url_verification","challenge":"c","token":"x"}`, incoming{kind: kindChallenge, challenge: "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := told(t, tt.body)
			if err != nil {
				t.Fatal(err)
			}
			alike(t, got, tt.want)
		})
	}
	got, err := decode(http.Header{"Content-Type": {"application/json"}, "X-Slack-Retry-Num": {"2"}, "X-Slack-Retry-Reason": {"http_timeout"}}, "", []byte(mentioned(`"<@UBOT>"`)))
	if err != nil || got.eventID() != "slack/evt/Ev1" || got.retry != "2" || got.retryReason != "http_timeout" {
		t.Errorf("a retry gives %v (%q, %q), %v; want the id slack/evt/Ev1", got, got.retry, got.retryReason, err)
	}
}

func TestShortcuts(t *testing.T) {
	for callback, want := range map[string]kind{reportCallback: kindReport, timelineCallback: kindTimeline, startCallback: kindStart} {
		payload := fmt.Sprintf(`{"type":"message_action","callback_id":%q,"trigger_id":"1.2.secret","team":{"id":"T1"},"user":{"id":"U1","team_id":"T1"},"api_app_id":"A1",
			"channel":{"id":"C1"},"message_ts":"17.1","message":{"ts":"17.1","thread_ts":"16.0","text":"phones &lt;down&gt;","blocks":[{"type":"new","elements":[{"type":"newer"}]}]},"response_url":"https://hooks.slack.com/x"}`, callback)
		in := incoming{
			kind: want, app: "A1", team: "T1", userTeam: "T1", user: "U1", channel: "C1", thread: "16.0", messageTS: "17.1", text: "phones <down>",
			trigger: "1.2.secret", responseURL: "https://hooks.slack.com/x",
		}
		if want == kindReport {
			payload = `{"type":"shortcut","callback_id":"report","trigger_id":"1.2.secret","team":{"id":"T1"},"user":{"id":"U1","team_id":"T1"},"api_app_id":"A1"}`
			in = incoming{kind: want, app: "A1", team: "T1", userTeam: "T1", user: "U1", trigger: "1.2.secret"}
		}
		got, err := posted(t, url.Values{"payload": {payload}})
		if err != nil {
			t.Fatal(err)
		}
		alike(t, got, in)
	}
	got, err := posted(t, url.Values{"payload": {`{"type":"message_action","callback_id":"timeline","team":{"id":"T1"},"user":{"id":"U1"},
		"message":{"text":"","attachments":[{"fallback":"Page: <https://x.test|Voice> is down"}]}}`}})
	if want := "Page: Voice (https://x.test) is down"; err != nil || got.text != want {
		t.Errorf("another app's message gives %q, %v; want %q", got.text, err, want)
	}
}

// What a button means comes back with the press.
func FuzzAction(f *testing.F) {
	f.Add("w1", "confirm", "gladly/voice/+1650/ivr", "7", "a b &<>")
	f.Fuzz(func(t *testing.T, walk, verb, key, state, arg string) {
		a := flow.Action{Walk: walk, Verb: verb, Key: key, State: state, Arg: arg}
		if _, err := flow.DecodeAction(a.Encode()); err != nil || len(a.Encode()) > card.MaxAction {
			t.Skip("no action of the bot's")
		}
		_, blocks := message(card.Card{Title: "x", Buttons: []card.Button{{Label: "y", Action: a.Encode()}}}, "m")
		buttons := blocks[len(blocks)-1].(*slackgo.ActionBlock)
		payload, err := json.Marshal(map[string]any{
			"type": "block_actions", "team": map[string]string{"id": "T1"}, "user": map[string]string{"id": "U1"},
			"actions": []any{map[string]any{"type": "button", "block_id": buttons.BlockID, "value": buttons.Elements.ElementSet[0].(*slackgo.ButtonBlockElement).Value}},
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := posted(t, url.Values{"payload": {string(payload)}})
		if err != nil || got.pressed != "m" {
			t.Fatalf("decode() = %v, %v", got, err)
		}
		if back, err := flow.DecodeAction(got.action); err != nil || back != a {
			t.Errorf("%+v came back as %+v, %v", a, back, err)
		}
	})
}

// Slack escapes what is typed; we take that back, and what looked like a mention to begin with is still words.
func FuzzUnescape(f *testing.F) {
	f.Add(`a <b> &amp; <@U1> <!channel> "x" 😀`)
	f.Fuzz(func(t *testing.T, typed string) {
		escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(typed)
		if got := unescape(escaped); got != typed {
			t.Errorf("unescape(%q) = %q, want %q", escaped, got, typed)
		}
	})
}

func FuzzDecode(f *testing.F) {
	form, event := "application/x-www-form-urlencoded", "application/json"
	f.Add(form, []byte("payload="+url.QueryEscape(fmt.Sprintf(pressBody, "1.YQ.x"))))
	f.Add(form, []byte(typed("chat late").Encode()))
	f.Add(form, []byte(`payload=%7B%22type%22%3A%22block_actions%22%2C%22actions%22%3A%5B%7B%22type%22%3A%22datepicker%22%7D%5D%7D`))
	f.Add(event, []byte(`{"type":"event_callback","team_id":"T1","event":{"type":"app_mention","user":{"id":7},"text":"<@U1","blocks":[{"type":"emoji","name":"x","unicode":"ffffffff-d800"}]}}`))
	f.Add(event, []byte(`{"type":"event_callback","team_id":"T1","event":[]}`))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		got, err := decode(http.Header{"Content-Type": {contentType}}, "", body)
		for _, envelope := range []string{"slash_commands", "interactive", "events_api"} {
			_, _ = decodeSocket(envelope, body)
		}
		if err != nil {
			if got.kind != "" {
				t.Errorf("an error and %v", got)
			}
			return
		}
		// Whatever acts is somebody's, somewhere, and can be told from everything else.
		acts := got.kind == kindPress || got.kind == kindForm || got.kind == kindCommand || got.kind == kindMention || got.kind == kindDirect
		if acts && (got.user == "" || got.team == "" && !got.isEnterpriseInstall || got.eventID() == "") {
			t.Errorf("%v from nobody or nowhere", got)
		}
		if got.kind == kindPress && !strings.Contains(string(body), "button") && !strings.Contains(string(body), "%") && !strings.Contains(string(body), `\u`) {
			t.Errorf("a press without a button: %s", body)
		}
		if secret := got.trigger.Reveal(); len(secret) > 8 && strings.Contains(got.eventID(), secret) {
			t.Errorf("eventID() = %q shows a capability", got.eventID())
		}
	})
}
