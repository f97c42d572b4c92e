package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"switchback/bot/change"
	"switchback/bot/config"
	"switchback/bot/sim"
)

// company is the practice company's process.
type company struct {
	url    string
	client *http.Client
	cmd    *exec.Cmd
	keep   io.Closer // closed, it ends the process
}

// startCompany starts `bot sim`. It ends with this process, however that ends: its input is a pipe from here.
func startCompany(ctx context.Context, config, state string, errs io.Writer) (*company, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"sim", "--state", state}
	if config != "" {
		args = append(args, "--config", config)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self, args...) //nolint:gosec // this program itself
	cmd.Stderr = errs
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the practice company: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the practice company did not start: %w", errors.Join(err, cmd.Wait()))
	}
	return &company{
		url: "http://" + strings.TrimSpace(line), client: &http.Client{Timeout: 10 * time.Second}, cmd: cmd, keep: in,
	}, nil
}

func (c *company) stop() {
	_ = c.keep.Close()
	_ = c.cmd.Wait()
}

// platforms are where the company's settings live; o is the document that it was started with.
func (c *company) platforms(o organisation) change.Platforms {
	return change.Platforms{"sim": sim.NewPlatform(o.practice(), c.url, c.client)}
}

type simCommand struct {
	Config string `type:"path"`
	State  string `type:"path" help:"File that keeps the company's settings."`
}

// Run serves the company until its input ends.
func (c simCommand) Run(ctx context.Context, s streams) error {
	org, err := loadOrganisation(c.Config)
	if err != nil {
		return err
	}
	co, err := sim.NewCompany(org.practice(), org.Location(), c.State)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, s.in)
		stop()
	}()
	return sim.Serve(ctx, "127.0.0.1:0", co, func(addr string) { fmt.Fprintln(s.out, addr) })
}

const companyHelp = `  /company                      what customers meet now
  /company settings             all settings
  /company edit SETTING VALUE   somebody changes a setting by hand
  /company fault KIND [TIMES]   slow, error, cut or refuse: the next changes go wrong
  /company well                 no more faults
`

// command is /company in the terminal: look at what customers meet, and make things go wrong.
func (c *company) command(ctx context.Context, args []string, out io.Writer) error {
	word := ""
	if len(args) > 0 {
		word = args[0]
	}
	switch {
	case word == "":
		return c.call(ctx, http.MethodGet, "/sim/world", nil, func(body io.Reader) error { return indent(out, body) })
	case word == "settings":
		return c.call(ctx, http.MethodGet, "/v1/settings", nil, func(body io.Reader) error {
			var list struct {
				Settings []struct{ Key, Value string }
			}
			err := json.NewDecoder(body).Decode(&list)
			for _, s := range list.Settings {
				fmt.Fprintf(out, "  %s: %s\n", strings.TrimPrefix(s.Key, "sim/"), s.Value)
			}
			return err
		})
	case word == "edit" && len(args) > 2:
		edit := map[string]string{"key": "sim/" + args[1], "value": strings.Join(args[2:], " "), "by": "a colleague"}
		return c.call(ctx, http.MethodPost, "/sim/edit", edit, done(out, "A colleague changed it by hand."))
	case word == "fault" && len(args) > 1:
		f := sim.Fault{Kind: sim.FaultKind(args[1]), Times: 1, Delay: config.Duration(3 * time.Second)}
		if len(args) > 2 {
			if _, err := fmt.Sscan(args[2], &f.Times); err != nil {
				return fmt.Errorf("%q is not a number of times", args[2])
			}
		}
		return c.call(ctx, http.MethodPost, "/sim/faults", f, done(out, "The next changes go wrong."))
	case word == "well":
		return c.call(ctx, http.MethodDelete, "/sim/faults", nil, done(out, "No more faults."))
	}
	_, err := io.WriteString(out, companyHelp)
	return err
}

func done(out io.Writer, text string) func(io.Reader) error {
	return func(io.Reader) error { _, err := fmt.Fprintln(out, "  "+text); return err }
}

func indent(out io.Writer, in io.Reader) error {
	for lines := bufio.NewScanner(in); ; {
		if !lines.Scan() {
			return lines.Err()
		}
		fmt.Fprintln(out, "  "+lines.Text())
	}
}

// call asks the company something and hands its answer to read.
func (c *company) call(ctx context.Context, method, path string, body any, read func(io.Reader) error) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/plain, application/json")
	resp, err := c.client.Do(req)
	if err != nil {
		return errors.New("the practice company does not answer")
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		var trouble struct{ Error string }
		if err := json.NewDecoder(resp.Body).Decode(&trouble); err != nil {
			return fmt.Errorf("the practice company said %s", resp.Status)
		}
		return errors.New(trouble.Error)
	}
	return read(resp.Body)
}
