// Package slack is Slack as a chat platform: what comes in is checked and decoded, and cards are drawn as messages, forms
// and the Home tab.
//
// The pure half, which has no clock and calls nobody: message, modal and home (render.go, form.go) draw cards; decode and
// decodeSocket (decode.go) read what Slack sends, whose signature somebody else has checked; Manifest (manifest.go) is
// the app as Slack is told of it. What message was given as id comes back with a press as incoming.pressed; what modal
// was given as meta comes back with the form as incoming.meta.
package slack

// Platform is the name of this chat platform in places and accounts.
const Platform = "slack"
