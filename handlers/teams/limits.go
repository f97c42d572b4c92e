package teams

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Teams' limits. Where its pages differ the lowest counts.
const (
	// https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-reference: Teams draws no
	// newer version.
	cardVersion = "1.5"

	// https://learn.microsoft.com/microsoftteams/platform/bots/how-to/format-your-bot-messages and …/webhooks-and-connectors/how-to/connectors-using:
	// a message has about 100 KB in UTF-16 and was refused over 28 KB in places. A card of ours, as JSON, has fewer bytes.
	maxCard = 28 << 10

	// https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-actions
	maxActions = 6

	// The text for screen readers and for clients without cards, in characters; its pages name no limit.
	maxSpeech   = 1500
	maxSummary  = 250
	maxSentence = 800 // an answer in words to a press

	// Labels that are longer are cut by the clients; in characters.
	maxLabel  = 75
	maxOption = 200

	// https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/task-modules/invoking-task-modules
	maxDialogTitle = 60
)

// width counts s in UTF-16 units, which are never fewer than its characters.
func width(s string) int {
	n := 0
	for _, r := range s {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

// shorten cuts s to a width of at most n, on a character border, and shows that it was cut. It takes n of at least 1.
func shorten(s string, n int) string {
	if len(s) <= n || width(s) <= n {
		return s
	}
	at := 0
	for left := n - 1; at < len(s); {
		r, size := utf8.DecodeRuneInString(s[at:])
		if left -= max(utf16.RuneLen(r), 1); left < 0 {
			break
		}
		at += size
	}
	return strings.TrimRightFunc(s[:at], unicode.IsSpace) + "…"
}
