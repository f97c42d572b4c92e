// A tour of six steps. Each ends by itself when what it speaks of has happened.
import {$, h, post} from '/page/dom.js';
import {saidBy} from '/page/blocks.js';
import {turn, type, here} from '/page/slack.js';

const incidents = (s) => ((s.status || {}).incidents || {}).incidents || [];
const shop = (s) => ((s.customers || {}).visits || []).find((v) => v.app === 'web-shop') || {};
const says = (s, text) => ((s.slack || {}).messages || []).some((m) => saidBy(m).includes(text));

const steps = [
	{
		title: 'Something breaks', text: 'Gladly’s status page reports trouble with chat. The bot is told, reads the page, and posts to #support by itself.',
		help: ['Open the incident', () => post('incident', {component: 'Chat'})],
		done: (s) => incidents(s).length > 0 && says(s, 'Chat is slow'),
	},
	{
		title: 'Ask the bot', text: 'You are ana, and your customers’ chats arrive late. Type /outage chat late into #support. Nothing happens yet: you are shown what would.',
		help: ['Type it for me', () => { if (here() !== 'C0SUPPORT') turn('C0SUPPORT'); type('/outage chat late'); }],
		done: (s) => says(s, 'Close Web shop now'),
	},
	{
		title: 'Say yes', text: 'Read it, then press “Close Web shop now …”. It asks once more. Then look at the customers: the shop’s chat bubble goes at once; Help centre waits for a person.',
		done: (s) => shop(s).chat === false,
	},
	{
		title: 'Lose something', text: 'Now kill the bot in the middle of it. While it is away customers are let through; nothing is forgotten.',
		help: ['Kill it', () => post('kill')],
		done: (s) => s.bot.state === 'down',
	},
	{
		title: 'Start it again', text: 'It finishes what it had begun, and chat is closed from its first answer on.',
		help: ['Start it', () => post('start')],
		done: (s) => s.bot.state === 'up' && s.bot.starts > 1 && shop(s).chat === false,
	},
	{
		title: 'Put everything back', text: 'In #support, or in the same channel of Teams, press “Restore…” under the outage, look at what each setting shows and was before, and press “Put everything back now”.',
		done: (s) => shop(s).chat === true,
	},
];

let at = 0;

export function draw(state) {
	if (at < 0 || !state.bot || !state.slack) return;
	const before = at;
	while (at < steps.length && steps[at].done(state)) at++;
	if (at !== before || !$('tour-title').textContent) show();
}

function show() {
	const s = steps[at];
	$('tour').dataset.step = at;
	if (!s) {
		$('tour-title').textContent = 'That was the tour';
		$('tour-text').textContent = 'Go on as you like: be the person who clicks in Gladly, for Help centre is still to be done by hand, wait three minutes for the first reminder, be lee who may not confirm, ' +
			'change a setting behind the bot’s back before you restore, or type /outage help.';
		$('tour-buttons').replaceChildren(h('button', {type: 'button', click: skip}, 'Close'));
		return;
	}
	$('tour-title').textContent = `${at + 1} of ${steps.length}: ${s.title}`;
	$('tour-text').textContent = s.text;
	$('tour-buttons').replaceChildren(...[
		s.help && h('button', {type: 'button', class: 'primary', click: s.help[1]}, s.help[0]),
		h('button', {type: 'button', click: () => { at++; show(); }}, 'Next'),
		h('button', {type: 'button', click: skip}, 'Skip the tour'),
	].filter(Boolean));
}

function skip() {
	at = -1;
	$('tour').hidden = true;
}
