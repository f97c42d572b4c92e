package teams

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/infracloudio/msbotbuilder-go/core/activity"
	"github.com/infracloudio/msbotbuilder-go/schema"
)

// errActivity means that an activity is not JSON of the right form.
var errActivity = errors.New("not an activity")

// kind is what somebody did, or what happened.
type kind string

const (
	kindIgnored kind = "ignored" // nothing to do, and to be answered with 200
	kindSaid    kind = "said"    // words for the bot
	kindPress   kind = "press"   // a button pressed, by Action.Execute
	kindSubmit  kind = "submit"  // a button pressed, in a client that knows only Action.Submit
	kindOpen    kind = "open"    // a button pressed that opens a form
	kindForm    kind = "form"    // a form sent
	kindAdded   kind = "added"   // the bot was added to a conversation
	kindRemoved kind = "removed" // … or removed from one
	kindChanged kind = "changed" // people or channels of a conversation are others now
)

// incoming is one thing that came from Teams. What does not belong to its kind is empty.
type incoming struct {
	kind             kind
	id               string // of its event: the same however often Teams delivers it
	activity         string
	service          string
	channel          string // the conversation, without the thread
	conversationKind string
	thread           string // the root of the thread that it is in; "" outside of channels
	team             string
	user             string // 29:…
	object           string // the person's in Entra; "" where Teams names none
	tenant           string // the person's own; "" where Teams does not say
	zone             string
	words            []string
	message          string // the key that message was given
	action           string
	values           map[string]string
	replyTo          string // the message that was pressed
	upgrade          bool   // kindAdded: it was there before
}

// Format prints what may be seen of it.
func (in incoming) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "%s %s of %s in %s", in.kind, in.id, in.object, in.channel)
}

// extra is what the library's activity has no place for.
type extra struct {
	Entities []mentioned `json:"entities"`
	From     struct {
		Tenant string `json:"tenantId"`
	} `json:"from"`
}

// mentioned is somebody who was named in a message.
type mentioned struct {
	Type      string `json:"type"`
	Text      string `json:"text"`
	Mentioned struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"mentioned"`
}

// prepared makes a body fit for the library, which refuses a whole activity whose value is no object, though Microsoft
// allows any: such a value is none of ours, and is left out. It returns what the library leaves out itself.
func prepared(body []byte) ([]byte, extra, error) {
	var more extra
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return nil, more, errActivity
	}
	for _, name := range []string{"value", "channelData"} {
		if v := fields[name]; len(v) > 0 && v[0] != '{' {
			delete(fields, name)
		}
	}
	// Of all that an activity may hold, what is read; the rest might be of a form that the library stumbles over.
	read := []string{
		"type", "id", "serviceUrl", "channelId", "from", "recipient", "conversation", "text", "localTimezone", "channelData", "value",
		"name", "replyToId", "action", "membersAdded", "membersRemoved",
	}
	maps.DeleteFunc(fields, func(name string, _ json.RawMessage) bool {
		return !slices.Contains(read, name) && name != "entities"
	})
	out, err := json.Marshal(fields)
	if err != nil {
		return nil, more, errActivity
	}
	err = json.Unmarshal(out, &more)
	if _, other := errors.AsType[*json.UnmarshalTypeError](err); err != nil && !other { // what is of another form is left empty
		return nil, more, errActivity
	}
	delete(fields, "entities")
	if out, err = json.Marshal(fields); err != nil {
		return nil, more, errActivity
	}
	return out, more, nil
}

// decode reads an activity whose sender was checked.
func decode(a schema.Activity, more extra) (incoming, error) {
	in := incoming{
		kind: kindIgnored, activity: a.ID, service: a.ServiceURL, user: a.From.ID, object: strings.ToLower(a.From.AadObjectID),
		conversationKind: a.Conversation.ConversationType, zone: a.LocalTimezone, tenant: more.From.Tenant, replyTo: a.ReplyToID,
	}
	if !IsID(in.object) {
		in.object = ""
	}
	var root string
	in.channel, root, _ = strings.Cut(a.Conversation.ID, ";messageid=")
	if in.conversationKind == "" {
		in.conversationKind = kindOf(in.channel)
	}
	if in.conversationKind == channel && root != "" {
		in.thread = ref(in.channel+";messageid="+root, root)
	}
	in.team, _ = within(a.ChannelData, "team")["id"].(string)
	if in.channel == "" || len(in.channel) > maxName || in.user == "" {
		return incoming{}, fmt.Errorf("%w: no conversation, or nobody in it", errActivity)
	}
	if a.ID == "" {
		data, err := json.Marshal(a)
		if err != nil {
			return incoming{}, errActivity
		}
		a.ID = "body " + hashed(string(data))
	}
	in.id = Platform + "/" + hashed(a.Conversation.ID, a.ID)
	switch a.Type {
	case schema.Message, schema.Invoke, schema.ConversationUpdate:
		turn := &activity.TurnContext{Activity: a}
		_, err := activity.PrepareActivityContext(activity.HandlerFuncs{
			OnMessageFunc:            func(*activity.TurnContext) (schema.Activity, error) { in.said(a, more); return a, nil },
			OnInvokeFunc:             func(*activity.TurnContext) (schema.Activity, error) { in.invoked(a); return a, nil },
			OnConversationUpdateFunc: func(*activity.TurnContext) (schema.Activity, error) { in.updated(a); return a, nil },
		}, turn)
		if err != nil {
			return incoming{}, fmt.Errorf("%w: %w", errActivity, err)
		}
	case installationUpdate:
		in.installed(a)
	default: // of a kind that the library knows nothing of, or that is none of ours
	}
	return in, nil
}

const installationUpdate = "installationUpdate"

// said reads a message: words, or a press in a client that knows only Action.Submit.
func (in *incoming) said(a schema.Activity, more extra) {
	if ours := within(a.Value, dataKey); ours != nil {
		in.kind = kindSubmit
		in.pressed(a.Value)
		return
	}
	in.kind = kindSaid
	in.words = strings.Fields(spoken(a.Text, a.Recipient.ID, more.Entities))
	if len(in.words) > 0 && (strings.EqualFold(in.words[0], "outage") || strings.EqualFold(in.words[0], "/outage")) {
		in.words = in.words[1:]
	}
}

// Invokes that are ours.
const (
	invokeAction = "adaptiveCard/action"
	invokeOpen   = "task/fetch"
	invokeForm   = "task/submit"
)

func (in *incoming) invoked(a schema.Activity) {
	switch a.Name {
	case invokeAction:
		if within(a.Value, "action")["type"] == "Action.Execute" && a.Value["trigger"] != "automatic" {
			in.kind = kindPress
			in.pressed(within(within(a.Value, "action"), "data"))
		}
	case invokeOpen, invokeForm:
		in.kind = kindOpen
		if a.Name == invokeForm {
			in.kind = kindForm
		}
		in.pressed(within(a.Value, "data"))
	}
}

// pressed reads the data of an action. It comes from the person's own device: it says what is asked for, and proves
// nothing.
func (in *incoming) pressed(data map[string]any) {
	ours := within(data, dataKey)
	in.action, _ = ours["a"].(string)
	in.message, _ = ours["m"].(string)
	in.values = valuesOf(data)
}

// updated reads that people, or the bot, were added to a conversation or removed from it.
func (in *incoming) updated(a schema.Activity) {
	in.kind = kindChanged
	for _, m := range a.MembersRemoved {
		if strings.EqualFold(m.ID, a.Recipient.ID) {
			in.kind = kindRemoved
		}
	}
	switch event, _ := a.ChannelData["eventType"].(string); event {
	case "channelDeleted", "teamDeleted", "teamHardDeleted":
		in.kind = kindRemoved
		if event == "channelDeleted" {
			in.team = "" // the others stay
			if id, ok := within(a.ChannelData, "channel")["id"].(string); ok && id != "" {
				in.channel = id
			}
		}
	}
}

// installed reads that the app was installed, upgraded or removed.
func (in *incoming) installed(a schema.Activity) {
	switch a.Action {
	case "add", "add-upgrade":
		in.kind, in.upgrade = kindAdded, a.Action == "add-upgrade"
	case "remove", "remove-upgrade":
		in.kind = kindRemoved
		if a.Action == "remove-upgrade" {
			in.kind = kindIgnored
		}
	}
}

// within is an object inside another; nil where there is none.
func within(o map[string]any, name string) map[string]any {
	inner, _ := o[name].(map[string]any)
	return inner
}

var tag = regexp.MustCompile(`(?i)</?at(?: [^<>]*)?>`)

// spoken is what was said to the bot. Its own mention is known by its id, whatever name it was given; of other people
// the name stays.
func spoken(text, bot string, entities []mentioned) string {
	for _, e := range entities {
		if e.Type != "mention" || e.Text == "" {
			continue
		}
		name := " "
		if !strings.EqualFold(e.Mentioned.ID, bot) {
			name = " @" + strings.TrimSpace(tag.ReplaceAllString(e.Text, "")) + " "
		}
		text = strings.ReplaceAll(text, e.Text, name)
	}
	text = tag.ReplaceAllString(text, "")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) && r != '\n': // Teams has U+00A0 after a mention
			return ' '
		case r != '\n' && unicode.Is(unicode.Cc, r), r == '\u200b', r == '\ufeff':
			return -1
		}
		return r
	}, text))
}

// hashed is a short name for parts.
func hashed(parts ...string) string {
	sum := sha256.New()
	for _, p := range parts {
		_, _ = fmt.Fprintf(sum, "%d %s", len(p), p)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}
