import type { Case } from '../cases.ts';
import { BATCH_ACTION, batch, expression, job, LIVE_ACTION, LOCAL, live, task, two, volumesOf } from './make.ts';

/** Live flows; functions and operators; what generated files found. */
export const LIVE: Readonly<Record<string, Case>> = {
  'live flow with no jobs': live('jobs: {}\n'),
  'job without an image': live('jobs: {a: {cmd: ls}}\n'),
  'job with params': job('params: {a: 1, b: {default: x}}\ncmd: ${{ params.a }} ${{ params.b }}\n'),
  'multi job': job('multi: true\ncmd: ${{ multi.suffix }}\n'),
  'multi outside of a multi job': job('cmd: ${{ multi.suffix }}\n'),
  'multi by a template': job('multi: ${{ True }}\n'),
  'port pair that YAML takes for a number': job('port_forward: [22:22]\n'),
  'port pairs': job('port_forward: ["22:22", 8080:80]\n'),
  'port pair that is none': job('port_forward: [80]\n'),
  'job with needs': job('needs: []\n'),
  'job with an unknown context': job('cmd: ${{ needs.a }}\n'),
  'job in capitals': live('jobs: {A: {image: u}}\n'),
  'job of a boolean': live('jobs: {yes: {image: u}}\n'),
  'live action call': live('jobs: {a: {action: ws:a, args: {who: me}}, b: {action: ws:a, args: {}}}\n', {
    'a.yml': LIVE_ACTION,
  }),
  'live action call with params': live('jobs: {a: {action: ws:a, args: {who: "${{ params.p }}"}, params: {p: x}}}\n', {
    'a.yml': LIVE_ACTION,
  }),
  'live module call': live('defaults: {env: {E: e}, preset: p}\njobs: {a: {module: ws:a, args: {}}}\n', {
    'a.yml':
      'kind: live\ninputs: {w: {default: x}}\njob: {image: u, cmd: "${{ inputs.w }} ${{ env.E }} ${{ flow.title }}"}\n',
  }),
  'batch action in a live flow': live('jobs: {a: {action: ws:a, args: {who: x}}}\n', { 'a.yml': BATCH_ACTION }),
  'live volumes with local': live(
    'volumes: {a: {remote: "storage:a", mount: /a, local: sub/../x}}\njobs: {j: {image: u, cmd: "${{ volumes.a.local }} ${{ volumes.a.full_local_path }} ${{ upload(volumes.a).ref }}"}}\n',
  ),
  'functions of text': expression(
    "${{ lower('AbÉ') }} ${{ upper('aß') }} ${{ replace('aXbX', 'X', '-') }} ${{ join(',', ['a', 'b']) }} ${{ fmt('{}-{:>5}|{!r}', 1, 'x', 'y') }} ${{ str(1.0) }}",
  ),
  'functions of text again': expression(
    "${{ lower(upper('x')) }} ${{ replace(join('-', [1, 2], True), '-', '+') }} ${{ fmt('{0}{0}', str(None)) }}",
  ),
  'functions of numbers': expression(
    "${{ len('abc') }} ${{ int('12') }} ${{ int(3.9) }} ${{ range(3) }} ${{ range(1, 9, 3) }} ${{ range(5, 0, -1) }} ${{ nothing() }}",
  ),
  'function hash_files': expression(
    "${{ hash_files('*.py', '**/*.ts', 'nope/*', 'authority.p?') }} ${{ hash_files() }}",
  ),
  'function hash_files_relative': expression("${{ hash_files_relative(flow.workspace, '[a-c]*.ts') }}"),
  'function hash_files_relative of a text': expression("${{ hash_files_relative('a', '*') }}"),
  'functions of wrong values': batch(
    `tasks:\n${['len(1)', 'int([])', 'keys([1])', "values('a')", 'lower(1)', 'upper(None)', "replace(1, 'a', 'b')", "replace('a', 1, 'b')", "replace('a', 'b', 1)", 'join(1, [])', "join('', 1)", "join('', [1])", "join('', [], 1)", "range('a')", "range(1, 'a')", "range(1, 2, 'a')", 'fmt(1)', "from_json('x')", 'parse_volume(1)', "parse_volume('a')", 'always(1).x', "params['x']", 'success(1)', 'failure(1)', "failure('x')", 'inspect_job(1)', 'not [] + 1', "- 'a'", '+ 1', '[x for x in 5]'].map((text) => `  - {image: u, needs: [], cmd: "\${{ ${text.replaceAll('"', '\\"')} }}"}\n`).join('')}`,
  ),
  'item of an object': task("cmd: ${{ git['sha'] }}\n"),
  'item of tags': task("cmd: ${{ tags['x'] }}\n"),
  'item of a mapping': batch(
    "volumes: {a: {remote: 'storage:a', mount: /a}}\ntasks: [{image: u, cmd: \"${{ volumes['a'].ref }} ${{ [matrix for matrix in [1]] }}\"}]\n",
  ),
  'names in keys and calls': task('cmd: ${{ params[foo.x] }} ${{ len(bar.y) }} ${{ keys(params)[baz.z] }}\n'),
  'arguments that are not there': batch("tasks: [{action: ws:a, args: {who: '${{ needs.x.result }}'}}]\n", {
    'a.yml': LOCAL,
  }),
  'the rest of a context in a list': two(
    "tags: ['${{ needs.prepare.outputs.out }}']\nenv: {A: '${{ needs.prepare.outputs.path }}'}\n",
  ),
  'functions of collections': expression(
    "${{ keys(params) }} ${{ values({'a': 1}) }} ${{ len(keys({'b': 2})) }} ${{ values(env) }} ${{ nothing() }}",
  ),
  'functions of JSON': expression(
    "${{ to_json({'a': [1, 2.5, None, True]}) }} ${{ from_json('[1, {}]') }} ${{ from_json(to_json([1])) }}",
  ),
  'function parse_volume': expression(
    "${{ parse_volume('storage:a:/b:ro').ref }} ${{ parse_volume('storage:a:/b').mount }}",
  ),
  'function upload of no volume': expression("${{ upload('a') }}"),
  'function inspect_job in a batch flow': expression("${{ inspect_job('a').id }}"),
  comprehensions: expression("${{ [x * 2 for x in range(4) if x] }} ${{ [x for x in 'abc'] }}"),
  choices: expression("${{ 'a' if 1 else foo() if False else 'b' }}"),
  'choice over an output': expression(
    "${{ needs.prepare.outputs.out if needs.prepare.result == 'succeeded' else 'none' }}",
  ),
  'an output in a list': expression("${{ [needs.prepare.outputs.out, 1 + 1, {'a': params} ] }}"),
  'an output among contexts': expression('${{ needs.prepare.outputs.out + flow.title + str(flow.workspace) }}'),
  'an output in a comprehension': expression("${{ join(' ', [x + needs.prepare.outputs.out for x in ['a', 'b']]) }}"),
  operators: expression(
    "${{ 7 % 3 + 2 * 3 - 10 / 4 }} ${{ {'a': 1} | {'b': 2} }} ${{ not 1 == 2 or 3 > 2 and 1 <= 1 }} ${{ '%s-%d' % 'x' }}",
  ),
  // Found by generated files.
  'a text with a status in it for an int': batch(
    'tasks:\n  - {id: t1, image: u}\n  - {action: ws:a, args: {n: "a ${{ needs.t1.result }}"}}\n',
    { 'a.yml': BATCH_ACTION.replace('who: {}', 'who: {default: x}') },
  ),
  'an output for an int': batch(
    'tasks:\n  - {id: t1, image: u}\n  - {action: ws:a, args: {n: "${{ needs.t1.outputs.out }}"}}\n',
    { 'a.yml': BATCH_ACTION.replace('who: {}', 'who: {default: x}') },
  ),
  'a comparison of what comes later for a bool': batch(
    'tasks:\n  - {id: t1, image: u}\n  - {action: ws:a, args: {n: "${{ needs.t1.result == \'failed\' }}"}}\n',
    { 'a.yml': 'kind: batch\ninputs: {n: {type: bool}}\ntasks: [{image: u, cmd: "${{ inputs.n }}"}]\n' },
  ),
  'a comparison of what comes later for a text': batch(
    'tasks:\n  - {id: t1, image: u}\n  - {action: ws:a, args: {n: "${{ needs.t1.result == \'failed\' }}"}}\n',
    { 'a.yml': 'kind: batch\ninputs: {n: {}}\ntasks: [{image: u, cmd: "${{ inputs.n }}"}]\n' },
  ),
  'a length of what comes later for an int': batch(
    'tasks:\n  - {id: t1, image: u}\n  - {action: ws:a, args: {n: "${{ len(needs.t1.outputs.out) + 1 }}"}}\n',
    { 'a.yml': 'kind: batch\ninputs: {n: {type: int}}\ntasks: [{image: u, cmd: "${{ inputs.n }}"}]\n' },
  ),
  'ports from a template': job("port_forward: ${{ ['8080:80', '1:2'] }}\ndetach: ${{ True }}\nbrowse: ${{ 1 == 2 }}\n"),
  'ports from a template that are none': live(
    'jobs:\n  j1:\n    image: "${{ str([1, None]) }} ${{ project.id }}"\n    port_forward: "${{ [\'a\', \'b\'] }}"\n    params: {a: {default: y}, b: "${{ 1 + 1 }}"}\n',
  ),
  'an image that is a list': live('jobs:\n  j1:\n    image: [~]\n'),
  'an image that is a list, in a task': batch('tasks: [{image: [~]}]\n'),
  'a status formatted by nothing': two('cmd: "${{ needs.prepare.result % {} }} ${{ needs.prepare.result % [1] }}"\n'),
  'addresses with parameters': volumesOf([
    "% {'a': 'b c', 'd': 1, 'e': 2.5}",
    "% {'a': ['x', 1], 'b': [] }",
    "% 'a=1&b=2&a=3'",
    "% [['a', 'b'], ['a', 'c'] ]",
    '% nothing()',
    "/ 'a?b#c'",
    "% 'a=%20x+y' % {'a': 1, 'ä&=': '?/:@;+%'}",
  ]),
  'an address % 5': volumesOf(['% 5']),
  "an address % {'a': True}": volumesOf(["% {'a': True}"]),
  "an address % {1: 'a'}": volumesOf(["% {1: 'a'}"]),
  "an address / '/a'": volumesOf(["/ '/a'"]),
  'an include of a value': task('strategy: {matrix: {x: [1], include: [5]}}\n'),
  'an exclude of a value': task('strategy: {matrix: {x: [1], exclude: [5]}}\n'),
  'id of a flow from a number': batch('id: 1\ntasks: []\n'),
  'everything as JSON': batch(
    `volumes: {v: {remote: "storage:data", mount: /data}}
images: {i: {ref: ubuntu}}
tasks:
  - image: u
    env:
      A: "\${{ to_json(volumes) }} \${{ to_json(images.i) }}"
      B: "\${{ to_json(tags) }} \${{ to_json(always()) }} \${{ to_json(project) }} \${{ to_json(strategy) }}"
      C: "\${{ to_json([None, True, 1.5, 'é', {'a': 2} ]) }}"
`,
  ),
  'an exclude that is a mapping': task('strategy: {matrix: {x: [1], exclude: {x: 1}}}\n'),
  'a volume named by a number': batch('volumes: {1: {remote: "storage:a", mount: /a}}\ntasks: []\n'),
  'a matrix of a name that is a number': task('strategy: {matrix: {1: [a]}}\n'),
};
