package main

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// limit lets a running process write no file beyond so many bytes, as if the disk were full: 8192 is the beginning of
// every store, which never changes places, so that no commit succeeds. "unlimited" takes the limit away.
func (p *process) limit(bytes string) {
	p.t.Helper()
	prlimit, err := exec.LookPath("prlimit")
	if err != nil {
		p.t.Skip("there is no prlimit to fill the disk with (util-linux)")
	}
	out, err := exec.CommandContext(p.t.Context(), prlimit, "--pid", fmt.Sprint(p.cmd.Process.Pid), "--fsize="+bytes+":").CombinedOutput()
	if err != nil {
		p.t.Fatalf("prlimit: %v, %s", err, out)
	}
}

// The disk fills up in the middle of an outage: each line that cannot be kept is answered, and nothing comes of it.
// With room again, in this process or the next, everything is as it was.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	before := settings(t, dir)
	p := chat(t, dir)
	stop := time.AfterFunc(time.Minute, func() { _ = p.cmd.Process.Kill() }) // one that says nothing fails the test
	defer stop.Stop()
	p.types("/outage chat late", "1", "1", "/company")
	p.until("visitors cannot chat") // which is shown when all before it is kept
	closed := outages(t, dir)

	p.limit("8192")
	for _, line := range []string{"/outage status", "/outage note nobody keeps this", "/outage restore", "@sam /outage take", "2.1"} {
		p.types(line)
		said := p.until("(nothing was started")
		if !strings.Contains(said, "nothing was started") || !strings.Contains(said, "the disk is full") {
			t.Errorf("%q on a full disk says:\n%s", line, said)
		}
	}
	if got := outages(t, dir); got != closed {
		t.Errorf("bot outages on a full disk:\n%s\nwant as before:\n%s", got, closed)
	}

	p.limit("unlimited")
	p.types("/outage note there is room again", "/company")
	p.until("visitors cannot chat")
	p.limit("8192")
	p.types("/outage restore")
	p.until("the disk is full")
	p.kill()

	if kept := outages(t, dir, "--json"); !strings.Contains(kept, "there is room again") || strings.Contains(kept, "nobody keeps this") {
		t.Errorf("bot outages --json, want the note that was taken in and not the other:\n%s", kept)
	}
	p = chat(t, dir)
	p.types("/outage restore", "1", "1")
	p.ends()
	if got := settings(t, dir); got != before {
		t.Errorf("settings after the restore:\n%s\nwant:\n%s", got, before)
	}
}

// outages is what bot outages prints.
func outages(t *testing.T, dir string, flags ...string) string {
	t.Helper()
	out, err := bot(t, append([]string{"outages", "--data", dir}, flags...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("bot outages: %v\n%s", err, out)
	}
	return string(out)
}
