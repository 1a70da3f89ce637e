import type { Case } from '../cases.ts';
import { action, BATCH_ACTION, batch, LIVE_ACTION, LOCAL, live, project, STATEFUL } from './make.ts';

/** Projects, actions and modules. */
export const CALLS: Readonly<Record<string, Case>> = {
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
};
