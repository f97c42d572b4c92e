package flags_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/change"
	"switchback/handlers/flags"
)

func TestPlan(t *testing.T) {
	s, _ := openStore(t, t.TempDir())
	p := flags.New(targets(), s)
	catalogue, err := p.Resources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	catalogue = append(catalogue, change.Resource{Key: "sim/chat/kiosk/hours/monday", Action: change.CloseChat, Target: "kiosk"})
	from := time.Date(2026, 11, 25, 23, 10, 0, 0, time.UTC)
	tests := []struct {
		name    string
		request change.Request
		want    string // steps, or what the error says
	}{
		{"all chats", change.Request{Action: change.CloseChat}, "Web shop, chat = closed; Help centre, chat = closed"},
		{"one chat", change.Request{Action: change.CloseChat, Targets: []string{"help-centre"}}, "Help centre, chat = closed"},
		{"the phones", change.Request{Action: change.PhonesToVoicemail}, "+1 650 555 0101 Orders, calls = voicemail"},
		{"what is another platform's", change.Request{Action: change.CloseChat, Targets: []string{"kiosk"}}, ""},
		{"a target nobody has", change.Request{Action: change.CloseChat, Targets: []string{"webshop"}}, `plan close-chat: no such target "webshop"`},
		{"a number as a chat", change.Request{Action: change.CloseChat, Targets: []string{"+16505550101"}}, `plan close-chat: no such target "+16505550101"`},
		{"an action nobody knows", change.Request{Action: "close-shop"}, `plan: unknown action "close-shop"`},
		{"an end before the beginning", change.Request{Action: change.CloseChat, Until: from.Add(-1)}, "plan close-chat: it would end before it begins"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := test.request
			r.From, r.Resources = from, catalogue
			if r.Until.IsZero() {
				r.Until = from.Add(7 * time.Hour)
			}
			steps, err := p.Plan(r)
			var got []string
			for _, s := range steps {
				got = append(got, s.Label+", "+s.Name+" = "+s.Want.Text)
				if s.State != change.Planned || s.Way != change.Flag || s.Action != r.Action || s.Key.Platform() != flags.Name {
					t.Errorf("step %+v", s)
				}
			}
			if err != nil {
				got = []string{err.Error()}
			}
			if diff := cmp.Diff(test.want, strings.Join(got, "; ")); diff != "" {
				t.Errorf("Plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWriteCompares(t *testing.T) {
	s, _ := openStore(t, t.TempDir())
	p := flags.New(targets(), s)
	// One after another, on the same flag.
	tests := []struct {
		name      string
		key       change.Key
		want, was change.Value
		refused   string
		now       change.Value
	}{
		{"seen closed, is open", shop, open, closed, `it is at "", not at "closed"`, open},
		{"never set, seen open", shop, closed, open, "", closed},
		{"seen open, is closed by now", shop, closed, open, `it is at "closed", not at "open"`, closed},
		{"the same again", shop, closed, closed, "", closed},
		{"a value of another kind", shop, voicemail, closed, `it cannot be "voicemail"`, closed},
		{"no value", shop, change.Value{}, closed, `it cannot be ""`, closed},
		{"no such flag", "flag/chat/kiosk", closed, open, "there is no such flag", change.Value{}},
		{"a drill's flag", "drill/chat/web-shop", closed, open, "there is no such flag", change.Value{}},
		{"back", shop, open, closed, "", open},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := p.Write(t.Context(), test.key, test.want, test.was)
			switch {
			case test.refused == "" && err != nil:
				t.Errorf("Write = %v", err)
			case test.refused != "" && (!errors.Is(err, change.ErrRefused) || !strings.Contains(err.Error(), test.refused)):
				t.Errorf("Write = %v, want ErrRefused: %s", err, test.refused)
			}
			if test.now.Raw == nil {
				return
			}
			if now, err := p.Read(t.Context(), test.key); err != nil || !cmp.Equal(now, test.now) {
				t.Errorf("then it is %s, error %v, want %s", now.Text, err, test.now.Text)
			}
		})
	}
}

func TestReadIsNoGuess(t *testing.T) {
	s, _ := openStore(t, t.TempDir())
	if err := s.Set(t.Context(), shop, "ajar", ""); err != nil {
		t.Fatal(err)
	}
	p := flags.New(targets(), s)
	for _, k := range []change.Key{shop, "flag/chat/kiosk", "flag/voice/web-shop", "drill/chat/web-shop"} {
		if v, err := p.Read(t.Context(), k); err == nil {
			t.Errorf("Read %s = %v, want an error", k, v)
		}
	}
	if err := p.Write(t.Context(), shop, closed, open); !errors.Is(err, change.ErrRefused) {
		t.Errorf("Write over a value that is not understood = %v, want ErrRefused", err)
	}
}

func TestDrillsAreApart(t *testing.T) {
	s, _ := openStore(t, t.TempDir())
	drill := flags.NewDrill(targets(), s)
	all, err := drill.Resources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.Key.Platform() != flags.DrillName {
			t.Errorf("a drill has the key %s", r.Key)
		}
	}
	write(t, drill, "drill/chat/web-shop", closed, open)
	bot := serve(t, flags.Config{Targets: targets(), Store: s})
	if got := visit(t, bot.url).body; !strings.Contains(got, `"open":true`) {
		t.Errorf("a drill closed the chat of customers: %s", got)
	}
	if v, err := drill.Read(t.Context(), "drill/chat/web-shop"); err != nil || !v.Equal(closed) {
		t.Errorf("the drill's own flag is %s, error %v, want closed", v.Text, err)
	}
	if _, _, total, err := s.Asked(t.Context(), "drill/chat/web-shop"); err != nil || total != 0 {
		t.Errorf("the drill's flag was asked for %d times, error %v, want never", total, err)
	}
	if last, _, _, err := drill.Asked(t.Context(), "drill/chat/web-shop"); err != nil || last.IsZero() {
		t.Errorf("Asked of a drill's flag = %v, %v; want a page that is imagined to ask", last, err)
	}
}

func TestGuideAsksToLook(t *testing.T) {
	p := flags.New(targets(), nil)
	for k, want := range map[change.Key]string{
		shop:   "Open a page with the chat of Web shop as a customer: is it closed?",
		orders: "Call +1 650 555 0101 Orders as a customer: do you come to the voicemail?",
	} {
		v := closed
		if k == orders {
			v = voicemail
		}
		if got := p.Guide(k, v); got.Check != want || got.Path+got.Question != "" {
			t.Errorf("Guide of %s = %+v, want only the check %q", k, got, want)
		}
	}
}

// Many visitors, and two people who close at once: one of them wins, nobody gets half an answer, everybody is counted.
func TestManyAtOnce(t *testing.T) {
	s, _ := openStore(t, t.TempDir())
	p := flags.New(targets(), s)
	bot := serve(t, flags.Config{Targets: targets(), Store: s})
	const visitors, closers = 20, 8
	var all sync.WaitGroup
	for range visitors {
		all.Go(func() {
			for range 10 {
				if got := visit(t, bot.url); got.status != http.StatusOK {
					t.Errorf("a visitor gets %d %s", got.status, got.body)
				}
			}
		})
	}
	errs := make(chan error, closers)
	for range closers {
		all.Go(func() { errs <- p.Write(t.Context(), shop, closed, open) })
	}
	all.Wait()
	close(errs)
	won := 0
	for err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, change.ErrRefused) {
			t.Errorf("Write = %v, want ErrRefused", err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d closed it, want 1", won, closers)
	}
	bot.tell(t)
	if _, in5min, total, err := p.Asked(t.Context(), shop); err != nil || in5min != 10*visitors || total != 10*visitors {
		t.Errorf("Asked = %d in 5 min, %d, error %v, want %d", in5min, total, err, 10*visitors)
	}
}

// Whatever a stranger sends, callers and visitors are let through.
func FuzzEndpoints(f *testing.F) {
	f.Add("GET", "/flags/chat/web-shop", "", shopOrigin, "")
	f.Add("GET", "/flags/chat/web-shop", "", "null", "W/\"\",,")
	f.Add("POST", "/flags/voice", secret, "", `{"number":"+16505550101"}`)
	f.Add("POST", "/flags/voice", secret, "", `{"number":7}`)
	f.Add("GET", "/flags/voice?number=%zz;", secret, "", "")
	f.Add("HEAD", "/flags/chat.js", "", "", "")
	s, _ := openStore(f, f.TempDir())
	h := endpoints(f, flags.Config{Targets: targets(), Store: s, Secret: secret})
	if err := h.Refresh(f.Context()); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, path, auth, header, body string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://bot.example"+path, strings.NewReader(body))
		if err != nil {
			t.Skip()
		}
		if user, password, ok := strings.Cut(auth, ":"); ok {
			r.SetBasicAuth(user, password)
		}
		for _, name := range []string{"Origin", "If-None-Match", flags.KeyHeader} {
			r.Header.Set(name, header)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		got := w.Body.String()
		through := strings.HasPrefix(got, `{"open":true,`) || strings.HasPrefix(got, `{"state":"normal",`) ||
			strings.HasPrefix(w.Header().Get("Content-Type"), "text/javascript")
		if w.Code >= 500 || !through && w.Code != http.StatusNoContent && w.Code/100 != 3 {
			t.Errorf("%s %q = %d %s", method, path, w.Code, got)
		}
	})
}
