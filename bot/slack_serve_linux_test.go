package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"switchback/handlers/slack/slacktest"
	"switchback/store/storetest"
)

// One confirm, pressed a hundred times at once, at two processes on one Redis: it happens once, and each of the others
// is told so.
func TestServeAHundredPressesAtTwo(t *testing.T) {
	t.Parallel()
	url := storetest.Redis(t)
	n := acmeInSlack(t, slacktest.Config{NoRateLimits: true})
	a, b := n.serve("REDIS_URL="+url), n.serve("REDIS_URL="+url)
	n.look("")
	n.Within(time.Minute)
	n.slack.Connect(slacktest.At(a.url), slacktest.At(b.url))

	n.ana.Types("#support", "/outage chat late")
	confirm := n.ana.Sees("Web shop", "open → closed")
	var presses sync.WaitGroup
	for range 100 {
		presses.Go(func() {
			d, err := n.slack.Press(t.Context(), "U0ANA", confirm.Raw(), "Close Web shop now")
			if err != nil || !d.OK() {
				t.Errorf("a press: %+v, %v", d, err)
			}
		})
	}
	presses.Wait()
	home := n.support.Shows("Web shop", "closed", "Restore…")
	polite := func() int {
		count := 0
		for _, m := range n.slack.Visible("U0ANA") {
			text := strings.Join(n.slack.Lines(m, "U0ANA"), "\n")
			if m.Only == "U0ANA" && (strings.Contains(text, "Confirmed a moment ago, by @ana") || strings.Contains(text, "Confirmed already, by @ana")) {
				count++
			}
		}
		return count
	}
	for end := time.After(time.Minute); polite() < 99; {
		changed := n.slack.Changed()
		if polite() >= 99 {
			break
		}
		select {
		case <-changed:
			continue
		case <-end:
		}
		t.Fatalf("%d polite answers, want 99; ana sees\n%s", polite(), n.everything("U0ANA"))
	}
	if got := n.support.Count("Restore…"); got != 1 {
		t.Errorf("%d outages are shown, want 1", got)
	}
	if got := home.Thread().Count("What was there before"); got != 1 {
		t.Errorf("the values from before are in the thread %d times, want once", got)
	}
	a.terminate() // the other one goes on alone
	home.As(n.sam).TryPress("Restore…")
	n.slack.Connect(slacktest.At(b.url))
	home.As(n.sam).Press("Restore…")
	home.Thread().Shows("Put everything back now").As(n.sam).Press("Put everything back now")
	n.support.Shows("open again", "Restored")
}

// everything is what somebody can see.
func (n *slackNight) everything(user string) string {
	var out []string
	for _, m := range n.slack.Visible(user) {
		out = append(out, strings.Join(n.slack.Lines(m, user), "\n"))
	}
	return strings.Join(out, "\n·\n")
}

// pause lets a Redis answer nobody for a while.
func pause(t *testing.T, url string, d time.Duration) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "redis://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "CLIENT PAUSE %d ALL\r\n", d.Milliseconds()); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(io.LimitReader(c, 5)); err != nil || string(answer) != "+OK\r\n" {
		t.Fatalf("CLIENT PAUSE: %q, %v", answer, err)
	}
}

// The store is away for five seconds in the middle of a walk: whoever types or presses is told within three that nothing
// was started, and gets that part of the playbook. Afterwards everything works again, and what was done is offered to be
// taken over.
func TestServeWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	url := storetest.Redis(t)
	n := acmeInSlack(t, slacktest.Config{})
	n.look(n.serve("REDIS_URL=" + url).url)
	n.Within(time.Minute)
	n.ana.Types("#support", "/outage chat late")
	confirm := n.ana.Sees("Web shop", "open → closed")

	pause(t, url, 5*time.Second)
	d := n.sam.Types("#support", "/outage chat late")
	if d.Took > 3*time.Second {
		t.Errorf("answered after %v", d.Took)
	}
	n.sam.Alone("I cannot remember for you right now")
	d = confirm.Press("Close Web shop now")
	if d.Took > 3*time.Second {
		t.Errorf("a press was answered after %v", d.Took)
	}
	n.ana.Alone("I cannot remember for you right now", "was not taken in")
	n.sam.Alone("I can remember for you again")
	if n.support.Count("Web shop") > 0 {
		t.Errorf("something was begun all the same:\n%s", n.everything("U0ANA"))
	}
	confirm.Press("Close Web shop now")
	home := n.support.Shows("Web shop", "Restore…")
	home.As(n.sam).Press("Restore…")
	home.Thread().Shows("Put everything back now").As(n.sam).Press("Put everything back now")
	n.support.Shows("open again", "Restored")
}
