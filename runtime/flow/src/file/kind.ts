import { nearest } from '@delos/core';
import { str } from '../python/text.ts';
import { kindInWords, type YamlMapping } from '../yaml/node.ts';
import type { Report } from './report.ts';

export type FileKind =
  | 'project'
  | 'liveFlow'
  | 'batchFlow'
  | 'liveAction'
  | 'batchAction'
  | 'statefulAction'
  | 'localAction';
export const isFlow = (kind: FileKind): boolean => kind === 'liveFlow' || kind === 'batchFlow';

/** The kind that a file's place gives it, where the place is known. */
export type Role = 'flow' | 'action' | 'project';

/** The kind of a file, by its place and its keys. Undefined where it is not clear: the fault is then reported. */
export function kindOf(root: YamlMapping, report: Report, role: Role | undefined): FileKind | undefined {
  const entry = root.entries.findLast(([key]) => key.kind === 'scalar' && key.value === 'kind');
  const has = (name: string): boolean => root.entries.some(([key]) => key.kind === 'scalar' && key.value === name);
  if (role === 'project' || (role === undefined && entry === undefined && has('id') && !has('tasks') && !has('jobs')))
    return 'project';
  const start = { start: root.start, end: root.start + 1 };
  if (entry === undefined) {
    const allowed = role === 'action' ? 'live, batch, stateful or local' : 'live or batch';
    report.add('FLOW_KEY_MISSING', start, '`kind` is missing', `write \`kind:\` and one of ${allowed}`);
    return undefined;
  }
  const [, value] = entry;
  const text = value.kind === 'scalar' ? str(value.value) : '';
  const action =
    role === 'action' || (role === undefined && (text === 'stateful' || text === 'local' || isActionLike(has, text)));
  const kinds: Readonly<Record<string, FileKind>> = action
    ? { live: 'liveAction', batch: 'batchAction', stateful: 'statefulAction', local: 'localAction' }
    : { live: 'liveFlow', batch: 'batchFlow' };
  const kind = Object.hasOwn(kinds, text) ? kinds[text] : undefined;
  if (kind === undefined) {
    const near = nearest(text, Object.keys(kinds));
    report.add(
      'FLOW_KIND',
      value,
      `expected ${Object.keys(kinds).join(', ')}, found ${kindInWords(value)}`,
      near === undefined ? undefined : `did you mean \`${near}\`?`,
    );
  }
  return kind;
}

/** For a file whose place tells nothing. Some keys stand only in actions, and some only in flows. */
function isActionLike(has: (name: string) => boolean, kind: string): boolean {
  const flow = ['jobs', 'defaults', 'mixins', 'volumes', 'params', 'title', 'id', 'life_span'].some(has);
  if (flow) return false;
  return ['inputs', 'outputs', 'author', 'descr', 'name'].some(has) || (kind === 'live' && has('job'));
}
