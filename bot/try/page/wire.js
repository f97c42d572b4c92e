// The wire log: what went between the bot and the world.
import {$, h, keyed} from '/page/dom.js';

let list = [];

export function draw(wire) {
	list = wire;
	const shown = list.filter((x) => $('all-wire').checked || x.from !== 'customers');
	keyed($('wire'), shown, (x) => String(x.n), line);
	refusals();
}

$('all-wire').addEventListener('change', () => draw(list));

function line(x) {
	const read = async (e) => {
		if (!e.target.open || e.target.querySelector('pre')) return;
		const r = await fetch('/wire/' + x.n);
		const texts = r.ok ? await r.json() : {request: '', answer: 'It is gone.'};
		e.target.append(h('h3', null, 'Request'), h('pre', {tabindex: 0}, texts.request), h('h3', null, 'Answer'), h('pre', {tabindex: 0}, texts.answer || '(empty)'));
	};
	return h('li', {class: x.trouble ? 'bad' : null}, h('details', {toggle: read}, h('summary', null,
		h('span', {class: 'time'}, new Date(x.at).toLocaleTimeString([], {hour12: false})),
		h('span', {class: 'way'}, `${x.from} → ${x.to}`), h('span', {class: 'what'}, readable(x.what), x.about && h('span', {class: 'about'}, ' ' + x.about)),
		x.proof && h('span', {class: 'tag'}, x.proof), h('span', {class: 'took'}, x.status ? `${x.status} in ${x.took} ms` : `${x.took} ms`),
		x.times > 1 && h('span', {class: 'hint'}, `× ${x.times}`), x.trouble && h('span', {class: 'trouble'}, x.trouble))));
}

// refusals shows, in the Slack pane, what Slack did not take, as it would refuse it.
function refusals() {
	const bad = list.filter((x) => x.trouble && x.from === 'bot' && x.to === 'Slack' && x.trouble !== 'ratelimited').slice(0, 3);
	keyed($('refused'), bad, (x) => String(x.n), (x) => h('p', {class: 'bad'}, h('b', null, `Slack refused ${x.what.replace(/^\w+ \/api\//, '')}: `), x.trouble));
}

// readable writes an address as people do.
function readable(what) {
	try {
		return decodeURIComponent(what);
	} catch {
		return what;
	}
}
