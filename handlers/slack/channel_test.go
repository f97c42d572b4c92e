package slack

import (
	"encoding/json"
	"strings"
	"testing"

	"switchback/bot/card"
)

// A channel is drawn as one that can be pressed; a direct message, and what is no channel, as words.
func TestChannelsOnCards(t *testing.T) {
	text, blocks := message(card.Card{Title: "Confirmed", Text: []string{"The rest is in " + card.Channel("C0SUPPORT") + " or in " + card.Channel("D0ANA") + "."}}, "m")
	if want := "The rest is in <#C0SUPPORT> or in our direct messages."; !strings.Contains(text, want) {
		t.Errorf("text is %q, want %q in it", text, want)
	}
	data, err := json.Marshal(blocks)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), `{"type":"channel","channel_id":"C0SUPPORT"}`) || strings.Contains(string(data), "D0ANA") {
		t.Errorf("blocks are %s", data)
	}
}
