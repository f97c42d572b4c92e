package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
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
