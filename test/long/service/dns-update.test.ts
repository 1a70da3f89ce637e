import { entranceNames, entranceRecords, type TsigKey, updateDns } from '@delos/core';
import { freePort } from '@delos/host';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addressesOf, ask } from '../../support/dns/ask.ts';
import { type Knot, startKnot } from '../../support/dns/knot.ts';

const ZONE = 'example.com';
const DOMAIN = 'ai.example.com';
let knot: Knot;

beforeAll(async () => {
  knot = await startKnot(ZONE);
});
afterAll(() => knot?.stop());

const at = (key: TsigKey = knot.key, port = knot.port, zone = ZONE) => ({ server: '127.0.0.1', port, zone, key });
const write = (addresses: readonly string[], target = at()) => {
  const records = entranceRecords(DOMAIN, { ttlSeconds: 300 }, addresses);
  const changes = entranceNames(DOMAIN).map((name) => ({
    kind: 'replace' as const,
    name,
    records: records.filter((record) => record.name === name),
  }));
  return updateDns(target, changes);
};
const found = async (name: string, type = 1) => addressesOf(await ask({ port: knot.port }, name, type));

describe('records that are written to a name server', () => {
  test('lead each name of the platform to it, and are written again to the same end', async () => {
    for (let times = 0; times < 2; times++) {
      await write(['203.0.113.10', '203.0.113.11', '2001:db8::10']);
      for (const name of [DOMAIN, `a.${DOMAIN}`, `job-1.jobs.${DOMAIN}`, `app.apps.${DOMAIN}`]) {
        expect([...(await found(name))].sort()).toEqual(['203.0.113.10', '203.0.113.11']);
        expect(await found(name, 28)).toEqual(['2001:db8:0:0:0:0:0:10']);
      }
    }
  });

  test('take the place of former ones', async () => {
    await write(['203.0.113.10']);
    await write(['203.0.113.99']);
    expect(await found(`x.jobs.${DOMAIN}`)).toEqual(['203.0.113.99']);
    expect(await found(DOMAIN, 28)).toEqual([]);
  });

  test('leave what else is there alone', async () => {
    await updateDns(at(), [{ kind: 'add-text', name: `_acme-challenge.${DOMAIN}`, text: 'one' }]);
    await updateDns(at(), [{ kind: 'add-text', name: `_acme-challenge.${DOMAIN}`, text: 'two' }]);
    await write(['203.0.113.10']);
    const texts = async (): Promise<readonly string[]> =>
      (await ask({ port: knot.port }, `_acme-challenge.${DOMAIN}`, 16)).records
        .filter(({ type }) => type === 16)
        .map(({ data }) => data.subarray(1).toString())
        .sort();
    expect(await texts()).toEqual(['one', 'two']);
    await updateDns(at(), [{ kind: 'remove-text', name: `_acme-challenge.${DOMAIN}`, text: 'one' }]);
    expect(await texts()).toEqual(['two']);
  });
});

describe('an update is refused in words', () => {
  test.each([
    ['of a key with another secret', () => write(['203.0.113.1'], at({ ...knot.key, secret: 'AAAA' })), /BADSIG/],
    ['of a key that it does not know', () => write(['203.0.113.1'], at({ ...knot.key, name: 'nobody' })), /BADKEY/],
    ['of a key that no rule of its lets update', () => write(['203.0.113.1'], at(knot.reader)), /BADKEY|REFUSED/],
    ['of another zone', () => write(['203.0.113.1'], at(knot.key, knot.port, 'example.org')), /NOTAUTH|REFUSED/],
  ])('%s', async (_, update, words) => {
    await expect(update()).rejects.toMatchObject({ code: 'ERR_DNS' });
    await expect(update()).rejects.toThrow(words);
  });

  test('where nobody answers', async () => {
    await expect(write(['203.0.113.1'], at(knot.key, await freePort()))).rejects.toThrow(/ECONNREFUSED/);
  });
});
