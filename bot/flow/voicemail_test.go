package flow_test

import (
	"strconv"
	"testing"
	"time"

	"switchback/bot/change"
	"switchback/bot/flow"
)

// Contract 3: who gives the making of a phone menu back does so once. The same press, late, takes it from nobody else.
func TestAMenuIsGivenBackOnce(t *testing.T) {
	p := policy().WithDefaults()
	menu := change.Value{Raw: []byte("Voicemail Only"), Text: "Voicemail Only"}
	o := flow.Outage{ID: "voice-1", Channel: "voice", Owner: flow.Person{ID: "ana", Account: "terminal:ana", Name: "@ana"}, IVRs: []flow.IVR{{Name: menu.Text}}}
	r := change.Record{Outage: o.ID, Steps: []change.Step{{Key: "shop/1/ivr", Action: change.PhonesToVoicemail, Way: change.Guided, State: change.Planned, Want: menu}}}
	buttons := map[string]flow.Action{}
	n := 0
	does := func(who string, what flow.What) {
		n++
		e := flow.Event{
			ID: "e" + strconv.Itoa(n), At: time.Date(2026, 11, 25, 2, n, 0, 0, time.UTC), What: what, Place: flow.Place{Platform: "terminal", Channel: "#support"},
			By: flow.Person{ID: who, Account: "terminal:" + who, Name: "@" + who, Member: true, Responder: true},
		}
		var out []flow.Effect
		var err error
		if o, out, err = flow.StepOutage(p, o, r, e); err != nil {
			t.Fatal(err)
		}
		for _, effect := range out {
			show, _ := effect.(flow.Show)
			for _, b := range show.Card.Buttons {
				if a, err := flow.DecodeAction(b.Action); err == nil {
					buttons[a.Verb] = a
				}
			}
		}
	}
	does("ana", flow.Stepped{Outage: o.ID})
	does("ana", flow.Press{Action: buttons["ivr-make"]})
	free := buttons["ivr-free"]
	does("ana", flow.Press{Action: free})
	does("sam", flow.Press{Action: buttons["ivr-make"]})
	does("ana", flow.Press{Action: free})
	if m := o.IVRs[0].Maker; m == nil || m.ID != "sam" {
		t.Errorf("it is made by %+v, want @sam", m)
	}
	does("sam", flow.Press{Action: buttons["ivr-free"]})
	if m := o.IVRs[0].Maker; m != nil {
		t.Errorf("it is made by %+v, want nobody", m)
	}
}
