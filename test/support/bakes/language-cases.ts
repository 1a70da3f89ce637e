/** A flow in which something of the language is used, by real commands. */
export interface LanguageCase {
  /** `.apolo/main.yml` and what it calls; `.apolo/project.yml` after its id. */
  readonly files: Readonly<Record<string, string>>;
  /** Options of `bake`. */
  readonly options?: readonly string[];
  /** Needs that are met by a task that runs: [task, what it needs]. */
  readonly running?: readonly (readonly [string, string])[];
  /** Most jobs at once. */
  readonly atOnce?: number;
  /** Exit code of `bake`. @default 0 */
  readonly code?: number;
}

const IMAGE = 'ghcr.io/neuro-inc/base:latest';
const head = (more = ''): string => `kind: batch\ndefaults: { preset: cpu-small${more} }\n`;
const OUT = '::set-output name=';

const INNER = `kind: batch
inputs: { given: { descr: what }, more: { default: usual } }
outputs:
  result: { value: "\${{ needs.two.outputs.twice }} \${{ needs.one.result == 'succeeded' }}" }
tasks:
  - { id: one, image: ${IMAGE}, preset: cpu-small, bash: "echo '${OUT}once::<\${{ inputs.given }} \${{ inputs.more }}>'" }
  - { id: two, needs: [one], image: ${IMAGE}, preset: cpu-small, bash: "echo '${OUT}twice::\${{ needs.one.outputs.once }}!'" }
`;

/** Each feature of the language that a bake has to do with. */
export const LANGUAGE_CASES: Readonly<Record<string, LanguageCase>> = {
  'needs by order, by list, by state; outputs and states from the log': {
    running: [['client', 'server']],
    files: {
      main: `${head()}tasks:
  - { id: server, image: ${IMAGE}, bash: "sleep 6; echo '${OUT}a::1'; echo '::stop-commands::x'; echo '${OUT}a::2'; echo '::x::'; echo ' ${OUT}b:: ü 3 '" }
  - { id: client, needs: { server: running }, image: ${IMAGE}, bash: "echo '${OUT}c::\${{ contains(needs, ''server'') }}'" }
  - { id: both, needs: { server: completed, client: completed }, image: ${IMAGE}, bash: "echo '${OUT}d::\${{ to_json(needs) }}'" }
  - { id: last, image: ${IMAGE}, bash: "echo '${OUT}e::\${{ needs.both.outputs.d }}'" }
`,
    },
  },
  'enable by what became of others, where a failure stops nothing': {
    code: 1,
    files: {
      main: `${head(', fail_fast: false')}tasks:
  - { id: good, needs: [], image: ${IMAGE}, bash: "true" }
  - { id: bad, needs: [], image: ${IMAGE}, bash: "echo '${OUT}kept::1'; exit 3" }
  - { id: never, needs: [good], enable: "\${{ 1 == 2 }}", image: ${IMAGE}, bash: "true" }
  - { id: after, needs: [bad], image: ${IMAGE}, bash: "true" }
  - { id: mends, needs: [bad], enable: "\${{ failure() }}", image: ${IMAGE}, bash: "echo '${OUT}saw::\${{ needs.bad.outputs.kept }} \${{ needs.bad.result == 'failed' }}'" }
  - { id: always, needs: [after, mends], enable: "\${{ always() }}", image: ${IMAGE}, bash: "true" }
`,
    },
  },
  'a failure that stops the others, and always() that goes on': {
    code: 1,
    files: {
      main: `${head()}tasks:
  - { id: bad, image: ${IMAGE}, bash: "exit 1" }
  - { id: next, image: ${IMAGE}, bash: "true" }
  - { id: cleans, enable: "\${{ always() }}", image: ${IMAGE}, bash: "echo '${OUT}done::yes'" }
  - { id: more, image: ${IMAGE}, bash: "true" }
`,
    },
  },
  'a matrix with rows left out and added, few at once': {
    atOnce: 2,
    files: {
      main: `${head(', max_parallel: 2')}tasks:
  - id: r\${{ matrix.x }}\${{ matrix.y }}
    image: ${IMAGE}
    strategy: { matrix: { x: ["1", "2"], y: [a, b], exclude: [{ x: "2", y: a }], include: [{ x: "7", y: c }] } }
    bash: sleep 1; echo '${OUT}n::\${{ matrix.x }}\${{ matrix.y }} \${{ matrix.ORDINAL }} \${{ strategy.max_parallel }}'
  - id: sum
    image: ${IMAGE}
    bash: echo '${OUT}all::\${{ join(" ", [needs[x].outputs.n for x in sorted(needs)]) }}'
`,
    },
  },
  'batch actions in actions, a module, inputs and outputs': {
    files: {
      main: `${head(', env: { WHO: main }')}tasks:
  - { id: first, action: ws:.apolo/outer, args: { given: "\${{ flow.title }}" } }
  - { id: mod, module: ws:.apolo/mod, args: { word: "\${{ needs.first.outputs.all }}" } }
  - { id: last, image: ${IMAGE}, bash: "echo '${OUT}end::\${{ needs.mod.outputs.said }}'" }
`,
      'outer.yml': `kind: batch
inputs: { given: {} }
outputs: { all: { value: "\${{ needs.again.outputs.result }}" } }
tasks:
  - { id: in, action: ws:.apolo/inner, args: { given: "\${{ inputs.given }}" } }
  - { id: again, action: ws:.apolo/inner, args: { given: "\${{ needs.in.outputs.result }}", more: other } }
`,
      'inner.yml': INNER,
      'mod.yml': `kind: batch
inputs: { word: {} }
outputs: { said: { value: "\${{ needs.say.outputs.it }}" } }
tasks:
  - { id: say, image: ${IMAGE}, bash: "echo \\"${OUT}it::$WHO \${{ inputs.word }}\\"" }
`,
    },
  },
  'stateful actions, whose post steps run in the reverse order, after a failure too': {
    code: 1,
    files: {
      main: `${head()}tasks:
  - { id: one, action: ws:.apolo/hold, args: { what: first } }
  - { id: two, action: ws:.apolo/hold, args: { what: second } }
  - { id: bad, image: ${IMAGE}, bash: "exit 1" }
`,
      'hold.yml': `kind: stateful
inputs: { what: {} }
main: { image: ${IMAGE}, preset: cpu-small, bash: "echo '::save-state name=key::\${{ inputs.what }} taken'; echo '${OUT}has::\${{ inputs.what }}'" }
post: { image: ${IMAGE}, preset: cpu-small, bash: "echo '${OUT}gave::\${{ state.key }}'" }
`,
    },
  },
  'a local action, before the tasks that need it': {
    files: {
      main: `${head()}tasks:
  - { id: here, action: ws:.apolo/local }
  - { id: there, image: ${IMAGE}, env: { SAID: "\${{ needs.here.outputs.said }}" }, bash: "echo \\"${OUT}heard::$SAID\\"" }
`,
      'local.yml': `kind: local
outputs: { said: { descr: what } }
bash: echo "${OUT}said::here"
`,
    },
  },
  'defaults, mixins, parameters, images, volumes and every field of a job': {
    options: ['-p', 'word', 'told'],
    files: {
      project: `defaults: { tags: [of-project], env: { P: project, Q: project } }
mixins: { shared: { env: { M: shared }, tags: [shared] } }
`,
      main: `kind: batch
title: all of it
life_span: 2h
params: { word: none, other: { default: usual } }
images: { base: { ref: "${IMAGE}" } }
volumes: { data: { remote: "storage:matrix/data", mount: /data } }
mixins: { own: { mixins: [shared], env: { M: own, N: own }, preset: cpu-large } }
defaults: { tags: [of-flow], env: { Q: flow, W: "\${{ params.word }}" }, workdir: /tmp, preset: cpu-small, life_span: 1h }
tasks:
  - id: every
    title: \${{ upper(params.word) }}
    name: every-\${{ flow.project_id }}
    image: \${{ images.base.ref }}
    mixins: [own]
    tags: [mine]
    env: { E: "\${{ params.other }}" }
    volumes: ["\${{ volumes.data.ref_rw }}"]
    life_span: 30m
    schedule_timeout: 20m
    http_port: 8080
    http_auth: false
    bash: pwd; echo "${OUT}env::$P $Q $W $M $N $E"; echo written > /data/file
  - id: reads
    image: \${{ images.base.ref }}
    volumes: ["\${{ volumes.data.ref_ro }}"]
    python: |
      print("${OUT}read::" + open("/data/file").read().strip())
`,
    },
  },
  'the cache by task: none, a short life, and of what follows': {
    files: {
      main: `${head()}tasks:
  - { id: kept, image: ${IMAGE}, bash: "echo '${OUT}a::1'" }
  - { id: anew, image: ${IMAGE}, cache: { strategy: none }, bash: "echo '${OUT}b::$(date +%N | cut -c1)'; true" }
  - { id: same, needs: [kept], image: ${IMAGE}, cache: { strategy: default, life_span: 1h }, bash: "echo '${OUT}c::\${{ needs.kept.outputs.a }}'" }
  - { id: call, needs: [kept], action: ws:.apolo/inner, args: { given: x }, cache: { strategy: inherit } }
`,
      'inner.yml': INNER,
    },
  },
};
