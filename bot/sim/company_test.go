package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/change"
	"switchback/bot/config"
)

const (
	ordersIVR   = change.Key("sim/voice/+16505550101/initial-ivr")
	shopTuesday = change.Key("sim/chat/web-shop/hours/tuesday")
	shopMessage = change.Key("sim/chat/web-shop/unavailable-message")
)

func practice(t *testing.T, file string) *Company {
	t.Helper()
	c, err := NewCompany(Practice(), zone(t, "America/Los_Angeles"), file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// served is the company over real HTTP.
func served(t *testing.T, c *Company) *Platform {
	t.Helper()
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	return NewPlatform(Practice(), s.URL+"/", s.Client())
}

func val(raw, text string) change.Value { return change.Value{Raw: []byte(raw), Text: text} }

func TestReadAndWrite(t *testing.T) {
	tests := []struct {
		name   string
		key    change.Key
		before change.Value
		want   change.Value
	}{
		{"an IVR", ordersIVR, val("Main menu", "Main menu"), val("Voicemail Only", "Voicemail Only")},
		{"no IVR", ordersIVR, val("Main menu", "Main menu"), val("", "Blank")},
		{"a day", shopTuesday, val("08:00-20:00", "08:00–20:00"), val("closed", "Closed")},
		{"a day until midnight", shopTuesday, val("08:00-20:00", "08:00–20:00"), val("00:00-24:00", "00:00–24:00")},
		{
			"a text, byte for byte", shopMessage, val(Practice().Apps[0].Message, Practice().Apps[0].Message),
			val(" \"Down\" & <b>out</b>\r\n\t\u2028 {\x7f} 🙈 ", " \"Down\" & <b>out</b>\r\n\t\u2028 {\x7f} 🙈 "),
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := served(t, practice(t, ""))
			before, err := p.Read(t.Context(), test.key)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.before, before); diff != "" {
				t.Errorf("Read before (-want +got):\n%s", diff)
			}
			if err := p.Write(t.Context(), test.key, test.want, before); err != nil {
				t.Fatal(err)
			}
			after, err := p.Read(t.Context(), test.key)
			if diff := cmp.Diff(test.want, after); err != nil || diff != "" {
				t.Errorf("Read after: %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestResources(t *testing.T) {
	got, err := served(t, practice(t, "")).Resources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(resources(Practice()), got); diff != "" {
		t.Errorf("the catalogue over HTTP (-want +got):\n%s", diff)
	}
	if len(got) != 4+2*8 {
		t.Errorf("%d resources", len(got))
	}
	for _, r := range got {
		if strings.Contains(strings.ToLower(string(r.Key)+r.Name), "queue") {
			t.Errorf("%s can be set", r.Key)
		}
	}
	for _, want := range []change.Resource{
		{Key: ordersIVR, Action: "phones-to-voicemail", Target: "+16505550101", Label: "+1 650 555 0101 Orders", Name: "Initial IVR", Way: change.Auto},
		{Key: shopTuesday, Action: "close-chat", Target: "web-shop", Label: "Web shop", Name: "Tuesday", Way: change.Auto},
		{Key: shopMessage, Action: "close-chat", Target: "web-shop", Label: "Web shop", Name: "message", Way: change.Auto},
	} {
		found := false
		for _, r := range got {
			found = found || r == want
		}
		if !found {
			t.Errorf("no %+v", want)
		}
	}
}

func TestRefused(t *testing.T) {
	tests := []struct {
		name string
		key  change.Key
		raw  string
		want string
	}{
		{"an unknown setting", "sim/voice/+16505550101/queue-ivr", "Voicemail Only", "no such setting"},
		{"an unpublished IVR", ordersIVR, "voicemail only", `no IVR named "voicemail only" is published`},
		{"wrong hours", shopTuesday, "20:00-08:00", "want hours such as 08:00-20:00"},
		{"too long a text", shopMessage, strings.Repeat("ü", maxMessage+1), "at most 2000"},
		{"broken text", shopMessage, "caf\xe9", "not valid UTF-8"},
		{"far too much", shopMessage, strings.Repeat("x", maxBody), "too large"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := practice(t, "")
			before := c.values
			err := served(t, c).Write(t.Context(), test.key, val(test.raw, ""), change.Value{})
			if !errors.Is(err, change.ErrRefused) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Write = %v, want refused: %s", err, test.want)
			}
			if diff := cmp.Diff(before, c.values); diff != "" {
				t.Errorf("refused, but (-before +after):\n%s", diff)
			}
		})
	}
	if _, err := served(t, practice(t, "")).Read(t.Context(), "sim/nothing"); !errors.Is(err, change.ErrRefused) {
		t.Errorf("Read of an unknown setting = %v, want refused", err)
	}
}

// Each fault, as a platform meets it: over real HTTP and over Local.
func TestFaults(t *testing.T) {
	tests := []struct {
		kind    FaultKind
		refused bool
		fails   bool
		written bool
	}{
		{kind: Error, fails: true},
		{kind: Refuse, fails: true, refused: true},
		{kind: Cut, fails: true, written: true},
		{kind: Slow, written: true},
	}
	for _, test := range tests {
		for _, over := range []string{"http", "local"} {
			t.Run(string(test.kind)+" over "+over, func(t *testing.T) {
				c := practice(t, "")
				p := NewPlatform(Practice(), "http://company", Local(c))
				if over == "http" {
					p = served(t, c)
				}
				if err := c.Fail(Fault{Kind: test.kind, Delay: config.Duration(time.Millisecond), Key: "sim/voice/"}); err != nil {
					t.Fatal(err)
				}
				if err := p.Write(t.Context(), shopTuesday, val("closed", ""), change.Value{}); err != nil {
					t.Errorf("the fault is not for this setting: %v", err)
				}
				err := p.Write(t.Context(), ordersIVR, val("Snow day", ""), change.Value{})
				if (err != nil) != test.fails || errors.Is(err, change.ErrRefused) != test.refused {
					t.Errorf("Write = %v, want fails %t, refused %t", err, test.fails, test.refused)
				}
				if got := c.values[ordersIVR] == "Snow day"; got != test.written {
					t.Errorf("written = %t, want %t", got, test.written)
				}
				if e := c.Log()[1]; e.Fault != test.kind || (e.Error == "") != test.written {
					t.Errorf("logged as %+v", e)
				}
				if err := p.Write(t.Context(), ordersIVR, val("Snow day", ""), change.Value{}); err != nil {
					t.Errorf("Write after the fault = %v", err)
				}
			})
		}
	}
}

func TestFaultsOfReads(t *testing.T) {
	c := practice(t, "")
	p := served(t, c)
	if _, err := p.Read(t.Context(), ordersIVR); err != nil { // the connection is in use: net/http may repeat a read on it
		t.Fatal(err)
	}
	if err := errors.Join(c.Fail(Fault{Kind: Cut, On: Read}), c.Fail(Fault{Kind: Error, On: Read, Times: 2})); err != nil {
		t.Fatal(err)
	}
	if err := p.Write(t.Context(), ordersIVR, val("Snow day", ""), change.Value{}); err != nil {
		t.Errorf("Write = %v, but the faults are for reads", err)
	}
	for i := range 3 {
		if v, err := p.Read(t.Context(), ordersIVR); err == nil || errors.Is(err, change.ErrRefused) {
			t.Errorf("Read %d = %v, %v, want an error of unknown outcome", i, v, err)
		}
	}
	if v, err := p.Read(t.Context(), ordersIVR); err != nil || v.Text != "Snow day" {
		t.Errorf("Read after the faults = %v, %v", v, err)
	}
}

// A slow answer runs into the platform's own timeout, and the write has taken effect all the same.
func TestSlowTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := practice(t, "")
		if err := c.Fail(Fault{Kind: Slow, Delay: config.Duration(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		err := NewPlatform(Practice(), "http://company", Local(c)).Write(t.Context(), ordersIVR, val("Snow day", ""), change.Value{})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != callTimeout {
			t.Errorf("Write = %v after %v", err, time.Since(start))
		}
		if c.values[ordersIVR] != "Snow day" {
			t.Errorf("not written")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := NewPlatform(Practice(), "http://company", Local(c)).Write(ctx, ordersIVR, val("Main menu", ""), change.Value{}); !errors.Is(err, context.Canceled) {
			t.Errorf("Write with an ended context = %v", err)
		}
		if n := len(c.Log()); n != 1 {
			t.Errorf("%d entries, want the first write only", n)
		}
	})
}

func TestErrorsHaveNoURL(t *testing.T) {
	s := httptest.NewServer(practice(t, ""))
	s.Close()
	for _, base := range []string{strings.Replace(s.URL, "http://", "http://bot:hunter2@", 1) + "/secret-path", "http://hunter2 secret-path"} {
		_, err := NewPlatform(Practice(), base, nil).Read(t.Context(), ordersIVR)
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "secret-path") {
			t.Errorf("Read from nowhere = %v, want an error without the URL", err)
		}
	}
}

func TestPracticeRoutes(t *testing.T) {
	tests := []struct {
		name, method, path, body string
		status                   int
		want                     string // a part of the answer
	}{
		{"edit", "POST", "/sim/edit", `{"key":"sim/chat/web-shop/hours/tuesday","value":"9:00–18:00","by":"kim"}`, 422, "want hours"},
		{"edit as people write", "POST", "/sim/edit", `{"key":"sim/chat/web-shop/hours/tuesday","value":"09:00–18:00","by":"kim"}`, 200, `"09:00-18:00"`},
		{"edit by nobody", "POST", "/sim/edit", `{"key":"sim/chat/web-shop/hours/tuesday","value":"closed"}`, 422, "by"},
		{"edit without a value", "POST", "/sim/edit", `{"key":"sim/chat/web-shop/hours/tuesday","by":"kim"}`, 422, "value"},
		{"write without a value", "PUT", "/v1/settings/" + string(ordersIVR), `{}`, 422, "no value"},
		{"write more than one", "PUT", "/v1/settings/" + string(ordersIVR), `{"value":""}{}`, 422, "more than one"},
		{"an unknown fault", "POST", "/sim/faults", `{"kind":"fire"}`, 422, "slow, error, cut or refuse"},
		{"a fault with a typo", "POST", "/sim/faults", `{"kind":"cut","time":2}`, 422, "time"},
		{"a slow fault without delay", "POST", "/sim/faults", `{"kind":"slow"}`, 422, "slow answer"},
		{"a fault", "POST", "/sim/faults", `{"kind":"slow","times":2,"delay":"3s","key":"sim/voice"}`, 200, "{}"},
		{"no faults", "DELETE", "/sim/faults", "", 204, ""},
		{"a strange time", "GET", "/sim/world?at=noon", "", 422, "want a time"},
		{"a world", "GET", "/sim/world?at=2026-11-25T23:10:00-08:00", "", 200, `"at":"2026-11-25T23:10:00-08:00"`},
		{"the log", "GET", "/sim/log", "", 200, `"who":"kim"`},
		{"nothing", "GET", "/sim", "", 404, ""},
	}
	c := practice(t, "")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), test.method, "http://company"+test.path, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := Local(c).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != test.status || !bytes.Contains(body, []byte(test.want)) {
				t.Errorf("%s %s = %d %s, want %d with %s", test.method, test.path, resp.StatusCode, body, test.status, test.want)
			}
		})
	}
	if c.values[shopTuesday] != "09:00-18:00" || len(c.faults) != 0 {
		t.Errorf("tuesday is %q, faults %v", c.values[shopTuesday], c.faults)
	}
}

func TestLogTellsWritesApart(t *testing.T) {
	c := practice(t, "")
	p := NewPlatform(Practice(), "http://company", Local(c))
	_, err := p.Read(t.Context(), ordersIVR)
	err = errors.Join(err, p.Write(t.Context(), ordersIVR, val("Voicemail Only", ""), change.Value{}), c.Edit(ordersIVR, "Snow day", "kim"))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Write(t.Context(), ordersIVR, val("Nothing", ""), change.Value{}); err == nil {
		t.Error("an unpublished IVR was taken")
	}
	got := c.Log()
	for i := range got {
		got[i].At = time.Time{}
	}
	want := []Entry{
		{What: Read, Key: ordersIVR, Value: "Main menu", Who: "api"},
		{What: Write, Key: ordersIVR, Value: "Voicemail Only", Was: "Main menu", Who: "api"},
		{What: Edit, Key: ordersIVR, Value: "Snow day", Was: "Voicemail Only", Who: "kim"},
		{What: Write, Key: ordersIVR, Value: "Nothing", Was: "Snow day", Who: "api", Error: `invalid value: no IVR named "Nothing" is published`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Log (-want +got):\n%s", diff)
	}
}

func TestWorld(t *testing.T) {
	c := practice(t, "")
	for k, v := range map[change.Key]string{
		ordersIVR: "Voicemail Only", "sim/voice/+16505550102/initial-ivr": "",
		"sim/chat/web-shop/hours/thursday": "closed", shopMessage: "Write to us.",
	} {
		if err := c.Edit(k, v, "kim"); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name string
		at   string
		open string // apps
	}{
		{"Wednesday, a minute before closing", "2026-11-25T19:59:59-08:00", "web-shop help-centre"},
		{"closing time", "2026-11-25T20:00:00-08:00", ""},
		{"Thursday for somebody in Berlin, and still Wednesday here", "2026-11-26T03:00:00+01:00", "web-shop help-centre"},
		{"Thursday", "2026-11-26T08:00:00-08:00", "help-centre"},
		{"Sunday", "2026-11-29T12:00:00-08:00", "web-shop"},
		{"the summer's hours", "2026-07-14T08:00:00-07:00", "web-shop help-centre"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var open []string
			for _, v := range c.World(at(t, test.at)).Visitors {
				if v.Open {
					open = append(open, v.App)
				}
			}
			if got := strings.Join(open, " "); got != test.open {
				t.Errorf("open at %s: %q, want %q", test.at, got, test.open)
			}
		})
	}
	want := `What customers meet, Thu 26 Nov 08:00 (America/Los_Angeles):
+1 650 555 0101 Orders: callers hear "Voicemail Only" and can leave a voicemail
+1 650 555 0102 Returns: callers hear no menu and wait for an agent
+1 650 555 0103 Repairs: callers hear "Repairs menu" and reach an agent
+1 650 555 0104 Press: callers hear "Main menu" and reach an agent
Web shop shop.example.com: visitors cannot chat and read: Write to us.
Help centre help.example.com: visitors can chat
`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://company/sim/world?at=2026-11-26T17:00:00%2B01:00", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/plain")
	resp, err := Local(c).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	got, _ := io.ReadAll(resp.Body)
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("World in words (-want +got):\n%s", diff)
	}
}

func TestFileKeepsSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "company.json")
	if err := practice(t, file).Edit(ordersIVR, "Snow day", "kim"); err != nil {
		t.Fatal(err)
	}
	c := practice(t, file)
	if c.values[ordersIVR] != "Snow day" {
		t.Errorf("after a restart: %q", c.values[ordersIVR])
	}
	left, _ := filepath.Glob(filepath.Dir(file) + "/*")
	if diff := cmp.Diff([]string{file}, left); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}

	// The organisation has changed: what no longer fits is as in peace time.
	var s state
	data, _ := os.ReadFile(file)
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	s.Settings["sim/voice/+1999/initial-ivr"], s.Settings[ordersIVR] = "Main menu", "An IVR of before"
	data, _ = json.Marshal(s)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if c := practice(t, file); c.values[ordersIVR] != "Main menu" || len(c.values) != len(c.settings) {
		t.Errorf("after a change of the organisation: %v", c.values)
	}
	for name, bad := range map[string]string{"half a file": `{"schema":1,`, "a newer schema": `{"schema":2}`} {
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := NewCompany(Practice(), time.UTC, file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v, want an error that names the file", name, err)
		}
	}
}

// A change that cannot be kept is no change.
func TestFileCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	c := practice(t, filepath.Join(dir, "company.json"))
	err := NewPlatform(Practice(), "http://company", Local(c)).Write(t.Context(), ordersIVR, val("Snow day", ""), change.Value{})
	if err == nil || errors.Is(err, change.ErrRefused) || c.values[ordersIVR] != "Main menu" {
		t.Errorf("Write = %v, the value is %q", err, c.values[ordersIVR])
	}
}

func TestServe(t *testing.T) {
	if err := Serve(t.Context(), "0.0.0.0:0", practice(t, ""), func(string) { t.Error("it listens to everybody") }); err == nil {
		t.Error("Serve on every address: no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := Serve(ctx, "127.0.0.1:0", practice(t, ""), func(addr string) {
		defer cancel()
		p := NewPlatform(Practice(), "http://"+addr, nil)
		if err := p.Write(ctx, ordersIVR, val("Snow day", ""), change.Value{}); err != nil {
			t.Errorf("Write = %v", err)
		}
		r, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/sim/faults", strings.NewReader(`{"kind":"cut"}`))
		r.Header.Set("Origin", "https://evil.example")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Errorf("post: %v", err)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("a page of another site was answered %d", resp.StatusCode)
		}
	})
	if err != nil {
		t.Errorf("Serve = %v", err)
	}
}

func TestGuide(t *testing.T) {
	p := NewPlatform(Practice(), "", nil)
	tests := []struct {
		key  change.Key
		want string
		path string
		ask  string
	}{
		{
			ordersIVR, "Voicemail Only", `Settings > Voice > +1 650 555 0101 Orders > edit > Initial IVR: select "Voicemail Only" > Save. Do not touch the Queue IVR.`,
			"What does Initial IVR show for +1 650 555 0101 Orders now?",
		},
		{
			shopTuesday, "closed", "Settings > Glad App > Web shop > Configure > Glad App Hours > Tuesday: tick Closed > Save",
			"What do the Glad App Hours of Web shop show for Tuesday now?",
		},
		{
			shopTuesday, "08:00-20:00", "Settings > Glad App > Web shop > Configure > Glad App Hours > Tuesday: untick Closed, 08:00–20:00 > Save",
			"What do the Glad App Hours of Web shop show for Tuesday now?",
		},
		{
			shopMessage, "Down", "Settings > Glad App > Web shop > Configure > Chat Unavailable: replace the message > Save",
			"What does the message say now? Copy it here before you change it.",
		},
		{"sim/nothing", "x", "", ""},
	}
	for _, test := range tests {
		got := p.Guide(test.key, value(test.key, test.want))
		if diff := cmp.Diff(change.Guide{Path: test.path, Question: test.ask}, got); diff != "" {
			t.Errorf("Guide(%s, %s) (-want +got):\n%s", test.key, test.want, diff)
		}
	}
}
