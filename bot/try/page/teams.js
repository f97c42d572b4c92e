// The Teams pane. Cards are drawn by Microsoft's adaptivecards (MIT, adaptivecards.LICENSE.txt).
import {$, h, keyed, post, clock, follow, rest} from '/page/dom.js';
import {json} from '/page/blocks.js';

const {AdaptiveCard, HostConfig} = window.AdaptiveCards;

// What a card says is text, never markup of its own.
AdaptiveCard.onProcessMarkdown = (text, result) => {
	result.outputHtml = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('\n', '<br>');
	result.didProcess = true;
};

const colour = (main, subtle) => ({default: main, subtle});
const host = new HostConfig({
	fontFamily: 'inherit',
	fontSizes: {small: 13, default: 15, medium: 16, large: 17, extraLarge: 20},
	spacing: {small: 4, default: 8, medium: 12, large: 16, extraLarge: 20, padding: 0},
	supportsInteractivity: true,
	actions: {maxActions: 6, actionsOrientation: 'Horizontal', actionAlignment: 'Left', buttonSpacing: 8, showCard: {actionMode: 'Inline', inlineTopMargin: 8}},
	containerStyles: {default: {
		backgroundColor: 'transparent',
		foregroundColors: {
			default: colour('var(--text)', 'var(--muted)'), accent: colour('var(--accent)', 'var(--accent)'), good: colour('var(--good)', 'var(--good)'),
			attention: colour('var(--bad)', 'var(--bad)'), warning: colour('var(--text)', 'var(--muted)'), dark: colour('var(--text)', 'var(--muted)'), light: colour('var(--text)', 'var(--muted)'),
		},
	}},
});

let teams, shown = '19:support@thread.tacv2', at, acted = 0;

// Each person has a chat with the bot of their own: whoever is another person now stays in theirs.
const place = (c) => (c.direct ? 'direct' : c.id);

export function draw(state) {
	teams = state;
	at = teams.channels.find((c) => place(c) === shown) || teams.channels[0];
	shown = place(at);
	keyed($('teams-channels'), teams.channels.map((c) => ({...c, on: c === at})), place,
		(c) => h('button', {type: 'button', 'aria-current': c.on ? 'true' : null, click: () => turn(place(c))}, c.direct ? 'Chat with Switchback' : c.name));
	$('teams-label').textContent = 'Message to ' + (at.direct ? 'Switchback' : 'the channel');
	messages();
	dialog();
}

function turn(to) {
	shown = to;
	$('teams-log').replaceChildren();
	draw(teams);
	$('teams-log').scrollTop = $('teams-log').scrollHeight;
}

function messages() {
	const log = $('teams-log'), all = teams.messages.filter((m) => m.group === at.id);
	const near = rest(log) < 120 || Date.now() - acted < 5000, fresh = [];
	const tops = all.filter((m) => !m.root || m.root === m.id || !all.some((p) => p.id === m.root));
	keyed(log, tops.map((m) => m.id), (id) => id, () => h('div', {class: 'talk'}));
	for (const [i, m] of tops.entries()) {
		const box = log.children[i], replies = all.filter((r) => r.root === m.id && r.id !== m.id);
		if (!box.firstChild) box.append(h('div'), h('div', {class: 'thread', role: 'group', 'aria-label': 'Replies'}));
		fresh.push(...keyed(box.firstChild, [m], (x) => x.id, message), ...keyed(box.lastChild, replies, (x) => x.id, message));
		box.lastChild.hidden = replies.length === 0;
	}
	log.classList.toggle('empty', !tops.length);
	if (near && fresh.length) follow(log, fresh.pop());
}

function message(m) {
	return h('article', {class: 'message', 'aria-label': m.from}, h('p', {class: 'by'}, h('b', null, m.from), m.edits > 0 && h('span', {class: 'hint'}, '(edited)')),
		m.card ? card(m.card, (action) => press(m, action)) : h('p', null, m.text.replace(/<[^>]*>/g, '')),
		h('details', {class: 'raw'}, h('summary', null, 'JSON'), json(m.card || m.text)));
}

// numbered gives each action a number, in the order in which the server counts them, and writes times as a client does.
function numbered(o) {
	let n = 0;
	const walk = (v) => {
		if (Array.isArray(v)) return v.forEach(walk);
		if (!v || typeof v !== 'object') return;
		if (String(v.type).startsWith('Action.')) v.id = String(n++);
		for (const name of ['body', 'items', 'actions', 'card']) walk(v[name]);
	};
	const copy = JSON.parse(JSON.stringify(o).replace(/\{\{(DATE|TIME)\(([^,)]+)[^)]*\)\}\}/g, (_, what, at) => (what === 'TIME' ? clock(at) : new Date(at).toLocaleDateString([], {weekday: 'short', month: 'short', day: 'numeric'}))));
	walk(copy);
	return copy;
}

function card(o, pressed) {
	const c = new AdaptiveCard();
	c.hostConfig = host;
	c.onExecuteAction = pressed;
	c.parse(numbered(o));
	const e = c.render() || h('p', null, 'This card cannot be drawn.');
	e.removeAttribute('tabindex');
	e.drawn = c;
	return e;
}

function press(m, action) {
	if (action.getJsonTypeName() === 'Action.OpenUrl') return; // nothing leaves this machine
	acted = Date.now();
	post('teamsPress', {as: teams.me, channel: m.group, ts: m.id, nth: Number(action.id), text: action.title});
}

function dialog() {
	const d = $('teams-form'), v = teams.dialog, is = JSON.stringify(v);
	if (!v) {
		if (d.open) d.close();
		d.dataset.is = '';
		return;
	}
	if (d.dataset.is === is) return;
	d.dataset.is = is;
	const drawn = v.card && card(v.card, () => submit(v, drawn.drawn));
	d.replaceChildren(h('h2', {id: 'teams-form-title'}, v.title || 'Switchback', ' ', h('span', {class: 'tag'}, 'simulated')),
		drawn || h('p', null, v.words), h('p', {class: 'row end'}, h('button', {type: 'button', click: close}, 'Close')));
	if (!d.open) d.showModal();
}

function submit(v, drawn) {
	const fields = {}, values = {};
	const walk = (o) => {
		if (Array.isArray(o)) return o.forEach(walk);
		if (!o || typeof o !== 'object') return;
		if (String(o.type).startsWith('Input.')) fields[o.id] = o;
		walk(o.body);
		walk(o.items);
	};
	walk(v.card);
	for (const input of drawn.getAllInputs()) {
		const f = fields[input.id], value = input.value === undefined ? '' : String(input.value);
		values[f.label] = f.type === 'Input.ChoiceSet' ? value.split(',').map((x) => (f.choices.find((c) => c.value === x) || {title: ''}).title).join('\n') : value;
	}
	post('teamsSubmit', {as: teams.me, values});
}

const close = () => post('teamsClose', {as: teams.me});

$('teams-form').addEventListener('cancel', (e) => {
	e.preventDefault();
	close();
});

$('teams-composer').addEventListener('submit', (e) => {
	e.preventDefault();
	const text = $('teams-text').value.trim();
	if (!text) return;
	$('teams-text').value = '';
	acted = Date.now();
	post('teamsSay', {as: teams.me, channel: at.id, text});
});
