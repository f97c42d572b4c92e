// Command bot is Switchback: a chatops bot that walks people through an outage of their customer-service platform,
// changes what has to be changed, and puts exactly that back.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // a container may have none, and midnight depends on it

	"github.com/alecthomas/kong"

	"switchback/bot/config"
)

// commands are the words of the command line.
type commands struct {
	Try      tryCommand      `cmd:"" help:"The playground: the bot on this machine, in a simulated world, on one page. No account is needed."`
	Chat     chatCommand     `cmd:"" help:"Use the bot in this terminal, on a company to practise on."`
	Serve    serveCommand    `cmd:"" help:"Run the bot as a service, set up by environment variables."`
	Check    checkCommand    `cmd:"" help:"Check a playbook or an organisation document; without a file, the built-in playbook."`
	Tree     treeCommand     `cmd:"" help:"Print the playbook as text, Mermaid or DOT."`
	Config   configCommand   `cmd:"" help:"Print an example of the organisation document, or its schema."`
	Outages  outagesCommand  `cmd:"" help:"List what is open, with the values from before."`
	Page     pageCommand     `cmd:"" help:"Print links to what is open, to read when no chat works."`
	Restore  restoreCommand  `cmd:"" help:"Put back what was there before an outage."`
	Import   importCommand   `cmd:"" help:"Take an outage back from the values that were posted in its thread."`
	Audit    auditCommand    `cmd:"" help:"Print the audit log, or check it."`
	Doctor   doctorCommand   `cmd:"" help:"Look at every outside part, and say what to do about it."`
	Manifest manifestCommand `cmd:"" help:"Print the app of a chat platform, for its administrators."`
	Prune    pruneCommand    `cmd:"" help:"Remove what ended long ago."`
	Sim      simCommand      `cmd:"" hidden:"" help:"The company to practise on."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

// errProblems ends a command whose problems are printed already.
var errProblems = errors.New("there are problems")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run is the program without its process: it returns the exit status: 0, 1 for errors, 2 for a wrong call, or 3
// where something is left for a person.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	var cmd commands
	status := -1
	surroundings, err := readEnvironment()
	if err != nil {
		fmt.Fprintln(errs, "bot:", err)
		return 2
	}
	parser, err := kong.New(&cmd, kong.Name("bot"), kong.Writers(out, errs),
		kong.Description("Walks people through an outage, and puts everything back."),
		kong.Exit(func(code int) { status = code }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(streams{in, out, errs}), kong.Bind(surroundings), surroundings.vars())
	if err != nil {
		fmt.Fprintln(errs, "bot:", err)
		return 2
	}
	k, err := parser.Parse(args)
	if status >= 0 { // --help
		return status
	}
	if err != nil {
		fmt.Fprintln(errs, "bot:", err)
		return 2
	}
	var problems config.Problems
	switch err := k.Run(); {
	case err == nil:
		return 0
	case errors.Is(err, errProblems):
		return 1
	case errors.Is(err, errLeft):
		return 3
	case errors.As(err, &problems):
		for _, p := range problems {
			fmt.Fprintln(errs, p)
		}
		return 1
	default:
		fmt.Fprintln(errs, "bot:", err)
		return 1
	}
}

// streams are where a command reads and writes.
type streams struct {
	in        io.Reader
	out, errs io.Writer
}

type versionCommand struct{}

func (versionCommand) Run(s streams) error {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	_, err := fmt.Fprintln(s.out, "switchback", version)
	return err
}
