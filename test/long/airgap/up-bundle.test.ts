import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { execute, expectOk } from '../../../peers/src/command.ts';
import { REPOSITORY } from '../../support/docs/compiler.ts';

/*
 * The embedded default from a bundle, on a machine without a way out: the bundle is made of this checkout, and nothing of this machine's caches and
 * package tools is seen by the installation.
 */

const SCRIPT = join(import.meta.dirname, '../../support/airgap/no-way-out.sh');
const INSTANCE = `${process.env.DELOS_TEST_INSTANCE ?? 'delos-test'}-airgap`;
const up = z.object({
  firstJob: z.object({ output: z.string() }),
  wheels: z.string(),
  phases: z.array(z.object({ name: z.string(), seconds: z.number() })),
});

test('up --bundle brings the embedded default up where nothing can be reached, and sends no packet out', async () => {
  const work = await mkdtemp(join(tmpdir(), 'delos-up-bundle-'));
  const delos = (...args: readonly string[]): Promise<string> =>
    expectOk(execute([join(REPOSITORY, 'delos'), 'bundle', ...args], { timeout: 1800 }));
  const read = async (name: string): Promise<string> => (await readFile(join(work, name), 'utf8')).trim();
  try {
    await delos('new-key', join(work, 'signing.key'));
    await delos(
      'keys',
      '--add',
      join(work, 'signing.key.pub'),
      '--until',
      '2100-01-01',
      '--out',
      join(work, 'keys.json'),
    );
    await delos('create', '--out', join(work, 'bundle'), '--sign', join(work, 'signing.key'));
    await rm(join(work, 'signing.key'));
    const checkout = join(work, 'checkout');
    await mkdir(checkout);
    const copy = 'git ls-files -z | tar -c --null --files-from=- --ignore-failed-read | tar -x -C "$1"';
    await expectOk(execute(['sh', '-c', copy, 'copy', checkout], { cwd: REPOSITORY }));
    const hidden = [
      ...['.cache', '.npm', '.m2', '.pulumi', '.config', 'go'].map((name) => join(homedir(), name)),
      ...['/var/cache/apt', '/var/lib/apt/lists', join(REPOSITORY, 'node_modules')],
    ];
    const inside = ['unshare', '--net', '--mount', '--propagation', 'private', 'bash', SCRIPT, work, INSTANCE];
    const { code, stderr } = await execute([...inside, ...hidden], { timeout: 2400 });
    const log = await read('up.log').catch(() => '');
    expect(code, `${stderr}\n${log.slice(-4000)}`).toBe(0);

    const document = up.parse(JSON.parse(await read('up.json')));
    expect(document.firstJob.output).toContain('Hello from');
    expect(await read('client.version')).toMatch(/\d+\.\d+/);
    expect(await read('fetched').catch(() => '')).toBe('');
    // The recorder sees one datagram, and nothing else leaves.
    const sent = await Promise.all(
      ['before', 'control', 'after'].map(async (each) => Number(await read(`sent.${each}`))),
    );
    expect(sent).toEqual([0, 1, 1]);
    console.info(document.phases.map(({ name, seconds }) => `${name} ${seconds} s`).join(', '));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
});
