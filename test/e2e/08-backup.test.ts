import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { expectOk } from '../../peers/src/command.ts';
import { delos, delosJson, TEST_CONFIG, testPlatform } from '../support/instance.ts';

/* The restore itself is test/long/e2e/restore/restore.test.ts. */

const measured = z.object({ bytes: z.number(), sha256: z.string() });
const backup = z.object({
  file: z.string(),
  about: z.object({ id: z.string(), services: z.array(z.object({ name: z.string() })) }),
  services: z.record(z.string(), measured),
});

describe('a backup of the platform', () => {
  const folder = mkdtempSync(join(tmpdir(), 'delos-backup-'));
  const key = join(folder, 'key');
  const file = join(folder, 'platform.backup');
  let written: z.infer<typeof backup>;
  beforeAll(async () => {
    await testPlatform();
    const { recipient } = await delosJson(z.object({ recipient: z.string() }), ['backup', '--new-key', key]);
    written = await delosJson(backup, ['backup', '--to', recipient, '--out', file, '--config', TEST_CONFIG]);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('has every service that keeps something, and can be read to its last byte', async () => {
    const names = written.about.services.map(({ name }) => name);
    expect([...names].sort()).toEqual(['devpi', 'files', 'object-storage', 'postgres', 'registry']);
    expect(Object.keys(written.services)).toEqual(names);
    expect(written.services.postgres?.bytes).toBeGreaterThan(2 ** 20);
    const read = await delosJson(backup, ['restore', file, '--verify', '--key', key]);
    expect(read).toEqual({ file, about: written.about, services: written.services });
  });

  test('is not restored over a platform that is there, which serves on', async () => {
    const { code, stderr } = await delos(['restore', file, '--key', key]);
    expect([code, stderr]).toEqual([8, expect.stringMatching(/has data already: .*data-postgres-0/)]);
    await expectOk(delos(['status']));
  });

  test('is not written without a way to open it', async () => {
    const { code, stderr } = await delos(['backup']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('--to RECIPIENT or --passphrase-file FILE')]);
  });
});
