package try

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	keptLines = 60
	goesIn    = 5 * time.Second // after that it is killed
)

// process is the bot: the real program as a child. It can be killed, and started again.
type process struct {
	command []string
	env     []string
	changed func()

	mu      sync.Mutex
	state   string // starting, up, down
	address string // where it listens; empty: nowhere
	pid     int
	began   time.Time
	took    time.Duration // from its start to its address
	starts  int
	lines   []string // the last of its log
	ended   chan struct{}
	started chan struct{}
}

const (
	starting = "starting"
	up       = "up"
	down     = "down"
)

var (
	errRunning = errors.New("the bot is running already")
	errNoBot   = errors.New("the bot is not running")
)

// start starts the program, and returns when it says where it listens.
func (p *process) start(ctx context.Context) error {
	p.mu.Lock()
	if p.state == starting || p.state == up {
		p.mu.Unlock()
		return errRunning
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), p.command[0], p.command[1:]...) //nolint:gosec // the program itself
	cmd.Env = p.env
	cmd.SysProcAttr = withParent()
	p.state, p.began, p.ended, p.started = starting, time.Now(), make(chan struct{}), make(chan struct{})
	p.starts++
	started, ended := p.started, p.ended
	p.mu.Unlock()
	p.changed()

	// Where the child ends with its parent, it ends with the very thread that started it.
	go func() {
		runtime.LockOSThread()
		p.run(cmd)
	}()
	select {
	case <-started:
		return nil
	case <-ended:
		return fmt.Errorf("the bot did not start:\n%s", strings.Join(p.log(), "\n"))
	case <-ctx.Done():
		return ctx.Err()
	}
}

// listening is how it says where it listens.
var listening = regexp.MustCompile(`http://([0-9.:]+[0-9])`)

// run runs the program until it ends.
func (p *process) run(cmd *exec.Cmd) {
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	err := cmd.Start()
	var reading sync.WaitGroup
	if err == nil {
		reading.Go(func() { p.read(out) })
		p.set(func() { p.pid = cmd.Process.Pid })
		err = cmd.Wait()
	}
	_ = in.Close()
	reading.Wait()
	p.set(func() {
		if err != nil {
			p.note(err.Error())
		}
		p.state, p.pid, p.address = down, 0, ""
		close(p.ended)
	})
}

// read takes in what the program says.
func (p *process) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		p.set(func() {
			p.note(line)
			if at := listening.FindStringSubmatch(line); at != nil && p.state == starting {
				p.state, p.address, p.took = up, at[1], time.Since(p.began)
				close(p.started)
			}
		})
	}
	_, _ = io.Copy(io.Discard, out) // a line that is too long
}

func (p *process) note(line string) {
	p.lines = append(p.lines, line)
	p.lines = p.lines[max(0, len(p.lines)-keptLines):]
}

func (p *process) set(change func()) {
	p.mu.Lock()
	change()
	p.mu.Unlock()
	p.changed()
}

func (p *process) log() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}

// dial connects to the bot, wherever it listens now: it is the world's name server.
func (p *process) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	p.mu.Lock()
	at := p.address
	p.mu.Unlock()
	if at == "" {
		return nil, errNoBot
	}
	return (&net.Dialer{}).DialContext(ctx, network, at)
}

// kill ends it as kill -9 does: it gets no chance to tidy up.
func (p *process) kill() error { return p.signal(os.Kill, 0) }

// stop asks it to go, and kills it when it does not.
func (p *process) stop() {
	if p.signal(syscall.SIGTERM, goesIn) != nil {
		_ = p.kill()
	}
}

// signal sends a signal and waits for the end, for as long as within says; 0: however long it takes.
func (p *process) signal(s os.Signal, within time.Duration) error {
	p.mu.Lock()
	pid, ended := p.pid, p.ended
	p.mu.Unlock()
	if pid == 0 {
		return errNoBot
	}
	child, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	if err := child.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	var over <-chan time.Time
	if within > 0 {
		over = time.After(within)
	}
	select {
	case <-ended:
		return nil
	case <-over:
		return errors.New("the bot did not end")
	}
}

// processState is what the page shows of it.
type processState struct {
	State  string   `json:"state"`
	PID    int      `json:"pid"`
	Starts int      `json:"starts"`
	Took   int64    `json:"took"` // milliseconds from start to ready
	Log    []string `json:"log"`
}

func (p *process) look() processState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return processState{p.state, p.pid, p.starts, p.took.Milliseconds(), slices.Clone(p.lines)}
}
