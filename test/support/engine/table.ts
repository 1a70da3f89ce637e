import type { Script } from './script.ts';

const job = (id: string, more = ''): string =>
  `  - {id: ${id}, image: u, cmd: run ${id}${more === '' ? '' : `, ${more}`}}\n`;
const flow = (tasks: string, head = ''): string => `kind: batch\n${head}tasks:\n${tasks}`;
const out = (values: Readonly<Record<string, string>>): string =>
  Object.entries(values)
    .map(([name, value]) => `::set-output name=${name}::${value}\n`)
    .join('');
const FAILED = { status: 'failed' } as const;
const LONG = { turns: 50 };

const ADD = `kind: batch
inputs: {n: {}, m: {default: one}}
outputs: {sum: {value: "\${{ needs.last.outputs.x }}-\${{ needs.first.result == 'succeeded' }}"}}
tasks:
  - {id: first, image: u, cmd: "first \${{ inputs.n }} \${{ inputs.m }}"}
  - {id: last, image: u, cmd: "last \${{ needs.first.outputs.x }} \${{ inputs.n }}"}
`;
const HOLD = `kind: stateful
inputs: {what: {}}
main: {image: u, cmd: "take \${{ inputs.what }}"}
post: {image: u, cmd: "give \${{ state.token }}"}
`;
const held = { log: '::save-state name=token::t7\n::set-output name=where::here\n' };

/** Every feature of the language that a bake has to do with, and what its jobs do. */
export const TABLE: Readonly<Record<string, Script>> = {
  'tasks one after the other, with outputs': {
    files: {
      main: flow(
        `${job('a')}  - {id: b, image: u, cmd: "b \${{ needs.a.outputs.x }}", env: {X: "\${{ needs.a.result == 'succeeded' }}"}}\n`,
      ),
    },
    jobs: { a: { log: `text\n${out({ x: 'a value', y: '1' })}::what\nmore` } },
  },
  'outputs that are written twice, and while commands are stopped': {
    files: {
      main: flow(
        `${job('a')}  - {id: b, image: u, cmd: "\${{ needs.a.outputs.x }} \${{ to_json(needs.a.outputs) }}"}\n`,
      ),
    },
    jobs: {
      a: {
        log: `${out({ x: '1' })}::stop-commands::end\n${out({ x: '2' })}::end::\n${out({ z: 'ü' })}${out({ x: '3' })}`,
      },
    },
  },
  'needs that are met by running': {
    files: {
      main: flow(
        `${job('server')}${job('client', 'needs: {server: running}')}${job('after', 'needs: {server: completed, client: completed}')}`,
      ),
    },
    jobs: { server: { turns: 9 } },
  },
  'needs that are met by running, of a task that is skipped': {
    files: { main: flow(`${job('server', 'enable: false')}${job('client', 'needs: {server: running}')}`) },
  },
  'what is not enabled is skipped, and what needs it': {
    files: {
      main: flow(
        `${job('a', 'enable: "${{ 1 == 2 }}"')}${job('b')}${job('c', 'enable: "${{ not success() }}"')}${job('d', 'needs: []')}`,
      ),
    },
  },
  'a failure stops the others': {
    files: {
      main: flow(`${job('a', 'needs: []')}${job('b', 'needs: []')}${job('c', 'needs: [a]')}${job('d', 'needs: [b]')}`),
    },
    jobs: { a: FAILED, b: LONG },
  },
  'a failure that stops nothing': {
    files: {
      main: flow(
        `${job('a', 'needs: []')}${job('b', 'needs: []')}${job('c', 'needs: [a]')}${job('d', 'needs: [b]')}${job('e', 'needs: [a], enable: "${{ failure() }}"')}${job('f', "needs: [c, d], enable: \"${{ failure('c') or success('d') }}\"")}`,
        'defaults: {fail_fast: false}\n',
      ),
    },
    jobs: { a: { ...FAILED, log: out({ x: 'kept' }) }, b: { turns: 5 } },
  },
  'always() goes on after a failure': {
    files: {
      main: flow(
        `${job('a')}${job('b', 'enable: "${{ always() }}"')}${job('c', 'needs: [b]')}${job('d', 'needs: [a], enable: always()')}`,
      ),
    },
    jobs: { a: FAILED },
  },
  'always() is not killed': {
    files: {
      main: flow(
        `${job('a', 'needs: []')}${job('b', 'needs: [], enable: "${{ always() }}"')}${job('c', 'needs: [b], enable: "${{ always() }}"')}`,
      ),
    },
    jobs: { a: { ...FAILED, turns: 2 }, b: { turns: 6, log: out({ x: '1' }) } },
  },
  'a job that is killed by hand': {
    files: { main: flow(`${job('a')}${job('b')}`) },
    jobs: { a: { status: 'cancelled' } },
  },
  'a matrix, few at once': {
    counts: true,
    files: {
      main: flow(
        `  - {image: u, cmd: "\${{ matrix.x }} \${{ matrix.y }} \${{ matrix.ORDINAL }}", strategy: {matrix: {x: [1, 2, 3], y: [a, b], exclude: [{x: "\${{ 2 }}", y: a}], include: [{x: 7, y: c}]}, max_parallel: 2}}\n${job('end')}`,
      ),
    },
  },
  'a matrix with ids, of which one row fails': {
    files: {
      main: flow(
        `  - {id: "r\${{ matrix.x }}", needs: [], image: u, cmd: "x", strategy: {matrix: {x: [1, 2, 3]}, fail_fast: false}}\n${job('end', 'needs: [r1, r2, r3], enable: "${{ failure() }}"')}`,
      ),
    },
    jobs: { r2: FAILED, r1: { log: out({ v: '1' }) } },
  },
  'a matrix of which one row fails, and the others stop': {
    files: {
      main: flow(
        `  - {id: "r\${{ matrix.x }}", needs: [], image: u, cmd: "x", strategy: {matrix: {x: [1, 2, 3]}}}\n${job('end')}`,
      ),
    },
    jobs: { r1: LONG, r2: FAILED, r3: LONG },
  },
  'one at a time in the whole bake': {
    counts: true,
    files: {
      main: flow(
        `${job('a', 'needs: []')}${job('b', 'needs: []')}${job('c', 'needs: []')}`,
        'defaults: {max_parallel: 1}\n',
      ),
    },
  },
  'a batch action': {
    files: {
      main: flow(
        `${job('a')}  - {id: call, action: ws:add, args: {n: "\${{ needs.a.outputs.x }}"}}\n  - {id: b, image: u, cmd: "\${{ needs.call.outputs.sum }}"}\n`,
      ),
      'add.yml': ADD,
    },
    jobs: {
      a: { log: out({ x: '5' }) },
      'call.first': { log: out({ x: 'f' }) },
      'call.last': { log: out({ x: 'l' }) },
    },
  },
  'a batch action in which a task fails': {
    files: {
      main: flow(`  - {id: call, action: ws:add, args: {n: "1"}}\n${job('b', 'enable: "${{ always() }}"')}`),
      'add.yml': ADD,
    },
    jobs: { 'call.first': FAILED },
  },
  'a batch action in a batch action': {
    files: {
      main: flow(
        '  - {id: out, action: ws:twice, args: {n: "3"}}\n  - {id: b, image: u, cmd: "${{ needs.out.outputs.both }}"}\n',
      ),
      'add.yml': ADD,
      'twice.yml': `kind: batch
inputs: {n: {}}
outputs: {both: {value: "\${{ needs.one.outputs.sum }} \${{ needs.two.outputs.sum }}"}}
tasks:
  - {id: one, action: ws:add, args: {n: "\${{ inputs.n }}0"}}
  - {id: two, action: ws:add, args: {n: "\${{ needs.one.outputs.sum }}"}}
`,
    },
    jobs: {
      'out.one.first': { log: out({ x: 'a' }) },
      'out.one.last': { log: out({ x: 'b' }) },
      'out.two.first': { log: out({ x: 'c' }) },
      'out.two.last': { log: out({ x: 'd' }) },
    },
  },
  'a call that is skipped': {
    files: { main: flow(`  - {id: call, action: ws:add, args: {n: "1"}, enable: false}\n${job('b')}`), 'add.yml': ADD },
  },
  'a call that runs once all in it run': {
    files: {
      main: flow(`  - {id: call, action: ws:pair, args: {}}\n${job('b', 'needs: {call: running}')}`),
      'pair.yml': `kind: batch\ntasks:\n${job('x', 'needs: []')}${job('y', 'needs: []')}`,
    },
    jobs: { 'call.x': { turns: 8 }, 'call.y': { turns: 8 } },
  },
  'rows of a matrix that are calls': {
    files: {
      main: flow(
        '  - {id: "c${{ matrix.k }}", action: ws:add, args: {n: "${{ matrix.k }}"}, strategy: {matrix: {k: [p, q]}, max_parallel: 1}}\n  - {id: b, image: u, needs: [cp, cq], cmd: "${{ needs.cp.outputs.sum }} ${{ needs.cq.outputs.sum }}"}\n',
      ),
      'add.yml': ADD,
    },
    jobs: {
      'cp.first': { log: out({ x: '1' }) },
      'cp.last': { log: out({ x: '2' }) },
      'cq.first': { log: out({ x: '3' }) },
      'cq.last': { log: out({ x: '4' }) },
    },
  },
  'a module sees what its call sees': {
    files: {
      main: flow(
        `${job('a')}  - {id: call, module: ws:mod, args: {n: "\${{ needs.a.outputs.x }}"}}\n`,
        'params: {p: seven}\ndefaults: {env: {E: e}, tags: [t]}\n',
      ),
      'mod.yml':
        'kind: batch\ninputs: {n: {}}\ntasks:\n  - {id: in, image: u, cmd: "${{ inputs.n }} ${{ params.p }} ${{ env.E }}"}\n',
    },
    jobs: { a: { log: out({ x: '5' }) } },
  },
  'a stateful action gives back what it took': {
    files: {
      main: flow(
        `  - {id: hold, action: ws:hold, args: {what: gpu}}\n  - {id: b, image: u, cmd: "\${{ needs.hold.outputs.where }}"}\n`,
      ),
      'hold.yml': HOLD,
    },
    jobs: { hold: held },
  },
  'a stateful action gives back although another task fails': {
    files: {
      main: flow(`  - {id: hold, action: ws:hold, args: {what: gpu}}\n${job('b')}${job('c')}`),
      'hold.yml': HOLD,
    },
    jobs: { hold: held, b: FAILED },
  },
  'a stateful action gives back although it failed itself': {
    files: { main: flow(`  - {id: hold, action: ws:hold, args: {what: gpu}}\n${job('b')}`), 'hold.yml': HOLD },
    jobs: { hold: { ...FAILED, ...held } },
  },
  'two stateful actions give back in turn': {
    files: {
      main: flow(
        `  - {id: one, action: ws:hold, args: {what: a}}\n  - {id: two, action: ws:hold, args: {what: b}}\n${job('c')}`,
      ),
      'hold.yml': HOLD,
    },
    jobs: { one: held, two: { log: '::save-state name=token::t8\n' } },
  },
  'a stateful action gives back when the bake is cancelled': {
    files: {
      main: flow(`  - {id: hold, action: ws:hold, args: {what: gpu}}\n${job('b')}${job('c')}`),
      'hold.yml': HOLD,
    },
    jobs: { hold: held, b: LONG },
    cancelOn: 'b',
  },
  'a bake that is cancelled': {
    files: {
      main: flow(
        `${job('a', 'needs: []')}${job('b', 'needs: []')}${job('c', 'needs: [a]')}${job('d', 'enable: "${{ always() }}"')}`,
      ),
    },
    jobs: { a: LONG, b: LONG },
    cancelOn: 'b',
  },
  'a local action that is left for the platform': {
    files: { main: flow('  - {id: here, action: ws:local, args: {}}\n'), 'local.yml': 'kind: local\ncmd: echo\n' },
    breaks: true,
  },
  'a value that is not there': {
    files: { main: flow(`${job('a')}  - {id: b, image: u, cmd: "\${{ needs.a.outputs.missing }}"}\n${job('c')}`) },
    breaks: true,
  },
  'the second bake is cached': {
    files: {
      main: flow(
        `${job('a', 'env: {K: v}, volumes: ["storage:data:/data"], tags: [z, b], life_span: 1h, workdir: /w')}  - {id: b, image: u, cmd: "\${{ needs.a.outputs.x }}", cache: {strategy: default, life_span: 2h}}\n  - {id: c, image: u, cmd: c, cache: {strategy: none}}\n  - {image: u, cmd: "\${{ matrix.x }}", needs: [a, b], strategy: {matrix: {x: [1, q]}, max_parallel: 3}}\n`,
      ),
    },
    jobs: { a: { log: out({ x: 'ä "1"' }) }, b: { log: '::save-state name=s::1\n' } },
    bakes: 2,
  },
  'calls and what they give are cached': {
    files: {
      main: flow(
        '  - {id: call, action: ws:add, args: {n: "4"}}\n  - {id: b, image: u, cmd: "${{ needs.call.outputs.sum }}"}\n  - {id: hold, action: ws:hold, args: {what: x}}\n',
      ),
      'add.yml': ADD,
      'hold.yml': HOLD,
    },
    jobs: { 'call.first': { log: out({ x: 'f' }) }, 'call.last': { log: out({ x: 'l' }) }, hold: held },
    bakes: 2,
  },
  'a flow without tasks': { files: { main: 'kind: batch\ntasks: []\n' } },
};
