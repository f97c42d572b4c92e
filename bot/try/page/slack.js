// The Slack pane: channels, threads, what only you see, forms and the Home tab.
import {$, h, keyed, post, clock, follow, rest} from '/page/dom.js';
import {blocks, filled, json, know, marked} from '/page/blocks.js';

const homeTab = 'home';
let slack, shown = 'C0SUPPORT', thread = null, acted = 0;
const seen = {};

export const here = () => shown;

export function draw(state) {
	slack = state;
	know(slack);
	channels();
	if (shown === homeTab) home();
	else messages();
	form();
}

// turn shows a channel, or the Home tab.
export function turn(id) {
	shown = id;
	reply(null);
	$('log').replaceChildren();
	$('more').hidden = true;
	if (id === homeTab) post('home', {as: slack.me});
	draw(slack);
	if (id !== homeTab) $('log').scrollTop = $('log').scrollHeight;
}

// forget is for another person: nothing of theirs was read yet.
export function forget() {
	for (const k of Object.keys(seen)) delete seen[k];
	reply(null);
	if (!/^C0/.test(shown)) shown = 'C0SUPPORT';
	$('log').replaceChildren();
}

function channels() {
	const tabs = slack.channels.map((c) => {
		const last = slack.messages.filter((m) => m.channel === c.id).map((m) => m.ts).sort().pop() || '';
		if (c.id === shown || !(c.id in seen)) seen[c.id] = last;
		return {id: c.id, label: c.direct ? 'Direct messages' : '#' + c.name, on: c.id === shown, fresh: last > seen[c.id]};
	});
	tabs.push({id: homeTab, label: 'Home tab', on: shown === homeTab, fresh: false});
	keyed($('channels'), tabs, (t) => t.id, (t) => h('button', {type: 'button', 'aria-current': t.on ? 'true' : null, click: () => turn(t.id)},
		t.label, t.fresh && h('span', {class: 'fresh'}, ' new')));
	$('composer').hidden = shown === homeTab;
	$('text-label').textContent = 'Message to ' + (tabs.find((t) => t.on) || {label: ''}).label;
}

function messages() {
	const log = $('log'), all = slack.messages.filter((m) => m.channel === shown);
	const tops = all.filter((m) => !m.thread || !all.some((p) => p.ts === m.thread));
	const near = rest($('log')) < 120 || Date.now() - acted < 5000;
	const fresh = [];
	fresh.push(...keyed(log, tops.map((m) => m.ts), (ts) => ts, () => h('div', {class: 'talk'})));
	for (const [i, m] of tops.entries()) { // each message by itself, so that only what changed is touched
		const box = log.children[i], replies = all.filter((r) => r.thread === m.ts);
		if (!box.firstChild) box.append(h('div'), h('div', {class: 'thread', role: 'group', 'aria-label': 'Thread'}));
		fresh.push(...keyed(box.firstChild, [m], (x) => x.ts, message), ...keyed(box.lastChild, replies, (x) => x.ts, message));
		box.lastChild.hidden = replies.length === 0;
	}
	$('log').classList.toggle('empty', !tops.length);
	const last = fresh.filter((e) => e.matches('.message')).pop();
	if (!last) return;
	if (near) follow(log, last);
	$('more').hidden = rest($('log')) < 120;
}

$('log').addEventListener('scroll', () => { if (rest($('log')) < 120) $('more').hidden = true; });
$('more').addEventListener('click', () => {
	$('log').scrollTop += Math.min(rest($('log')), $('log').clientHeight - 60);
	$('more').hidden = rest($('log')) < 120;
	$('log').focus();
});

function message(m) {
	const name = slack.people[m.user] || m.user;
	const bot = name === 'switchback' || name === 'slackbot';
	return h('article', {class: ['message', m.only && 'only', name === 'slackbot' && 'bad'].filter(Boolean).join(' '), 'aria-label': `${name}, ${clock(m.at)}`},
		h('p', {class: 'by'}, h('b', null, name), bot && h('span', {class: 'app'}, 'app'), h('time', {datetime: m.at}, clock(m.at)),
			m.edited && h('span', {class: 'hint'}, '(edited)'), m.only && h('span', {class: 'hint'}, 'only you see this')),
		h('div', {class: 'body'}, (m.blocks || []).length ? blocks(m.blocks, (b, e) => press(m, b, e)) : h('p', null, marked(m.text)),
			m.files.map((f) => h('details', null, h('summary', null, 'File: ' + f.title), h('pre', {tabindex: 0}, f.content)))),
		h('details', {class: 'raw'}, h('summary', null, 'JSON'), json({text: m.text, blocks: m.blocks})),
		!m.only && h('button', {type: 'button', class: 'small reply', click: () => reply(m)}, 'Reply in thread'));
}

async function press(m, block, element) {
	if (element.confirm && !(await sure(element.confirm))) return;
	acted = Date.now();
	await post('press', {as: slack.me, channel: m.channel, ts: m.ts, block: block.block_id, action: element.action_id});
}

function home() {
	const view = slack.home;
	keyed($('log'), view ? [view] : [], (v) => v.id, (v) => h('div', {class: 'message'}, h('div', {class: 'body'}, blocks(v.blocks, async (b, e) => {
		if (e.confirm && !(await sure(e.confirm))) return;
		await post('pressHome', {as: slack.me, block: b.block_id, action: e.action_id});
	})), h('details', {class: 'raw'}, h('summary', null, 'JSON'), json(v.blocks))));
}

// sure asks what a button asks before a press counts.
function sure(c) {
	const d = $('sure');
	return new Promise((done) => {
		const end = (yes) => { d.onclose = null; d.close(); done(yes); };
		d.replaceChildren(h('h2', {id: 'sure-title'}, c.title.text), h('p', {id: 'sure-text'}, c.text.type === 'mrkdwn' ? marked(c.text.text) : c.text.text),
			h('p', {class: 'row end'}, h('button', {type: 'button', click: () => end(false)}, c.deny.text),
				h('button', {type: 'button', class: c.style || 'primary', click: () => end(true)}, c.confirm.text)));
		d.onclose = () => end(false);
		d.showModal();
	});
}

// form shows the form that lies on top. What is being typed stays as long as it is the same form.
function form() {
	const d = $('form'), v = slack.form;
	if (!v) {
		if (d.open) d.close();
		d.dataset.is = '';
		return;
	}
	if (d.dataset.is !== v.id + v.hash) {
		d.dataset.is = v.id + v.hash;
		const send = async (e) => {
			e.preventDefault();
			const button = d.querySelector('[type=submit]');
			button.disabled = true;
			await post('submit', {as: slack.me, values: filled(d)});
			button.disabled = false;
		};
		d.replaceChildren(h('form', {submit: send, novalidate: true}, h('h2', {id: 'form-title'}, v.title, ' ', h('span', {class: 'tag'}, 'simulated')),
			h('p', {class: 'error', role: 'alert', id: 'form-trouble'}), blocks(v.blocks),
			h('p', {class: 'row end'}, h('button', {type: 'button', click: leave}, v.close || 'Close'),
				v.submit && h('button', {type: 'submit', class: 'primary'}, v.submit)),
			h('details', {class: 'raw'}, h('summary', null, 'JSON'), json(v.blocks))));
	}
	$('form-trouble').textContent = v.trouble;
	for (const f of d.querySelectorAll('[data-block]')) {
		const wrong = (v.errors || {})[f.dataset.block] || '';
		const box = document.getElementById(f.getAttribute('aria-describedby'));
		if (box.textContent !== wrong) box.textContent = wrong;
		f.toggleAttribute('aria-invalid', false);
		if (wrong && f.tagName !== 'FIELDSET') f.setAttribute('aria-invalid', 'true');
	}
	if (!d.open) d.showModal();
}

const leave = () => post('close', {as: slack.me});

$('form').addEventListener('cancel', (e) => {
	e.preventDefault();
	leave();
});

function reply(m) {
	thread = m && (m.thread || m.ts);
	$('replying').hidden = !m;
	if (!m) return;
	$('replying').firstChild.textContent = 'In the thread of the message of ' + clock(m.at) + '.';
	$('text').focus();
}

$('replying').lastElementChild.addEventListener('click', () => {
	reply(null);
	$('text').focus();
});

// type types a text as the person, where they are.
export function type(text) {
	acted = Date.now();
	return post('say', {as: slack.me, channel: shown, thread: thread || '', text});
}

$('composer').addEventListener('submit', (e) => {
	e.preventDefault();
	const text = $('text').value.trim();
	if (!text) return;
	$('text').value = '';
	type(text);
});
