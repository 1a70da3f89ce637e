import type { FlowCode } from '@delos/flow';
import type { Case } from './cases.ts';

interface Difference {
  readonly one: Case;
  /** Where the authority refuses it, or that it passes. */
  readonly theirs: 'load' | 'setup' | 'check' | 'passes' | 'fails when it runs';
  /** Codes of Delos, or that it passes. */
  readonly ours: 'passes' | readonly string[];
}

const batch = (text: string, files: Case['files'] = {}): Case => ({
  kind: 'batch',
  path: 'main',
  files: { ...files, main: `kind: batch\n${text}` },
  values: true,
});
const cmd = (expression: string): Case => batch(`tasks:\n  - image: u\n    cmd: >-\n      \${{ ${expression} }}\n`);

/** Where Delos means something else than the authority; each is a row of docs/guides/flows.md. */
export const DIFFERENCES: Readonly<Record<string, Difference>> = {
  'tasks that need each other in a diamond, last first, are no circle': {
    one: batch(
      'tasks:\n  - {id: d, image: u, needs: [b, c]}\n  - {id: b, image: u, needs: [a]}\n  - {id: c, image: u, needs: [a]}\n  - {id: a, image: u, needs: []}\n',
    ),
    theirs: 'check',
    ours: 'passes',
  },
  'a list where one value is expected is refused': {
    one: batch('title: [a, b]\ntasks: []\n'),
    theirs: 'passes',
    ours: ['FLOW_SCALAR'],
  },
  'a section of a wrong shape is refused, used or not': {
    one: { kind: 'action', path: 'a.yml', files: { 'a.yml': 'kind: batch\nimages: 5\ntasks: []\n' } },
    theirs: 'passes',
    ours: ['FLOW_TYPE'],
  },
  'characters by name are refused in a text': { one: cmd("'\\N{BULLET}'"), theirs: 'passes', ours: ['FLOW_SYNTAX'] },
  'a value of more than four million characters is refused': {
    one: cmd("len('a' * 5000000)"),
    theirs: 'passes',
    ours: ['FLOW_EXPRESSION'],
  },
  'an expression nested more than 100 deep is refused': {
    one: cmd(`${'- '.repeat(101)}1`),
    theirs: 'passes',
    ours: ['FLOW_SYNTAX'],
  },
  'an expression of more than half a million steps is refused': {
    one: cmd('len([[y for y in range(1000)] for x in range(600)])'),
    theirs: 'passes',
    ours: ['FLOW_EXPRESSION'],
  },
  'tags of YAML beyond the plain types are refused': {
    one: batch('title: !!binary aGk=\ntasks: []\n'),
    theirs: 'passes',
    ours: ['FLOW_TAG'],
  },
  'a file of more than 1 MiB is refused': {
    one: batch(`tasks: []\n# ${'x'.repeat(1024 * 1024)}\n`),
    theirs: 'passes',
    ours: ['FLOW_TEXT'],
  },
  'a name that a context lacks is refused before the task is about to start': {
    one: batch('tasks: [{image: u, volumes: ["${{ volumes.data.ref }}"]}]\n'),
    theirs: 'fails when it runs',
    ours: ['FLOW_NAME'],
  },
  'an expression that cannot have a value is refused before the task is about to start': {
    one: batch('tasks: [{image: u, cmd: "${{ 1 + \'a\' }}"}]\n'),
    theirs: 'fails when it runs',
    ours: ['FLOW_EXPRESSION'],
  },
  'a context that is not there is refused in lists too': {
    one: batch('tasks: [{image: u, tags: ["${{ inputs.x }}"]}]\n'),
    theirs: 'fails when it runs',
    ours: ['FLOW_CONTEXT'],
  },
  'an argument of a wrong type is refused before the call': {
    one: batch('tasks: [{action: ws:a, args: {n: 5}}]\n', {
      'a.yml': 'kind: batch\ninputs: {n: {type: int}}\ntasks: [{image: u}]\n',
    }),
    theirs: 'fails when it runs',
    ours: ['FLOW_INPUT'],
  },
};

const job = (text: string, files: Case['files'] = {}): Case => ({
  kind: 'live',
  path: 'main',
  files: { ...files, main: `kind: live\njobs:\n  j: {${text}}\n` },
  values: true,
});

/** For each code that is said of what the authority may find only when a task is about to start: a case of that. */
export const LATE: Partial<Readonly<Record<FlowCode, Case>>> = {
  FLOW_NAME: batch('tasks: [{image: u, volumes: ["${{ volumes.data.ref }}"]}]\n'),
  FLOW_EXPRESSION: batch('tasks: [{image: u, cmd: "${{ 1 + \'a\' }}"}]\n'),
  FLOW_CONTEXT: batch('tasks: [{image: u, tags: ["${{ inputs.x }}"]}]\n'),
  FLOW_TYPE: batch('tasks: [{image: u, tags: ~}]\n'),
  FLOW_VALUE: job('image: "image:a?b"'),
  FLOW_INPUT: batch('tasks: [{action: ws:a, args: {n: 5}}]\n', {
    'a.yml': 'kind: batch\ninputs: {n: {type: int}}\ntasks: [{image: u}]\n',
  }),
  FLOW_IMAGE: job('cmd: ls'),
  FLOW_ACTION: job('action: ws:nope, args: {}'),
  FLOW_MIXIN: job('image: u, mixins: [nope]'),
};
