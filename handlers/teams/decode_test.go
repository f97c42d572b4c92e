package teams

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/infracloudio/msbotbuilder-go/schema"
)

// The bot's own mention goes, whatever it is called; of others the name stays; nothing is left of what was markup.
func TestSpoken(t *testing.T) {
	of := func(id, text string) mentioned {
		m := mentioned{Type: "mention", Text: text}
		m.Mentioned.ID = id
		return m
	}
	for _, tt := range []struct {
		text     string
		entities []mentioned
		want     string
	}{
		{"<at>Switchback</at>\u00a0outage chat", []mentioned{of("28:bot", "<at>Switchback</at>")}, "outage chat"},
		{"<at>Helper (test)</at> status", []mentioned{of("28:bot", "<at>Helper (test)</at>")}, "status"},
		{"outage chat <at>Switchback</at>", []mentioned{of("28:bot", "<at>Switchback</at>")}, "outage chat"},
		{"<at>Bot</at> handover to <at>Ana</at>", []mentioned{of("28:bot", "<at>Bot</at>"), of("29:ana", "<at>Ana</at>")}, "handover to  @Ana"},
		{"<at>Switchback</at> help", nil, "Switchback help"},
		{"note 3 < 4 and\nthen", nil, "note 3 < 4 and\nthen"},
		{"  hi\u200b\u202f! ", nil, "hi !"},
	} {
		if got := spoken(tt.text, "28:bot", tt.entities); got != tt.want {
			t.Errorf("spoken(%q) = %q, want %q", tt.text, got, tt.want)
		}
	}
}

func FuzzSpoken(f *testing.F) {
	f.Add("<at>Bot</at> outage <AT id=\"0\">x</AT>", "<at>Bot</at>", "28:bot")
	f.Add("a<at", "a", "")
	f.Fuzz(func(t *testing.T, text, mention, id string) {
		m := mentioned{Type: "mention", Text: mention}
		m.Mentioned.ID = id
		got := spoken(text, "28:bot", []mentioned{m})
		if strings.TrimSpace(got) != got || strings.ContainsAny(got, "\x00\r\u00a0\u200b") {
			t.Errorf("spoken(%q) = %q", text, got)
		}
		if utf8.ValidString(text) && utf8.ValidString(mention) && !utf8.ValidString(got) {
			t.Errorf("spoken(%q) = %q, which is no text", text, got)
		}
	})
}

// Whatever a body is, it is refused or becomes something that has an id and a place, and the same each time.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"type":"message","id":"1","from":{"id":"29:a","aadObjectId":"00000000-0000-0000-0000-0000000000AA"},"recipient":{"id":"28:bot"},"conversation":{"id":"19:x@thread.tacv2;messageid=1","conversationType":"channel"},"text":"<at>b</at> outage chat","entities":[{"type":"mention","text":"<at>b</at>","mentioned":{"id":"28:bot"}}]}`))
	f.Add([]byte(`{"type":"invoke","name":"adaptiveCard/action","from":{"id":"29:a"},"conversation":{"id":"a:1"},"value":{"action":{"type":"Action.Execute","data":{"switchback":{"a":"x","m":"y"},"t.a":"b","m.c":"=a,=b","c.d":"x","l.e":"1\n2"}}}}`))
	f.Add([]byte(`{"type":"invoke","name":"task/submit","from":{"id":"29:a"},"conversation":{"id":"a:1"},"value":{"data":{"switchback":[]}}}`))
	f.Add([]byte(`{"type":"installationUpdate","action":"remove","from":{"id":"29:a"},"conversation":{"id":"a:1"},"channelData":{"team":{"id":7},"eventType":{}}}`))
	f.Add([]byte(`{"type":"conversationUpdate","membersRemoved":[{"id":"28:bot"}],"from":{"id":"29:a"},"recipient":{"id":"28:BOT"},"conversation":{"id":"a:1"},"value":"x"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		read := func() (incoming, error) {
			fit, more, err := prepared(body)
			if err != nil {
				return incoming{}, err
			}
			var a schema.Activity
			if err := json.Unmarshal(fit, &a); err != nil {
				return incoming{}, err
			}
			return decode(a, more)
		}
		in, err := read()
		if err != nil {
			return
		}
		if again, err := read(); err != nil || !reflect.DeepEqual(in, again) {
			t.Errorf("read twice: %v and %v, %v", in, again, err)
		}
		if !strings.HasPrefix(in.id, "teams/") || len(in.id) > 60 || in.channel == "" || in.kind == "" {
			t.Errorf("decoded %+v", in)
		}
	})
}

// What an action's data says is taken as it is, and what is none of ours is nothing.
func FuzzData(f *testing.F) {
	f.Add(`{"switchback":{"a":"1.x","m":"k"},"t.why":"because","c.when":"=1h","m.which":"=a%2Cb,=c","l.old":"a\nb"}`)
	f.Add(`{"switchback":{"a":7},"c.when":"1h","m.which":"","x":{"y":1},"t.":"","t":"z"}`)
	f.Fuzz(func(t *testing.T, s string) {
		var data map[string]any
		if json.Unmarshal([]byte(s), &data) != nil {
			return
		}
		var in incoming
		in.pressed(data)
		for id, v := range in.values {
			if raw, ok := data[asText+id].(string); ok && data[asLines+id] == nil && data[asChoice+id] == nil && data[asMany+id] == nil && raw != v {
				t.Errorf("%q became %q", raw, v)
			}
		}
	})
}
