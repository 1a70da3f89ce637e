import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../../cli/src/commands/audit/verify.ts';
import { statementCsv } from '../../../cli/src/commands/credits/statement.ts';
import { chainOf, KEYS, linesOf } from '../../support/audit/chains.ts';
import { temporaryFolder } from '../../support/setup/temporary-folder.ts';

const folder = temporaryFolder('audit');

const EVENT = {
  at: 1,
  source: 'api' as const,
  act: 'job.kill',
  outcome: 'done' as const,
  status: 204,
  request: 'r',
  fields: { actor: 'ann' },
};
const lines = linesOf(chainOf(Array.from({ length: 7 }, () => EVENT)));
const key = join(folder, 'keys.pem');
writeFileSync(key, KEYS.publicKey.export({ type: 'spki', format: 'pem' }));

async function verified(content: readonly string[], more: { checkpoints?: string } = {}): Promise<string> {
  const file = join(folder, 'export.jsonl');
  writeFileSync(file, content.map((line) => `${line}\n`).join(''));
  let said = '';
  const context = { result: (_document: unknown, text: string) => (said = text) } as unknown as Parameters<
    typeof run
  >[0];
  await run(context, file, { key, part: false, ...more });
  return said;
}

test('a whole export is said to be whole, offline', async () => {
  expect(await verified(lines)).toBe(
    '7 records and 2 checkpoints: none was removed, changed, inserted or put elsewhere',
  );
});

test('one without a record is refused, with the place', async () => {
  await expect(verified(lines.toSpliced(2, 1))).rejects.toThrow('line 3 is record 4, and record 3 should follow');
});

test('one whose end is missing is refused: behind its last checkpoint, and against an earlier export', async () => {
  await expect(verified(lines.slice(0, -1))).rejects.toThrow('no checkpoint follows the last 2 records');
  const earlier = join(folder, 'earlier.jsonl');
  writeFileSync(earlier, lines.join('\n'));
  const cut = lines.slice(0, 6);
  await expect(verified(cut, { checkpoints: earlier })).rejects.toThrow('the chain ends with record 5');
  expect(await verified(cut)).toContain('5 records');
});

test('a statement as CSV: quoted where it must be, and nothing that a spreadsheet runs', () => {
  const statement = {
    ...{ org: 'lab', project: null, from: '2027-01-01T00:00:00.000Z', to: '2027-02-01T00:00:00.000Z' },
    opening: '0',
    lines: [
      { at: 'x', kind: 'grant', job: null, seconds: null, by: 'ann', why: '=1+1, "quoted"', credits: '5' },
      { at: 'y', kind: 'charge', job: 'job-1', seconds: 60, by: null, why: null, credits: '-2.5' },
    ],
    closing: '2.5',
  };
  expect(statementCsv(statement).split('\r\n')).toEqual([
    'time,what,job,seconds,who,why,credits',
    '2027-01-01T00:00:00.000Z,opening,,,,,0',
    'x,grant,,,ann,"\'=1+1, ""quoted""",5',
    'y,charge,job-1,60,,,-2.5',
    '2027-02-01T00:00:00.000Z,closing,,,,,2.5',
  ]);
});
