import { Bake, type BakeImage, imageJobId } from '@delos/engine';
import { describe, expect, test } from 'vitest';
import { type FlowFiles, HOME, planOf } from '../../support/engine/plans.ts';

const IMAGE = 'context: "storage:ctx", dockerfile: "storage:ctx/deep/Dockerfile"';
const flow = (tasks: string, image = IMAGE): string =>
  `kind: batch\ndefaults: {fail_fast: false, cache: {strategy: none}}\nimages: {x: {ref: "image:x:1", ${image}}}\ntasks:\n${tasks}`;
const TWO = '  - {id: a, needs: [], image: "${{ images.x.ref }}"}\n  - {id: b, needs: [], image: "image:x:1"}\n';
const ref = 'image:x:1';
const jobId = imageJobId('attempt-1', ref, 1);

function bakeOf(files: FlowFiles, written: Partial<BakeImage> = {}, more: object = {}): Bake {
  const { tasks, images } = planOf(files);
  const given = images.map((image) => ({ ...image, ...written }));
  return new Bake(tasks, { attempt: 'attempt-1', home: HOME, images: given, ...more });
}
const submitted = (bake: Bake, now: number): readonly string[] =>
  bake.turn(now).acts.flatMap((act) => (act.kind === 'submit' ? [act.task] : []));

describe('an image that tasks need', () => {
  test('is looked for, and built once before any of them starts', () => {
    const bake = bakeOf({ main: flow(TWO, `${IMAGE}, build_args: ["A=1"], env: {B: "2"}, build_preset: big`) });
    expect(bake.turn(1)).toMatchObject({ records: [], acts: [], images: [], builds: [{ kind: 'find', ref }] });
    bake.tellImage({ kind: 'found', ref, there: false }, 2);
    const { images, builds, acts } = bake.turn(2);
    expect([images, acts]).toEqual([[{ ref, status: 'building', jobId }], []]);
    expect(builds).toMatchObject([
      {
        kind: 'build',
        jobId,
        build: {
          context: 'storage://main/acme/demo/ctx',
          dockerfile: 'deep/Dockerfile',
          args: ['A=1'],
          env: { B: '2' },
          preset: 'big',
        },
      },
    ]);
    expect(bake.outstandingBuilds()).toEqual(builds);
    bake.tellImage({ kind: 'built', ref, jobId, status: 'succeeded' }, 3);
    const next = bake.turn(3);
    expect([next.images, next.acts.length]).toEqual([[{ ref, status: 'built' }], 2]);
  });

  test('that is there is not built, and one that is forced is not looked for', () => {
    const there = bakeOf({ main: flow(TWO) });
    there.turn(1);
    there.tellImage({ kind: 'found', ref, there: true }, 2);
    expect(there.turn(2)).toMatchObject({ images: [{ ref, status: 'cached' }], builds: [], acts: [{}, {}] });
    const forced = bakeOf({ main: flow(TWO, `${IMAGE}, force_rebuild: true`) });
    expect(forced.turn(1).builds).toMatchObject([{ kind: 'build', jobId }]);
  });

  test('takes up again what was written, and builds anew what an earlier attempt did not bring about', () => {
    const main = flow(TWO);
    const again = bakeOf({ main }, { status: 'building', jobId });
    expect(again.outstandingBuilds()).toMatchObject([{ kind: 'build', jobId }]);
    expect(again.turn(1).builds).toEqual([]);
    again.tellImage({ kind: 'built', ref, jobId, status: 'succeeded' }, 2);
    expect(submitted(again, 2)).toEqual(['a', 'b']);
    for (const status of ['building', 'build_failed', 'cached', 'pending'] as const) {
      const later = bakeOf({ main }, { status, jobId: 'job-of-an-earlier-attempt' });
      expect(later.turn(1).builds, status).toEqual([{ kind: 'find', ref }]);
    }
    expect(submitted(bakeOf({ main }, { status: 'built', jobId: 'job-1' }), 1)).toEqual(['a', 'b']);
  });

  test('that cannot be built fails them in words; the others go on', () => {
    const bake = bakeOf({ main: flow(`${TWO}  - {id: c, needs: [], image: u}\n`) });
    expect(submitted(bake, 1)).toEqual(['c']);
    bake.tellImage({ kind: 'found', ref, there: false }, 2);
    bake.turn(2);
    bake.tellImage({ kind: 'built', ref, jobId, status: 'failed' }, 3);
    const { images, records } = bake.turn(3);
    expect(images).toEqual([{ ref, status: 'build_failed' }]);
    expect(records.map(({ task, status, why }) => [task, status, why])).toEqual(
      ['a', 'b'].map((task) => [
        task,
        'failed',
        expect.stringContaining(`could not be built: its job failed; apolo logs ${jobId}`),
      ]),
    );
    const none = bakeOf({ main: flow(TWO, 'build_preset: small') });
    none.turn(1);
    none.tellImage({ kind: 'found', ref, there: false }, 2);
    expect(none.turn(2).records[0]?.why).toContain('cannot be built: context and dockerfile not specified');
  });

  test('is built no further when the bake is cancelled, unless a task that survives waits for it; the bake waits for that', () => {
    const start = (tasks: string): Bake => {
      const bake = bakeOf({ main: flow(tasks) });
      bake.turn(1);
      bake.tellImage({ kind: 'found', ref, there: false }, 2);
      bake.turn(2);
      bake.tell({ kind: 'cancel' }, 3);
      return bake;
    };
    const stopped = start(TWO);
    const turn = stopped.turn(3);
    expect([turn.builds, turn.result, turn.records.length]).toEqual([[{ kind: 'stop', ref, jobId }], undefined, 2]);
    stopped.tellImage({ kind: 'built', ref, jobId, status: 'cancelled' }, 4);
    expect(stopped.turn(4).result).toBe('cancelled');
    const survives = start('  - {id: a, image: "image:x:1", enable: "${{ always() }}"}\n');
    expect(survives.turn(3).builds).toEqual([]);
    survives.tellImage({ kind: 'built', ref, jobId, status: 'succeeded' }, 4);
    expect(submitted(survives, 4)).toEqual(['a']);
  });

  test('takes no place of max_parallel from those that could start', () => {
    const main = flow(`${TWO}  - {id: c, needs: [], image: u}\n`).replace('{fail_fast', '{max_parallel: 1, fail_fast');
    const bake = bakeOf({ main });
    expect(submitted(bake, 1)).toEqual(['c']);
  });

  test('of an action knows the inputs of its call, and is taken as it is before that has begun', () => {
    const act = `kind: batch\ninputs: {n: {}}\nimages: {own: {ref: "image:x:1", ${IMAGE}, build_args: ["N=\${{ inputs.n }}"]}}\ntasks:\n  - {id: in, image: "\${{ images.own.ref }}", cache: {strategy: none}}\n`;
    const main = `kind: batch\ndefaults: {cache: {strategy: none}}\ntasks:\n  - {id: early, image: "image:x:1"}\n  - {id: call, action: ws:act, args: {n: "\${{ needs.early.outputs.v }}"}}\n`;
    const bake = bakeOf({ main, 'act.yml': act });
    const { acts } = bake.turn(1);
    const early = acts[0] as { readonly jobId: string };
    expect(acts).toMatchObject([{ kind: 'submit', task: 'early' }]);
    bake.tell({ kind: 'ended', task: 'early', jobId: early.jobId, status: 'succeeded', at: 2 }, 2);
    bake.turn(2);
    bake.tell({ kind: 'log', task: 'early', jobId: early.jobId, outputs: { v: 'seven' }, state: {} }, 3);
    expect(bake.turn(3).builds).toEqual([{ kind: 'find', ref }]);
    bake.tellImage({ kind: 'found', ref, there: false }, 4);
    expect(bake.turn(4).builds).toMatchObject([{ build: { args: ['N=seven'] } }]);
  });
});
