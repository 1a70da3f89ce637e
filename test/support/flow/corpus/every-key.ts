import type { Case } from '../cases.ts';

/*
 * Every key of every table in files that use them all, each in two ways: with values as they are, and with templates.
 */

const indented = (text: string, blanks: number): string => text.replace(/^(?=.)/gm, ' '.repeat(blanks));

/** Keys of what runs. `plain`: values as they are. */
const unit = (plain: boolean, shell: string): string =>
  plain
    ? `image: ubuntu
title: T
name: n
preset: cpu
schedule_timeout: 1h
entrypoint: /bin/sh
${shell}
workdir: /w
env: {A: 1, B: x y}
volumes: ["storage:a:/a", ~]
tags: [a, b]
life_span: 1d
http_port: 80
http_auth: false
pass_config: true
restart: on-failure
`
    : `image: "\${{ 'image:a:v1' }}"
title: "\${{ 'T' }}"
name: "n\${{ 1 }}"
preset: "\${{ lower('CPU') }}"
schedule_timeout: "\${{ 60 }}"
entrypoint: "\${{ 'sh' }}"
${shell}
workdir: "/\${{ 'w' }}"
env: "\${{ {'A': 'x', 'B': '1'} }}"
volumes: "\${{ ['storage:a:/a'] }}"
tags: "\${{ ['a', 'b'] }}"
life_span: "\${{ '5m' }}"
http_port: "\${{ 80 }}"
http_auth: "\${{ True }}"
pass_config: "\${{ 1 == 2 }}"
restart: "\${{ 'always' }}"
`;
const live = (plain: boolean): string =>
  plain
    ? 'detach: true\nbrowse: true\nport_forward: ["8080:80"]\nmulti: false\n'
    : 'detach: "${{ True }}"\nbrowse: "${{ 1 == 1 }}"\nport_forward: "${{ [\'1:2\'] }}"\nmulti: true\n';
const SHELLS = ['cmd: run it', 'bash: "echo \'$A\' && ls"', 'python: print("a")'];

const image = (plain: boolean): string =>
  plain
    ? 'ref: image:a:v1\ncontext: .\ndockerfile: ./Dockerfile\nbuild_args: [A=1]\nenv: {A: x}\nvolumes: ["storage:a:/a"]\nbuild_preset: cpu\nforce_rebuild: true\nextra_kaniko_args: -v\n'
    : 'ref: "image:b:v${{ 1 }}"\ncontext: "${{ flow.workspace }}"\ndockerfile: "${{ flow.workspace }}/Dockerfile"\nbuild_args: "${{ [\'A=1\'] }}"\nenv: "${{ {\'A\': \'x\'} }}"\nvolumes: "${{ [\'storage:a:/a\'] }}"\nbuild_preset: "${{ \'cpu\' }}"\nforce_rebuild: "${{ True }}"\nextra_kaniko_args: "${{ \'-v\' }}"\n';
const volume = (plain: boolean): string =>
  plain
    ? 'remote: storage:d\nmount: /d\nread_only: true\nlocal: ~\n'
    : 'remote: "storage:${{ flow.flow_id }}"\nmount: "/${{ flow.flow_id }}"\nread_only: "${{ True }}"\n';
const defaults = (plain: boolean, kind: 'live' | 'batch'): string =>
  `${
    plain
      ? 'tags: [x]\nenv: {X: 1}\nvolumes: ["storage:x:/x"]\nworkdir: /x\nlife_span: 2d\npreset: x\nschedule_timeout: 2h\n'
      : 'tags: "${{ [\'x\'] }}"\nenv: "${{ {\'X\': \'1\'} }}"\nvolumes: "${{ [\'storage:x:/x\'] }}"\nworkdir: "${{ \'/x\' }}"\nlife_span: "${{ 60 }}"\npreset: "${{ \'x\' }}"\nschedule_timeout: "${{ 60 }}"\n'
  }${kind === 'live' ? '' : `fail_fast: ${plain ? 'false' : '"${{ False }}"'}\nmax_parallel: ${plain ? '3' : '"${{ 1 + 2 }}"'}\ncache: {strategy: default, life_span: ${plain ? '1h' : '"${{ 60 }}"'}}\n`}`;
const section = (name: string, entries: Readonly<Record<string, string>>): string =>
  `${name}:\n${Object.entries(entries)
    .map(([id, text]) => `  ${id}:\n${indented(text, 4)}`)
    .join('')}`;

const LIVE_ACTION = `kind: live\nname: n\nauthor: me\ndescr: d\ninputs: {who: {descr: w, type: str, default: x}}\njob:\n`;
const BATCH_ACTION = `kind: batch\nname: n\nauthor: me\ndescr: d\ninputs: {who: {descr: w, type: str, default: x}}\noutputs: {o: {descr: d, value: "\${{ inputs.who }}"}}\ncache: {strategy: inherit, life_span: 1h}\nimages: {i: {ref: ubuntu}}\ntasks: [{id: inner, image: u, cmd: "\${{ inputs.who }}"}]\n`;
const COMMON = 'name: n\nauthor: me\ndescr: d\ninputs: {who: {descr: w, default: x}}\noutputs: {o: {descr: d}}\n';

function liveFlow(plain: boolean): Case {
  const head = `kind: live\nid: f${plain ? 1 : 2}\ntitle: T\n`;
  const sections = [
    section('images', { i: image(plain) }),
    section('volumes', { v: volume(plain) }),
    section('mixins', {
      base: 'preset: base\n',
      ...Object.fromEntries(
        SHELLS.map((shell, at) => [`m${at}`, `${unit(plain, shell)}${live(true)}mixins: [base]\n`]),
      ),
    }),
    `defaults:\n${indented(defaults(plain, 'live'), 2)}`,
    section('jobs', {
      ...Object.fromEntries(
        SHELLS.map((shell, at) => [
          `j${at}`,
          `${unit(plain, shell)}${live(plain)}params: {p: {default: x, descr: d}}\nmixins: [m${at}]\n`,
        ]),
      ),
      called: 'action: ws:a\nargs: {who: "${{ params.p }}"}\nparams: {p: x}\n',
      module: 'module: ws:m\nargs: {who: "${{ params.p }}"}\nparams: {p: {default: y, descr: d}}\n',
    }),
  ];
  const action = (shell: string): string => `${LIVE_ACTION}${indented(unit(plain, shell), 2)}`;
  const files = { live: head + sections.join(''), 'a.yml': action('cmd: x'), 'm.yml': action('bash: y') };
  return { kind: 'live', path: 'live', files, values: true };
}

function batchFlow(plain: boolean): Case {
  const head = `kind: batch\nid: f${plain ? 1 : 2}\ntitle: T\nlife_span: ${plain ? '2d' : '"${{ 60 }}"'}\nparams: {p: {default: x, descr: d}}\n`;
  const call = (id: string, target: string): string =>
    `id: ${id}\n${target}\nneeds: []\nstrategy: {matrix: {x: [1]}, fail_fast: false, max_parallel: 2}\nenable: \${{ always() }}\nargs: {who: "\${{ params.p }}"}\n`;
  const cache = 'cache: {strategy: none, life_span: 1h}\n';
  const tasks = [
    ...SHELLS.map(
      (shell, at) =>
        `id: t${at}\n${unit(plain, shell)}needs: []\nenable: true\nstrategy: {matrix: {}}\nmixins: [m${at}]\n${cache}`,
    ),
    call('c1', 'action: ws:b') + cache,
    call('c2', 'module: ws:b') + cache,
    call('c3', 'action: ws:s'),
    call('c4', 'action: ws:l'),
  ];
  const sections = [
    section('images', { i: image(plain) }),
    section('volumes', { v: volume(plain) }),
    section('mixins', {
      base: 'preset: base\n',
      ...Object.fromEntries(
        SHELLS.map((shell, at) => [
          `m${at}`,
          `${unit(plain, shell)}needs: {}\nstrategy: {}\nenable: true\ncache: {}\nmixins: [base]\n`,
        ]),
      ),
    }),
    `defaults:\n${indented(defaults(plain, 'batch'), 2)}`,
    `tasks:\n${tasks.map((text) => `  - ${indented(text, 4).trimStart()}`).join('')}`,
  ];
  const main = (shell: string): string => indented(unit(plain, shell), 2);
  const [first = '', second = '', third = ''] = SHELLS;
  const files = {
    flow: head + sections.join(''),
    'b.yml': BATCH_ACTION,
    's.yml': `kind: stateful\n${COMMON}main:\n${main(plain ? first : second)}post:\n${main(third)}post_if: \${{ always() }}\n`,
    'l.yml': `kind: local\n${COMMON}${plain ? second : third}\n`,
    'project.yml': `id: p\nproject_name: demo\nowner: me\n${section('images', { pi: image(plain) })}${section('volumes', { pv: volume(plain) })}defaults:\n${indented(defaults(plain, 'batch'), 2)}${section(
      'mixins',
      {
        pbase: 'preset: base\n',
        ...Object.fromEntries(SHELLS.map((shell, at) => [`pm${at}`, `${unit(plain, shell)}mixins: [pbase]\n`])),
      },
    )}`,
  };
  return { kind: 'batch', path: 'flow', files, values: true };
}

const action = (text: string): Case => ({ kind: 'action', path: 'a.yml', files: { 'a.yml': text } });

/** By what each is. */
export const EVERY_KEY: Readonly<Record<string, Case>> = {
  'every key of a live flow, as it is': liveFlow(true),
  'every key of a live flow, by templates': liveFlow(false),
  'every key of a batch flow, as it is': batchFlow(true),
  'every key of a batch flow, by templates': batchFlow(false),
  'every key of a stateful action': action(
    `kind: stateful\n${COMMON}main:\n${indented(unit(true, SHELLS[1] as string), 2)}post:\n${indented(unit(false, SHELLS[0] as string), 2)}`,
  ),
  'every key of a local action': action(`kind: local\n${COMMON}${SHELLS[2]}\n`),
  'every key of a local action, as a command': action(`kind: local\n${COMMON}${SHELLS[0]}\n`),
  'a mixin of a live flow with params, which is of no use': {
    kind: 'live',
    path: 'live',
    files: { live: 'kind: live\nmixins: {a: {params: {x: 1}}, b: {params: {}}}\njobs: {j: {image: u}}\n' },
  },
  'a project with a role of old': {
    kind: 'project',
    path: 'project.yml',
    files: { 'project.yml': 'id: p\nrole: r\nowner: me\n' },
  },
};
