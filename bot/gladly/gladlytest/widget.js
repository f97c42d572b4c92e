// A stand-in for Gladly's loader, as far as its public documentation describes it: window.Gladly with init, a config
// that starts it by itself, and a page's own button. window.standin tells a test what happened.
(function () {
	var standin = window.standin = window.standin || {inits: []};

	function start(config) {
		if (!config || !config.appId) return Promise.reject(new Error('no appId'));
		standin.inits.push(config.appId);
		var own = document.getElementById('custom-gladly-chat-button');
		if (own) {
			own.classList.add('gladly-show');
		} else {
			var launcher = document.createElement('button');
			launcher.id = 'gladly-launcher';
			launcher.textContent = 'Chat with us';
			document.documentElement.appendChild(launcher);
		}
		return Promise.resolve('started');
	}

	var real = {
		init: start,
		show: function () {},
		close: function () {},
		on: function () {},
		getAvailability: function () { return 'AVAILABLE'; },
	};
	if (window.__onHelpAppHostReady__) {
		window.__onHelpAppHostReady__(real);
	} else {
		window.Gladly = real;
	}
	if (window.gladlyConfig) start(window.gladlyConfig);
	standin.loaded = true;
})();
