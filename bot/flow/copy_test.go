package flow_test

import (
	"strings"
	"testing"
	"time"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/bot/tree"
	"switchback/store"
)

// worded is a shop by hand whose guide has the text to put in.
type worded struct{ byHand }

func (p worded) Guide(k change.Key, want change.Value) change.Guide {
	g := p.byHand.Guide(k, want)
	g.Words = []string{string(want.Raw)}
	return g
}

// R13: at the restore the old text stands in fields to copy it from, byte for byte, however long it is.
func TestR13TheOldTextStandsInFields(t *testing.T) {
	for name, text := range map[string]string{
		"short": "Hello! <b>& \u00a0é😀\n\n  to you \n",
		"long":  strings.Repeat("Line with 😀 and <i>more</i>.\r\n", 250),
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(n *night) {
				n.service = flow.New(flow.Config{
					Store: store.Flow{Store: stoppable{n.file, n.stops}}, Policy: policy(), Playbook: tree.Builtin(), Tree: builtin(n.t),
					Platforms: change.Platforms{"shop": worded{byHand{n.shop}}},
				})
				n.worker.Service = n.service
				n.types("ana", "chat late")
				n.presses("ana", n.button("Show me the clicks"), nil)
				n.presses("ana", n.button("I click"), nil)
				note := n.button("Note the values")
				note.Verb = "differ-send"
				n.presses("ana", note, map[string]string{"shop/one/hours": "8", "shop/one/message": text, "shop/two/hours": "9"})
				n.presses("ana", n.button("Saved"), nil)
				n.presses("ana", n.button("Restore…"), nil)
				n.presses("ana", n.button("Put everything back"), nil)
				n.presses("ana", n.button("I click"), nil)
				form := n.form("ana", n.button("Copy the text"))
				if wrong := form.Problems(); len(wrong) > 0 {
					t.Errorf("the form does not fit: %q", wrong)
				}
				got := ""
				for _, in := range form.Form.Inputs {
					if strings.Contains(in.Label, "message") {
						got += in.Value
					}
				}
				if got != text {
					t.Errorf("the fields hold %d bytes, want exactly the %d of the old text: %.80q", len(got), len(text), got)
				}
			})
		})
	}
}

// form presses a button that opens one.
func (n *night) form(who string, a flow.Action) card.Card {
	n.t.Helper()
	nth++
	e := n.event("form"+strings.Repeat("i", nth), who, flow.Press{Action: a})
	e.Until = e.At.Add(time.Second)
	done, err := n.service.Accept(n.t.Context(), e)
	if err != nil {
		n.t.Fatal(err)
	}
	r := <-done
	if r.Form == nil {
		n.t.Fatalf("%+v opened no form", a)
	}
	return *r.Form
}
