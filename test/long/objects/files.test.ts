import { createHash, randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ApoloClient, apoloClient } from '../../../peers/src/apolo.ts';
import { type FilesOnApi, filesOnApi } from '../../support/files/file-storage.ts';

/* The file storage by the official client: many names, and kills under load. */

/** Of the kills. */
const SECONDS = Number(process.env.DELOS_TEST_KILL_SECONDS ?? 300);
const MIB = 2 ** 20;

let served: FilesOnApi;
let alice: ApoloClient;
beforeAll(async () => {
  [served, alice] = await Promise.all([filesOnApi(), apoloClient()]);
  const token = await served.issuer.token('alice', { exp: 4_000_000_000 });
  await alice.ok(['config', 'login-with-token', token, `${served.origin}/api/v1`]);
});
afterAll(async () => {
  await alice?.close();
  await served?.stop();
});

const folderOf = (...path: readonly string[]): string => join(served.files.data, 'acme/one', ...path);
const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

test('100,000 names in one folder are listed, sorted, by the client, and removed', async () => {
  await alice.ok(['mkdir', 'storage:many']);
  // One after another and without promises: making them is not what is tested, and takes ten times as long otherwise.
  for (let nth = 0; nth < 100_000; nth += 1) closeSync(openSync(folderOf('many', `file-${nth}`), 'w'));
  const names = (await alice.ok(['ls', 'storage:many'], { timeout: 300 })).split('\n').filter((line) => line !== '');
  expect(names).toHaveLength(100_000);
  expect(names).toEqual(names.toSorted());
  await alice.ok(['rm', '-r', 'storage:many'], { timeout: 300 });
  expect(await readdir(folderOf())).not.toContain('many');
});

test('under SIGKILL every few seconds what was accepted is whole, what was not says so, and nothing is left over', async () => {
  const source = join(alice.home, 'source');
  await mkdir(source);
  const end = Date.now() + SECONDS * 1000;
  const accepted = new Map<string, string>();
  const failed: string[] = [];
  const copy = async (worker: number): Promise<void> => {
    for (let nth = 0; Date.now() < end; nth += 1) {
      // Most are one request, some are several.
      const bytes = randomBytes(nth % 4 === 3 ? 5 * MIB + nth : 1 + ((nth * 9973) % MIB));
      const name = `w${worker}-${nth}`;
      await writeFile(join(source, name), bytes, { mode: 0o644 });
      const { code, stderr } = await alice.run(['cp', join(source, name), `storage:${name}`]);
      if (code === 0) accepted.set(name, digest(bytes));
      else failed.push(stderr);
    }
  };
  const kill = async (): Promise<number> => {
    let kills = 0;
    while (Date.now() < end) {
      await sleep(2_000 + Math.random() * 4_000);
      await served.files.kill();
      kills += 1;
      await served.files.up();
    }
    return kills;
  };
  const [kills] = await Promise.all([kill(), copy(0), copy(1)]);
  expect(kills).toBeGreaterThan(SECONDS / 12);
  expect(accepted.size).toBeGreaterThan(SECONDS / 10);
  for (const [name, wanted] of accepted) expect([name, digest(await readFile(folderOf(name)))]).toEqual([name, wanted]);
  for (const words of failed) expect(words).toMatch(/\S/);
  for (const words of failed) expect(words).not.toContain('Traceback');
  expect(await readdir(join(served.files.data, '.delos/uploads'))).toEqual([]);
  // What was cut off is there again, whole, with the client's own way to go on.
  const large = randomBytes(24 * MIB);
  await writeFile(join(source, 'large'), large, { mode: 0o644 });
  const cut = alice.start(['cp', join(source, 'large'), 'storage:large']);
  await sleep(1_500);
  await served.files.kill();
  await served.files.up();
  await cut.end;
  await alice.ok(['cp', '--continue', join(source, 'large'), 'storage:large']);
  expect(digest(await readFile(folderOf('large')))).toBe(digest(large));
});
