import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApoloClient } from '../../peers/src/apolo.ts';
import { loggedIn } from '../support/instance.ts';
import { IMAGE } from '../support/service/api.ts';

/* Buckets as people have them: by the official client, on the embedded node. */

let ann: ApoloClient;
beforeAll(async () => {
  ann = await loggedIn('ann');
});
afterAll(async () => {
  await ann?.close();
});

test('a bucket is made, written, listed, read back, shared by an address and removed', async () => {
  const name = `data-${process.pid}`;
  await ann.ok(['blob', 'mkbucket', '--name', name]);
  await writeFile(join(ann.home, 'file'), 'of mine\n', { mode: 0o644 });
  await ann.ok(['blob', 'cp', 'file', `blob:${name}/some/file`]);
  expect(await ann.ok(['blob', 'ls', '-r', `blob:${name}`])).toContain(`blob:${name}/some/file`);
  await ann.ok(['blob', 'cp', `blob:${name}/some/file`, 'back']);
  expect(await readFile(join(ann.home, 'back'), 'utf8')).toBe('of mine\n');
  const url = (await ann.ok(['blob', 'sign-url', `blob:${name}/some/file`])).trim();
  expect(await (await fetch(url)).text()).toBe('of mine\n');
  // From a job the storage is reached through the gateway, and by no other way.
  const inside = 'http://gateway.delos.svc.cluster.local:8080';
  const bucket = new URL(url).pathname;
  await ann.ok(['blob', 'set-bucket-publicity', name, 'public']);
  const straight = `http://object-storage.delos.svc.cluster.local:7070${bucket}`;
  const script = `curl -s ${inside}${bucket}; curl -s -m 5 ${straight} || echo closed`;
  expect(await ann.ok(['run', '-s', 'tiny', IMAGE, '--', 'sh', '-c', script])).toMatch(/of mine\n.*closed/s);
  await ann.ok(['blob', 'rmbucket', '--force', name]);
  expect(await ann.ok(['blob', 'lsbucket'])).not.toContain(name);
});
