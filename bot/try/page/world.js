// The panes of the customers, the status page and Gladly's settings.
import {$, h, keyed, post, clock} from '/page/dom.js';

export function customers(met) {
	keyed($('visits'), met.visits || [], (v) => v.app, (v) => h('div', {class: 'window', role: 'group', 'aria-label': v.name},
		h('p', {class: 'bar'}, v.site, h('span', {class: 'hint'}, v.asks ? 'asks the bot' : 'set by hand in Gladly')),
		h('div', {class: 'content'}, h('b', null, v.name),
			h('p', {class: v.chat ? 'bubble' : v.message ? 'notice' : 'hint'}, v.chat ? 'Chat with us' : v.message || 'No chat here.'))));
	keyed($('calls'), met.calls || [], (c) => c.number, (c) => h('li', null,
		h('p', null, h('b', null, c.name), ' ', c.number, h('span', {class: 'hint'}, c.asks ? 'asks the bot' : 'set by hand in Gladly')),
		h('p', {class: 'hears'}, c.says ? `“${c.says}”` : 'No menu.'),
		h('p', {class: 'hint'}, c.voicemail ? 'Then a voicemail.' : c.agent ? 'Then an agent.' : 'Then nothing.')));
}

const words = (s) => s.replaceAll('_', ' ');

export function status(page) {
	const parts = ((page.summary || {}).components || []).map((c) => ({name: c.name, status: c.status}));
	const select = $('open-incident').elements.component;
	if (!select.options.length) {
		select.append(...parts.map((c) => h('option', {value: c.name, selected: c.name === 'Chat'}, c.name)));
	}
	keyed($('components'), parts, (c) => c.name, (c) => h('li', {class: c.status === 'operational' ? 'fine' : 'bad'}, h('b', null, c.name), ' ', words(c.status)));
	const incidents = ((page.incidents || {}).incidents || []).map((i) => ({
		id: i.id, name: i.name, status: i.status, impact: i.impact, updates: i.incident_updates.map((u) => [u.status, u.body, u.created_at]),
	}));
	keyed($('incidents'), incidents, (i) => i.id, (i) => h('div', {class: 'incident', role: 'group', 'aria-label': i.name},
		h('p', null, h('b', null, i.name), h('span', {class: 'hint'}, `${i.impact}, ${i.status}`)),
		h('ul', {class: 'plain'}, i.updates.map(([state, body, at]) => h('li', null, h('span', {class: 'hint'}, clock(at)), ' ', words(state), ': ', body))),
		i.status !== 'resolved' && h('p', {class: 'row'},
			h('button', {type: 'button', class: 'small', click: () => post('update', {incident: i.id, status: 'worse'})}, 'It gets worse'),
			h('button', {type: 'button', class: 'small', click: () => post('update', {incident: i.id, status: 'resolved'})}, 'Resolve'))));
}

$('open-incident').addEventListener('submit', (e) => {
	e.preventDefault();
	post('incident', {component: e.target.elements.component.value});
});

export function gladly(g) {
	$('no-login').hidden = !g.down;
	$('login').setAttribute('aria-pressed', String(g.down));
	const screens = g.down ? [] : [{voice: true, numbers: g.numbers, ivrs: g.ivrs}, ...g.apps];
	keyed($('screens'), screens, (s) => s.id || 'voice', (s) => (s.voice ? voice(s) : app(s)));
}

$('login').addEventListener('click', () => post('login', {down: $('login').getAttribute('aria-pressed') === 'false'}));

const title = (s) => s[0].toUpperCase() + s.slice(1);

function screen(name, ...content) {
	return h('details', {class: 'screen'}, h('summary', null, name), ...content);
}

function voice(s) {
	return h('div', null, screen('Settings > Voice', h('table', null, h('thead', null, h('tr', null, ['Number', 'Initial IVR', 'Queue IVR'].map((t) => h('th', {scope: 'col'}, t)))),
		h('tbody', null, s.numbers.map((n) => h('tr', null, h('th', {scope: 'row'}, n.name, h('br'), h('span', {class: 'hint'}, n.number)),
			h('td', null, h('select', {'aria-label': 'Initial IVR of ' + n.name, change: (e) => post('number', {number: n.number, ivr: e.target.value})},
				['', ...s.ivrs].map((v) => h('option', {value: v, selected: v === n.initial}, v || '(blank)')))),
			h('td', null, n.queue)))))));
}

function app(s) {
	const day = (d) => h('tr', {'data-day': d.day}, h('th', {scope: 'row'}, title(d.day)),
		h('td', null, h('label', null, h('input', {type: 'checkbox', name: 'closed', checked: d.closed}), ' Closed')),
		h('td', null, h('input', {name: 'from', value: d.from, 'aria-label': title(d.day) + ' from', size: 5}), ' – ',
			h('input', {name: 'to', value: d.to, 'aria-label': title(d.day) + ' to', size: 5})));
	const message = h('textarea', {rows: 3, id: 'message-' + s.id});
	message.value = s.message;
	const save = (e) => {
		e.preventDefault();
		const days = [...e.target.querySelectorAll('[data-day]')].map((r) => {
			const f = (name) => r.querySelector(`[name=${name}]`);
			return {day: r.dataset.day, closed: f('closed').checked, from: f('from').value, to: f('to').value};
		});
		post('app', {app: s.id, message: message.value, days});
	};
	return h('div', null, screen(`Settings > Glad App > ${s.name} > Configure`, h('form', {submit: save},
		h('h3', null, 'Glad App Hours'), h('table', null, h('tbody', null, s.days.map(day))),
		h('label', {for: message.id}, 'Chat Unavailable'), message, h('p', {class: 'row'}, h('button', {type: 'submit'}, 'Save')))));
}
