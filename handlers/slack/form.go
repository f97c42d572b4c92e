package slack

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	slackgo "github.com/slack-go/slack"

	"switchback/bot/card"
)

// errForm means that Slack cannot show a form: something in it is over a limit that nothing can be split for.
var errForm = errors.New("a form that Slack cannot show")

// formCallback is the callback_id of every form: what is sent says the rest.
const formCallback = "form"

// modal draws the form of a card. What is sent comes back from decode with the action of the form, with meta, and with
// the values by the ids of the inputs, byte for byte. Action and meta have 2,999 bytes together. Errors of inputs are not
// drawn: fieldErrors has them for the answer to a form that was sent. It returns errForm where Slack cannot show it.
func modal(c card.Card, meta string) (slackgo.ModalViewRequest, error) {
	none := slackgo.ModalViewRequest{}
	if c.Form == nil || len(c.Form.Inputs) == 0 {
		return none, fmt.Errorf("%w: it has no inputs", errForm)
	}
	private := c.Form.Action + "\n" + meta
	if strings.Contains(c.Form.Action, "\n") || width(private) > maxMeta || !utf8.ValidString(private) {
		return none, fmt.Errorf("%w: its action and what goes with it are %d characters, at most %d", errForm, width(private), maxMeta)
	}
	s := sheetOf(c, fact)
	s.buttons = nil
	s.fit(maxMessage)
	title := s.title.oneLine()
	if s.drill {
		title = "DRILL: " + title
	}
	blocks := s.blocks(false)
	if width(title) <= maxViewTitle && !s.drill {
		blocks = blocks[1:] // the view's own title says it all
	}
	seen := map[string]bool{}
	for i, in := range c.Form.Inputs {
		if in.ID == "" || seen[in.ID] || !utf8.ValidString(in.ID) {
			return none, fmt.Errorf("%w: input %q has no id of its own", errForm, in.ID)
		}
		seen[in.ID] = true
		fields, err := inputBlocks(i, in)
		if err != nil {
			return none, err
		}
		blocks = append(blocks, fields...)
	}
	if len(blocks) > maxViewBlocks {
		return none, fmt.Errorf("%w: %d blocks, at most %d", errForm, len(blocks), maxViewBlocks)
	}
	return slackgo.ModalViewRequest{
		Type: slackgo.VTModal, CallbackID: formCallback, PrivateMetadata: private, Blocks: slackgo.Blocks{BlockSet: blocks},
		Title: plainText(title, maxViewTitle), Submit: plainText(plain(c.Form.Submit), maxViewTitle), Close: plainText("Cancel", maxViewTitle),
	}, nil
}

// fieldErrors are the errors of a form's inputs by block, for the answer to a form that was sent; nil if there are none.
func fieldErrors(c card.Card) map[string]string {
	var out map[string]string
	if c.Form == nil {
		return nil
	}
	for i, in := range c.Form.Inputs {
		if in.Error == "" {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		block, _ := fieldOf(i, 1, in.ID, fieldValue)
		out[block] = shorten(orElse(plain(in.Error), "This was not taken."), maxError)
	}
	return out
}

// A value is in the fields of its input: the block says which input, and which part of its text; what is too long for
// a block_id goes on in the action_id. An input whose id is short, and looks like no part, is its own block_id.
const (
	fieldValue = "value"
	fieldLines = "lines" // the value has \r\n at its line ends, which Slack's fields do not keep
)

var partBlock = regexp.MustCompile(`^part\d{1,3}\.(\d{1,4}):`)

// fieldOf names the part (from 1) of the i-th input in a view; kind is fieldValue or fieldLines.
func fieldOf(i, part int, id, kind string) (block, action string) {
	if part == 1 && width(id) <= maxID && !partBlock.MatchString(id) {
		return id, kind
	}
	head := fmt.Sprintf("part%d.%d:", i, part)
	first, rest := split(id, maxID-len(head))
	if rest != "" {
		kind += ":" + rest
	}
	return head + first, kind
}

// fieldID is the input that fieldOf made a block and an action for, and the part.
func fieldID(block, action string) (id string, part int, kind string) {
	kind, rest, _ := strings.Cut(action, ":")
	m := partBlock.FindStringSubmatch(block)
	if m == nil {
		return block, 1, kind
	}
	part, _ = strconv.Atoi(m[1]) // at most four digits
	return block[len(m[0]):] + rest, part, kind
}

// longPart is how much of a text that is too long for one field stands in each: some room is left to write.
const longPart = 2500

// inputBlocks draws the i-th input of a form: one block, or several for a long text.
func inputBlocks(i int, in card.Input) ([]slackgo.Block, error) {
	if !utf8.ValidString(in.Value) {
		return nil, fmt.Errorf("%w: the value of %q is no text", errForm, in.ID)
	}
	label := plain(in.Label)
	var out []slackgo.Block
	add := func(part int, label, hint string, optional bool, kind string, element func(action string) slackgo.BlockElement) error {
		block, action := fieldOf(i, part, in.ID, kind)
		if width(action) > maxID {
			return fmt.Errorf("%w: the id of an input is %d bytes", errForm, len(in.ID))
		}
		b := slackgo.NewInputBlock(block, plainText(label, maxInputLabel), nil, element(action))
		if hint != "" {
			b.Hint = plainText(hint, maxHint)
		}
		b.Optional = optional
		out = append(out, b)
		return nil
	}
	if in.Kind == card.Choice || in.Kind == card.Many {
		options, chosen, err := optionsOf(in)
		if err != nil {
			return nil, err
		}
		err = add(1, label, plain(in.Hint), in.Optional, fieldValue, func(action string) slackgo.BlockElement { return choice(in.Kind, action, options, chosen) })
		return out, err
	}
	kind := fieldValue
	value := in.Value
	if strings.Contains(value, "\r\n") && strings.Count(value, "\r\n") == strings.Count(value, "\n") && strings.Count(value, "\r") == strings.Count(value, "\n") {
		kind, value = fieldLines, strings.ReplaceAll(value, "\r\n", "\n")
	}
	parts := textParts(value)
	for n, text := range parts {
		name, hint := label, plain(in.Hint)
		if len(parts) > 1 {
			name = fmt.Sprintf("%s (%d of %d)", shorten(label, maxInputLabel-20), n+1, len(parts))
			if n > 0 {
				hint = "One text in several fields: they are put together as they stand."
			}
		}
		err := add(n+1, name, hint, in.Optional || n > 0, kind, func(action string) slackgo.BlockElement {
			return &slackgo.PlainTextInputBlockElement{
				Type: slackgo.METPlainTextInput, ActionID: action, InitialValue: text, MaxLength: maxInput,
				Multiline: in.Kind == card.Long || strings.Contains(in.Value, "\n"),
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// textParts splits a text that is too long for one field, and adds a field to go on in. The pieces put together are the
// text. Where possible none begins or ends with a space, which somebody on the way might take off.
func textParts(s string) []string {
	if width(s) <= maxInput {
		return []string{s}
	}
	var out []string
	for width(s) > longPart {
		head, _ := split(s, longPart)
		at := len(head)
		for at > len(head)/2 && (isSpace(s[at-1]) || isSpace(s[at]) || !utf8.RuneStart(s[at])) {
			at--
		}
		if at == len(head)/2 {
			at = len(head)
		}
		out, s = append(out, s[:at]), s[at:]
	}
	return append(out, s, "")
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\t' || b == '\r' }

// optionsOf are the options of an input, and those that are chosen. A value may be empty in a card, but not in Slack.
func optionsOf(in card.Input) (options, chosen []*slackgo.OptionBlockObject, err error) {
	if len(in.Options) == 0 || len(in.Options) > maxMenu*maxMenu {
		return nil, nil, fmt.Errorf("%w: input %q has %d options", errForm, in.ID, len(in.Options))
	}
	values := []string{in.Value}
	if in.Kind == card.Many {
		values = strings.Split(in.Value, "\n")
	}
	seen := map[string]bool{}
	for _, o := range in.Options {
		value := optionValue(o.Value)
		if width(value) > maxOptionValue || seen[value] || !utf8.ValidString(value) || in.Kind == card.Many && (o.Value == "" || strings.Contains(o.Value, "\n")) {
			return nil, nil, fmt.Errorf("%w: input %q has the option %.40q", errForm, in.ID, o.Value)
		}
		seen[value] = true
		option := slackgo.NewOptionBlockObject(value, plainText(orElse(plain(o.Label), plain(o.Value)), maxOption), nil)
		options = append(options, option)
		if slices.Contains(values, o.Value) {
			chosen = append(chosen, option)
		}
	}
	return options, chosen, nil
}

// optionValue writes a value as Slack takes it, which is not empty; optionOf reads it.
func optionValue(v string) string {
	if v == "" || strings.HasPrefix(v, "=") {
		return "=" + v
	}
	return v
}

func optionOf(v string) string { return strings.TrimPrefix(v, "=") }

// choice draws options: few as they are, many as a menu.
func choice(kind card.InputKind, action string, options, chosen []*slackgo.OptionBlockObject) slackgo.BlockElement {
	few := len(options) <= maxRadio
	var groups []*slackgo.OptionGroupBlockObject
	if len(options) > maxMenu {
		at := 1
		for part := range slices.Chunk(options, maxMenu) {
			groups = append(groups, slackgo.NewOptionGroupBlockElement(plainText(fmt.Sprintf("%d to %d", at, at+len(part)-1), maxOption), part...))
			at += len(part)
		}
		options = nil
	}
	switch {
	case kind == card.Choice && few:
		e := slackgo.NewRadioButtonsBlockElement(action, options...)
		if len(chosen) > 0 {
			e.InitialOption = chosen[0]
		}
		return e
	case kind == card.Choice:
		e := slackgo.NewOptionsSelectBlockElement(slackgo.OptTypeStatic, nil, action, options...)
		e.OptionGroups = groups
		if len(chosen) > 0 {
			e.InitialOption = chosen[0]
		}
		return e
	case few:
		e := slackgo.NewCheckboxGroupsBlockElement(action, options...)
		e.InitialOptions = chosen
		return e
	default:
		e := slackgo.NewOptionsMultiSelectBlockElement(slackgo.MultiOptTypeStatic, nil, action, options...)
		e.OptionGroups, e.InitialOptions = groups, chosen
		return e
	}
}
