// Draws the Block Kit that the bot emits, as Slack would. What it does not know it shows as JSON, and says so.
import {h, clock} from '/page/dom.js';

// who knows names: {people, groups, channels}.
let who = {people: {}, groups: {}, channels: []};

export function know(slack) { who = slack; }

const channelName = (id) => '#' + ((who.channels.find((c) => c.id === id) || {}).name || 'a channel');

// when writes a moment in the reader's zone. https://docs.slack.dev/messaging/formatting-message-text#date-formatting
function when(seconds, form) {
	const at = new Date(seconds * 1000), days = Math.round((new Date(at).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 86400000);
	const near = {'-1': 'Yesterday', 0: 'Today', 1: 'Tomorrow'}[days];
	const date = near || at.toLocaleDateString([], {month: 'short', day: 'numeric'});
	return form.replace('{time}', clock(at)).replace(/\{date[a-z_]*\}/, date);
}

const moment = (seconds, form, otherwise) => h('time', {datetime: new Date(seconds * 1000).toISOString(), title: otherwise}, when(seconds, form));

// link shows where a link leads. Nobody follows one from here: nothing leaves this machine.
const link = (url, text) => h('span', {class: 'link', title: url}, text || url);

// marked draws the text of a message without blocks.
export function marked(text) {
	const out = [];
	let last = 0;
	for (const m of text.matchAll(/<([^>]*)>/g)) {
		out.push(plain(text.slice(last, m.index)), entity(m[1]));
		last = m.index + m[0].length;
	}
	return [...out, plain(text.slice(last))];
}

const plain = (s) => s.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

function entity(s) {
	const [what, label] = s.split('|');
	const date = /^!date\^(\d+)\^([^^]*)/.exec(what);
	if (date) return moment(Number(date[1]), date[2], label);
	if (what.startsWith('@')) return h('b', null, '@' + (who.people[what.slice(1)] || label || what.slice(1)));
	if (what.startsWith('#')) return h('b', null, channelName(what.slice(1)));
	if (what.startsWith('!subteam^')) return h('b', null, '@' + (who.groups[what.slice(9)] || 'a group'));
	if (what.startsWith('!')) return h('b', null, '@' + what.slice(1));
	return link(what, label && plain(label));
}

function run(e) {
	let out;
	switch (e.type) {
	case 'text': out = document.createTextNode(e.text); break;
	case 'link': out = link(e.url, e.text); break;
	case 'date': out = moment(e.timestamp, e.format, e.fallback); break;
	case 'channel': out = h('b', null, channelName(e.channel_id)); break;
	case 'user': out = h('b', null, '@' + (who.people[e.user_id] || e.user_id)); break;
	case 'usergroup': out = h('b', null, '@' + (who.groups[e.usergroup_id] || 'a group')); break;
	default: return unknown(e);
	}
	if (e.style && e.style.bold) out = h('b', null, out);
	if (e.style && e.style.italic) out = h('i', null, out);
	return out;
}

function rich(e) {
	switch (e.type) {
	case 'rich_text_section': return h('p', null, e.elements.map(run));
	case 'rich_text_quote': return h('blockquote', null, e.elements.map(run));
	case 'rich_text_preformatted': return h('pre', {tabindex: 0}, e.elements.map(run));
	case 'rich_text_list': return h(e.style === 'ordered' ? 'ol' : 'ul', null, e.elements.map((i) => h('li', null, i.elements.map(run))));
	default: return unknown(e);
	}
}

const unknown = (o) => h('details', {class: 'unknown'}, h('summary', null, `${o.type}: not drawn here`), json(o));

export const json = (o) => h('pre', {tabindex: 0, class: 'json'}, JSON.stringify(o, null, 2));

const text = (o) => (!o ? '' : o.type === 'mrkdwn' ? marked(o.text) : o.text);

// blocks draws blocks. pressed(block, element) is called when somebody presses a button; the bot's forms have none.
// Inputs begin with their values.
export function blocks(list, pressed, level = 3) {
	return (list || []).map((b) => {
		switch (b.type) {
		case 'header': return h('h' + level, null, text(b.text));
		case 'rich_text': return b.elements.map(rich);
		case 'section': return [b.text && h('p', null, text(b.text)), (b.fields || []).map((f) => h('p', null, text(f))), b.accessory && unknown(b.accessory)];
		case 'context': return h('p', {class: 'hint'}, b.elements.map((e) => (e.text ? text(e) : unknown(e))));
		case 'divider': return h('hr');
		case 'actions': return h('p', {class: 'row actions'}, b.elements.map((e) => (e.type === 'button' && pressed ? button(b, e, pressed) : unknown(e))));
		case 'input': return input(b);
		default: return unknown(b);
		}
	});
}

const button = (b, e, pressed) => h('button', {
	type: 'button', class: e.style || null, 'aria-label': e.accessibility_label, click: () => pressed(b, e),
}, e.text.text);

// input draws an input block. The element that holds its value, or their group, has data-block.
function input(b) {
	const e = b.element, id = 'f-' + b.block_id.replace(/[^a-zA-Z0-9_-]/g, '_'), told = id + '-told';
	const label = [text(b.label), b.optional ? h('span', {class: 'hint'}, ' (optional)') : null];
	const below = [b.hint && h('p', {class: 'hint'}, text(b.hint)), h('p', {class: 'error', id: told})];
	const many = e.type === 'checkboxes';
	switch (e.type) {
	case 'plain_text_input': {
		const field = h(e.multiline ? 'textarea' : 'input', {
			id, 'data-block': b.block_id, 'aria-describedby': told, rows: e.multiline ? 4 : null, maxlength: e.max_length,
			placeholder: e.placeholder && e.placeholder.text,
		});
		field.value = e.initial_value || '';
		return h('div', {class: 'field'}, h('label', {for: id}, label), field, below);
	}
	case 'static_select': case 'multi_static_select': {
		const several = e.type === 'multi_static_select';
		const chosen = (several ? e.initial_options || [] : [e.initial_option]).map((o) => o && o.value);
		const option = (o) => h('option', {value: o.value, selected: chosen.includes(o.value)}, o.text.text);
		const groups = (e.option_groups || []).map((g) => h('optgroup', {label: g.label.text}, g.options.map(option)));
		const field = h('select', {id, 'data-block': b.block_id, 'aria-describedby': told, multiple: several},
			several || e.initial_option ? null : h('option', {value: ''}, 'Choose …'), groups.length ? groups : (e.options || []).map(option));
		return h('div', {class: 'field'}, h('label', {for: id}, label), field, below);
	}
	case 'radio_buttons': case 'checkboxes': {
		const chosen = (many ? e.initial_options || [] : [e.initial_option]).map((o) => o && o.value);
		return h('fieldset', {class: 'field', 'data-block': b.block_id, 'aria-describedby': told}, h('legend', null, label),
			e.options.map((o) => h('label', {class: 'choice'},
				h('input', {type: many ? 'checkbox' : 'radio', name: id, value: o.value, checked: chosen.includes(o.value)}), ' ', o.text.text)), below);
	}
	default: return unknown(b);
	}
}

// filled returns what the inputs of a form hold, by block: what is chosen by its value, several one a line.
export function filled(form) {
	const out = {};
	for (const e of form.querySelectorAll('[data-block]')) {
		const list = e.tagName === 'FIELDSET' ? [...e.querySelectorAll(':checked')] : e.multiple ? [...e.selectedOptions] : [e];
		out[e.dataset.block] = list.map((f) => f.value).join('\n');
	}
	return out;
}

// saidBy is all the text of a message, to look for something in.
export const saidBy = (m) => m.text + ' ' + JSON.stringify(m.blocks || '');
