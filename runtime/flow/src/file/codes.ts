/** The facts of a diagnostic's code. An error changes the verdict; a warning never does. */
interface CodeInfo {
  readonly title: string;
  readonly severity: 'error' | 'warning';
  /** Its meaning and what to do, in one sentence or two. */
  readonly text: string;
  /** A file of which this is said, and the place of it, `line:column`. */
  readonly example: string;
  /** apolo-flow accepts this when it checks the flow, and fails when the flow runs. */
  readonly late?: true;
}

const batch = (body: string): string => `kind: batch\ntasks:\n${body}`;
const task = (body: string): string => batch(`  - id: train\n    image: ubuntu\n${body}`);

/** Every code of the flow language. Each has a page docs/flow-errors/CODE.md; codes are never renamed or reused. */
export const FLOW_CODES = {
  FLOW_TEXT: {
    title: 'The file has characters that YAML does not allow, or is too large',
    severity: 'error',
    text: 'Flows are UTF-8 without control characters, at most 1 MiB. Save the file as UTF-8 and remove the character that is named.',
    example: 'kind: batch\ntitle: "\u0000"\ntasks: []\n',
  },
  FLOW_YAML: {
    title: 'The file is not valid YAML',
    severity: 'error',
    text: 'The message names the cause and its place. Frequent causes: a wrong indentation, no blank after a colon, a quote that is not closed, a tab, or a value that needs quotes. Only the first such mistake of a file is told.',
    example: 'kind: batch\ntasks: [\n',
  },
  FLOW_TAG: {
    title: 'A YAML tag is not accepted',
    severity: 'error',
    text: 'Flows know the plain types of YAML 1.1. Remove the tag.',
    example: 'kind: batch\ntitle: !secret x\ntasks: []\n',
  },
  FLOW_KIND: {
    title: 'It is not clear what kind of file this is',
    severity: 'error',
    text: '`kind` is `live` or `batch` in a flow, and `live`, `batch`, `stateful` or `local` in an action. A project file has none.',
    example: 'kind: betch\ntasks: []\n',
  },
  FLOW_KEY: {
    title: 'A key is not known here',
    severity: 'error',
    text: 'The message names the nearest key, or the place where the key belongs.',
    example: task('    commands: ls\n'),
  },
  FLOW_KEY_MISSING: {
    title: 'A key is missing',
    severity: 'error',
    text: 'Add the key that is named.',
    example: 'kind: batch\n',
  },
  FLOW_KEY_CONFLICT: {
    title: 'Keys exclude each other',
    severity: 'error',
    text: 'A task has one of `cmd`, `bash` and `python`. A call of an action or module takes no keys that belong to a task.',
    example: task('    cmd: ls\n    bash: ls\n'),
  },
  FLOW_TYPE: {
    title: 'Another shape is expected here',
    severity: 'error',
    text: 'The message says which is expected: a list, keys and values, or one value.',
    example: task('    env: [A, B]\n'),
    late: true,
  },
  FLOW_SCALAR: {
    title: 'One value is expected here',
    severity: 'error',
    text: 'A list or mapping stands where one value belongs. apolo-flow silently uses the text `[]` or `{}` instead.',
    example: task('    title: [a, b]\n'),
  },
  FLOW_VALUE: {
    title: 'A value is not accepted',
    severity: 'error',
    text: 'The message says what is expected there.',
    example: task('    life_span: soon\n'),
    late: true,
  },
  FLOW_ID: {
    title: 'A name is not valid',
    severity: 'error',
    text: 'Names are letters, digits and underscores, do not begin with a digit, and have a small letter: those in capitals are reserved.',
    example: batch('  - id: train-it\n    image: ubuntu\n'),
  },
  FLOW_TEMPLATE: {
    title: 'A template is not allowed here',
    severity: 'error',
    text: 'Some fields take no template at all. Others take one only as the whole value, without text around it.',
    example: task('    http_port: 80${{ 8 }}\n'),
  },
  FLOW_SYNTAX: {
    title: 'An expression breaks the grammar',
    severity: 'error',
    text: 'See the guide for the grammar. The most frequent causes: an operator without a blank after it, and `}}` that closes the template too early.',
    example: task('    cmd: ${{ 1+1 }}\n'),
  },
  FLOW_FUNCTION: {
    title: 'A function is not known, or takes other arguments',
    severity: 'error',
    text: 'The message names the nearest function or how it is called.',
    example: task('    cmd: ${{ lenght("a") }}\n'),
  },
  FLOW_CONTEXT: {
    title: 'A context is not available at this place',
    severity: 'error',
    text: 'Each place has contexts of its own: `matrix` in tasks with a matrix, `inputs` in actions, and so on. The message lists them.',
    example: task('    cmd: ${{ param.lr }}\n'),
    late: true,
  },
  FLOW_NAME: {
    title: 'An expression uses a name that is not defined',
    severity: 'error',
    text: 'A volume, an image, a parameter or a field of a context does not exist. apolo-flow notices this only when the task is about to start, which ends the whole bake.',
    example: task('    volumes: ["${{ volumes.data.ref }}"]\n'),
    late: true,
  },
  FLOW_EXPRESSION: {
    title: 'An expression cannot be evaluated',
    severity: 'error',
    text: 'Its operands are known, and the operation is not defined for them. apolo-flow evaluates some fields only when the flow runs, and notices it then.',
    example: 'kind: batch\ndefaults:\n  preset: ${{ 1 + "a" }}\ntasks: []\n',
    late: true,
  },
  FLOW_NEEDS: {
    title: 'A task needs another task that does not exist',
    severity: 'error',
    text: '`needs` lists ids of tasks of the same file. Tasks without an `id` cannot be named.',
    example: task('    needs: [prepare]\n'),
  },
  FLOW_CYCLE: {
    title: 'Tasks, mixins or actions need each other in a circle',
    severity: 'error',
    text: 'Remove one of the needs that the message shows.',
    example: batch('  - {id: a, image: i, needs: [b]}\n  - {id: b, image: i, needs: [a]}\n'),
  },
  FLOW_IMAGE: {
    title: 'A task has no image',
    severity: 'error',
    text: 'Each task and each job runs in an image. Write `image:`, or name a mixin that has one.',
    example: batch('  - id: train\n    cmd: ls\n'),
    late: true,
  },
  FLOW_IMAGE_BUILD: {
    title: 'An image cannot be built like this',
    severity: 'error',
    text: '`context` and `dockerfile` are given together, both local or both on storage, the dockerfile within the context. Images of one `ref` agree on them.',
    example: 'kind: batch\nimages:\n  i: {ref: "image:a", context: .}\ntasks: []\n',
  },
  FLOW_MATRIX: {
    title: 'A matrix cannot be made',
    severity: 'error',
    text: 'Entries of `include` have exactly the keys of the matrix, those of `exclude` some of them; at most 256 rows result.',
    example: task('    strategy: {matrix: {x: [1], include: [{y: 2}]}}\n'),
  },
  FLOW_MIXIN: {
    title: 'A mixin is not known or cannot be used',
    severity: 'error',
    text: 'Mixins are defined under `mixins:` of the flow or the project file.',
    example: task('    mixins: [gpu]\n'),
    late: true,
  },
  FLOW_ACTION: {
    title: 'An action cannot be used here',
    severity: 'error',
    text: '`ws:PATH` names a file below the workspace; its kind must fit the place: live ones for jobs, batch, stateful and local ones for tasks.',
    example: batch('  - id: a\n    action: ws:nowhere\n'),
    late: true,
  },
  FLOW_ACTION_UNRESOLVED: {
    title: 'An action of a repository is not at hand',
    severity: 'warning',
    text: '`gh:OWNER/REPO@TAG` lies in a repository, and checking has no network: the call is checked without its action. Give a folder with its files by `--actions`. With `--strict`, and where the tasks themselves are asked for, this ends the command.',
    example: batch('  - id: a\n    action: gh:owner/repo@v1\n'),
  },
  FLOW_INPUT: {
    title: "The arguments of a call do not fit the action's inputs",
    severity: 'error',
    text: "All inputs without a default are given, none beyond the action's, each of its type: write `${{ 5 }}` for a number, since `5` is a text.",
    example: '',
    late: true,
  },
  FLOW_PARAM: {
    title: 'A parameter is not given or not known',
    severity: 'error',
    text: 'Give it by `--param NAME=VALUE`, or a default in the file.',
    example: '',
  },
  FLOW_VOLUME_LOCAL: {
    title: 'A batch flow cannot have volumes with `local`',
    severity: 'error',
    text: 'Bakes do not copy local folders: remove `local`, in the project file too.',
    example: 'kind: batch\nvolumes:\n  v: {remote: "storage:v", mount: /v, local: v}\ntasks: []\n',
  },
  FLOW_LOCAL_NEEDS: {
    title: 'A local action needs a remote task',
    severity: 'error',
    text: 'Local actions run before everything else. Write `needs: []` where only the order in the file makes it follow a task.',
    example: '',
  },
  FLOW_DUPLICATE_ID: {
    title: 'Two tasks have one id',
    severity: 'warning',
    text: 'The later task replaces the earlier one, which never runs. Give one of them another id; rows of a matrix get ids of their own by `${{ matrix.NAME }}` in the id.',
    example: batch('  - {id: a, image: i, needs: []}\n  - {id: a, image: j, needs: []}\n'),
  },
  FLOW_DUPLICATE_KEY: {
    title: 'A key is given twice',
    severity: 'warning',
    text: 'apolo-flow uses the later one and says nothing. Remove one of them.',
    example: 'kind: batch\ntitle: a\ntitle: b\ntasks: []\n',
  },
  FLOW_UNUSED_VOLUME: {
    title: 'A volume is not used',
    severity: 'warning',
    text: 'No expression of the file reads it.',
    example: 'kind: batch\nvolumes:\n  v: {remote: "storage:v", mount: /v}\ntasks: []\n',
  },
  FLOW_UNUSED_PARAM: {
    title: 'A parameter is not read',
    severity: 'warning',
    text: 'No expression of the file reads it.',
    example: 'kind: batch\nparams: {lr: 1}\ntasks: []\n',
  },
  FLOW_DOUBLE_MOUNT: {
    title: 'Two volumes are mounted at one place',
    severity: 'warning',
    text: 'The platform refuses or hides one of them when the task starts.',
    example: task('    volumes: ["storage:a:/m", "storage:b:/m"]\n'),
  },
  FLOW_DEPRECATED: {
    title: 'A key has no effect any more',
    severity: 'warning',
    text: 'Remove it.',
    example: 'id: demo\nrole: me\n',
  },
} as const satisfies Readonly<Record<string, CodeInfo>>;

export type FlowCode = keyof typeof FLOW_CODES;
