package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// BenchmarkStartToPrompt starts bot chat in a new folder, practice company and all, until its first line is there. It
// is run by the test binary, which is somewhat bigger than the program itself. Then something is asked and answered,
// and what the idle program keeps in memory is measured; the practice company is a process of its own, and not in it.
func BenchmarkStartToPrompt(b *testing.B) {
	var memory float64 // MiB, the most
	for b.Loop() {
		b.StopTimer()
		cmd := exec.CommandContext(b.Context(), os.Args[0], "chat", "--data", b.TempDir())
		cmd.Env = append(os.Environ(), asBot+"=1")
		in, err := cmd.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		lines := bufio.NewScanner(out)

		b.StartTimer()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), "Switchback") {
			b.Fatalf("the first line is %q", lines.Text())
		}
		b.StopTimer()

		if _, err := io.WriteString(in, "/outage status\n"); err != nil {
			b.Fatal(err)
		}
		for lines.Scan() && !strings.Contains(lines.Text(), "Nothing is open") {
			continue
		}
		memory = max(memory, resident(b, cmd.Process.Pid))
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(memory, "MiB")
}

// BenchmarkStartToReady starts the program as it is shipped, without symbols, until it answers: bot try until the bot
// in it does, and bot serve, with a new folder, until /readyz does. How big the program is stands beside that, and what
// it keeps in memory then.
func BenchmarkStartToReady(b *testing.B) {
	program := filepath.Join(b.TempDir(), "bot")
	if out, err := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, ".").CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	info, err := os.Stat(program)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("try", func(b *testing.B) {
		startToReady(b, exec.Command(program, "try"), "/events?as=U0ANA", `"state":"up"`)
	})
	b.Run("serve", func(b *testing.B) {
		b.Setenv("LISTEN_ADDR", "127.0.0.1:0")
		b.Setenv("DATA_DIR", b.TempDir())
		startToReady(b, exec.Command(program, "serve"), "/readyz", "")
		b.ReportMetric(float64(info.Size())/1e6, "MB")
	})
}

// startToReady measures until what a program answers at a path holds a text.
func startToReady(b *testing.B, run *exec.Cmd, path, text string) {
	b.Helper()
	var memory float64 // MiB, the most
	for b.Loop() {
		cmd := exec.Command(run.Path, run.Args[1:]...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		lines := bufio.NewReader(out)
		line, err := lines.ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		resp, err := http.Get(regexp.MustCompile(`http://[0-9.:]+[0-9]`).FindString(line) + path)
		if err != nil {
			b.Fatal(err)
		}
		said := bufio.NewReader(resp.Body)
		for ready := resp.StatusCode == http.StatusOK && text == ""; !ready; {
			part, err := said.ReadString('\n')
			if err != nil {
				b.Fatalf("%s = %d, without %q: %v", path, resp.StatusCode, text, err)
			}
			ready = strings.Contains(part, text)
		}
		b.StopTimer()
		_ = resp.Body.Close()
		memory = max(memory, resident(b, cmd.Process.Pid))
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, lines)
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(memory, "MiB")
}

// resident is how much memory of a process is in RAM, in MiB. Where there is no /proc to tell, the benchmark is skipped.
func resident(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kib float64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		b.Fatalf("no VmRSS in %s", status)
	}
	return kib / 1024
}
