// What a page has inline to load Gladly without waiting for it: calls of init are kept until the loader is there.
(function (window, document) {
	if (window.Gladly) return;
	var kept, answers = [];
	window.Gladly = {
		init: function () {
			kept = arguments;
			return new Promise(function (resolve) { answers.push(resolve); });
		},
	};
	window.__onHelpAppHostReady__ = function (real) {
		delete window.__onHelpAppHostReady__;
		window.Gladly = real;
		if (kept) real.init.apply(real, kept).then(function (v) { answers.forEach(function (answer) { answer(v); }); });
	};
	var loader = document.createElement('script');
	loader.async = true;
	loader.src = 'https://cdn.gladly.com/chat-sdk/widget.js';
	document.head.appendChild(loader);
})(window, document);
