// A small bot on Slack's own clients. It judges the Slack that the Go tests practise against: whatever that one answers
// and sends must be taken by @slack/web-api, @slack/bolt and @slack/socket-mode. handlers/slack/slacktest/node_test.go
// starts it:
//
//	node clients.mjs http      calls every method, then serves as a bot; its first line on stdout is its port
//	node clients.mjs socket    connects by Socket Mode and acks; its first line on stdout is "connected"
//
// Either ends when its standard input does, with status 1 and the reasons on stderr if anything was not as it should be.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

// They are CommonJS, whose named exports a module does not see.
const require = createRequire(import.meta.url);
const { App, HTTPReceiver } = require('@slack/bolt');
const { SocketModeClient } = require('@slack/socket-mode');
const { WebClient } = require('@slack/web-api');

const { SLACK_API_URL: slackApiUrl, SLACK_BOT_TOKEN: token, SLACK_APP_TOKEN: appToken, SLACK_SIGNING_SECRET: signingSecret } = process.env;
const options = { slackApiUrl, retryConfig: { retries: 0 }, rejectRateLimitedCalls: true, logLevel: 'error' };

let failures = 0;
async function check(name, run) {
	try {
		await run();
	} catch (e) {
		failures++;
		console.error(`${name}: ${e.stack ?? e}`, e.data ?? '');
	}
}

const refused = (call, code, message) => assert.rejects(call, (e) => {
	assert.equal(e.data?.error, code);
	if (message) assert.deepEqual(e.data.response_metadata.messages, [message]);
	return true;
});

const text = (s) => ({ type: 'plain_text', text: s });
const section = (s) => ({ type: 'section', text: { type: 'mrkdwn', text: s } });
const form = (title) => ({
	type: 'modal', callback_id: 'form', title: text(title), submit: text('Save'), notify_on_close: true,
	blocks: [{ type: 'input', block_id: 'said', label: text('What visitors read'), element: { type: 'plain_text_input', action_id: 'a' } }],
});

// methods calls every method that there is.
async function methods() {
	const web = new WebClient(token, options);
	const channel = 'C0SUPPORT';
	let ts;
	await check('auth.test', async () => assert.equal((await web.auth.test()).team_id, 'T0ACME'));
	await check('bots.info', async () => assert.equal((await web.bots.info({ bot: (await web.auth.test()).bot_id })).bot.deleted, false));
	await check('chat.postMessage', async () => {
		const r = await web.chat.postMessage({
			channel, text: 'from Node', blocks: [section('from *Node*')], metadata: { event_type: 'outage', event_payload: { id: 'o-1' } },
		});
		ts = r.ts;
		assert.equal(r.message.text, 'from Node');
		assert.match(ts, /^\d+\.\d{6}$/);
	});
	await check('chat.postMessage in a thread', async () => {
		assert.equal((await web.chat.postMessage({ channel, text: 'a reply', thread_ts: ts })).message.thread_ts, ts);
	});
	await check('chat.update', async () => assert.equal((await web.chat.update({ channel, ts, text: 'from Node, changed' })).text, 'from Node, changed'));
	await check('chat.getPermalink', async () => assert.match((await web.chat.getPermalink({ channel, message_ts: ts })).permalink, /^https:\/\/acme\.slack\.com\/archives\//));
	await check('chat.postEphemeral', async () => {
		const { message_ts } = await web.chat.postEphemeral({ channel, user: 'U0ANA', text: 'for you' });
		await refused(web.chat.delete({ channel, ts: message_ts }), 'message_not_found');
	});
	await check('conversations.info', async () => assert.equal((await web.conversations.info({ channel: 'C0PARTNER' })).channel.is_ext_shared, true));
	await check('conversations.open', async () => assert.match((await web.conversations.open({ users: 'U0ANA' })).channel.id, /^D/));
	await check('conversations.members', async () => {
		const all = [];
		for await (const page of web.paginate('conversations.members', { channel, limit: 2 })) all.push(...page.members);
		assert.equal(all.length, 4);
	});
	await check('conversations.history', async () => {
		const r = await web.conversations.history({ channel, include_all_metadata: true });
		assert.deepEqual(r.messages.map((m) => [m.text, m.metadata?.event_payload.id, m.reply_count]), [['from Node, changed', 'o-1', 1]]);
	});
	await check('conversations.replies', async () => assert.equal((await web.conversations.replies({ channel, ts })).messages.length, 2));
	await check('users.info', async () => assert.equal((await web.users.info({ user: 'U0ANA', include_locale: true })).user.tz, 'America/New_York'));
	await check('users.lookupByEmail', async () => assert.equal((await web.users.lookupByEmail({ email: 'ana@acme.example' })).user.id, 'U0ANA'));
	await check('usergroups.list', async () => assert.equal((await web.usergroups.list({ include_users: true })).usergroups[0].handle, 'support-oncall'));
	await check('usergroups.users.list', async () => assert.deepEqual((await web.usergroups.users.list({ usergroup: 'S0SUPPORTONCALL' })).users, ['U0ANA', 'U0BEN']));
	await check('files', async () => {
		await web.filesUploadV2({ channel_id: channel, filename: 'before.txt', title: 'Before', content: 'as it was' });
	});
	await check('views.publish', async () => {
		const { view } = await web.views.publish({ user_id: 'U0ANA', view: { type: 'home', blocks: [section('home')] } });
		await refused(web.views.publish({ user_id: 'U0ANA', hash: 'old', view: { type: 'home', blocks: [section('home')] } }), 'hash_conflict');
		assert.equal(view.type, 'home');
	});
	await check('refused blocks', () => refused(web.chat.postMessage({ channel, text: 'x', blocks: [{ type: 'nonsense' }] }),
		'invalid_blocks', '[ERROR] unsupported type: nonsense [json-pointer:/blocks/0/type]'));
	await check('refused token', () => refused(new WebClient('xoxb-wrong', options).auth.test(), 'invalid_auth'));
	await check('refused trigger', () => refused(web.views.open({ trigger_id: '1.2.3', view: form('x') }), 'invalid_trigger_id'));
	await check('chat.delete', () => web.chat.delete({ channel, ts }));
	await check('rate limit', () => assert.rejects(async () => {
		for (let i = 0; i < 25; i++) await web.usergroups.list();
	}, (e) => e.code === 'slack_webapi_rate_limited_error' && e.retryAfter >= 1));
}

// serve is a bot on Bolt: what it says shows the Go test that Bolt took what was sent to it.
async function serve() {
	const receiver = new HTTPReceiver({
		signingSecret, logLevel: 'error', endpoints: ['/slack/commands', '/slack/interactions', '/slack/events'],
	});
	const app = new App({ token, receiver, clientOptions: options, logLevel: 'error' });
	app.error(async (e) => { failures++; console.error('bolt:', e); });
	app.command('/outage', async ({ ack, command, respond }) => {
		await ack();
		await respond({ text: `typed: ${command.text}`, blocks: [{ type: 'actions', elements: [
			{ type: 'button', action_id: 'go', text: text('Go'), value: 'v1' }, { type: 'button', action_id: 'form', text: text('Form…') },
		] }] });
	});
	app.action('go', async ({ ack, action, respond }) => {
		await ack();
		await respond({ replace_original: true, text: `pressed: ${action.value}` });
	});
	app.action('form', async ({ ack, body, client }) => {
		await ack();
		await client.views.open({ trigger_id: body.trigger_id, view: form('From Node') });
	});
	app.view('form', async ({ ack, view, client, body }) => {
		const said = view.state.values.said.a.value;
		if (said === 'no') {
			await ack({ response_action: 'errors', errors: { said: 'Say yes.' } });
			return;
		}
		await ack();
		await client.chat.postMessage({ channel: body.user.id, text: `submitted: ${said}` });
	});
	app.view({ callback_id: 'form', type: 'view_closed' }, async ({ ack, body, client }) => {
		await ack();
		await client.chat.postMessage({ channel: body.user.id, text: 'closed' });
	});
	app.shortcut('report', async ({ ack, shortcut, client }) => {
		await ack();
		await client.chat.postMessage({ channel: shortcut.user.id, text: `shortcut: ${shortcut.type}` });
	});
	app.shortcut('timeline', async ({ ack, shortcut, client }) => {
		await ack();
		await client.chat.postMessage({ channel: shortcut.user.id, text: `shortcut: ${shortcut.type} on ${shortcut.message.text}` });
	});
	app.event('app_mention', async ({ event, client }) => {
		await client.chat.postMessage({ channel: event.channel, thread_ts: event.ts, text: 'mentioned' });
	});
	app.message('hello', async ({ say }) => { await say('hello to you'); });
	app.event('app_home_opened', async ({ event, client }) => {
		await client.views.publish({ user_id: event.user, view: { type: 'home', blocks: [section('from Bolt')] } });
	});
	const server = await app.start({ port: 0, host: '127.0.0.1' });
	console.log(server.address().port);
	return () => app.stop();
}

async function socket() {
	const client = new SocketModeClient({ appToken, clientOptions: options, logLevel: 'error' });
	client.on('slash_commands', ({ ack, body }) => ack({ text: `over the socket: ${body.text}` }));
	client.on('interactive', ({ ack, body }) => ack(body.type === 'view_submission' ? { response_action: 'clear' } : undefined));
	client.on('app_home_opened', ({ ack }) => ack());
	await client.start();
	console.log('connected');
	return () => client.disconnect();
}

let stop = () => {};
if (process.argv[2] === 'socket') {
	await check('socket mode', async () => { stop = await socket(); });
} else {
	await methods();
	if (failures === 0) await check('bolt', async () => { stop = await serve(); });
}
if (failures === 0) for await (const _ of process.stdin); // until the test ends
await stop();
process.exit(failures ? 1 : 0);
