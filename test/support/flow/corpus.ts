import type { Case } from './cases.ts';
import { EVERY_KEY } from './corpus-keys.ts';

/*
 * A corpus of whole files, good and bad, each told by one line: every key, function and context of the language stands
 * here at least twice, and every fault that has a code.
 */

const batch = (text: string, files: Case['files'] = {}): Case => ({
  kind: 'batch',
  path: 'flow',
  files: { ...files, flow: `kind: batch\n${text}` },
  values: true,
});
const live = (text: string, files: Case['files'] = {}): Case => ({
  kind: 'live',
  path: 'live',
  files: { ...files, live: `kind: live\n${text}` },
  values: true,
});
const task = (text: string, files: Case['files'] = {}): Case =>
  batch(`tasks:\n  - id: train\n    image: ubuntu\n${text.replace(/^(?=.)/gm, '    ')}`, files);
const two = (text: string, files: Case['files'] = {}): Case =>
  batch(
    `tasks:\n  - id: prepare\n    image: ubuntu\n  - id: train\n    image: ubuntu\n${text.replace(/^(?=.)/gm, '    ')}`,
    files,
  );
const job = (text: string, files: Case['files'] = {}): Case =>
  live(`jobs:\n  train:\n    image: ubuntu\n${text.replace(/^(?=.)/gm, '    ')}`, files);
const project = (text: string): Case => ({ kind: 'project', path: 'project.yml', files: { 'project.yml': text } });
const action = (text: string): Case => ({ kind: 'action', path: 'a.yml', files: { 'a.yml': text } });
const raw = (text: string): Case => ({ kind: 'batch', path: 'flow', files: { flow: text }, values: true });
const expression = (text: string): Case => two(`cmd: >-\n  ${text}\n`);

const volumesOf = (ends: readonly string[]): Case =>
  batch(
    `volumes: {v: {remote: "storage:data", mount: /data}}\ntasks:\n  - image: u\n    env:\n${ends
      .map((end, index) => `      E${index}: >-\n        \${{ str(volumes.v.remote ${end}) }}\n`)
      .join('')}`,
  );

const BATCH_ACTION = `kind: batch
inputs:
  n: {descr: count, default: 3, type: int}
  who: {}
outputs:
  out: {descr: all, value: "\${{ needs.inner.outputs.out }}"}
tasks:
  - id: inner
    image: alpine
    cmd: run \${{ inputs.n }} \${{ inputs.who }}
    env: {A: "\${{ inputs.who }}"}
  - image: alpine
    strategy: {matrix: {x: [1, 2]}}
    cmd: "\${{ matrix.x }} \${{ needs.inner.result }} \${{ flow.action_path }} \${{ strategy.max_parallel }}"
`;
const STATEFUL = `kind: stateful
inputs: {who: {type: str, default: all}}
main: {image: alpine, cmd: "start \${{ inputs.who }}"}
post: {image: alpine, cmd: "stop \${{ state.token }} \${{ flow.title }}"}
post_if: "\${{ always() }}"
`;
const LOCAL = `kind: local
inputs: {who: {}}
outputs: {o: {descr: out}}
bash: echo \${{ inputs.who }}
`;
const LIVE_ACTION = `kind: live
name: n
author: me
descr: d
inputs: {who: {default: x}, k: {type: int, default: 1}}
job: {image: alpine, cmd: "\${{ inputs.who }} \${{ inputs.k }} \${{ flow.action_path }}", http_port: 80}
`;

export const CORPUS: Readonly<Record<string, Case>> = {
  'no tasks': batch('tasks: []\n'),
  'one task': task('cmd: ls\n'),
  'every key of a task': task(`title: T
name: n
preset: cpu
schedule_timeout: 1h
entrypoint: /bin/sh
cmd: -c ls
workdir: /w/./x//y
env: {A: 1, B: true, C: 1.0, D: 2020-01-01, E: "x", F: 1e3, G: 010, H: 12:30:00}
volumes: ["storage:a:/a", ~, ""]
tags: [a, b_c, 1]
life_span: 1d2h3m4s
http_port: 80
http_auth: false
pass_config: true
restart: on-failure
enable: true
cache: {strategy: none, life_span: 1h}
needs: []
`),
  'bash is quoted': task('bash: |\n  echo \'it\' && ls "x"\n'),
  'bash that needs no quotes': task('bash: ls\n'),
  'python is quoted': task('python: print(1)\n'),
  'python with an expression': two('python: print("${{ needs.prepare.outputs.out }}")\n'),
  'bash with an output': two("bash: echo '${{ needs.prepare.outputs.path }}' done\n"),
  'bash of an output alone': two('bash: ${{ needs.prepare.outputs.out }}\n'),
  'cmd and bash': task('cmd: a\nbash: b\n'),
  'bash and python': task('bash: a\npython: b\n'),
  'null shells count': task('bash: ~\ncmd: x\n'),
  'null image': batch('tasks:\n  - image: ~\n'),
  'no image': batch('tasks:\n  - cmd: ls\n'),
  'image from a template that gives None': task('image: ${{ nothing() }}\n'),
  'title and id of the flow': batch(
    'id: my_flow\ntitle: Mine\nlife_span: 1d\ntasks:\n  - image: u\n    cmd: ${{ flow.flow_id }} ${{ flow.title }} ${{ flow.life_span }}\n',
  ),
  'id with a dash': batch('id: my-flow\ntasks: []\n'),
  'id in capitals': batch('tasks: [{id: A, image: u}]\n'),
  'id with letters of other scripts': batch('tasks: [{id: é, image: u}, {id: größe1, image: u}]\n'),
  'id from a number': batch('tasks: [{id: 1, image: u}]\n'),
  'unknown key of the flow': batch('tasks: []\nfoo: 1\n'),
  'jobs in a batch flow': batch('tasks: []\njobs: {}\n'),
  'tasks in a live flow': live('jobs: {}\ntasks: []\n'),
  'params in a live flow': live('jobs: {}\nparams: {}\n'),
  'no kind': raw('tasks: []\n'),
  'wrong kind': raw('kind: live\njobs: {}\n'),
  'unknown kind': raw('kind: Batch\ntasks: []\n'),
  'no tasks key': raw('kind: batch\n'),
  'tasks is null': batch('tasks: ~\n'),
  'tasks is a mapping': batch('tasks: {a: {image: u}}\n'),
  'a task that is null': batch('tasks: [~]\n'),
  'a task that is text': batch('tasks: [abc]\n'),
  'empty file': raw(''),
  'only a comment': raw('# nothing\n'),
  'a list': raw('- a\n'),
  text: raw('abc\n'),
  'two documents': raw('kind: batch\ntasks: []\n---\nkind: batch\ntasks: []\n'),
  'document marks': raw('---\nkind: batch\ntasks: []\n...\n'),
  'broken YAML': raw('kind: batch\ntasks: [\n'),
  tabs: raw('kind: batch\ntasks:\n\t- image: u\n'),
  'duplicate keys': batch('title: a\ntitle: b\ntasks: []\n'),
  'merge key': batch('defaults: &d {preset: a}\ntasks: []\nvolumes:\n  <<: *d\n'),
  anchors: batch('tasks:\n  - &t {image: u, env: &e {A: x}}\n  - image: u\n    env: *e\n'),
  'unknown alias': batch('tasks: [*x]\n'),
  'custom tag': batch('title: !x y\ntasks: []\n'),
  'tag of text': batch('title: !!str 5\ntasks: []\n'),
  'tag of int': task('http_port: !!int "80"\n'),
  'a lone equals sign': task('cmd: =\n'),
  'plain scalars of YAML 1.1': task(
    'env: {A: yes, B: No, C: on, D: ~x, E: 0x10, F: 1_000, G: .5, H: 1.0e+3, I: .inf, J: 0b11, K: 190:20:30, L: "yes", M: 0o7, N: -1, O: +1, P: 1.}\n',
  ),
  'a date and a time': task(
    'env: {A: 2020-01-01, B: 2020-01-01 10:00:00, C: 2020-01-01T10:00:00Z, D: 2020-1-1, E: 2001-12-14t21:59:43.10-05:00}\n',
  ),
  'no day of the calendar': task('env: {A: 2020-13-45}\n'),
  'numbers as titles': task('title: 1.0\nname: 010\nentrypoint: true\n'),
  'folded and literal texts': task('cmd: >\n  a ${{ 1 }}\n  b ${{ 2 }}\n\n  c\ntitle: |-\n  x\n  y\n'),
  'a template over lines of a literal text': task('cmd: |\n  ${{ 1 +\n  2 }}\n'),
  'a template over lines of a plain text': task('cmd: ${{ 1 +\n  2 }}\n'),
  'quoted templates': task("cmd: '${{ ''a'' }}'\ntitle: \"${{ \\\"b\\\" }}\"\n"),
  'square templates': task('cmd: $[[ 1 ]] $[[ [1, 2] ]]\n'),
  'mixed marks': task('cmd: ${{ 1 ]]\n'),
  'unclosed template': task('cmd: ${{ 1\n'),
  'empty template': task('cmd: ${{ }}\n'),
  'shell arithmetic is text': task('cmd: echo $(( 1 + 2 )) $$ }} ]]\n'),
  'operators without blanks': task('cmd: ${{ 1+1 }}\n'),
  'nested braces': task("cmd: ${{ {'a': {'b': 1}} }}\n"),
  'nested braces with a blank': task("cmd: \"${{ {'a': {'b': 1} } }}\"\n"),
  'unknown function': task('cmd: ${{ foo() }}\n'),
  'wrong arity': task('cmd: ${{ len() }} \n'),
  'arity in a dead branch': task('cmd: ${{ 1 if True else len() }}\n'),
  'unknown context': task('cmd: ${{ foo.bar }}\n'),
  'unknown context in a dead branch': task('cmd: ${{ 1 if True else foo.bar }}\n'),
  'unknown context in env': task('env: {A: "${{ foo.bar }}"}\n'),
  'unknown param': task('cmd: ${{ params.x }}\n'),
  'unknown field of git': task('cmd: ${{ git.shaa }}\n'),
  'git in a task': task('cmd: ${{ git.sha }} ${{ git.branch }} ${{ git.tags }}\n'),
  'git in defaults': batch('defaults: {preset: "${{ git.sha }}"}\ntasks: []\n'),
  'inputs in a flow': task('cmd: ${{ inputs.x }}\n'),
  'project context': task('cmd: ${{ project.id }} ${{ project.project_name }} ${{ project.owner }}\n'),
  'flow context': task('cmd: ${{ flow.workspace }} ${{ flow.username }} ${{ flow.project_id }}\n'),
  'unknown field of flow': task('cmd: ${{ flow.nope }}\n'),
  'strategy context': task('cmd: ${{ strategy.fail_fast }} ${{ strategy.max_parallel }}\n'),
  'tags context': task('cmd: ${{ len(tags) }}\n'),
  'field of tags': task('cmd: ${{ tags.x }}\n'),
  'env context is that of defaults': batch(
    'defaults: {env: {A: a}}\ntasks:\n  - {image: u, env: {B: "${{ env.A }}b"}, cmd: "${{ env.A }}"}\n',
  ),
  'own env is not seen': task('env: {B: b, C: "${{ env.B }}"}\n'),
  params: batch(
    'params: {a: 1, b: {default: x, descr: d}, c: "${{ 1 + 1 }}", d: ""}\ntasks:\n  - {image: u, cmd: "${{ params.a }} ${{ params.b }} ${{ params.c }} ${{ params.d }}"}\n',
  ),
  'param without a value': batch('params: {a: ~}\ntasks: []\n'),
  'param with a context': batch('params: {a: "${{ flow.title }}"}\ntasks: []\n'),
  'param with an unknown key': batch('params: {a: {defult: x}}\ntasks: []\n'),
  'param that is a list': batch('params: {a: [x]}\ntasks: []\n'),
  volumes: batch(
    'volumes:\n  a: {remote: "storage:a", mount: /a}\n  b: {remote: "storage:/other/b/", mount: /b/, read_only: true}\n  c: {remote: "storage://main/acme/demo/c d", mount: /c, read_only: "${{ True }}"}\n  d: {remote: "storage://far/x/y", mount: d}\ntasks:\n  - image: u\n    volumes: ["${{ volumes.a.ref }}", "${{ volumes.b.ref }}", "${{ volumes.c.ref_rw }}", "${{ volumes.d.ref_ro }}"]\n    cmd: ${{ volumes.a.id }} ${{ volumes.b.mount }} ${{ volumes.c.remote }} ${{ volumes.d.read_only }} ${{ volumes.a.local }} ${{ volumes.a }}\n',
  ),
  'unknown volume': task('volumes: ["${{ volumes.data.ref }}"]\n'),
  'unknown field of a volume': batch(
    'volumes: {a: {remote: "storage:a", mount: /a}}\ntasks:\n  - {image: u, cmd: "${{ volumes.a.reff }}"}\n',
  ),
  'volume without remote': batch('volumes: {a: {mount: /a}}\ntasks: []\n'),
  'volume without mount': batch('volumes: {a: {remote: "storage:a"}}\ntasks: []\n'),
  'volume of a bad scheme': batch('volumes: {a: {remote: "foo:a", mount: /a}}\ntasks: []\n'),
  'volume without a scheme': batch('volumes: {a: {remote: a, mount: /a}}\ntasks: []\n'),
  'volume with a question mark': batch('volumes: {a: {remote: "storage:a?b", mount: /a}}\ntasks: []\n'),
  'volume with local': batch('volumes: {a: {remote: "storage:a", mount: /a, local: a}}\ntasks: []\n'),
  'volumes is null': batch('volumes: ~\ntasks: []\n'),
  'volumes is empty text': batch('volumes: ""\ntasks: []\n'),
  'volumes is text': batch('volumes: abc\ntasks: []\n'),
  'volumes is a list': batch('volumes: [a]\ntasks: []\n'),
  'volumes is an empty list': batch('volumes: []\ntasks: []\n'),
  'volumes is a number': batch('volumes: 5\ntasks: []\n'),
  images: batch(
    'images:\n  a: {ref: "image:a:v1"}\n  b: {ref: ubuntu}\n  c: {ref: "image:/other/c", context: ., dockerfile: Dockerfile, build_args: [A=1], env: {X: y}, volumes: ["storage:a:/a"], build_preset: cpu, force_rebuild: true, extra_kaniko_args: -v}\ntasks:\n  - {image: "${{ images.a.ref }}", cmd: "${{ images.b.ref }} ${{ images.c.ref }} ${{ images.c.context }} ${{ images.c.dockerfile }} ${{ images.c.dockerfile_rel }} ${{ images.c.build_args }} ${{ images.c.env }} ${{ images.c.volumes }} ${{ images.c.build_preset }} ${{ images.c.force_rebuild }} ${{ images.c.extra_kaniko_args }} ${{ images.a.id }}"}\n  - {image: "image:a:v1"}\n  - {image: "image://main/acme/demo/a:v1"}\n',
  ),
  'image without ref': batch('images: {a: {context: ., dockerfile: d}}\ntasks: []\n'),
  'image with context only': batch('images: {a: {ref: "image:a", context: .}}\ntasks: []\n'),
  'dockerfile outside of its context': batch(
    'images: {a: {ref: "image:a", context: sub, dockerfile: Dockerfile}}\ntasks: []\n',
  ),
  'dockerfile below its context': batch(
    'images: {a: {ref: "image:a", context: sub, dockerfile: sub/x/Dockerfile}}\ntasks: [{image: u, cmd: "${{ images.a.dockerfile_rel }}"}]\n',
  ),
  'image built on storage': batch(
    'images: {a: {ref: "image:a", context: "storage:c", dockerfile: "storage:c/Dockerfile"}}\ntasks: [{image: u, cmd: "${{ images.a.context }} ${{ images.a.dockerfile_rel }}"}]\n',
  ),
  'image built from two places': batch(
    'images: {a: {ref: "image:a", context: "storage:c", dockerfile: Dockerfile}}\ntasks: []\n',
  ),
  'one ref of two contexts': batch(
    'images: {a: {ref: "image:a", context: x, dockerfile: x/D}, b: {ref: "image:a", context: y, dockerfile: y/D}}\ntasks: []\n',
  ),
  defaults: batch(
    'defaults: {tags: [t], env: {A: a}, volumes: ["storage:d:/d"], workdir: /w, life_span: 1h, preset: cpu, schedule_timeout: 5m, fail_fast: false, max_parallel: 3, cache: {strategy: inherit, life_span: 1d}}\ntasks:\n  - {image: u, env: {A: b}, volumes: ["storage:e:/e"], tags: [u], cmd: "${{ strategy.fail_fast }} ${{ strategy.max_parallel }}"}\n  - {image: u, preset: "", life_span: 0, workdir: "", schedule_timeout: 0, needs: []}\n',
  ),
  'defaults of a live flow': live(
    'defaults: {tags: [t], env: {A: a}, volumes: ["storage:d:/d"], workdir: /w, life_span: 1h, preset: cpu, schedule_timeout: 5m}\njobs: {a: {image: u, env: {B: b}}}\n',
  ),
  'fail_fast in live defaults': live('defaults: {fail_fast: true}\njobs: {}\n'),
  'null tags in defaults': batch('defaults: {tags: ~}\ntasks: []\n'),
  'null env in defaults': batch('defaults: {env: ~}\ntasks: []\n'),
  'null defaults': batch('defaults: ~\ntasks: []\n'),
  'unknown key of defaults': batch('defaults: {image: u}\ntasks: []\n'),
  needs: batch(
    'tasks:\n  - {id: a, image: u}\n  - {id: b, image: u, needs: [a]}\n  - {id: c, image: u, needs: {a: running, b: completed}, cmd: "${{ needs.b.result }} ${{ needs.b.outputs.out }}"}\n  - {id: d, image: u, needs: []}\n',
  ),
  'needs of the task before': batch('tasks: [{image: u}, {image: u}, {image: u, needs: ~}]\n'),
  'needs an unknown task': task('needs: [nope]\n'),
  'needs text': task('needs: nope\n'),
  'needs of a bad level': two('needs: {prepare: done}\n'),
  'needs of null level': two('needs: {prepare: ~}\n'),
  'needs a cycle': batch('tasks: [{id: a, image: u, needs: [b]}, {id: b, image: u, needs: [a]}]\n'),
  'needs itself': task('needs: [train]\n'),
  'needs by a template': batch(
    'tasks:\n  - {id: "a_${{ matrix.x }}", image: u, strategy: {matrix: {x: [p, q]}}}\n  - {id: "b_${{ matrix.x }}", image: u, needs: ["a_${{ matrix.x }}"], strategy: {matrix: {x: [p, q]}}}\n',
  ),
  'needs that are not there': two('cmd: ${{ needs.other.result }}\n'),
  'needs of a running task are no context': batch(
    'tasks: [{id: a, image: u}, {id: b, image: u, needs: {a: running}, cmd: "${{ needs.a.result }}"}]\n',
  ),
  'field of needs': two('cmd: ${{ needs.prepare.output }}\n'),
  matrix: batch(
    'tasks:\n  - image: u\n    strategy:\n      matrix: {y: [a, b], x: [1, 2.5, true], exclude: [{x: 1}], include: [{x: i, y: j}]}\n      fail_fast: false\n      max_parallel: 2\n    cmd: ${{ matrix.x }} ${{ matrix.y }} ${{ matrix.ORDINAL }} ${{ strategy.max_parallel }}\n',
  ),
  'matrix by a template': batch(
    'params: {n: "3"}\ntasks:\n  - {image: u, strategy: {matrix: {x: "${{ range(int(params.n)) }}", exclude: [{x: "${{ 1 }}"}]}}, cmd: "${{ matrix.x }}"}\n',
  ),
  'matrix with an id': batch('tasks: [{id: "t_${{ matrix.x }}", image: u, strategy: {matrix: {x: [a, b]}}}]\n'),
  'matrix include of other keys': task('strategy: {matrix: {x: [1], include: [{y: 2}]}}\n'),
  'matrix exclude of an unknown key': task('strategy: {matrix: {x: [1], exclude: [{y: 2}]}}\n'),
  'matrix of an empty list': batch(
    'tasks: [{image: u, strategy: {matrix: {x: [], y: [1]}}, cmd: "${{ matrix.y }}"}]\n',
  ),
  'matrix that is empty': batch('tasks: [{image: u, strategy: {matrix: {}}}]\n'),
  'matrix that is null': batch('tasks: [{image: u, strategy: {matrix: ~}}]\n'),
  'matrix of all excluded': batch('tasks: [{image: u, strategy: {matrix: {x: [a], exclude: [{x: a}]}}}, {image: u}]\n'),
  'matrix too large': batch(
    'tasks: [{image: u, strategy: {matrix: {x: "${{ range(17) }}", y: "${{ range(17) }}"}}}]\n',
  ),
  'matrix at its limit': batch(
    'tasks: [{image: u, strategy: {matrix: {x: "${{ range(16) }}", y: "${{ range(16) }}"}}}]\n',
  ),
  'matrix with null': task('strategy: {matrix: {x: [~]}}\n'),
  'matrix with a date': batch('tasks: [{image: u, strategy: {matrix: {x: [2020-01-01]}}, cmd: "${{ matrix.x }}"}]\n'),
  'matrix that is text': task('strategy: {matrix: {x: abc}}\n'),
  'strategy without a matrix': task('strategy: {fail_fast: true}\n'),
  'two rows of one id': batch(
    'tasks: [{id: same, image: u, strategy: {matrix: {x: [1, 2]}}, cmd: "${{ matrix.x }}"}]\n',
  ),
  enable: batch(
    'tasks:\n  - {id: a, image: u, enable: always()}\n  - {id: b, image: u, enable: "${{ success() or failure() }}"}\n  - {id: c, image: u, enable: "${{ always() }}"}\n  - {id: d, image: u, enable: "false"}\n  - {id: e, image: u, enable: "${{ needs.d.result == \'succeeded\' }}"}\n  - {id: f, image: u, enable: no}\n',
  ),
  'enable is null': task('enable: ~\n'),
  'enable is empty': task('enable: ""\n'),
  'enable is joined': task('enable: a${{ 1 }}\n'),
  'success of an unknown task': two("enable: ${{ success('nope') }}\n"),
  'failure and success by name': two("enable: ${{ success('prepare') and not failure('prepare') }}\n"),
  'success outside of a task': batch('defaults: {preset: "${{ success() }}"}\ntasks: []\n'),
  'bool fields by text': task("http_auth: 'false'\npass_config: ''\n"),
  'bool fields by templates': task('http_auth: ${{ 0 }}\npass_config: ${{ [1] }}\n'),
  'int fields': task("http_port: '80'\n"),
  'int field of a float': task('http_port: 1.5\n'),
  'int field of text': task('http_port: abc\n'),
  'int field of an infinity': task('http_port: .inf\n'),
  'int field joined': task('http_port: 8${{ 0 }}\n'),
  'int field later': two('http_port: ${{ len(needs.prepare.outputs.out) }}\n'),
  times: batch(
    'tasks: [{image: u, life_span: 1d}, {image: u, life_span: 90}, {image: u, life_span: "1e3"}, {image: u, life_span: 1:30}, {image: u, life_span: 1h30m}, {image: u, life_span: "${{ \'5m\' }}"}, {image: u, life_span: true}]\n',
  ),
  'time of bad units': task('life_span: 5 minutes\n'),
  'time in the wrong order': task('life_span: 5m1h\n'),
  'time is empty': task("life_span: ''\n"),
  'time from an empty template': task("life_span: ${{ '' }}\n"),
  restart: batch('tasks: [{image: u, restart: never}, {image: u, restart: always}, {image: u, restart: on-failure}]\n'),
  'restart is no': task('restart: no\n'),
  'tags is text': task('tags: abc\n'),
  'tags is a template': task("tags: ${{ ['a', 'b'] }}\n"),
  'tags is a template of text': task("tags: ${{ 'ab' }}\n"),
  'tags has null': task('tags: [~]\n'),
  'tags is null': task('tags: ~\n'),
  'env is null': task('env: ~\n'),
  'env is a template': task("env: \"${{ {'A': 1, 'B': 'x'} }}\"\n"),
  'env is a template of a list': task('env: ${{ [1] }}\n'),
  'env is a list': task('env: [A]\n'),
  'env has null': task('env: {A: ~}\n'),
  'env has a list': task('env: {A: [1]}\n'),
  'env of number keys': task('env: {1: a}\n'),
  'volumes has a mapping': task('volumes: [{a: b}]\n'),
  cache: batch(
    'defaults: {cache: {strategy: default, life_span: 1h}}\ntasks: [{image: u, cache: {strategy: inherit}}, {image: u, needs: [], cache: {life_span: 30m}}, {image: u, needs: [], cache: {strategy: none, life_span: "${{ 5 }}"}}]\n',
  ),
  'cache of a bad strategy': task('cache: {strategy: all}\n'),
  'cache is null': task('cache: ~\n'),
  'cache has an unknown key': task('cache: {key: x}\n'),
  mixins: batch(
    'mixins:\n  base: {image: u, env: {A: base}, tags: [b], volumes: ["storage:b:/b"], preset: cpu}\n  gpu: {mixins: [base], preset: gpu, env: {B: gpu}, bash: echo}\ntasks:\n  - {mixins: [gpu]}\n  - {mixins: [base, gpu], preset: own, env: {A: own}, cmd: x}\n  - {mixins: [gpu], preset: ~}\n',
  ),
  'mixins in a matrix': batch(
    'mixins: {m: {env: {A: a}, volumes: ["storage:b:/b"]}}\ntasks: [{image: u, mixins: [m], strategy: {matrix: {x: [1, 2, 3]}}}]\n',
  ),
  'unknown mixin': task('mixins: [nope]\n'),
  'mixin cycle': batch('mixins: {a: {mixins: [b]}, b: {mixins: [a]}}\ntasks: []\n'),
  'unknown mixin of a mixin': batch('mixins: {a: {mixins: [b]}}\ntasks: []\n'),
  'mixins is text': task('mixins: abc\n'),
  'mixins is null': task('mixins: ~\n'),
  'mixin that is not exclusive': batch('mixins: {a: {cmd: x, bash: y}}\ntasks: []\n'),
  'mixin with needs': batch('mixins: {m: {needs: [x]}}\ntasks: [{image: u, mixins: [m]}]\n'),
  'mixin with needs in a matrix': batch(
    'mixins: {m: {needs: [x]}}\ntasks: [{image: u, mixins: [m], strategy: {matrix: {x: [1, 2]}}}]\n',
  ),
  'mixin with enable in a matrix': batch(
    'mixins: {m: {enable: "${{ False }}"}}\ntasks: [{image: u, mixins: [m], strategy: {matrix: {x: [1, 2]}}}]\n',
  ),
  'mixin with a job key': batch('mixins: {m: {detach: true}}\ntasks: []\n'),
  'live mixins': live(
    'mixins: {m: {image: u, detach: true, port_forward: ["1:2"], multi: false}}\njobs: {a: {mixins: [m]}, b: {mixins: [m], cmd: x}}\n',
  ),
  'project file': batch(
    'tasks: [{image: u, cmd: "${{ project.id }} ${{ project.owner }} ${{ project.project_name }} ${{ volumes.p.ref }} ${{ images.i.ref }} ${{ env.P }}", mixins: [m]}]\n',
    {
      '.apolo/project.yml':
        'id: proj\nproject_name: other-one\nowner: me\nvolumes: {p: {remote: "storage:p", mount: /p}}\nimages: {i: {ref: "image:i"}}\ndefaults: {env: {P: p}, tags: [pt], volumes: ["storage:q:/q"], preset: big, max_parallel: 2}\nmixins: {m: {env: {M: m}}}\n',
    },
  ),
  'project and flow defaults': batch(
    'defaults: {env: {A: f}, tags: [f], preset: ~, volumes: ["storage:f:/f"]}\ntasks: [{image: u}]\n',
    {
      'project.yml':
        'id: proj\ndefaults: {env: {A: p, B: p}, tags: [p], preset: pre, workdir: /p, volumes: ["storage:p:/p"]}\n',
    },
  ),
  'project with an unknown key': project('id: a\nfoo: 1\n'),
  'project without an id': project('owner: me\n'),
  'project with a role': project('id: a\nrole: x\n'),
  'project with a template': project('id: "${{ 1 }}"\n'),
  'project with a bad mixin': project('id: a\nmixins: {m: {detach: true}}\n'),
  'project of all keys': project(
    'id: a\nproject_name: b-c\nowner: d\nimages: {}\nvolumes: {}\ndefaults: {}\nmixins: {}\n',
  ),
  'batch action': batch(
    'tasks:\n  - {id: call, action: ws:act, args: {who: me}}\n  - {id: after, image: u, cmd: "${{ needs.call.outputs.out }} ${{ needs.call.result }}"}\n',
    { 'act.yml': BATCH_ACTION },
  ),
  'batch action with typed args': batch(
    'tasks:\n  - {id: call, action: workspace:act.yml, args: {who: me, n: "${{ 5 }}"}}\n',
    { 'act.yml': BATCH_ACTION },
  ),
  'batch action with a text for an int': batch('tasks:\n  - {id: call, action: ws:act, args: {who: me, n: 5}}\n', {
    'act.yml': BATCH_ACTION,
  }),
  'batch action without an input': batch('tasks:\n  - {id: call, action: ws:act, args: {n: "${{ 5 }}"}}\n', {
    'act.yml': BATCH_ACTION,
  }),
  'batch action with a further input': batch('tasks:\n  - {id: call, action: ws:act, args: {who: x, nope: 1}}\n', {
    'act.yml': BATCH_ACTION,
  }),
  'batch action in a matrix': batch(
    'tasks:\n  - {id: "call_${{ matrix.x }}", action: ws:act, args: {who: "${{ matrix.x }}"}, strategy: {matrix: {x: [a, b]}}, enable: true}\n',
    { 'act.yml': BATCH_ACTION },
  ),
  'batch action of needs': batch(
    'tasks:\n  - {id: a, image: u}\n  - {id: call, action: ws:act, args: {who: "${{ needs.a.outputs.out }}"}, cache: {strategy: none}}\n',
    { 'act.yml': BATCH_ACTION },
  ),
  'defaults of an absent args key': batch('tasks: [{id: call, action: ws:act}]\n', {
    'act.yml': 'kind: batch\ninputs: {n: {default: x}}\ntasks: [{image: u, cmd: "${{ inputs.n }}"}]\n',
  }),
  'defaults of an empty args key': batch('tasks: [{id: call, action: ws:act, args: {}}]\n', {
    'act.yml': 'kind: batch\ninputs: {n: {default: x}}\ntasks: [{image: u, cmd: "${{ inputs.n }}"}]\n',
  }),
  'missing action': batch('tasks: [{action: ws:nope}]\n'),
  'action without a scheme': batch('tasks: [{action: nope}]\n'),
  'action by a template': batch('tasks: [{action: "ws:${{ 1 }}"}]\n'),
  'action with keys of a task': batch('tasks: [{action: ws:a, image: u}]\n', { 'a.yml': LOCAL }),
  'action and module': batch('tasks: [{action: ws:a, module: ws:a}]\n', { 'a.yml': LOCAL }),
  'live action in a batch flow': batch('tasks: [{action: ws:a}]\n', { 'a.yml': LIVE_ACTION }),
  'broken action': batch('tasks: [{action: ws:a}]\n', { 'a.yml': 'kind: batch\n' }),
  'unknown input in an action': batch('tasks: [{action: ws:a, args: {}}]\n', {
    'a.yml': 'kind: batch\ninputs: {}\ntasks: [{image: u, cmd: "${{ inputs.x }}"}]\n',
  }),
  'params in an action': batch('params: {p: x}\ntasks: [{action: ws:a, args: {}}]\n', {
    'a.yml': 'kind: batch\ntasks: [{image: u, cmd: "${{ params.p }}"}]\n',
  }),
  'output of an unknown task': batch('tasks: [{action: ws:a, args: {}}]\n', {
    'a.yml': 'kind: batch\noutputs: {o: {value: "${{ needs.x.outputs.y }}"}}\ntasks: [{id: t, image: u}]\n',
  }),
  module: batch(
    'params: {p: x}\ndefaults: {env: {A: a}, preset: cpu}\nmixins: {m: {tags: [m]}}\ntasks: [{id: mod, module: ws:a, args: {w: z}}]\n',
    {
      'a.yml':
        'kind: batch\ninputs: {w: {}}\ntasks: [{id: t, image: u, mixins: [m], cmd: "${{ params.p }} ${{ inputs.w }} ${{ env.A }}"}]\n',
    },
  ),
  'module of a local action': batch('tasks: [{module: ws:a, args: {who: x}}]\n', { 'a.yml': LOCAL }),
  'images of an action': batch('tasks: [{id: c, action: ws:a, args: {t: v1}}]\n', {
    'a.yml':
      'kind: batch\ninputs: {t: {}}\nimages: {i: {ref: "image:i:v", context: "${{ flow.action_path }}", dockerfile: "${{ flow.action_path }}/Dockerfile", build_args: ["T=${{ inputs.t }}"]}}\ncache: {life_span: 1h}\ntasks: [{id: t, image: "${{ images.i.ref }}", cmd: "${{ images.i.build_args }}"}]\n',
  }),
  'inputs in the ref of an image': batch('tasks: [{id: c, action: ws:a, args: {t: v1}}]\n', {
    'a.yml': 'kind: batch\ninputs: {t: {}}\nimages: {i: {ref: "image:${{ inputs.t }}"}}\ntasks: []\n',
  }),
  'inputs in a matrix of an action': batch('tasks: [{id: c, action: ws:a, args: {t: v1}}]\n', {
    'a.yml': 'kind: batch\ninputs: {t: {}}\ntasks: [{image: u, strategy: {matrix: {x: ["${{ inputs.t }}"]}}}]\n',
  }),
  'nested actions': batch('tasks: [{id: o, action: ws:outer, args: {}}]\n', {
    'outer.yml':
      'kind: batch\noutputs: {r: {value: "${{ needs.i.outputs.out }}"}}\ntasks: [{id: i, action: ws:act, args: {who: deep}}]\n',
    'act.yml': BATCH_ACTION,
  }),
  'stateful action': batch(
    'tasks:\n  - {id: st, action: ws:st, args: {who: me}}\n  - {id: work, image: u}\n  - {id: other, action: ws:st, args: {}}\n',
    { 'st.yml': STATEFUL },
  ),
  'stateful action in a matrix': batch(
    'tasks:\n  - {id: "st_${{ matrix.x }}", action: ws:st, args: {who: "${{ matrix.x }}"}, strategy: {matrix: {x: [a, b]}}}\n',
    { 'st.yml': STATEFUL },
  ),
  'stateful action with cache': batch('tasks: [{action: ws:st, args: {}, cache: {strategy: none}}]\n', {
    'st.yml': STATEFUL,
  }),
  'stateful action that sees a context': batch('tasks: [{action: ws:st, args: {}}]\n', {
    'st.yml': 'kind: stateful\nmain: {image: u, cmd: "${{ flow.title }}"}\n',
  }),
  'local action': batch(
    'tasks:\n  - {id: l, action: ws:l, args: {who: "a b"}}\n  - {id: work, image: u, cmd: "${{ needs.l.outputs.out }}"}\n',
    { 'l.yml': LOCAL },
  ),
  'local action after a task': batch('tasks:\n  - {id: work, image: u}\n  - {id: l, action: ws:l, args: {who: x}}\n', {
    'l.yml': LOCAL,
  }),
  'local action after a task without needs': batch(
    'tasks:\n  - {id: work, image: u}\n  - {id: l, action: ws:l, args: {who: x}, needs: []}\n',
    { 'l.yml': LOCAL },
  ),
  'local action that sees a context': batch('tasks: [{action: ws:l, args: {}}]\n', {
    'l.yml': 'kind: local\ncmd: ${{ flow.title }}\n',
  }),
  'action file of kind live': action(LIVE_ACTION),
  'action file of kind batch': action(BATCH_ACTION),
  'action file of kind stateful': action(STATEFUL),
  'action file of kind local': action(LOCAL),
  'action file without a kind': action('tasks: []\n'),
  'action file of an unknown kind': action('kind: remote\ntasks: []\n'),
  'live action with outputs': action('kind: live\njob: {image: u}\noutputs: {}\n'),
  'live action with params': action('kind: live\njob: {image: u, params: {a: 1}}\n'),
  'live action with a call': action('kind: live\njob: {action: ws:x}\n'),
  'live action without a job': action('kind: live\n'),
  'stateful action with pre': action('kind: stateful\npre: {image: u}\nmain: {image: u}\n'),
  'stateful action file with cache': action('kind: stateful\ncache: {}\nmain: {image: u}\n'),
  'stateful action with values of outputs': action('kind: stateful\nmain: {image: u}\noutputs: {o: {value: x}}\n'),
  'stateful action with null outputs': action('kind: stateful\nmain: {image: u}\noutputs: ~\n'),
  'batch action with null outputs': action('kind: batch\ntasks: []\noutputs: ~\n'),
  'batch action with volumes': action('kind: batch\ntasks: []\nvolumes: {}\n'),
  'local action without a command': action('kind: local\n'),
  'local action with two': action('kind: local\ncmd: a\nbash: b\n'),
  'input of a wrong default': action('kind: batch\ninputs: {a: {type: int, default: x}}\ntasks: []\n'),
  'float input with an int default': action('kind: batch\ninputs: {a: {type: float, default: 1}}\ntasks: []\n'),
  'int input with a bool default': action(
    'kind: batch\ninputs: {a: {type: int, default: true}, b: {type: bool, default: false}, c: {type: float, default: 1.5}}\ntasks: []\n',
  ),
  'input of an unknown type': action('kind: batch\ninputs: {a: {type: list}}\ntasks: []\n'),
  'input that is null': action('kind: batch\ninputs: {a: ~}\ntasks: []\n'),
  'input with a template': action('kind: batch\ninputs: {a: {default: "${{ 1 }}"}}\ntasks: []\n'),
  'live flow': live(
    'id: l\ntitle: L\njobs:\n  a: {image: u, cmd: "${{ flow.flow_id }} ${{ git.sha }}", detach: true, browse: false, port_forward: ["8080:80"], http_port: 80}\n',
  ),
  'live flow without jobs': live('title: x\n'),
  'live flow with null jobs': live('jobs: ~\n'),
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
  ...EVERY_KEY,
};
