package slack

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	slackgo "github.com/slack-go/slack"

	"switchback/bot/card"
)

// sent is a form as Slack sends it when a person changes nothing in it: what the view has becomes its state.
func sent(t *testing.T, view slackgo.ModalViewRequest) url.Values {
	t.Helper()
	data, err := json.Marshal(view)
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		CallbackID string `json:"callback_id"`
		Meta       string `json:"private_metadata"`
		Blocks     []struct {
			Type    string `json:"type"`
			BlockID string `json:"block_id"`
			Element struct {
				Type     string           `json:"type"`
				ActionID string           `json:"action_id"`
				Value    *string          `json:"initial_value"`
				One      json.RawMessage  `json:"initial_option"`
				Many     []map[string]any `json:"initial_options"`
			} `json:"element"`
		} `json:"blocks"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	values := map[string]map[string]any{}
	for _, b := range v.Blocks {
		if b.Type != "input" {
			continue
		}
		state := map[string]any{"type": b.Element.Type}
		switch b.Element.Type {
		case "plain_text_input":
			state["value"] = b.Element.Value
		case "radio_buttons", "static_select":
			state["selected_option"] = b.Element.One
		default:
			state["selected_options"] = b.Element.Many
		}
		values[b.BlockID] = map[string]any{b.Element.ActionID: state}
	}
	payload, err := json.Marshal(map[string]any{
		"type": "view_submission", "team": map[string]string{"id": "T1"}, "user": map[string]string{"id": "U1", "team_id": "T1"}, "trigger_id": "1.2.secret",
		"view": map[string]any{"id": "V1", "hash": "h", "callback_id": v.CallbackID, "private_metadata": v.Meta, "state": map[string]any{"values": values}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return url.Values{"payload": {string(payload)}}
}

// What stands in a form comes back byte for byte, with its action and what the form was given.
func TestFormComesBack(t *testing.T) {
	long := strings.Repeat("<p class=\"x\">Grüezi &amp; bye 😀</p>\n \n", 300)
	key := "gladly/chat/" + strings.Repeat("ü-very-long-app/", 25) + "unavailable-message"
	c := form()
	c.Form.Inputs = append(c.Form.Inputs,
		card.Input{ID: "long", Kind: card.Long, Label: "A long text", Value: long},
		card.Input{ID: "windows", Kind: card.Long, Label: "Other line ends", Value: strings.ReplaceAll(long, "\n", "\r\n")},
		card.Input{ID: key, Kind: card.Text, Label: "A long key", Value: " \"x\" "},
		card.Input{ID: "part1.2:three", Kind: card.Text, Label: "Like a part", Value: "two\nlines", Optional: true},
		card.Input{ID: "none", Kind: card.Choice, Label: "Nothing chosen", Options: []card.Option{{Value: "=x", Label: "X"}}},
		card.Input{ID: "blank", Kind: card.Choice, Label: "Blank", Options: []card.Option{{Value: "", Label: "Blank"}, {Value: "=", Label: "Other"}}},
	)
	view, err := modal(c, "where\nfrom")
	if err != nil {
		t.Fatal(err)
	}
	got, err := posted(t, sent(t, view))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, in := range c.Form.Inputs {
		want[in.ID] = in.Value
	}
	if diff := cmp.Diff(want, got.values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if got.kind != kindForm || got.action != c.Form.Action || got.meta != "where\nfrom" || got.viewID != "V1" || got.viewHash != "h" {
		t.Errorf("got %v with action %q and meta %q", got, got.action, got.meta)
	}
	if id := got.eventID(); !strings.HasPrefix(id, "slack/view/V1/") || strings.Contains(id, "secret") {
		t.Errorf("eventID() = %q", id)
	}
}

// Every error stands beside a block that the form has.
func TestFieldErrors(t *testing.T) {
	c := form()
	c.Form.Inputs[1].Value = strings.Repeat("x", 2*maxInput)
	if diff := cmp.Diff(map[string]string{"message": "it names a way that is down"}, fieldErrors(c)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := fieldErrors(card.Card{}); got != nil {
		t.Errorf("without a form: %v", got)
	}
}

func TestHome(t *testing.T) {
	golden(t, "home", home([]card.Card{everything(card.Trouble, false), everything(card.Info, true)}))
	golden(t, "home-empty", home(nil))
	view := home(make([]card.Card, 200))
	if n := len(view.Blocks.BlockSet); n > maxViewBlocks {
		t.Errorf("%d blocks", n)
	}
}
