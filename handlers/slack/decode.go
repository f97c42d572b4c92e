package slack

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"switchback/bot/config"
)

// What is wrong with a request that Slack signed. None of them is the fault of the person, and none starts anything.
var (
	errContentType = errors.New("the content type is not the one of this kind of request")
	errQuery       = errors.New("a payload in the query is refused: the signature does not cover it")
	errPayload     = errors.New("the payload is missing or is not JSON of the right form")
	errMissing     = errors.New("the command, the person or the workspace is missing")
	errUnknown     = errors.New("an unknown kind of payload, or the callback of another app")
)

// kind is what somebody did, or what happened.
type kind string

const (
	kindIgnored       kind = "ignored"   // nothing to do, and to be answered with 200
	kindChallenge     kind = "challenge" // Slack checks the address: answer with the challenge
	kindCommand       kind = "command"   // words typed after /outage
	kindMention       kind = "mention"   // words typed after the bot's name
	kindDirect        kind = "direct"    // words typed to the bot alone
	kindPress         kind = "press"     // a button pressed
	kindForm          kind = "form"      // a form sent
	kindClosed        kind = "closed"    // a form closed without sending it
	kindReport        kind = "report"    // the shortcut "Report an outage"
	kindTimeline      kind = "timeline"  // the shortcut "Add to the outage's timeline" of a message
	kindStart         kind = "start"     // the shortcut "Start the playbook here" of a message
	kindHome          kind = "home"      // the Home tab opened
	kindShared        kind = "shared"    // a channel became shared with another organisation …
	kindUnshared      kind = "unshared"  // … or is no longer
	kindArchived      kind = "archived"  // a channel was archived
	kindLeft          kind = "left"      // the bot was removed from a channel
	kindUninstalled   kind = "uninstalled"
	kindRevoked       kind = "revoked"
	kindRateLimited   kind = "rate limited" // Slack drops events
	kindPersonChanged kind = "person changed"
	kindGroupChanged  kind = "group changed"
)

// The callbacks of the shortcuts, as the manifest has them.
const (
	reportCallback   = "report"
	timelineCallback = "timeline"
	startCallback    = "start"
)

// incoming is one thing that came from Slack. What does not belong to its kind is empty.
type incoming struct {
	kind                kind
	app                 string // whose signing secret it was
	team                string // the workspace where the bot is installed; may be empty if it is installed for a whole organisation
	userTeam            string // the person's own workspace; empty: Slack does not say
	enterprise          string
	isEnterpriseInstall bool
	user                string
	userName            string // as Slack calls the person; not unique
	group               string // kindGroupChanged
	channel             string
	direct              bool   // the channel is the person's with the bot alone
	external            bool   // Slack says that the channel is shared with another organisation
	thread              string // thread_ts of the message that it is about, or that it came from; "" outside of threads
	messageTS           string // that message
	ephemeral           bool   // and whether only the person sees it: no chat.update reaches it
	pressed             string // the id that message was given; "" if it is none of ours
	action              string // of the button or form
	values              map[string]string
	blocks              []string      // of the fields that the form showed
	words               []string      // of a command, as strings.Fields has them
	text                string        // what was typed, or the message's own text, byte for byte; <@U…> is a person
	trigger             config.Secret // opens a form, once, within 3 s
	responseURL         config.Secret
	viewID, viewHash    string
	meta                string // of modal
	challenge           string
	clientMsgID         string
	retry               string // Slack's number of the attempt; "" for the first
	retryReason         string
	id                  string // see eventID
}

// eventID is the same however often Slack delivers the same thing, over HTTP or Socket Mode. It holds no capability.
func (in incoming) eventID() string { return in.id }

// Format prints what may be seen of it: fmt cannot hide secrets in fields by itself.
func (in incoming) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "%s %s of %s in %s/%s", in.kind, in.id, in.user, in.team, in.channel)
}

// hashed is a name for parts that may be secrets.
func hashed(parts ...string) string {
	sum := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(sum, "%d %s", len(p), p)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// decode reads a request whose signature was checked. It returns errContentType, errQuery, errPayload, errMissing or
// errUnknown; what is none of our business is no error but kindIgnored.
func decode(header http.Header, query string, body []byte) (incoming, error) {
	if q, err := url.ParseQuery(query); err != nil || q.Has("payload") || q.Has("command") {
		return incoming{}, errQuery
	}
	contentType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return incoming{}, fmt.Errorf("%w: %.60q", errContentType, header.Get("Content-Type"))
	}
	var in incoming
	switch contentType {
	case "application/json":
		in, err = decodeEvent(body)
	case "application/x-www-form-urlencoded":
		in, err = decodeForm(body)
	default:
		return incoming{}, fmt.Errorf("%w: %.60q", errContentType, contentType)
	}
	if err != nil {
		return incoming{}, err
	}
	in.retry, in.retryReason = header.Get("X-Slack-Retry-Num"), header.Get("X-Slack-Retry-Reason")
	return in, nil
}

// decodeSocket reads the payload of an envelope that came over Socket Mode; envelope is its type. Errors as decode.
func decodeSocket(envelope string, payload []byte) (incoming, error) {
	switch envelope {
	case "slash_commands":
		var fields map[string]any
		if err := json.Unmarshal(payload, &fields); err != nil {
			return incoming{}, fmt.Errorf("%w: %w", errPayload, err)
		}
		form := url.Values{}
		for k, v := range fields {
			if v != nil {
				form.Set(k, fmt.Sprint(v))
			}
		}
		return decodeCommand(form)
	case "interactive":
		return decodeInteraction(payload)
	case "events_api":
		return decodeEvent(payload)
	}
	return incoming{}, fmt.Errorf("%w: envelope %.40q", errUnknown, envelope)
}

func decodeForm(body []byte) (incoming, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return incoming{}, fmt.Errorf("%w: %w", errPayload, err)
	}
	switch {
	case len(form["payload"]) == 1:
		return decodeInteraction([]byte(form.Get("payload")))
	case len(form["payload"]) > 1:
		return incoming{}, fmt.Errorf("%w: there are several", errPayload)
	case form.Get("ssl_check") == "1":
		return incoming{kind: kindIgnored}, nil
	case !form.Has("command"):
		return incoming{}, errPayload
	}
	return decodeCommand(form)
}

// decodeCommand reads https://docs.slack.dev/interactivity/implementing-slash-commands#app_command_handling
func decodeCommand(form url.Values) (incoming, error) {
	org := form.Get("is_enterprise_install") == "true"
	in := incoming{
		kind: kindCommand, app: form.Get("api_app_id"), team: form.Get("team_id"), userTeam: form.Get("team_id"), enterprise: form.Get("enterprise_id"),
		isEnterpriseInstall: org, user: form.Get("user_id"), userName: form.Get("user_name"), channel: form.Get("channel_id"),
		direct: form.Get("channel_name") == "directmessage" && strings.HasPrefix(form.Get("channel_id"), "D"),
		text:   unescape(form.Get("text")), trigger: config.Secret(form.Get("trigger_id")), responseURL: config.Secret(form.Get("response_url")),
	}
	if !strings.HasPrefix(form.Get("command"), "/") || in.user == "" || in.team == "" && !org {
		return incoming{}, errMissing
	}
	in.words = strings.Fields(in.text)
	in.id = "slack/cmd/" + hashed(cmp.Or(in.trigger.Reveal(), form.Encode()))
	return in, nil
}

// interaction is what is used of https://docs.slack.dev/reference/interaction-payloads, whatever else is in there.
type interaction struct {
	Type       string `json:"type"`
	App        string `json:"api_app_id"`
	CallbackID string `json:"callback_id"`
	Trigger    string `json:"trigger_id"`
	Response   string `json:"response_url"`
	ActionTS   string `json:"action_ts"`
	MessageTS  string `json:"message_ts"`
	Org        bool   `json:"is_enterprise_install"`
	Team       *struct {
		ID string `json:"id"`
	} `json:"team"`
	Enterprise *struct {
		ID string `json:"id"`
	} `json:"enterprise"`
	User struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Username string `json:"username"`
		Team     string `json:"team_id"`
	} `json:"user"`
	Channel struct {
		ID string `json:"id"`
	} `json:"channel"`
	Container struct {
		Message   string `json:"message_ts"`
		Thread    string `json:"thread_ts"`
		Channel   string `json:"channel_id"`
		Ephemeral bool   `json:"is_ephemeral"`
	} `json:"container"`
	Message struct {
		TS     string `json:"ts"`
		Thread string `json:"thread_ts"`
		Text   string `json:"text"`
		Others []struct {
			Text string `json:"fallback"`
		} `json:"attachments"`
	} `json:"message"`
	View struct {
		ID         string `json:"id"`
		Hash       string `json:"hash"`
		CallbackID string `json:"callback_id"`
		Meta       string `json:"private_metadata"`
		State      struct {
			Values map[string]map[string]field `json:"values"`
		} `json:"state"`
	} `json:"view"`
	Actions []struct {
		Type     string `json:"type"`
		BlockID  string `json:"block_id"`
		ActionID string `json:"action_id"`
		Value    string `json:"value"`
		TS       string `json:"action_ts"`
	} `json:"actions"`
}

// field is what a person gave an input.
type field struct {
	Type     string   `json:"type"`
	Value    string   `json:"value"`
	Selected *option  `json:"selected_option"`
	Several  []option `json:"selected_options"`
}

type option struct {
	Value string `json:"value"`
}

func decodeInteraction(payload []byte) (incoming, error) {
	var p interaction
	if err := leniently(payload, &p); err != nil {
		return incoming{}, err
	}
	in := incoming{
		app: p.App, userTeam: p.User.Team, isEnterpriseInstall: p.Org, user: p.User.ID, userName: cmp.Or(p.User.Username, p.User.Name),
		channel: cmp.Or(p.Channel.ID, p.Container.Channel), thread: cmp.Or(p.Container.Thread, p.Message.Thread),
		messageTS: cmp.Or(p.Container.Message, p.Message.TS, p.MessageTS), ephemeral: p.Container.Ephemeral,
		trigger: config.Secret(p.Trigger), responseURL: config.Secret(p.Response), viewID: p.View.ID, viewHash: p.View.Hash,
	}
	in.direct = strings.HasPrefix(in.channel, "D")
	if p.Team != nil {
		in.team = p.Team.ID
	}
	if p.Enterprise != nil {
		in.enterprise = p.Enterprise.ID
	}
	unique := hashed(cmp.Or(p.Trigger, string(payload)))
	switch p.Type {
	case "block_actions":
		in.kind = kindPress
		if len(p.Actions) == 0 {
			return incoming{}, fmt.Errorf("%w: nothing was pressed", errPayload)
		}
		a := p.Actions[0]
		in.pressed, in.action = pressedID(a.BlockID), a.Value
		in.id = "slack/act/" + unique
		if p.Trigger == "" {
			in.id = "slack/act/" + hashed(a.TS, in.user, in.channel, in.messageTS, in.viewID, a.BlockID, a.ActionID)
		}
		if a.Type != "button" { // such as a menu of another version: it has no action of ours
			in.kind = kindIgnored
		}
	case "view_submission":
		in.kind, in.id = kindForm, "slack/view/"+in.viewID+"/"+unique
		in.values, in.blocks = joined(p.View.State.Values), slices.Sorted(maps.Keys(p.View.State.Values))
	case "view_closed":
		in.kind, in.id = kindClosed, "slack/view/"+in.viewID+"/closed"
	case "shortcut", "message_action":
		in.id = "slack/cut/" + unique
		in.text = unescape(p.Message.Text)
		for _, a := range p.Message.Others {
			if in.text == "" { // what other apps write has its words there
				in.text = unescape(a.Text)
			}
		}
		switch {
		case p.Type == "shortcut" && p.CallbackID == reportCallback:
			in.kind = kindReport
		case p.Type == "message_action" && p.CallbackID == timelineCallback:
			in.kind = kindTimeline
		case p.Type == "message_action" && p.CallbackID == startCallback:
			in.kind = kindStart
		default:
			return incoming{}, fmt.Errorf("%w: %s %.40q", errUnknown, p.Type, p.CallbackID)
		}
	default:
		return incoming{}, fmt.Errorf("%w: %.40q", errUnknown, p.Type)
	}
	if in.kind == kindForm || in.kind == kindClosed {
		if p.View.CallbackID != formCallback {
			return incoming{}, fmt.Errorf("%w: %s %.40q", errUnknown, p.Type, p.View.CallbackID)
		}
		in.action, in.meta, _ = strings.Cut(p.View.Meta, "\n")
	}
	if in.user == "" || in.team == "" && !in.isEnterpriseInstall {
		return incoming{}, errMissing
	}
	return in, nil
}

// leniently reads JSON into fields of their types, and leaves those empty that have another: what is unknown to us must
// not lose what is known.
func leniently(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	if _, other := errors.AsType[*json.UnmarshalTypeError](err); err != nil && !other {
		return fmt.Errorf("%w: %w", errPayload, err)
	}
	return nil
}

// joined are the values of a form by the ids of its inputs, with the parts of long texts put together.
func joined(blocks map[string]map[string]field) map[string]string {
	type part struct {
		n    int
		text string
	}
	parts := map[string][]part{}
	for block, fields := range blocks {
		for action, f := range fields {
			text, ours := f.text()
			if !ours {
				continue
			}
			id, n, kind := fieldID(block, action)
			if kind == fieldLines {
				text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
			}
			parts[id] = append(parts[id], part{n, text})
		}
	}
	out := map[string]string{}
	for id, all := range parts {
		slices.SortFunc(all, func(a, b part) int { return cmp.Compare(a.n, b.n) })
		for _, p := range all {
			out[id] += p.text
		}
	}
	return out
}

// text is a field's value as a card's input has it; false for kinds of fields that are none of ours.
func (f field) text() (string, bool) {
	switch f.Type {
	case "plain_text_input":
		return f.Value, true
	case "radio_buttons", "static_select":
		if f.Selected == nil {
			return "", true
		}
		return optionOf(f.Selected.Value), true
	case "checkboxes", "multi_static_select":
		out := make([]string, len(f.Several))
		for i, o := range f.Several {
			out[i] = optionOf(o.Value)
		}
		return strings.Join(out, "\n"), true
	}
	return "", false
}

// outer is what comes to the events address, https://docs.slack.dev/apis/events-api#callback-field
type outer struct {
	Type           string `json:"type"`
	App            string `json:"api_app_id"`
	Team           string `json:"team_id"`
	Enterprise     string `json:"enterprise_id"`
	Challenge      string `json:"challenge"`
	EventID        string `json:"event_id"`
	External       bool   `json:"is_ext_shared_channel"`
	Minute         int64  `json:"minute_rate_limited"`
	Authorizations []struct {
		User string `json:"user_id"`
		Org  bool   `json:"is_enterprise_install"`
	} `json:"authorizations"`
	Event event `json:"event"`
}

// slackbot is Slack itself as it speaks to people, and to bots.
const slackbot = "USLACKBOT"

// event is what is used of any of the events.
type event struct {
	Type        string          `json:"type"`
	Subtype     string          `json:"subtype"`
	User        named           `json:"user"`
	Bot         string          `json:"bot_id"`
	Text        string          `json:"text"`
	TS          string          `json:"ts"`
	Thread      string          `json:"thread_ts"`
	Channel     named           `json:"channel"`
	ChannelType string          `json:"channel_type"`
	ClientMsgID string          `json:"client_msg_id"`
	Edited      json.RawMessage `json:"edited"`
	Team        string          `json:"team"`
	UserTeam    string          `json:"user_team"`
	SourceTeam  string          `json:"source_team"`
	Group       string          `json:"subteam_id"`
	Blocks      json.RawMessage `json:"blocks"`
	View        struct {
		ID   string `json:"id"`
		Hash string `json:"hash"`
	} `json:"view"`
}

// named is a person or channel, of which some events have the id only, and others the whole.
type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Team string `json:"team_id"`
}

// UnmarshalJSON reads either form, and leaves anything else empty.
func (n *named) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &n.ID) == nil {
		return nil
	}
	type whole named
	return leniently(data, (*whole)(n))
}

func decodeEvent(body []byte) (incoming, error) {
	var o outer
	if err := leniently(body, &o); err != nil {
		return incoming{}, err
	}
	e := o.Event
	in := incoming{
		kind: kindIgnored, app: o.App, team: o.Team, enterprise: o.Enterprise, external: o.External,
		user: e.User.ID, userName: e.User.Name, userTeam: cmp.Or(e.User.Team, e.UserTeam, e.SourceTeam, e.Team), group: e.Group,
		channel: e.Channel.ID, direct: e.ChannelType == "im" || strings.HasPrefix(e.Channel.ID, "D"), thread: e.Thread, messageTS: e.TS,
		clientMsgID: e.ClientMsgID, viewID: e.View.ID, viewHash: e.View.Hash, challenge: o.Challenge,
	}
	for _, a := range o.Authorizations {
		in.isEnterpriseInstall = in.isEnterpriseInstall || a.Org
	}
	in.id = "slack/evt/" + cmp.Or(o.EventID, hashed(string(body)))
	switch o.Type {
	case "url_verification":
		in.kind = kindChallenge
		if o.Challenge == "" {
			return incoming{}, fmt.Errorf("%w: there is no challenge", errPayload)
		}
		return in, nil
	case "app_rate_limited":
		in.kind = kindRateLimited
		in.id = fmt.Sprintf("slack/evt/limited/%s/%d", o.Team, o.Minute)
		return in, nil
	case "event_callback":
	default:
		return incoming{}, fmt.Errorf("%w: %.40q", errUnknown, o.Type)
	}
	if in.team == "" && !in.isEnterpriseInstall {
		return incoming{}, errMissing
	}
	// What bots wrote, this one too, and what only changes a message that was written before, is no word to the bot.
	// So is what Slackbot says: that the bot was removed from a channel, say.
	said := e.Bot == "" && in.user != "" && in.user != slackbot && len(e.Edited) == 0 && (e.Subtype == "" || e.Subtype == "file_share" || e.Subtype == "thread_broadcast")
	switch e.Type {
	case "app_mention":
		if said {
			in.kind = kindMention
		}
	case "message":
		if said && e.ChannelType == "im" {
			in.kind = kindDirect
		}
	case "app_home_opened":
		in.kind = kindHome
	case "channel_shared":
		in.kind = kindShared
	case "channel_unshared":
		in.kind = kindUnshared
	case "channel_archive", "group_archive":
		in.kind = kindArchived
	case "channel_left", "group_left": // of other people's leaving there is member_left_channel
		in.kind = kindLeft
	case "app_uninstalled":
		in.kind = kindUninstalled
	case "tokens_revoked":
		in.kind = kindRevoked
	case "user_change":
		in.kind = kindPersonChanged
	case "subteam_members_changed":
		in.kind = kindGroupChanged
	}
	if in.kind == kindMention || in.kind == kindDirect {
		bots := make([]string, len(o.Authorizations))
		for i, a := range o.Authorizations {
			bots[i] = a.User
		}
		in.text = emojiOf(e.Blocks).Replace(unescape(toBot(e.Text, bots, in.kind == kindMention)))
		in.words = strings.Fields(in.text)
		if len(in.words) > 0 && (strings.EqualFold(in.words[0], "outage") || strings.EqualFold(in.words[0], "/outage")) {
			_, in.text, _ = strings.Cut(in.text, in.words[0])
			in.text, in.words = strings.TrimLeft(in.text, " \t\n"), in.words[1:]
		}
	}
	return in, nil
}

var mention = regexp.MustCompile(`<@([A-Z0-9]+)(?:\|[^<>]*)?>`)

// toBot is what was said to the bot: what stands after its name, or else before it. Where it is not called by a name,
// in a conversation with it alone, that is everything.
func toBot(text string, bots []string, called bool) string {
	for _, m := range mention.FindAllStringSubmatchIndex(text, -1) {
		id := text[m[2]:m[3]]
		if !slices.Contains(bots, id) && (len(bots) > 0 || !called) {
			continue
		}
		before, after := strings.TrimSpace(text[:m[0]]), strings.TrimSpace(text[m[1]:])
		if !called && before != "" {
			break // it is spoken of
		}
		return cmp.Or(after, before)
	}
	return text
}

// token is what Slack makes of names and addresses in what was typed.
var token = regexp.MustCompile(`<([^<>\n]*)>`)

// unescape gives back what was typed (https://docs.slack.dev/messaging/formatting-message-text#retrieving-messages).
// A person, a channel and a group stay <@U…>, <#C…> and <!subteam^S…>: their names are not unique.
func unescape(s string) string {
	s = token.ReplaceAllStringFunc(s, func(t string) string {
		what, label, labelled := strings.Cut(t[1:len(t)-1], "|")
		if what == "" {
			return t
		}
		switch {
		case what[0] == '@' || what[0] == '#' || strings.HasPrefix(what, "!subteam^"):
			return "<" + what + ">"
		case what == "!here" || what == "!channel" || what == "!everyone":
			return "@" + what[1:]
		case !labelled:
			return what
		case what[0] == '!' || label == bare(what) || label == what:
			return label
		}
		return label + " (" + what + ")"
	})
	return strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">").Replace(s)
}

// bare is an address as people type it.
func bare(address string) string {
	for _, scheme := range []string{"https://", "http://", "mailto:", "tel:"} {
		if rest, ok := strings.CutPrefix(address, scheme); ok {
			return rest
		}
	}
	return address
}

// emojiOf gives emoji back as they were typed: Slack writes them as :name:, and the blocks of the message say what that
// was.
func emojiOf(blocks []byte) *strings.Replacer {
	var toned, pairs []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			name, _ := v["name"].(string)
			code, _ := v["unicode"].(string)
			if v["type"] == "emoji" && name != "" && code != "" {
				var b strings.Builder
				for hex := range strings.SplitSeq(code, "-") {
					if r, err := strconv.ParseUint(hex, 16, 32); err == nil && r <= unicode.MaxRune {
						b.WriteRune(rune(r))
					}
				}
				if tone, ok := v["skin_tone"].(float64); ok {
					toned = append(toned, fmt.Sprintf(":%s::skin-tone-%d:", name, int(tone)), b.String())
				} else {
					pairs = append(pairs, ":"+name+":", b.String())
				}
			}
			for _, x := range v {
				walk(x)
			}
		}
	}
	var all any
	if json.Unmarshal(blocks, &all) == nil {
		walk(all)
	}
	return strings.NewReplacer(append(toned, pairs...)...)
}
