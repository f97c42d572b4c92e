// The playground's page. The server sends what has changed of how everything stands, for the person that you are.
import {$, post} from '/page/dom.js';
import * as slack from '/page/slack.js';
import * as teams from '/page/teams.js';
import * as world from '/page/world.js';
import * as wire from '/page/wire.js';
import * as tour from '/page/tour.js';

let state = {}, events;

function listen() {
	if (events) events.close();
	events = new EventSource('/events?as=' + $('me').value);
	events.onmessage = (e) => {
		$('gone').hidden = true;
		const parts = JSON.parse(e.data);
		Object.assign(state, parts);
		if (parts.bot) bot(state.bot);
		if (parts.slack) slack.draw(state.slack);
		if (parts.teams) teams.draw(state.teams);
		if (parts.customers) world.customers(state.customers);
		if (parts.status) world.status(state.status);
		if (parts.gladly) world.gladly(state.gladly);
		if (parts.wire) wire.draw(state.wire);
		tour.draw(state);
		document.body.dataset.ready = 'yes';
	};
	events.onerror = () => { $('gone').hidden = false; };
}

function bot(b) {
	const text = {
		starting: 'The bot is starting …',
		up: `The bot runs: process ${b.pid}, ready in ${b.took} ms.`,
		down: 'The bot is not running.',
	}[b.state];
	if ($('bot-state').textContent !== text) $('bot-state').textContent = text;
	$('bot-state').dataset.state = b.state;
	const focused = document.activeElement === $('kill') || document.activeElement === $('start');
	$('kill').hidden = b.state === 'down';
	$('kill').disabled = b.state !== 'up';
	$('start').hidden = b.state !== 'down';
	if (focused) (b.state === 'down' ? $('start') : $('kill')).focus();
	$('bot-log').textContent = (b.log || []).join('\n');
}

$('kill').addEventListener('click', () => post('kill'));
$('start').addEventListener('click', () => post('start'));
$('me').addEventListener('change', () => {
	state = {};
	slack.forget();
	listen();
});

listen();
