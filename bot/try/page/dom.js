// The little of a framework that this page needs.

export const $ = (id) => document.getElementById(id);

// h makes an element. Attributes that are functions are listeners; null, undefined and false are left out.
export function h(name, attributes, ...children) {
	const e = document.createElement(name);
	for (const [key, value] of Object.entries(attributes || {})) {
		if (typeof value === 'function') e.addEventListener(key, value);
		else if (value === true) e.setAttribute(key, '');
		else if (value !== null && value !== undefined && value !== false) e.setAttribute(key, value);
	}
	e.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false && c !== ''));
	return e;
}

// keyed makes the children of a parent those of a list, and touches only what has changed. It returns what is new.
export function keyed(parent, list, keyOf, make) {
	const old = new Map([...parent.children].map((e) => [e.dataset.key, e]));
	const fresh = [];
	let at = null;
	for (const item of list) {
		const key = keyOf(item), is = JSON.stringify(item);
		let e = old.get(key);
		if (!e || e.is !== is) {
			const next = make(item);
			next.dataset.key = key;
			next.is = is;
			if (e) {
				const had = e.contains(document.activeElement) && document.activeElement;
				const open = e.querySelector(':scope > details[open]');
				e.replaceWith(next);
				if (open && next.querySelector(':scope > details')) next.querySelector(':scope > details').open = true;
				if (had) stay(had, next);
			}
			e = next;
			fresh.push(e);
		}
		old.delete(key);
		const place = at ? at.nextElementSibling : parent.firstElementChild;
		if (place !== e) parent.insertBefore(e, place);
		at = e;
	}
	for (const e of old.values()) e.remove();
	return fresh;
}

// stay keeps the focus where it was when what is around it was drawn anew. Where that is no more, it stays at the message.
function stay(was, next) {
	const same = [...next.querySelectorAll(was.tagName)].find((e) => e.textContent === was.textContent && !e.disabled);
	if (!same) next.tabIndex = -1;
	(same || next).focus({preventScroll: true});
}

// rest is how much there is below what is seen of a log.
export const rest = (log) => log.scrollHeight - log.scrollTop - log.clientHeight;

// follow shows what came last to somebody who reads at the end, but never takes the head of what it belongs to away.
export function follow(log, last) {
	const box = log.getBoundingClientRect(), head = last.closest('.talk').getBoundingClientRect();
	log.scrollTop += Math.max(0, Math.min(last.getBoundingClientRect().bottom - box.bottom, head.top - box.top));
}

// post does something; what goes wrong is said.
export async function post(what, body) {
	let error = '';
	try {
		const r = await fetch('/do/' + what, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body || {})});
		if (!r.ok) error = (await r.json()).error;
	} catch {
		error = 'The playground does not answer.';
	}
	if (error) say(error);
	return !error;
}

let quiet;

export function say(text) {
	$('toast').replaceChildren(h('p', null, text));
	clearTimeout(quiet);
	quiet = setTimeout(() => $('toast').replaceChildren(), 9000);
}

export const clock = (at) => new Date(at).toLocaleTimeString([], {hour: '2-digit', minute: '2-digit'});
