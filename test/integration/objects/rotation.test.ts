import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BucketRights, bucketCredential } from '@delos/core';
import type { AwsClient } from 'aws4fetch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ObjectBucket } from '../../../runtime/service/src/logs/object-bucket.ts';
import { client, type TestObjectStorage, testObjectStorage } from '../../support/objects/object-storage.ts';

/* The image's program while its secrets become others: as their Secret's files do, in three steps. */

let storage: TestObjectStorage;
beforeAll(async () => {
  storage = await testObjectStorage(['reports', 'models']);
});
afterAll(() => storage?.stop());

/** Longer than the program goes by what it read last. */
const seen = (): Promise<void> => sleep(700);
const another = (): string => randomBytes(36).toString('base64url');

/** At once, as the kubelet writes: nobody reads the half of it. */
async function written(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

/** Takes a secret through the steps of a rotation, and does something at each. @returns what the secret was, and is */
async function rotated(file: string, at: (step: string, former: string, next: string) => Promise<void>) {
  const [former, next] = [(await readFile(file, 'utf8')).trim(), another()];
  await writeFile(`${file}.next`, next);
  await seen();
  await at('accept both', former, next);
  // Files of a Secret change together: here in an order in which both are there at each moment.
  await written(`${file}.former`, former);
  await written(file, next);
  await rm(`${file}.next`);
  await seen();
  await at('use the new', former, next);
  await rm(`${file}.former`);
  await seen();
  await at('refuse the former', former, next);
}

const read = async (who: AwsClient, path = 'reports?list-type=2'): Promise<number> => {
  const answer = await who.fetch(`${storage.url}/${path}`);
  await answer.arrayBuffer();
  return answer.status;
};
const FIRST_STEPS = ['accept both', 'use the new'];

describe('while it is rotated', () => {
  test.each(['reports', 'models'])(
    'the secret of the bucket %s: both open it, then the new one alone',
    async (bucket) => {
      const statuses: Record<string, readonly number[]> = {};
      await rotated(storage.settings(bucket).secretFile, async (step, former, next) => {
        const all = [former, next, another()];
        statuses[step] = await Promise.all(all.map((each) => read(client(bucket, each), `${bucket}?list-type=2`)));
      });
      expect(statuses).toEqual({
        'accept both': [200, 200, 403],
        'use the new': [200, 200, 403],
        'refuse the former': [403, 200, 403],
      });
    },
  );

  test('what the administrator signs with, who may make and remove buckets at each step', async () => {
    await rotated(storage.adminFile, async (step, former, next) => {
      const all = FIRST_STEPS.includes(step) ? [former, next] : [next];
      for (const secret of all) {
        const admin = client('delos_admin', secret);
        const made = await admin.fetch(`${storage.url}/made-anew`, { method: 'PUT' });
        const removed = await admin.fetch(`${storage.url}/made-anew`, { method: 'DELETE' });
        expect([step, made.status, removed.status]).toEqual([step, 200, 204]);
        expect(await read(admin)).toBe(200);
      }
      expect(await read(client('delos_admin', another()))).toBe(403);
      if (step === 'refuse the former') expect(await read(client('delos_admin', former))).toBe(403);
    });
  });

  test.each(['signing', 'projects'] as const)(
    'the key %s: what either signed is good, then the new one’s',
    async (key) => {
      const file = key === 'signing' ? storage.signingFile : storage.projectsFile;
      const bucket = key === 'signing' ? 'reports' : 'bucket-00000000-0000-4000-8000-000000000000';
      const end = Math.floor(Date.now() / 1000) + 600;
      const by = (secret: string, rights: BucketRights | 'm') => {
        const { accessKey, secretKey } = bucketCredential(secret, { bucket, rights, end });
        return client(accessKey, secretKey);
      };
      if (key === 'projects') {
        const made = await by((await readFile(file, 'utf8')).trim(), 'm').fetch(`${storage.url}/${bucket}`, {
          method: 'PUT',
        });
        expect(made.status).toBe(200);
      }
      await rotated(file, async (step, formerText, next) => {
        const former = formerText.split(/\s+/)[0] ?? '';
        const statuses = await Promise.all(
          [former, next, another()].map((each) => read(by(each, 'r'), `${bucket}?list-type=2`)),
        );
        expect([step, ...statuses]).toEqual([step, FIRST_STEPS.includes(step) ? 200 : 403, 200, 403]);
      });
    },
  );

  test('a client that reads its secret for each request is never refused, whichever of the two sees a change first', async () => {
    const settings = storage.settings('reports');
    const own = `${settings.secretFile}.of-the-client`;
    const secret = async (): Promise<string> => (await readFile(settings.secretFile, 'utf8')).trim();
    await writeFile(own, await secret());
    const bucket = await ObjectBucket.open({ ...settings, secretFile: own });
    let running = true;
    let done = 0;
    const load = (async () => {
      for (; running; done++) {
        const key = `loaded/${done % 5}`;
        await bucket.put(key, Buffer.from(String(done)));
        expect((await bucket.get(key, 100))?.toString()).toBe(String(done));
      }
    })();
    try {
      await rotated(settings.secretFile, async (step, _, next) => {
        // The client sees the new one before the storage's own file is the new one.
        if (step === 'accept both') await written(own, next);
        const before = done;
        const more = async (): Promise<void> => {
          while (running && done < before + 20) await sleep(5);
        };
        await Promise.race([more(), load]);
      });
    } finally {
      running = false;
      await load;
      bucket.close();
    }
    expect(done).toBeGreaterThan(60);
  });

  test('an access key that says by itself which secret it means opens nothing without that secret', async () => {
    for (const access of ['reports~00000000', 'delos_admin~00000000', 'reports~', 'reports~~']) {
      expect(await read(client(access, another()))).toBe(403);
    }
  });

  test('a file that is empty or away for a moment changes nothing', async () => {
    const { secretFile } = storage.settings('reports');
    const secret = (await readFile(secretFile, 'utf8')).trim();
    for (const gone of [() => writeFile(secretFile, ''), () => rm(secretFile)]) {
      await gone();
      await seen();
      expect(await read(client('reports', secret))).toBe(200);
    }
    await writeFile(secretFile, secret);
  });
});
