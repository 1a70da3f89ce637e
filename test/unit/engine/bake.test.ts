import { Bake, carriedOver, jobIdOf, type TaskRecord, type TaskStatus } from '@delos/engine';
import { describe, expect, test } from 'vitest';
import { HOME, tasksOf } from '../../support/engine/plans.ts';
import { playScript, type Script } from '../../support/engine/script.ts';
import { TABLE } from '../../support/engine/table.ts';

const flow = (tasks: string, head = ''): string => `kind: batch\n${head}tasks:\n${tasks}`;
const bakeOf = (main: string, options: { readonly deadline?: number } = {}): Bake =>
  new Bake(tasksOf({ main }), { attempt: 'attempt-1', home: HOME, ...options });
const statuses = (script: Script): Record<string, string | undefined> =>
  Object.fromEntries(
    Object.entries(playScript(script).bakes[0]?.tasks ?? {}).map(([id, task]) => [id, task.statuses.at(-1)]),
  );

describe('a bake', () => {
  test.each(Object.entries(TABLE))('that is made of its records again at every step: %s', (_name, script) => {
    expect(playScript(script, { anew: true })).toEqual(playScript(script));
  });

  test('has jobs whose ids follow from the attempt, the task and the try', () => {
    const id = jobIdOf('attempt-1', 'a.b', 1);
    expect(id).toMatch(/^job-[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(jobIdOf('attempt-1', 'a.b', 1)).toBe(id);
    const others = [jobIdOf('attempt-1', 'a.b', 2), jobIdOf('attempt-2', 'a.b', 1), jobIdOf('attempt-1', 'a', 1)];
    expect(new Set([id, ...others]).size).toBe(4);
  });

  test('writes a task before its job is made, and makes the job by the id that is written', () => {
    const bake = bakeOf(flow('  - {id: a, image: u, cmd: x, cache: {strategy: none}}\n'));
    const { records, acts } = bake.turn(5);
    const jobId = jobIdOf('attempt-1', 'a', 1);
    expect(records).toEqual([{ task: 'a', status: 'pending', at: 5, jobId }]);
    expect(acts).toMatchObject([{ kind: 'submit', task: 'a', jobId, try: 1, job: { image: 'u', cmd: 'x' } }]);
    expect(bake.outstanding(6)).toMatchObject([{ kind: 'submit', jobId }]);
    bake.tell({ kind: 'job', task: 'a', jobId, status: 'pending', at: 6 }, 6);
    expect(bake.outstanding(7)).toEqual([{ kind: 'watch', task: 'a', jobId }]);
  });

  test('makes a lost job again by another id, three times in all', () => {
    const bake = bakeOf(flow('  - {id: a, image: u, cmd: x, cache: {strategy: none}}\n'));
    bake.turn(1);
    for (const number of [1, 2, 3]) {
      const event = {
        kind: 'ended',
        task: 'a',
        jobId: jobIdOf('attempt-1', 'a', number),
        status: 'lost',
        at: 2,
      } as const;
      bake.tell(event, 2);
      const { acts, records, result } = bake.turn(2);
      if (number < 3) expect(acts).toMatchObject([{ kind: 'submit', try: number + 1 }]);
      else expect([result, records.at(-1)?.why]).toEqual(['failed', 'the platform lost its job 3 times']);
      // The same word again is of a try that is over.
      bake.tell(event, 3);
      expect(bake.turn(3).acts).toEqual([]);
    }
  });

  test('that has lasted too long is cancelled, and has failed', () => {
    const bake = bakeOf(flow('  - {id: a, image: u, cmd: x}\n  - {id: b, image: u, cmd: x}\n'), { deadline: 100 });
    expect(bake.due).toBe(100);
    const [look] = bake.turn(1).acts;
    if (look?.kind !== 'look') throw new Error('no look');
    bake.tell({ kind: 'looked', task: 'a', key: look.key, found: null }, 2);
    const jobId = jobIdOf('attempt-1', 'a', 1);
    expect(bake.turn(2).acts).toMatchObject([{ kind: 'submit', jobId }]);
    expect(bake.turn(99).acts).toEqual([]);
    expect(bake.turn(100).acts).toEqual([{ kind: 'kill', task: 'a', jobId }]);
    bake.tell({ kind: 'ended', task: 'a', jobId, status: 'cancelled', at: 101 }, 101);
    bake.turn(101);
    bake.tell({ kind: 'log', task: 'a', jobId, outputs: {}, state: {} }, 102);
    expect(bake.turn(102).result).toBe('failed');
    expect(Object.fromEntries(bake.statuses())).toEqual({ a: 'cancelled', b: 'skipped' });
  });

  test('in which nothing may start has failed, and says why', () => {
    const bake = bakeOf(flow('  - {id: a, image: u, cmd: x}\n', 'defaults: {max_parallel: 0}\n'));
    const { records, result } = bake.turn(1);
    expect(result).toBe('failed');
    expect(records[0]?.why).toMatch(/main:4: max_parallel is 0/);
  });

  test('says where a value is not there', () => {
    const script: Script = {
      files: { main: flow('  - {id: a, image: u, cmd: x}\n  - {id: b, image: u, cmd: "${{ needs.a.outputs.x }}"}\n') },
    };
    expect(statuses(script)).toEqual({ a: 'succeeded', b: 'failed' });
  });

  test('starts few jobs in a turn, and says that there are more', () => {
    const rows =
      '  - {image: u, cmd: "${{ matrix.x }}", cache: {strategy: none}, strategy: {matrix: {x: "${{ range(50) }}"}, max_parallel: 50}}\n';
    const bake = new Bake(tasksOf({ main: flow(rows) }), { attempt: 'a', home: HOME, startsPerTurn: 20 });
    const turns = [bake.turn(1), bake.turn(1), bake.turn(1)];
    expect(turns.map(({ acts, more }) => [acts.length, more])).toEqual([
      [20, true],
      [20, true],
      [10, false],
    ]);
  });

  test('whose tasks do not fit together is refused', () => {
    const [, second] = tasksOf({ main: flow('  - {id: a, image: u, cmd: x}\n  - {id: b, image: u, cmd: x}\n') });
    if (second === undefined) throw new Error('no task');
    expect(() => new Bake([second], { attempt: 'a', home: HOME })).toThrow('b needs a, which is not there');
  });
});

describe('a restart', () => {
  const chain = flow(
    '  - {id: a, image: u, cmd: x}\n  - {id: b, image: u, cmd: x}\n  - {id: c, image: u, cmd: x}\n  - {id: d, image: u, cmd: x, needs: []}\n',
  );
  const kept = (
    main: string,
    ended: Readonly<Record<string, TaskStatus>>,
    from: 'start' | 'failed' | { task: string },
    files = {},
  ): readonly string[] => {
    const records: TaskRecord[] = Object.entries(ended).map(([task, status]) => ({
      task,
      statuses: [
        { status: 'pending', at: 1 },
        { status, at: 2 },
      ],
      jobId: 'j',
      outputs: {},
      state: {},
    }));
    const restart = typeof from === 'string' ? { from } : ({ from: 'task', task: from.task } as const);
    const carried = carriedOver(tasksOf({ main, ...files }), records, restart);
    for (const { statuses } of carried) expect(statuses).toHaveLength(1);
    return carried.map(({ task }) => task);
  };
  const good = { a: 'succeeded', b: 'succeeded', c: 'succeeded', d: 'cached' } as const;

  test('from the start keeps nothing', () => {
    expect(kept(chain, good, 'start')).toEqual([]);
  });
  test('of what failed keeps what it has no part in', () => {
    expect(kept(chain, { ...good, b: 'failed', c: 'skipped' }, 'failed')).toEqual(['a', 'd']);
    expect(kept(chain, { ...good, b: 'cancelled' }, 'failed')).toEqual(['a', 'd']);
  });
  test('from a task keeps what does not follow from it', () => {
    expect(kept(chain, good, { task: 'b' })).toEqual(['a', 'd']);
    expect(() => kept(chain, good, { task: 'q' })).toThrow('there is no task q');
  });
  test('keeps what has succeeded in a call that has not', () => {
    const files = {
      'act.yml':
        'kind: batch\ntasks:\n  - {id: x, image: u, cmd: x, needs: []}\n  - {id: y, image: u, cmd: x, needs: []}\n',
    };
    const main = flow(
      '  - {id: a, image: u, cmd: x}\n  - {id: call, action: ws:act, args: {}}\n  - {id: b, image: u, cmd: x}\n',
    );
    const ended = { a: 'succeeded', call: 'failed', 'call.x': 'succeeded', 'call.y': 'failed', b: 'skipped' } as const;
    expect(kept(main, ended, 'failed', files)).toEqual(['a', 'call.x']);
    const all = {
      a: 'succeeded',
      call: 'succeeded',
      'call.x': 'succeeded',
      'call.y': 'succeeded',
      b: 'succeeded',
    } as const;
    expect(kept(main, all, { task: 'a' }, files)).toEqual([]);
    expect(kept(main, all, { task: 'call.y' }, files)).toEqual(['a', 'call.x']);
    expect(kept(main, all, { task: 'b' }, files)).toEqual(['a', 'call', 'call.x', 'call.y']);
  });
  test('takes again what was given back, where something that needs it runs again', () => {
    const files = { 'hold.yml': 'kind: stateful\nmain: {image: u}\npost: {image: u}\n' };
    const main = flow(
      '  - {id: a, image: u, cmd: x}\n  - {id: hold, action: ws:hold}\n  - {id: b, image: u, cmd: x}\n',
    );
    const all = { a: 'succeeded', hold: 'succeeded', b: 'failed', 'post-hold': 'succeeded' } as const;
    expect(kept(main, all, 'failed', files)).toEqual(['a']);
  });
});
