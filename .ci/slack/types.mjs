#!/usr/bin/env node
// Checks JSON files against Slack's own types: messages, views and app manifests.
//
//	node types.mjs FILE…
//
// Each file becomes a constant of its type, and the TypeScript compiler says what it thinks of it. It prints a line for
// each fault, and exits 1 if there are any.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

// AnyBlock would allow everything that has a type: we send only blocks that are known.
const lines = `import type { HomeView, KnownBlock, ModalView } from '@slack/types';
import type { AppsManifestCreateArguments } from '@slack/web-api';
type Known = { blocks: KnownBlock[] };
type Message = Known & { text: string };
type Modal = Omit<ModalView, 'blocks'> & Known;
type Home = Omit<HomeView, 'blocks'> & Known;
type Manifest = AppsManifestCreateArguments['manifest'];
export {};`.split('\n');

const files = process.argv.slice(2);
const ends = []; // the last line of each file
files.forEach((file, i) => {
	const value = JSON.parse(readFileSync(file, 'utf8'));
	const type = value.display_information ? 'Manifest' : { modal: 'Modal', home: 'Home' }[value.type] ?? 'Message';
	lines.push(`export const x${i}: ${type} =`, ...JSON.stringify(value, null, 1).split('\n'));
	ends.push(lines.length);
});

// Inside of node_modules, so that the packages are found.
mkdirSync(join(here, 'node_modules', '.cache'), { recursive: true });
const dir = mkdtempSync(join(here, 'node_modules', '.cache', 'types-'));
try {
	writeFileSync(join(dir, 'all.ts'), lines.join('\n'));
	const options = ['--strict', '--noEmit', '--skipLibCheck', '--target', 'es2022', '--module', 'nodenext', '--pretty', 'false'];
	const tsc = spawnSync(process.execPath, [join(here, 'node_modules', 'typescript', 'bin', 'tsc'), ...options, join(dir, 'all.ts')],
		{ encoding: 'utf8', maxBuffer: 64 << 20 });
	if (tsc.error) throw tsc.error;
	process.stdout.write(tsc.stdout.replace(/^.*all\.ts\((\d+),\d+\)/gm, (_, line) => {
		const i = ends.findIndex((end) => Number(line) <= end);
		return `${files[i] ?? 'types.mjs'}: near ${lines[line - 1]?.trim()}`;
	}));
	process.stderr.write(tsc.stderr);
	process.exitCode = tsc.status === 0 ? 0 : 1;
} finally {
	rmSync(dir, { recursive: true, force: true });
}
