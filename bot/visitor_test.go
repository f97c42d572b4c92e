package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"switchback/bot/gladly/gladlytest"
	"switchback/handlers/slack/slacktest"
)

// pageOfShop has the two lines of the README before Gladly's loader. What a browser keeps of the bot's answer for a few
// seconds, it keeps for one visitor.
const pageOfShop = `<!doctype html><html lang="en"><head><title>shop</title>
<script src="/chat-asks.js" data-app="%s/flags/chat/web-shop?visitor=%d"></script>
</head><body><h1>Shop</h1><p id="chat-notice" role="status"></p>
<script src="/widget.js"></script><script>Gladly.init({appId: "acme-shop"})</script></body></html>`

// One whole night for visitors with a real browser: they chat; somebody closes chat in Slack, and the bubble is gone and
// the notice there; it is restored, and the bubble is back. Between them are the bot's own endpoint, the page's script,
// and a stand-in for Gladly's loader.
func TestVisitorsThroughANight(t *testing.T) {
	t.Parallel()
	tab := &tab{t: t, ctx: chromium(t), limit: time.Minute}
	n := acmeInSlack(t, slacktest.Config{})
	var visitors atomic.Int64
	pages := http.NewServeMux()
	pages.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, pageOfShop, n.url, visitors.Add(1))
	})
	pages.HandleFunc("/chat-asks.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, "../handlers/flags/page/chat.min.js")
	})
	pages.HandleFunc("/widget.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write(gladlytest.Widget())
	})
	shop := httptest.NewServer(pages)
	t.Cleanup(shop.Close)
	n.edit = func(o *organisation) { o.Gladly.Apps[0].Origins = []string{shop.URL} }
	n.start()
	t.Cleanup(func() { n.end() })
	n.look(n.url)

	// until visits the shop until a visitor meets what is wanted: the bot reads its flags once a second.
	until := func(when string, chat bool, notice string) {
		t.Helper()
		const bubble, text = `document.querySelector('#gladly-launcher')`, `document.querySelector('#chat-notice').textContent`
		var met string
		for end := time.Now().Add(time.Minute); time.Now().Before(end); {
			tab.does(chromedp.Navigate(shop.URL + "/"))
			tab.until(`window.standin && standin.loaded && (` + bubble + ` || ` + text + `)`)
			var err error
			if met, err = chromedp.Run(tab.ctx, chromedp.Evaluate[string](`(`+bubble+` ? 'chat' : '') + '|' + `+text)); err != nil {
				t.Fatal(err)
			}
			bubble, read, _ := strings.Cut(met, "|")
			if (bubble == "chat") == chat && strings.Contains(read, notice) && (notice != "" || read == "") {
				return
			}
		}
		t.Fatalf("%s a visitor meets %q, want chat %v and a notice with %q", when, met, chat, notice)
	}
	until("before the outage", true, "")
	home := n.closed()
	until("while chat is closed", false, "Chat is down at the moment. You can write to help@acme.example.")
	home.Shows("Web shop CLOSED", "its page asked")
	home.As(n.sam).Press("Restore…")
	home.Thread().Shows("Put everything back now").As(n.sam).Press("Put everything back now")
	home.Shows("Web shop open again", "Restored")
	until("after the restore", true, "")
}
