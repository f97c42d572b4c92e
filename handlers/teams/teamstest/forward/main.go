// Command forward lets an unsigned local client of the Bot Framework, such as Microsoft's Agents Playground, talk to an
// unchanged bot: it is the issuer whose keys the bot trusts, the endpoint where the bot gets its token, and signs what
// that client sends.
//
//	go run ./handlers/teams/teamstest/forward --listen 127.0.0.1:3979 --bot http://127.0.0.1:8080/api/messages --client 127.0.0.1:56150
//
// It prints what the bot has to be started with. The client's address is where that client takes the bot's messages; its
// endpoint is this program's /api/messages. All of it is for loopback.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"switchback/handlers/teams/teamstest"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:3979", "where the client finds this program")
	bot := flag.String("bot", "http://127.0.0.1:8080/api/messages", "where the bot takes activities")
	client := flag.String("client", "127.0.0.1:56150", "where the client takes messages")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *listen, *bot, *client); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called
	}
}

func run(ctx context.Context, listen, bot, client string) error {
	teams := teamstest.New(teamstest.Config{})
	if err := teams.Listen(); err != nil {
		return err
	}
	defer teams.Close()
	teams.Connect(bot)
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /api/messages", teams.Forward("http://"+client))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	c := teams.Config()
	fmt.Printf("TEAMS_APP_ID=%s TEAMS_APP_PASSWORD=%s TEAMS_TENANT_ID=%s TEAMS_OPENID_URL=%s TEAMS_TOKEN_URL=%s TEAMS_SERVICE_HOSTS=%s\n",
		c.App, c.Password, c.Tenant, teams.OpenIDURL(), teams.TokenURL(), teams.Host())
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}
