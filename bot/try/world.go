package try

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"text/template"
	"time"

	"switchback/bot/gladly/gladlytest"
	"switchback/handlers/slack/slacktest"
	"switchback/handlers/statuspage/statuspagetest"
	"switchback/handlers/teams/teamstest"
)

// Who talks to whom.
const (
	theBot    = "bot"
	slackSide = "Slack"
	teamsSide = "Teams"
	pageSide  = "status page"
	customers = "customers"
)

// botURL is what the world calls the bot. No name server is asked: see process.dial.
const botURL = "http://bot.acme.example"

// Channels and the group of the workspace.
const (
	supportID = "C0SUPPORT"
	voiceID   = "C0VOICE"
	onCallID  = "S0ONCALL"
)

// world is all that is around the bot, and the bot.
type world struct {
	bot    *process
	wire   *wire
	slack  *slacktest.Slack
	teams  *teamstest.Teams
	gladly *gladlytest.Gladly
	admin  *gladlytest.Admin
	status *statuspagetest.Page
	people *people // customers

	mu        sync.Mutex
	changed   chan struct{} // closed at the next change
	shown     map[string]slacktest.Message
	incidents map[string]string // on the status page: the component of each

	servers []*http.Server
	serving sync.WaitGroup
}

// newWorld makes the world; the bot is not started yet.
func newWorld(ctx context.Context, c Config) (*world, error) {
	w := &world{changed: make(chan struct{}), shown: map[string]slacktest.Message{}, incidents: map[string]string{}}
	var hide []string
	secret := func() string {
		s := strings.ToLower(rand.Text())
		hide = append(hide, s, shownSecret)
		return s
	}
	w.bot = &process{command: c.Command, changed: w.touch, state: down}
	w.wire = &wire{changed: w.touch, dial: w.bot.dial}

	token, signing, password, hook := "xoxb-"+secret(), secret(), secret(), secret()
	api, err := w.listen(ctx)
	if err != nil {
		return nil, err
	}
	config := slacktest.Config{BotToken: token, SigningSecret: signing, BaseURL: "http://" + api.Addr().String(), Client: w.wire.client(slackSide)}
	if err := config.Install(c.Manifest); err != nil {
		return nil, err
	}
	zone := localZone()
	w.slack = workspace(config, zone)
	w.slack.Connect(slacktest.At(botURL))
	w.serve(api, w.wire.serve(slackSide, w.slack))

	connector, err := w.listen(ctx)
	if err != nil {
		return nil, err
	}
	w.teams = tenant(teamstest.Config{BaseURL: "http://" + connector.Addr().String(), Password: secret(), Client: w.wire.client(teamsSide)}, zone)
	w.teams.Connect(botURL + "/api/messages")
	w.serve(connector, w.wire.serve(teamsSide, w.teams))

	w.people = &people{world: w, client: w.wire.client(customers), again: make(chan struct{}, 1)}
	w.gladly = company(&gladlytest.Dip{
		URL: botURL + "/flags/voice?number={{._companyNumber}}", User: "menu", Password: password,
		Variable: "state", Equals: "voicemail", Then: voicemailOnly, Client: w.people.client,
	})
	if w.admin, err = w.gladly.SignIn("ana"); err != nil {
		return nil, err
	}

	read, err := w.listen(ctx)
	if err != nil {
		return nil, err
	}
	w.status = statuspagetest.New("Gladly", components()...)
	w.status.Subscribe(botURL+"/hooks/statuspage/gladly/"+hook, w.wire.client(pageSide))
	w.serve(read, w.wire.serve(pageSide, w.status))

	document, err := organisation(settings{Zone: zone, Page: "http://" + read.Addr().String()})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(c.Data, "organisation.yaml")
	if err := os.WriteFile(file, document, 0o600); err != nil {
		return nil, err
	}
	w.bot.env = append([]string{
		"LISTEN_ADDR=127.0.0.1:0", "DATA_DIR=" + c.Data, "CONFIG_FILE=" + file, "FLAGS_SECRET=menu:" + password, "STATUSPAGE_WEBHOOK_SECRET=" + hook,
		"SLACK_BOT_TOKEN=" + token, "SLACK_SIGNING_SECRET=" + signing,
		"SLACK_API_URL=" + w.slack.APIURL(), "SLACK_RESPONSE_HOSTS=" + api.Addr().String(),
		"TEAMS_APP_ID=" + w.teams.Config().App, "TEAMS_APP_PASSWORD=" + w.teams.Config().Password, "TEAMS_TENANT_ID=" + w.teams.Config().Tenant,
		"TEAMS_OPENID_URL=" + w.teams.OpenIDURL(), "TEAMS_TOKEN_URL=" + w.teams.TokenURL(), "TEAMS_SERVICE_HOSTS=" + w.teams.Host(),
	}, c.Env...)

	replace := strings.NewReplacer(hide...)
	w.wire.hide = func(s string) string { return capability.ReplaceAllString(replace.Replace(s), "$1…") }
	return w, nil
}

// begin starts the bot, and adds it to the team in Teams: it must be there to hear of that.
func (w *world) begin(ctx context.Context) error {
	if err := w.bot.start(ctx); err != nil {
		return err
	}
	return w.teams.Install(ctx, "sam", generalID)
}

// live lets customers come and go until ctx ends.
func (w *world) live(ctx context.Context) {
	var parts sync.WaitGroup
	parts.Go(func() { w.people.run(ctx) })
	for _, changed := range []func() <-chan struct{}{w.slack.Changed, w.teams.Changed} {
		parts.Go(func() {
			for {
				next := changed()
				select {
				case <-ctx.Done():
					return
				case <-next:
					w.touch()
				}
			}
		})
	}
	<-ctx.Done()
	parts.Wait()
}

// close ends the bot first, so that its last words are heard.
func (w *world) close() {
	w.bot.stop()
	w.slack.Close()
	w.teams.Close()
	w.status.Close()
	for _, s := range w.servers {
		_ = s.Close()
	}
	w.serving.Wait()
}

func (w *world) listen(ctx context.Context) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
}

func (w *world) serve(l net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: headerIn}
	w.servers = append(w.servers, s)
	w.serving.Go(func() { _ = s.Serve(l) })
}

// touch tells of a change.
func (w *world) touch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *world) next() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}

// workspace is the Slack of acme.
func workspace(c slacktest.Config, zone string) *slacktest.Slack {
	s := slacktest.New(c)
	members := []string{slacktest.BotUser}
	for _, name := range []string{"ana", "sam", "kim", "lee"} {
		u := s.AddUser(slacktest.User{Name: name, RealName: strings.ToUpper(name[:1]) + name[1:], Email: name + "@acme.example", Zone: zone})
		members = append(members, u.ID)
	}
	s.AddChannel(slacktest.Channel{ID: supportID, Name: "support", Members: members})
	s.AddChannel(slacktest.Channel{ID: voiceID, Name: "voice", Members: members})
	s.AddGroup(slacktest.Group{ID: onCallID, Handle: "support-oncall", Members: []string{"U0ANA", "U0SAM", "U0KIM"}})
	return s
}

// Channels of the team.
const (
	generalID    = "19:general@thread.tacv2"
	teamSupport  = "19:support@thread.tacv2"
	teamVoice    = "19:voice@thread.tacv2"
	objectPrefix = "0b1ec700-0000-4000-8000-00000000000" // of people in Entra; organisation.yaml has them
)

// tenant is the Teams of acme, with the same people as its Slack.
func tenant(c teamstest.Config, zone string) *teamstest.Teams {
	t := teamstest.New(c)
	var members []string
	for i, name := range []string{"ana", "sam", "kim", "lee"} {
		u := t.AddUser(teamstest.User{Name: name, Object: fmt.Sprint(objectPrefix, i+1), Zone: zone})
		members = append(members, u.ID)
	}
	for id, name := range map[string]string{generalID: "General", teamSupport: "support", teamVoice: "voice"} {
		t.AddGroup(teamstest.Group{ID: id, Name: name, Kind: teamstest.Channel, Team: generalID, Members: members})
	}
	return t
}

// The menus that callers come to.
const (
	ordersMenu    = "Orders menu"
	mainMenu      = "Main menu"
	voicemailOnly = "Voicemail Only"
)

// company is the Gladly of acme in peace time, as organisation.yaml has it.
func company(asks *gladlytest.Dip) *gladlytest.Gladly {
	zone, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		zone = time.UTC // time/tzdata has it
	}
	week := gladlytest.Week("00:00", "24:00")
	return gladlytest.New(gladlytest.Setup{
		Zone: zone, Administrators: []string{"ana"},
		IVRs: []gladlytest.IVR{
			{Name: ordersMenu, Published: true, Says: "Welcome to Acme. Press 1 to order, 2 for an order you made.", Dip: asks},
			{Name: mainMenu, Published: true, Says: "Welcome to Acme. Stay on the line, and somebody will be with you."},
			{Name: voicemailOnly, Published: true, Says: "Thanks for contacting us! We cannot take your call. Please leave a message.", Voicemail: true},
		},
		Numbers: []gladlytest.Number{
			{Number: "+16505550101", Name: "Orders", InitialIVR: ordersMenu, QueueIVR: "Hold music"},
			{Number: "+16505550102", Name: "Returns", InitialIVR: mainMenu, QueueIVR: "Hold music"},
			{Number: "+16505550103", Name: "Repairs", InitialIVR: mainMenu, QueueIVR: "Hold music"},
		},
		Apps: []gladlytest.App{
			{ID: "web-shop", Name: "Web shop", Hours: week, Unavailable: "Hello! Leave us a note, and we write back."},
			{ID: "help-centre", Name: "Help centre", Hours: week, Unavailable: "We're closed right now. See <b>help.example.com/faq</b> meanwhile."},
		},
	})
}

// components of Gladly's page that the organisation knows, and one that does not concern it.
func components() []string {
	return []string{"Voice", "Chat", "SMS", "Email", "Login", "Reports"}
}

//go:embed organisation.yaml
var document string

// settings are what the organisation document does not know before the start.
type settings struct {
	Zone string
	Page string // the status page's address
}

func organisation(s settings) ([]byte, error) {
	t, err := template.New("organisation.yaml").Parse(document)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, s); err != nil {
		return nil, fmt.Errorf("write the organisation document: %w", err)
	}
	return b.Bytes(), nil
}

// localZone is the zone of this machine, by its name if that can be found out.
func localZone() string {
	link, _ := os.Readlink("/etc/localtime") // none: a system that has no such link
	_, linked, _ := strings.Cut(link, "zoneinfo/")
	for _, name := range []string{os.Getenv("TZ"), time.Local.String(), linked} { //nolint:gosmopolitan // it is meant
		if _, err := time.LoadLocation(cmp.Or(name, "Local")); err == nil && name != "" && name != "Local" {
			return name
		}
	}
	return "UTC"
}
