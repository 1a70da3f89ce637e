import { generateKeyPairSync } from 'node:crypto';
import {
  type AuditEvent,
  append,
  type Chained,
  checkpointOf,
  FIELDS,
  OUTCOMES,
  recordOf,
  SOURCES,
  type Verdict,
  Verifier,
} from '@delos/audit';
import fc from 'fast-check';
import { expect } from 'vitest';

export const KEYS = generateKeyPairSync('ed25519');

const text = fc.string({ unit: 'grapheme', maxLength: 12 });
export const auditEvent: fc.Arbitrary<AuditEvent> = fc.record({
  at: fc.nat(2 ** 45),
  source: fc.constantFrom(...SOURCES),
  act: fc.constantFrom('job.create', 'job.kill', 'disk.remove', 'credits.add'),
  outcome: fc.constantFrom(...OUTCOMES),
  status: fc.constantFrom(0, 200, 403, 500),
  request: text,
  fields: fc.dictionary(fc.constantFrom(...FIELDS), text),
});

/** Salts that differ, and that a failing run can be repeated with. */
export function salts(): () => Uint8Array {
  let count = 0;
  return () => {
    count += 1;
    const salt = new Uint8Array(32);
    new DataView(salt.buffer).setUint32(0, count);
    return salt;
  };
}

export function chainOf(events: readonly AuditEvent[]): readonly Chained[] {
  const salt = salts();
  const chain: Chained[] = [];
  for (const event of events) chain.push(append(chain.at(-1), recordOf(event, salt)));
  return chain;
}

/** The lines of an export: a checkpoint behind each so many records, and one at the end. */
export function linesOf(chain: readonly Chained[], every = 5, keys = KEYS): readonly string[] {
  return chain.flatMap((record, index) => {
    const line = JSON.stringify(record);
    const last = index === chain.length - 1;
    return last || record.seq % every === 0 ? [line, JSON.stringify(checkpointOf(record, record.seq, keys))] : [line];
  });
}

export function verdictOf(lines: readonly string[], verifier = new Verifier([KEYS.publicKey])): Verdict {
  for (const line of lines) verifier.line(line);
  return verifier.end();
}

type Change = (lines: readonly string[], chain: readonly Chained[], at: number) => readonly string[];

const parsed = (line: string): Chained => JSON.parse(line) as Chained;
const isRecord = (line: string): boolean => line.startsWith('{"seq"');

/** One change each, of the line at a place. Whoever makes it has no key, and knows how records are hashed. */
const CHANGES: Readonly<Record<string, Change>> = {
  removed: (lines, _chain, at) => lines.toSpliced(at, 1),
  doubled: (lines, _chain, at) => lines.toSpliced(at, 0, lines[at] ?? ''),
  'put elsewhere': (lines, _chain, at) => {
    const to = at === 0 ? lines.length - 1 : 0;
    return lines.toSpliced(at, 1).toSpliced(to, 0, lines[at] ?? '');
  },
  exchanged: (lines, _chain, at) =>
    lines.toSpliced(Math.max(0, at - 1), 2, ...[lines[at] ?? '', lines[at - 1] ?? ''].slice(0, at === 0 ? 1 : 2)),
  'changed in its act': (lines, _chain, at) =>
    lines.with(
      at,
      change(lines[at], (record) => ({ ...record, record: { ...record.record, act: 'job.other' } })),
    ),
  'changed in its time': (lines, _chain, at) =>
    lines.with(
      at,
      change(lines[at], (record) => ({ ...record, record: { ...record.record, at: record.record.at + 1 } })),
    ),
  'changed in what it is said to be of': (lines, _chain, at) =>
    lines.with(
      at,
      change(lines[at], (record) => ({
        ...record,
        opened: { ...record.opened, object: { salt: '0'.repeat(64), value: 'another' } },
      })),
    ),
  'changed, and hashed anew with all that follow': (lines, chain, at) => {
    const { seq } = parsed(lines[at] ?? '');
    let last: Chained | undefined = chain[seq - 2];
    const forged = new Map<number, Chained>();
    for (const record of chain.slice(seq - 1)) {
      const act = record.seq === seq ? 'job.forged' : record.record.act;
      last = append(last, { record: { ...record.record, act }, opened: record.opened });
      forged.set(record.seq, last);
    }
    return lines.map((line) => (isRecord(line) ? JSON.stringify(forged.get(parsed(line).seq) ?? parsed(line)) : line));
  },
  'inserted, and all that follow hashed anew': (lines, chain, at) => {
    const { seq } = parsed(lines[at] ?? '');
    const records = chain.toSpliced(seq - 1, 0, chain[0] as Chained);
    const forged: Chained[] = [];
    for (const { record, opened } of records) forged.push(append(forged.at(-1), { record, opened }));
    const rest = lines.filter((line) => !isRecord(line));
    return [...forged.map((record) => JSON.stringify(record)), ...rest];
  },
};

function change(line: string | undefined, how: (record: Chained) => Chained): string {
  return isRecord(line ?? '') ? JSON.stringify(how(parsed(line ?? ''))) : '{"changed": true}';
}

/** Draws so many chains and one change of each: the chain verifies, and the changed one does not. */
export function checkChanges(numRuns: number): void {
  const events = fc.array(auditEvent, { minLength: 1, maxLength: 14 });
  fc.assert(
    fc.property(events, fc.nat(100), fc.constantFrom(...Object.keys(CHANGES)), (all, place, name) => {
      const chain = chainOf(all);
      const lines = linesOf(chain);
      expect(verdictOf(lines)).toMatchObject({ faults: [], unanchored: 0, records: all.length });
      // A checkpoint between others may be missing: the next one speaks of the same records.
      const records = lines.flatMap((line, index) => (isRecord(line) ? [index] : []));
      const changed = CHANGES[name]?.(lines, chain, records[place % records.length] ?? 0) ?? [];
      const found = verdictOf(changed);
      expect(found.faults.length + found.unanchored, name).toBeGreaterThan(0);
    }),
    { numRuns },
  );
}
