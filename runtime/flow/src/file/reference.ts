import { SIGNATURES } from '../expr/signatures.ts';
import { FLOW_CODES, type FlowCode } from './codes.ts';
import type { ExprType } from './convert.ts';
import { type BlockName, keysOfBlock, type Shape } from './schema.ts';

const TABLES: readonly (readonly [BlockName, string])[] = [
  ['liveFlow', 'Live flow'],
  ['batchFlow', 'Batch flow'],
  ['job', 'Job of a live flow'],
  ['task', 'Task of a batch flow'],
  ['jobActionCall', 'Call of an action in a live flow'],
  ['taskActionCall', 'Call of an action in a batch flow'],
  ['liveDefaults', 'Defaults of a live flow'],
  ['batchDefaults', 'Defaults of a batch flow'],
  ['strategy', 'Strategy'],
  ['cache', 'Cache'],
  ['volume', 'Volume'],
  ['image', 'Image'],
  ['param', 'Parameter'],
  ['project', 'Project file'],
  ['liveAction', 'Live action'],
  ['batchAction', 'Batch action'],
  ['statefulAction', 'Stateful action'],
  ['localAction', 'Local action'],
  ['input', 'Input of an action'],
  ['output', 'Output of an action'],
];

/** Markdown tables of every key of every file, and of the functions. */
export function flowReference(): string {
  const tables = TABLES.flatMap(([name, title]) => [
    `### ${title}`,
    '',
    '| key | holds | meaning |',
    '| --- | --- | --- |',
    ...Object.entries(keysOfBlock(name)).map(
      ([key, { shape, text, required }]) =>
        `| \`${key}\`${required ? ' (required)' : ''} | ${holds(shape)} | ${cell(text)} |`,
    ),
    '',
  ]);
  const functions = Object.values(SIGNATURES).map(({ usage, summary }) => `| \`${cell(usage)}\` | ${cell(summary)} |`);
  return [...tables, '### Functions', '', '| call | gives |', '| --- | --- |', ...functions, ''].join('\n');
}

/** Markdown page of a code: what it means, what to do, and a file of which it is said. */
export function flowCodePage(code: FlowCode): string {
  const info: {
    readonly title: string;
    readonly severity: string;
    readonly text: string;
    readonly example: string;
    readonly late?: true;
  } = FLOW_CODES[code];
  const shown = info.example.replaceAll('\0', '\\0').trimEnd();
  const verdict = info.severity === 'warning' ? 'A warning: the exit code stays 0.' : 'An error: the file is refused.';
  const late =
    info.late === true
      ? ['', 'apolo-flow finds some of these only when the task is about to start; Delos says them beforehand.']
      : [];
  const example = shown === '' ? [] : ['', '## Example', '', '```yaml', shown, '```'];
  return [`# ${code}: ${info.title}`, '', `${verdict} ${info.text}`, ...late, ...example, ''].join('\n');
}

const cell = (text: string): string => text.replaceAll('|', '\\|');

const VALUES: Readonly<Record<ExprType, string>> = {
  str: 'text',
  id: 'name',
  bool: 'true or false',
  enable: 'true, false or `always()`',
  int: 'whole number',
  time: 'time: `1d2h3m4s` or seconds',
  localPath: 'local path',
  remotePath: 'path',
  uri: 'address',
  imageRef: 'image',
  primitive: 'text, number or boolean',
  bash: 'script',
  python: 'script',
  portPair: '`"LOCAL:REMOTE"`',
  restart: 'never, on-failure, always',
};

function holds(shape: Shape): string {
  switch (shape.is) {
    case 'value':
      return `${VALUES[shape.type]}${shape.template ? '' : '; no template'}`;
    case 'list':
      return `list of ${VALUES[shape.type]}${shape.template ? ', or a template' : ''}`;
    case 'map':
      return `names with ${VALUES[shape.type]}${shape.template ? ', or a template' : ''}`;
    case 'choice':
      return shape.values.join(', ');
    case 'block':
      return 'keys, see below';
    case 'blocks':
    case 'params':
      return 'names with keys, see below';
    case 'tasks':
      return 'list of tasks';
    case 'needs':
      return 'list of ids, or ids with a level';
    case 'matrix':
      return 'names with lists';
    case 'raw':
      return 'anything';
  }
}
