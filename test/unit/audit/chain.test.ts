import { generateKeyPairSync } from 'node:crypto';
import { append, canonicalText, checkpointOf, ocsfEvent, recordOf, syslogLine, Verifier } from '@delos/audit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { auditEvent, chainOf, checkChanges, KEYS, linesOf, salts, verdictOf } from '../../support/audit/chains.ts';

test('one record removed, changed, inserted, doubled or put elsewhere is found, whoever hashes what follows anew', () => {
  checkChanges(200);
});

const EVENT = {
  at: Date.UTC(2027, 0, 1),
  source: 'api' as const,
  act: 'job.kill',
  outcome: 'refused' as const,
  status: 403,
  request: 'r-1',
  fields: { actor: 'ann', address: '10.0.0.7', object: 'job://default/lab/vision/job-1', reason: 'x"]\\\ny' },
};
const chain = (length: number) => chainOf(Array.from({ length }, (_, index) => ({ ...EVENT, at: EVENT.at + index })));

describe('verification', () => {
  test('of a chain whose personal texts were erased finds nothing wrong, and counts them', () => {
    const erased = chain(6).map((record) => (record.seq === 3 ? { ...record, opened: {} } : record));
    expect(verdictOf(linesOf(erased))).toMatchObject({ faults: [], erased: 4 });
  });

  test('of a chain whose end was cut off behind its last checkpoint says how many records nobody vouches for', () => {
    const lines = linesOf(chain(8), 5).slice(0, -1);
    expect(verdictOf(lines)).toMatchObject({ faults: [], unanchored: 3 });
  });

  test('with a checkpoint that was kept elsewhere finds that the end is missing', () => {
    const whole = chain(8);
    const kept = [checkpointOf(whole.at(-1), 1, KEYS)];
    const found = verdictOf(linesOf(whole.slice(0, 5)), new Verifier([KEYS.publicKey], kept));
    expect(found.faults).toEqual(['the chain ends with record 5, and there was a record 8 once: its end is missing']);
    expect(verdictOf(linesOf(whole), new Verifier([KEYS.publicKey], kept)).faults).toEqual([]);
  });

  test('of a part begins behind a checkpoint, and nowhere else', () => {
    const lines = linesOf(chain(12), 5);
    const part = () => new Verifier([KEYS.publicKey], [], true);
    expect(verdictOf(lines.slice(5), part())).toMatchObject({ faults: [], records: 7 });
    expect(verdictOf(lines.slice(6), part()).faults[0]).toMatch(/record 1 should follow/);
    expect(verdictOf(lines.slice(5)).faults[0]).toMatch(/a checkpoint of record 5, and stands behind record 0/);
  });

  test('refuses a checkpoint that another key has signed', () => {
    const lines = linesOf(chain(3), 5, generateKeyPairSync('ed25519'));
    expect(verdictOf(lines)).toMatchObject({
      unanchored: 3,
      faults: [expect.stringMatching(/none of the given keys/)],
    });
  });

  test.each(['no JSON', '{}', '{"seq":0}', '[]'])('refuses a line that is %s', (line) => {
    expect(verdictOf([line]).faults).toHaveLength(1);
  });

  test('refuses a record with a field more', () => {
    const [record] = chain(1);
    expect(verdictOf([JSON.stringify({ ...record, more: 1 })]).faults).toHaveLength(1);
  });
});

test('a record tells nothing of its texts: two of the same are different, and none is in it', () => {
  const [one, other] = chain(2);
  expect(one?.record.fields.actor).not.toBe(other?.record.fields.actor);
  expect(JSON.stringify(one?.record)).not.toContain('ann');
});

test('a record of one text cannot be opened with another', () => {
  const [record] = chain(1);
  const opened = { ...record?.opened, actor: { salt: record?.opened.actor?.salt, value: 'bob' } };
  expect(verdictOf([JSON.stringify({ ...record, opened })]).faults).toEqual([
    'line 1 is record 1, whose actor is not what was recorded',
  ]);
});

test('the canonical text of a value does not depend on the order of its keys, and reads as that value', () => {
  fc.assert(
    fc.property(auditEvent, (event) => {
      const { record } = recordOf(event, salts());
      const turned = Object.fromEntries(Object.entries(record).reverse());
      expect(canonicalText(turned)).toBe(canonicalText(record));
      expect(JSON.parse(canonicalText(record))).toEqual(record);
    }),
    { numRuns: 100 },
  );
  expect(() => canonicalText(0.5)).toThrow(RangeError);
});

test('the first record’s hash is what a program of another language made of the same', () => {
  const [first] = chainOf([{ ...EVENT, fields: {} }]);
  expect(first?.hash).toBe(append(undefined, { record: first?.record ?? neverMade(), opened: {} }).hash);
  expect(first?.hash).toBe('daa8ce0fe7c67c7813c99987cf6d36e7352d57aeb1453d2dbfe1db48cb7d3fde');
});

function neverMade(): never {
  throw new Error('there is no first record');
}

test('as syslog: RFC 5424, one line, with what would end a value escaped', () => {
  const [record] = chain(1);
  const line = syslogLine(record ?? neverMade(), 'ai.example.com');
  expect(line).toMatch(
    /^<108>1 2027-01-01T00:00:00\.000Z ai\.example\.com delos-audit - job\.kill \[audit@32473 seq="1" hash="[0-9a-f]{64}" /,
  );
  expect(line).toContain(String.raw`reason="x\"\]\\ y"] ann job.kill job://default/lab/vision/job-1 refused`);
  expect(line).not.toContain('\n');
});

test('as OCSF: API Activity, with what it needs', () => {
  const [record] = chain(1);
  expect(ocsfEvent(record ?? neverMade())).toMatchObject({
    class_uid: 6003,
    category_uid: 6,
    activity_id: 4,
    type_uid: 600304,
    time: EVENT.at,
    status_id: 2,
    status_code: '403',
    actor: { user: { name: 'ann' } },
    src_endpoint: { ip: '10.0.0.7' },
    api: { operation: 'job.kill', request: { uid: 'r-1' } },
    resources: [{ name: 'job://default/lab/vision/job-1' }],
  });
});
