package main

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"switchback/handlers/slack/slacktest"
	"switchback/store"
)

// R58: what is open can be read without any chat, by a link or with the password, while it is open and by nobody else.
func TestPageWithoutChat(t *testing.T) {
	t.Setenv("PUBLIC_URL", "https://bot.example.com")
	n := acmeInSlack(t, slacktest.Config{})
	n.env.PublicURL, n.env.OpsPassword = "https://bot.example.com", "correct horse battery"
	n.start()
	t.Cleanup(func() { n.end() })
	n.look(n.url)
	get := func(address, password string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.Replace(address, "https://bot.example.com", n.url, 1), nil)
		if err != nil {
			t.Fatal(err)
		}
		if password != "" {
			req.SetBasicAuth("anybody", password)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}

	n.ana.Types("#support", "/outage page")
	n.ana.Alone("Nothing is open, so there is no page")
	home := n.closed()
	n.sam.Types("#support", "/outage page")
	link := regexp.MustCompile(`https://bot\.example\.com/ops/[\w-]+/[\w-]+`).FindString(n.sam.Alone("To read without any chat").String())
	if code, body := get(link, ""); code != http.StatusOK || !strings.Contains(body, "Web shop") || !strings.Contains(body, "read by the bot") || strings.Contains(body, "<button") {
		t.Errorf("the link gives %d:\n%s", code, body)
	}
	if out, code := command(t, "", "page", "--data", n.env.DataDir); code != 0 || !strings.Contains(out, link) {
		t.Errorf("bot page ends with %d and prints %q, want %s", code, out, link)
	}
	flipped := link[:len(link)-1] + map[bool]string{true: "B", false: "A"}[strings.HasSuffix(link, "A")]
	for address, want := range map[string]int{
		flipped:        http.StatusNotFound,
		link + "/":     http.StatusOK,
		link + "/more": http.StatusNotFound,
		strings.Replace(link, "chat-", "sms-", 1):   http.StatusNotFound,
		"https://bot.example.com/ops/" + n.id(home): http.StatusNotFound,
		"https://bot.example.com/ops":               http.StatusUnauthorized,
	} {
		if code, body := get(address, ""); code != want || code != http.StatusOK && strings.Contains(body, "Web shop") {
			t.Errorf("%s: %d, want %d: %s", address, code, want, body)
		}
	}
	if code, _ := get("https://bot.example.com/ops", "correct horse"); code != http.StatusUnauthorized {
		t.Errorf("a wrong password: %d", code)
	}
	if code, body := get("https://bot.example.com/ops", "correct horse battery"); code != http.StatusOK || !strings.Contains(body, "1 open outage") {
		t.Errorf("the bookmark gives %d:\n%s", code, body)
	}
	n.ana.Types("#support", "/outage restore")
	n.support.Thread("Web shop").Shows("Put everything back now").As(n.ana).Press("Put everything back now")
	n.support.Shows("open again", "Restored")
	if code, _ := get(link, ""); code != http.StatusNotFound {
		t.Errorf("when the outage is over its link gives %d", code)
	}

	broken(t, n.env.DataDir)
	if code, body := get("https://bot.example.com/ops", "correct horse battery"); code != http.StatusOK ||
		!strings.Contains(body, "2 open outages") || strings.Count(body, "SMS – ") < 2 || !strings.Contains(body, "CANNOT BE READ here") {
		t.Errorf("beside what cannot be read the bookmark gives %d:\n%s", code, body)
	}
}

// broken puts two outages into the store: the settings of one cannot be read, those of the other a newer version wrote.
func broken(t *testing.T, dir string) {
	t.Helper()
	st, err := store.OpenOrDial(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for id, record := range map[string]string{"sms-broken": "{", "sms-newer": `{"schema":99}`} {
		var c store.Commit
		for key, data := range map[string]string{"open:" + id: "{}", "outage:" + id: `{"id":"` + id + `","channel":"sms"}`, "change:" + id: record} {
			c.Checks, c.Puts = append(c.Checks, store.Check{Key: key}), append(c.Puts, store.Put{Key: key, Data: []byte(data)})
		}
		if _, err := st.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
}
