#!/usr/bin/env node
// Checks JSON files against Microsoft's own parser of Adaptive Cards, and app manifests against Microsoft's schema.
//
//	node cards.mjs FILE…
//
// A file holds a card, an attachment, or a manifest. It prints a line for each fault, and exits 1 if there are any.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
const AC = require('adaptivecards/dist/adaptivecards.js');

let faults = 0;
const fault = (file, text) => {
	faults++;
	console.log(`${file}: ${text}`);
};

// The parser says what it does not know and what lacks something; it takes out what is newer than this version.
function card(file, json) {
	const context = new AC.SerializationContext(AC.Versions.v1_5);
	const parsed = new AC.AdaptiveCard();
	parsed.hostConfig = new AC.HostConfig({ actions: { maxActions: 6 } }); // Teams'
	parsed.parse(json, context);
	for (let i = 0; i < context.eventCount; i++) {
		const e = context.getEventAt(i);
		fault(file, `${AC.ValidationEvent[e.event]}: ${e.message}`);
	}
	for (const o of parsed.validateProperties().validationEvents) fault(file, `${AC.ValidationEvent[o.event]}: ${o.message}`);
	if (json.version !== '1.5') fault(file, `version ${json.version}`);
	if (parsed.getItemCount() !== json.body.length) fault(file, `${parsed.getItemCount()} of ${json.body.length} elements are known`);
}

// app-manifest has the schema of every version.
function manifest(file, json) {
	const Ajv = require('ajv-draft-04').default;
	const ajv = require('ajv-formats').default(new Ajv({ allErrors: true, strict: false }));
	const schemas = join(dirname(require.resolve('@microsoft/app-manifest/package.json')), 'build/json-schemas/teams');
	const check = ajv.compile(JSON.parse(readFileSync(join(schemas, `v${json.manifestVersion}`, 'MicrosoftTeams.schema.json'), 'utf8')));
	if (!check(json)) for (const e of check.errors) fault(file, `${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`);
}

for (const file of process.argv.slice(2)) {
	const json = JSON.parse(readFileSync(file, 'utf8'));
	if (json.manifestVersion) manifest(file, json);
	else card(file, json.content ?? json);
}
process.exitCode = faults ? 1 : 0;
