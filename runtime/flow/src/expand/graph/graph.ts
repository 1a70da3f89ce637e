import { nearest } from '@delos/core';
import { longer } from '../../expr/evaluate.ts';
import { type Block, fieldOf, type NeedsLevel, type Tasks } from '../../file/block.ts';
import type { Layered } from '../merge.ts';
import { attempt } from '../outcome.ts';
import { TaskBuilder } from '../task-builder.ts';
import { checkCycle } from './cycle.ts';
import { type Before, type Graph, type GraphPlace, nodeNeeds, type TaskNode, type Wanted } from './task-node.ts';

/** Nodes of a list of tasks. All faults are reported; what they leave is there, so that they hide no others. */
export function buildGraph(tasks: Tasks | undefined, place: GraphPlace): Graph {
  const nodes = new Map<string, TaskNode>();
  const posts: TaskNode[][] = [];
  const wanted: Wanted[] = [];
  const missing = new Set<string>();
  const twice = new Map<string, Twice>();
  let torso = tasks === undefined || tasks.torso;
  let last: Before = { ids: [], torso };
  for (const [index, task] of (tasks?.items ?? []).entries()) {
    const made = attempt(() => new TaskBuilder(task, index + 1, place, last).build());
    if (made === undefined) {
      // Its id is known all the same, so that what needs it is not reported too.
      const id = fieldOf(task, 'id', 'expr')?.constant;
      if (typeof id !== 'string') torso = true;
      else if (!nodes.has(id)) missing.add(id);
      last = { ids: [], torso: true };
      continue;
    }
    const { value } = made;
    for (const node of value.nodes) {
      const first = nodes.get(node.realId);
      if (first !== undefined) twice.set(node.realId, { first: first.source, second: node.source });
      nodes.set(node.realId, node);
    }
    for (const want of value.wanted) wanted.push(want);
    if (value.posts.length > 0) posts.push([...value.posts]);
    torso ||= value.idsOpen;
    const refusedId = task.refused.get('id');
    if (refusedId !== undefined) missing.add(refusedId);
    // A template's ids are not known.
    torso ||= refusedId?.includes('$') === true;
    const whole = !value.idsOpen && refusedId === undefined && tasks?.torso === false;
    last = { ids: value.nodes.map(({ realId }) => realId), torso: !whole };
  }
  let ids = last.ids;
  for (const group of posts.toReversed()) {
    for (const post of group) {
      const levels = new Map<string, NeedsLevel>([
        ...ids.map((id) => [id, 'completed'] as const),
        ...post.needs.levels,
      ]);
      nodes.set(post.realId, { ...post, needs: nodeNeeds(levels) });
    }
    ids = group.map(({ realId }) => realId);
  }
  const unknown = wanted.filter(({ id }) => !nodes.has(id));
  for (const want of unknown) if (!torso && !missing.has(want.id)) reportNeed(want, nodes);
  const gone = new Set(unknown.map(({ id }) => id));
  for (const [id, node] of gone.size === 0 ? [] : nodes) {
    const torn = [...node.needs.levels.keys()].some((need) => gone.has(need));
    if (torn) nodes.set(id, { ...node, needs: { ...node.needs, torso: true } });
  }
  for (const node of nodes.values()) if (node.unit !== undefined) checkImage(node, node.unit);
  // Rows of one matrix that have one id are one task in a circle.
  const others = [...twice].flatMap(([id, { first, second }]) => (first === second ? [] : [id]));
  const alone = checkCycle(nodes, new Set(others));
  for (const [id, tasks] of twice) reportTwice(id, tasks, id === alone);
  return { nodes, torso };
}

interface Twice {
  readonly first: Block;
  readonly second: Block;
}

/** `circle`: that the second task needs the first is said already, as a circle of the one id that both have. */
function reportTwice(id: string, { first, second }: Twice, circle: boolean): void {
  const { report } = second;
  const span = fieldOf(second, 'id', 'expr') ?? { start: second.start, end: second.start + 1 };
  if (first === second) {
    const message = `several rows of the matrix have the id \`${id}\`: only the last of them runs`;
    report.add('FLOW_DUPLICATE_ID', span, message, 'write a value of the row into it, such as ${{ matrix.NAME }}');
    return;
  }
  const line = report.position(fieldOf(first, 'id', 'expr')?.start ?? first.start).line;
  const code = circle ? 'FLOW_CYCLE' : 'FLOW_DUPLICATE_ID';
  const message = `the id \`${id}\` is given twice, first on line ${line}: this task replaces that one, which never runs`;
  report.add(code, span, message, 'give one of them another id');
}

function reportNeed({ id, span, of }: Wanted, nodes: Graph['nodes']): void {
  const named = [...nodes.values()].flatMap((node) => node.id ?? []);
  const others = named.filter((name) => name !== of);
  const near = nearest(id, others) ?? longer(id, named);
  const hint = near === undefined ? `there are: ${named.join(', ') || 'none with an id'}` : `did you mean \`${near}\`?`;
  span.report.add('FLOW_NEEDS', span, `there is no task \`${id}\``, hint);
}

function checkImage({ source }: TaskNode, unit: Layered): void {
  const { image } = unit.fields;
  if ((image?.kind === 'expr' && image.given !== null) || unit.refused.has('image')) return;
  source.report.add(
    'FLOW_IMAGE',
    source.name.endsWith('Call') ? unit : { start: source.start, end: source.start + 1 },
    'there is no `image`',
    'write `image:` and what to run',
  );
}
