import type { Case } from '../cases.ts';

/*
 * Files of the corpus, made short.
 */

export const batch = (text: string, files: Case['files'] = {}): Case => ({
  kind: 'batch',
  path: 'flow',
  files: { ...files, flow: `kind: batch\n${text}` },
  values: true,
});
export const live = (text: string, files: Case['files'] = {}): Case => ({
  kind: 'live',
  path: 'live',
  files: { ...files, live: `kind: live\n${text}` },
  values: true,
});
export const task = (text: string, files: Case['files'] = {}): Case =>
  batch(`tasks:\n  - id: train\n    image: ubuntu\n${text.replace(/^(?=.)/gm, '    ')}`, files);
export const two = (text: string, files: Case['files'] = {}): Case =>
  batch(
    `tasks:\n  - id: prepare\n    image: ubuntu\n  - id: train\n    image: ubuntu\n${text.replace(/^(?=.)/gm, '    ')}`,
    files,
  );
export const job = (text: string, files: Case['files'] = {}): Case =>
  live(`jobs:\n  train:\n    image: ubuntu\n${text.replace(/^(?=.)/gm, '    ')}`, files);
export const project = (text: string): Case => ({
  kind: 'project',
  path: 'project.yml',
  files: { 'project.yml': text },
});
export const action = (text: string): Case => ({ kind: 'action', path: 'a.yml', files: { 'a.yml': text } });
export const raw = (text: string): Case => ({ kind: 'batch', path: 'flow', files: { flow: text }, values: true });
export const expression = (text: string): Case => two(`cmd: >-\n  ${text}\n`);

export const volumesOf = (ends: readonly string[]): Case =>
  batch(
    `volumes: {v: {remote: "storage:data", mount: /data}}\ntasks:\n  - image: u\n    env:\n${ends
      .map((end, index) => `      E${index}: >-\n        \${{ str(volumes.v.remote ${end}) }}\n`)
      .join('')}`,
  );

export const BATCH_ACTION = `kind: batch
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
export const STATEFUL = `kind: stateful
inputs: {who: {type: str, default: all}}
main: {image: alpine, cmd: "start \${{ inputs.who }}"}
post: {image: alpine, cmd: "stop \${{ state.token }} \${{ flow.title }}"}
post_if: "\${{ always() }}"
`;
export const LOCAL = `kind: local
inputs: {who: {}}
outputs: {o: {descr: out}}
bash: echo \${{ inputs.who }}
`;
export const LIVE_ACTION = `kind: live
name: n
author: me
descr: d
inputs: {who: {default: x}, k: {type: int, default: 1}}
job: {image: alpine, cmd: "\${{ inputs.who }} \${{ inputs.k }} \${{ flow.action_path }}", http_port: 80}
`;
