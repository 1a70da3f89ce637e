import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { bundleOfCheckout, onClosedMachine } from '../../support/airgap/closed-machine.ts';

/*
 * The embedded default from a bundle, on a machine without a way out: the bundle is made of this checkout, and nothing of this machine's caches and
 * package tools is seen by the installation.
 */

const INSTANCE = `${process.env.DELOS_TEST_INSTANCE ?? 'delos-test'}-airgap`;
const up = z.object({
  firstJob: z.object({ output: z.string() }),
  wheels: z.string(),
  phases: z.array(z.object({ name: z.string(), seconds: z.number() })),
});

test('up --bundle brings the embedded default up where nothing can be reached, and sends no packet out', async () => {
  const work = await mkdtemp(join(tmpdir(), 'delos-up-bundle-'));
  const read = async (name: string): Promise<string> => (await readFile(join(work, name), 'utf8')).trim();
  try {
    await bundleOfCheckout(work);
    const { code, stderr } = await onClosedMachine('no-way-out.sh', work, INSTANCE);
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
