import type { BakeReport, ReportedTask } from '@delos/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { shown } from '../../../cli/src/commands/flow/bakes/diff.ts';
import { allOf, changes, frame, seconds } from '../../../cli/src/commands/flow/bakes/frame.ts';

const task = (id: string, more: Partial<ReportedTask> = {}): ReportedTask => ({
  ...{ id, call: false, needs: [], status: null, job: null, critical: false, reason: null, exit_code: null },
  ...{ begun_at: null, running_at: null, ended_at: null, lineage: null },
  ...more,
});
const report = (tasks: ReportedTask[]): BakeReport => ({
  ...{ id: 'bake-1', name: null, batch: 'train', flow: 'mine', org_name: 'acme', project_name: 'one', owner: 'alice' },
  ...{ tags: [], params: {}, created_at: '2026-11-23T10:00:00.000Z', attempts: [], number: 1, result: 'running' },
  ...{ settled: false, critical_path: [], images: [], seconds: 61, tasks },
});
const ended = { begun_at: '2026-11-23T10:00:00.000Z', ended_at: '2026-11-23T10:01:05.000Z' };

describe('a bake on a terminal', () => {
  test('shows each task with what became of it, tasks of a call below it', () => {
    const lines = allOf(
      report([
        task('a', { status: 'succeeded', ...ended, critical: true }),
        task('last', { needs: ['call'] }),
        task('call', { call: true, status: 'running' }),
        task('call.x', { status: 'failed', ...ended, reason: 'OOMKilled' }),
      ]),
    );
    expect(lines).toEqual([
      'bake-1, attempt 1: running, 2 of 3 tasks, 1 min 1 s',
      '  ✔ a  succeeded, 1 min 5 s, critical',
      '    last  waits for call',
      '  ▶ call  running',
      '    ✘ call.x  failed: OOMKilled, 1 min 5 s',
    ]);
  });

  test('never takes more room than there is, shows what failed first, and no control characters', () => {
    const any = fc.array(
      fc.record({
        id: fc.string({ unit: 'binary', minLength: 1 }),
        status: fc.constantFrom('failed', 'running', 'succeeded', 'pending', null),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(any, fc.integer({ min: 1, max: 200 }), fc.integer({ min: 3, max: 60 }), (tasks, columns, rows) => {
        const given = tasks.map(({ id, status }, index) => task(`${index}${id}`, { status: status as 'failed' }));
        const lines = frame(report(given), { columns, rows });
        expect(lines.length).toBeLessThanOrEqual(Math.max(3, rows));
        for (const line of lines) {
          expect([...line].length).toBeLessThan(Math.max(21, columns));
          expect(line).not.toMatch(/[\p{Cc}]/u);
        }
        const failed = given.filter(({ status }) => status === 'failed').length;
        const told = lines.filter((line) => line.includes('✘')).length;
        expect(told).toBe(Math.min(failed, given.length <= rows - 2 ? failed : rows - 3));
      }),
    );
  });
});

describe('a bake where there is no terminal', () => {
  test('is a line for each change, and none where nothing changed', () => {
    const before = report([task('a', { status: 'pending', job: 'job-1' })]);
    const after = report([
      task('a', { status: 'failed', job: 'job-1', reason: 'exit code 3', ...ended }),
      task('b', { status: 'skipped' }),
    ]);
    expect(changes(undefined, before)).toEqual(['a (job-1) pending']);
    expect(changes(before, after)).toEqual(['a (job-1) failed after 1 min 5 s: exit code 3', 'b skipped']);
    expect(changes(after, after)).toEqual([]);
  });
});

test('seconds are told as people read them', () => {
  expect([0.04, 4.25, 59.94, 61, 7265].map(seconds)).toEqual(['0 s', '4.3 s', '59.9 s', '1 min 1 s', '2 h 1 min']);
});

test('what changed is told a line each', () => {
  const change = { before: '1', after: null };
  expect(
    shown({
      ...{ before: 'x', after: 'y', batch: null, commit: null, params: { lr: change } },
      files: [{ name: 'f.yml', change: 'changed', lines: ['-a', '+b'], cut: true }],
      tasks: [
        {
          ...{ id: 't', change: 'changed', status: null, image: { before: 'i:1', after: 'i:2' }, key: change },
          ...{ cached: null, seconds: { before: 1, after: 2 } },
        },
      ],
    }),
  ).toEqual([
    'param lr: 1 → none',
    'file f.yml: changed',
    '  -a',
    '  +b',
    '  …',
    'task t: image i:1 → i:2; given other things',
  ]);
});
