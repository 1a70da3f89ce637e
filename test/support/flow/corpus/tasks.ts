import type { Case } from '../cases.ts';
import { batch, live, raw, task, two } from './make.ts';

/** Tasks, their keys and their templates; files that are none. */
export const TASKS: Readonly<Record<string, Case>> = {
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
};
