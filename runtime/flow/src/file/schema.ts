import type { ExprType } from './convert.ts';

/*
 * Every key of every file, once. The parser, the JSON Schema for editors and the reference in the guide follow from it.
 *
 *   value     one value, a template where `template` is not false; null only where `nullable`
 *   list      a list of values, or one template that gives a list
 *   map       keys and values, or one template that gives them
 *   block     keys of another table; `blocks`: names, each with such keys
 */
export type Shape =
  | { readonly is: 'value'; readonly type: ExprType; readonly nullable: boolean; readonly template: boolean }
  | { readonly is: 'list'; readonly type: ExprType; readonly nullable: boolean; readonly template: boolean }
  | { readonly is: 'map'; readonly type: ExprType; readonly template: boolean }
  | { readonly is: 'choice'; readonly values: readonly string[] }
  | { readonly is: 'block'; readonly of: BlockName }
  | { readonly is: 'blocks'; readonly of: BlockName }
  | { readonly is: 'tasks' | 'needs' | 'matrix' | 'params' | 'raw' };

export interface Key {
  readonly shape: Shape;
  readonly required: boolean;
  /** Its meaning, with unit and default. */
  readonly text: string;
}
export type Keys = Readonly<Record<string, Key>>;

const key = (shape: Shape, text: string): Key => ({ shape, text, required: false });
const needed = (given: Key): Key => ({ ...given, required: true });
const value = (type: ExprType, text: string): Key => key({ is: 'value', type, nullable: true, template: true }, text);
const strict = (type: ExprType, text: string): Key => key({ is: 'value', type, nullable: false, template: true }, text);
const simple = (type: ExprType, text: string): Key => key({ is: 'value', type, nullable: true, template: false }, text);
const list = (type: ExprType, text: string, nullable = false): Key =>
  key({ is: 'list', type, nullable, template: true }, text);
const map = (type: ExprType, text: string): Key => key({ is: 'map', type, template: true }, text);
const block = (of: BlockName, text: string): Key => key({ is: 'block', of }, text);
const blocks = (of: BlockName, text: string): Key => key({ is: 'blocks', of }, text);
const choice = (values: readonly string[], text: string): Key => key({ is: 'choice', values }, text);

const EXEC_UNIT: Keys = {
  title: value('str', 'Shown name. Live default: `FLOW.JOB`.'),
  name: value('str', 'Name of the job on the platform.'),
  image: value('imageRef', 'Image to run: `image:NAME:TAG` of the project, or any registry reference.'),
  preset: value('str', 'Preset of the cluster. Default: that of `defaults`.'),
  schedule_timeout: value('time', 'How long to wait for free resources.'),
  entrypoint: value('str', "Executable in place of the image's."),
  cmd: value('str', 'Command line. Excludes `bash` and `python`.'),
  bash: value('bash', 'Script for `bash -euo pipefail -c`.'),
  python: value('python', 'Script for `python3 -uc`.'),
  workdir: value('remotePath', 'Working directory in the container.'),
  env: map('str', 'Environment variables; laid over those of `defaults`. `secret:NAME` takes a secret.'),
  volumes: list(
    'str',
    'Volume references, after those of `defaults`: `${{ volumes.ID.ref_ro }}` or `storage:PATH:/MOUNT:ro`.',
    true,
  ),
  tags: list('str', 'Tags, beside those of `defaults`.'),
  life_span: value('time', 'Longest run.'),
  http_port: value('int', 'Port that the platform publishes.'),
  http_auth: value('bool', 'Whether the published port asks for a login.'),
  pass_config: value('bool', "Whether the caller's configuration is put into the container. Default: false."),
  restart: value('restart', 'When the platform starts it again. Default: never.'),
};

const MIXINS = key(
  { is: 'list', type: 'str', nullable: false, template: false },
  'Names of mixins whose keys fill those that are missing here.',
);
const LIVE_KEYS: Keys = {
  detach: value('bool', 'Do not attach to the job. Default: false.'),
  browse: value('bool', 'Open the published port in a browser. Default: false.'),
  port_forward: list('portPair', 'Ports `"LOCAL:REMOTE"` to forward while attached.'),
  multi: simple('bool', 'Several instances, told apart by suffixes. Default: false.'),
  params: key({ is: 'params' }, 'Parameters of `apolo-flow run -p NAME VALUE`.'),
};
const CALL_ARGS = key(
  { is: 'map', type: 'primitive', template: false },
  "Values for the action's inputs; text unless a template gives another type.",
);
const TASK_BASE: Keys = {
  id: value('id', 'Name of the task, for `needs`. Default: `task-N`.'),
  needs: key(
    { is: 'needs' },
    'Ids of tasks that come first, or ids with `completed` or `running`. Default: the task before; `[]`: none.',
  ),
  strategy: block('strategy', 'Several runs of the task, one a row of a matrix.'),
  enable: strict('enable', 'Whether the task runs. Default: `${{ success() }}`.'),
  cache: block('cache', 'Whether results of an equal earlier task are taken.'),
};
const ACTION = needed(simple('str', '`ws:PATH` below the workspace or `gh:OWNER/REPO@TAG`.'));
const MODULE = needed(simple('str', '`ws:PATH` below the workspace.'));

const FLOW: Keys = {
  kind: needed(choice(['live', 'batch'], 'Kind of the flow.')),
  id: simple('id', 'Id of the flow. Default: name of the file.'),
  title: simple('str', 'Shown name. Default: the id.'),
  images: blocks('image', 'Images to build or refer to.'),
  volumes: blocks('volume', 'Volumes to mount.'),
};
const ACTION_BASE: Keys = {
  kind: needed(choice(['live', 'batch', 'stateful', 'local'], 'Kind of the action.')),
  name: simple('str', 'Shown name.'),
  author: simple('str', 'Who wrote it.'),
  descr: simple('str', 'What it does.'),
  inputs: blocks('input', 'Inputs.'),
};
const DEFAULTS: Keys = {
  tags: list('str', 'Tags of all.'),
  env: map('str', 'Environment variables of all.'),
  volumes: list('str', 'Volume references of all.', true),
  workdir: value('remotePath', 'Working directory of all.'),
  life_span: value('time', 'Longest run of each.'),
  preset: value('str', 'Preset of all.'),
  schedule_timeout: value('time', 'How long each waits for free resources.'),
};

/** The tables. */
export const BLOCKS = {
  project: {
    id: needed(key({ is: 'value', type: 'id', nullable: false, template: false }, 'Id of the flow project.')),
    project_name: simple('str', "Project on the platform. Default: the client's current one."),
    owner: simple('str', 'Owner of the flow project.'),
    role: key({ is: 'raw' }, 'No effect any more.'),
    images: blocks('image', 'Images for all flows.'),
    volumes: blocks('volume', 'Volumes for all flows.'),
    defaults: block('batchDefaults', 'Defaults for all flows.'),
    mixins: blocks('projectMixin', 'Mixins for all flows.'),
  },
  liveFlow: {
    ...FLOW,
    mixins: blocks('jobMixin', 'Keys that several jobs share.'),
    defaults: block('liveDefaults', 'Defaults of all jobs.'),
    jobs: needed(blocks('jobOrCall', 'Jobs by id.')),
  },
  batchFlow: {
    ...FLOW,
    life_span: value('time', "Longest run of the bake's executor. Default: 10 days."),
    params: key({ is: 'params' }, 'Parameters of `apolo-flow bake -p NAME VALUE`.'),
    mixins: blocks('taskMixin', 'Keys that several tasks share.'),
    defaults: block('batchDefaults', 'Defaults of all tasks.'),
    tasks: needed(key({ is: 'tasks' }, 'Tasks, in order.')),
  },
  job: { ...EXEC_UNIT, ...LIVE_KEYS, mixins: MIXINS },
  jobMixin: { ...EXEC_UNIT, ...LIVE_KEYS, params: key({ is: 'raw' }, 'Not usable in a mixin.'), mixins: MIXINS },
  jobActionCall: { action: ACTION, args: CALL_ARGS, params: LIVE_KEYS.params as Key },
  jobModuleCall: { module: MODULE, args: CALL_ARGS, params: LIVE_KEYS.params as Key },
  jobOrCall: {},
  task: { ...TASK_BASE, ...EXEC_UNIT, mixins: MIXINS },
  taskMixin: {
    ...EXEC_UNIT,
    needs: key({ is: 'raw' }, 'No effect in a mixin.'),
    strategy: key({ is: 'raw' }, 'No effect in a mixin.'),
    enable: strict('enable', 'No effect in a mixin but for later rows of a matrix.'),
    cache: key({ is: 'raw' }, 'No effect in a mixin.'),
    mixins: MIXINS,
  },
  projectMixin: { ...EXEC_UNIT, mixins: MIXINS },
  taskActionCall: { ...TASK_BASE, action: ACTION, args: CALL_ARGS },
  taskModuleCall: { ...TASK_BASE, module: MODULE, args: CALL_ARGS },
  execUnit: EXEC_UNIT,
  liveDefaults: DEFAULTS,
  batchDefaults: {
    ...DEFAULTS,
    fail_fast: value('bool', 'Cancel the bake at the first failure. Default: true.'),
    max_parallel: value('int', 'Most tasks at a time. Default: 10.'),
    cache: block('cache', 'Cache of all tasks.'),
  },
  volume: {
    remote: needed(strict('uri', 'Address on the platform, such as storage:PATH.')),
    mount: needed(strict('remotePath', 'Where it is mounted.')),
    read_only: value('bool', 'Whether `ref` is read-only. Default: false.'),
    local: value('localPath', 'Local folder that `upload` and `download` copy. Live flows only.'),
  },
  image: {
    ref: needed(strict('imageRef', 'Reference of the image.')),
    context: value('str', 'Folder to build from, local or `storage:`.'),
    dockerfile: value('str', 'Dockerfile within the context, named from the workspace.'),
    build_args: list('str', 'Build arguments `NAME=VALUE`.'),
    env: map('str', 'Environment of the build.'),
    volumes: list('str', 'Volumes of the build.', true),
    build_preset: value('str', 'Preset of the build.'),
    force_rebuild: value('bool', 'Build although the tag is there. Default: false.'),
    extra_kaniko_args: value('str', 'Further arguments of the builder.'),
  },
  strategy: {
    matrix: needed(key({ is: 'matrix' }, 'Names with lists of values; `include` and `exclude` add and remove rows.')),
    fail_fast: value('bool', 'Cancel the bake when a row fails. Default: that of `defaults`.'),
    max_parallel: value('int', 'Most tasks at a time. Default: that of `defaults`.'),
  },
  cache: {
    strategy: choice(['none', 'default', 'inherit'], 'Default: inherit.'),
    life_span: value('time', 'How long a result is good; can only shorten the inherited one. Default: 14 days.'),
  },
  param: {
    default: value('str', 'Value where none is given.'),
    descr: value('str', 'What it is for.'),
  },
  input: {
    descr: simple('str', 'What it is for.'),
    default: simple('primitive', 'Value where none is given, of the type itself.'),
    type: choice(['int', 'float', 'bool', 'str'], 'Default: str.'),
  },
  output: { descr: simple('str', 'What it is.'), value: value('str', 'Batch actions only: its value.') },
  liveAction: { ...ACTION_BASE, job: needed(block('job', 'The job.')) },
  batchAction: {
    ...ACTION_BASE,
    outputs: blocks('output', 'Outputs, for `needs.CALL.outputs`.'),
    cache: block('cache', 'Cache of its tasks.'),
    images: blocks('image', 'Images of its tasks.'),
    tasks: needed(key({ is: 'tasks' }, 'Tasks, in order.')),
  },
  statefulAction: {
    ...ACTION_BASE,
    outputs: blocks('output', 'Outputs, as documentation.'),
    main: needed(block('execUnit', 'The task.')),
    post: block('execUnit', 'A task after all tasks of the flow, which sees the states saved by `main`.'),
    post_if: strict('enable', 'Whether `post` runs. Default: `${{ always() }}`.'),
  },
  localAction: {
    ...ACTION_BASE,
    outputs: blocks('output', 'Outputs, as documentation.'),
    cmd: needed(strict('str', 'Command line on the own machine.')),
    bash: value('bash', 'Script for bash.'),
    python: value('python', 'Script for Python.'),
  },
} as const satisfies Record<string, Keys>;

export type BlockName =
  | 'project'
  | 'liveFlow'
  | 'batchFlow'
  | 'job'
  | 'jobMixin'
  | 'jobActionCall'
  | 'jobModuleCall'
  | 'jobOrCall'
  | 'task'
  | 'taskMixin'
  | 'projectMixin'
  | 'taskActionCall'
  | 'taskModuleCall'
  | 'execUnit'
  | 'liveDefaults'
  | 'batchDefaults'
  | 'volume'
  | 'image'
  | 'strategy'
  | 'cache'
  | 'param'
  | 'input'
  | 'output'
  | 'liveAction'
  | 'batchAction'
  | 'statefulAction'
  | 'localAction';

/** Commands exclude each other. */
export const SHELLS: readonly string[] = ['cmd', 'bash', 'python'];

export const keysOfBlock = (name: BlockName): Keys => BLOCKS[name];
