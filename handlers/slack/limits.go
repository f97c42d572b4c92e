package slack

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Slack's limits, in characters where nothing else is said. Slack's own clients count code points and its pages do not
// say what the server counts; here they are counted in UTF-16 units, which are never fewer.
const (
	// https://docs.slack.dev/reference/block-kit/blocks
	maxBlocks     = 50  // of a message
	maxViewBlocks = 100 // of a modal or the Home tab

	// The total has no page: the error is msg_blocks_too_long. Others were refused from about 11,300 counted characters
	// (https://github.com/slackapi/bolt-js/issues/2867, https://github.com/slackapi/bolt-js/issues/2509).
	maxMessage = 4900

	// https://docs.slack.dev/reference/methods/chat.update: msg_too_long over 4,000.
	maxText = 3900

	// https://docs.slack.dev/reference/block-kit/blocks/header-block
	maxHeader = 150

	// https://docs.slack.dev/reference/block-kit/composition-objects/text-object. Rich text has no documented limit of
	// its own; no block of ours is longer than a text object.
	maxTextObject = 3000

	// https://docs.slack.dev/reference/block-kit/blocks/actions-block
	maxButtons = 25

	// https://docs.slack.dev/reference/block-kit/block-elements/button-element
	maxLabel = 75
	maxValue = 2000

	// The same page says that clients show about 30 characters of a button. What is cut a little later is still understood.
	shownLabel = 34

	// https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object
	maxSureTitle  = 100
	maxSureText   = 300
	maxSureButton = 30

	// https://docs.slack.dev/reference/block-kit/composition-objects/option-object
	maxOption      = 75
	maxOptionValue = 150

	// https://docs.slack.dev/reference/block-kit/block-elements/radio-button-group-element and checkboxes-element:
	// up to this many options are shown as such, more as a menu.
	maxRadio = 10

	// https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element: of a menu, of a group, and groups.
	maxMenu = 100

	// https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element
	maxInput = 3000

	// https://docs.slack.dev/reference/block-kit/blocks/input-block
	maxInputLabel = 2000
	maxHint       = 2000

	// https://docs.slack.dev/reference/block-kit/blocks: block_id; action_id and callback_id have the same.
	maxID = 255

	// https://docs.slack.dev/reference/views/modal-views
	maxViewTitle = 24
	maxMeta      = 3000

	// An error beside a field; its page names no limit.
	maxError = 300
)

// width counts s as Slack may: in UTF-16 units, which are never fewer than its characters.
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
	head, _ := split(s, n-1)
	return strings.TrimRightFunc(head, unicode.IsSpace) + "…"
}

// split cuts s after at most n of its width, on a character border.
func split(s string, n int) (head, rest string) {
	at := 0
	for at < len(s) {
		r, size := utf8.DecodeRuneInString(s[at:])
		if n -= max(utf16.RuneLen(r), 1); n < 0 {
			break
		}
		at += size
	}
	return s[:at], s[at:]
}
