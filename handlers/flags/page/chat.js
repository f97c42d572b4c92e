// Holds Gladly's chat back until the bot has said whether it is open. chat.min.js is this file, shortened by hand; both
// pass the same tests in a browser. A page includes it before Gladly's loader:
//
//   <script src="https://bot.example.com/flags/chat.js" data-app="web-shop"></script>
//   <p id="chat-notice" role="status"></p>
//
// The second line is where the notice appears; without it, it appears in the corner where the chat would be. Attributes:
//
//   data-app      the app's name in the bot; or, in a copy on the page's own host, the whole address it asks
//   data-button   the page's own chat button, as a selector (default #custom-gladly-chat-button)
//   data-notice   the place of the notice, as a selector (default #chat-notice)
//
// Open, or no clear answer within a second: everything is as without this script. Closed: Gladly.init is not called,
// the button is hidden, and the notice is shown. The answer is data, and its text is only ever text. Nothing is kept.
(function (window, document) {
	// Not in strict mode: what a page has locked is left alone without an error, and chat starts as ever.
	if (window.chatAsked) return; // included twice
	window.chatAsked = true;
	var script = document.currentScript;
	var settings = script.dataset;
	var address = new URL(settings.app, new URL('chat/', script.src));

	var gladly = window.Gladly; // what others see as window.Gladly, and as window.gladlyConfig
	var config = window.gladlyConfig;
	var real = []; // objects whose init is held, each with its own init
	var missed = false; // Gladly's loader looked for its config while it was held

	var open; // call it, and what was held goes on
	var opened = new Promise(function (resolve) { open = resolve; });

	function held() {
		var words = arguments;
		return opened.then(function () { // by then window.Gladly may be another object: the loader replaces its stub
			return window.Gladly.init.apply(window.Gladly, words);
		});
	}

	function hold(object) {
		if (object && object.init && object.init !== held) {
			real.push([object, object.init]);
			object.init = held;
		}
		return object;
	}

	function release() {
		if (!open) return;
		delete window.Gladly;
		delete window.gladlyConfig;
		if (gladly) window.Gladly = gladly;
		if (config) window.gladlyConfig = config;
		real.forEach(function (one) { one[0].init = one[1]; });
		open();
		open = 0;
		(function start() { // in place of the loader
			if (!missed) return;
			if (window.Gladly) window.Gladly.init(config);
			else setTimeout(start, 99);
		})();
	}

	function close(text) {
		var button = settings.button || '#custom-gladly-chat-button';
		open = 0;
		if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', function () { show(text); });
		else show(text);
		try { // a rule also meets a button that is not there yet; made this way, no policy for styles forbids it
			var sheet = new CSSStyleSheet();
			sheet.insertRule(button + '{display:none!important}');
			document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
		} catch (e) {
			document.querySelectorAll(button).forEach(function (one) { one.hidden = true; });
		}
	}

	function show(text) {
		var box = document.querySelector(settings.notice || '#chat-notice');
		if (!box) {
			box = document.createElement('div');
			box.style.cssText = 'position:fixed;right:1em;bottom:1em;max-width:18em;padding:1em;background:#fff;color:#222;border:1px solid;z-index:9999';
			document.body.append(box);
		}
		box.setAttribute('role', 'status');
		box.hidden = false;
		setTimeout(function () { box.textContent = text; }, 99); // screen readers tell of what changes in such a place
	}

	var limit = new AbortController();
	setTimeout(function () { limit.abort(); }, 1000);
	fetch(address, {credentials: 'omit', referrerPolicy: 'no-referrer', signal: limit.signal}).then(function (response) {
		return response.ok && response.json();
	}).then(function (answer) {
		if (answer.open === false) close(answer.message);
		else release();
	}).catch(release);

	Object.defineProperty(window, 'Gladly', {
		configurable: true,
		get: function () { return hold(gladly); },
		set: function (object) { gladly = hold(object); },
	});
	Object.defineProperty(window, 'gladlyConfig', {
		configurable: true,
		get: function () { // the page itself may look at what it set; Gladly's loader would start at once
			var reader = document.currentScript;
			if (reader && !/gladly/.test(reader.src)) return config;
			if (config) missed = true;
		},
		set: function (object) { config = object; },
	});
})(window, document);
