import { type FlowFiles, type Plan, planOf } from './plans.ts';

type Random = () => number;

const NEEDS = '${{ to_json(needs) }}';
/** One is built where it is not there, one always. */
const IMAGES = `images:
  one: {ref: "image:one:1", context: "storage:one", dockerfile: "storage:one/Dockerfile"}
  two: {ref: "image:two", context: "storage:two", dockerfile: "storage:two/Dockerfile", force_rebuild: true}
`;
const STATE = '${{ to_json(state) }}';
const FILES: FlowFiles = {
  'inner.yml': `kind: batch
inputs: {n: {}}
outputs: {all: {value: "${NEEDS}"}}
images:
  own: {ref: "image:own", context: "storage:own", dockerfile: "storage:own/Dockerfile", build_args: ["N=\${{ inputs.n }}"]}
tasks:
  - {id: x, image: u, cmd: "${NEEDS}", env: {N: "\${{ inputs.n }}"}}
  - {id: y, image: "\${{ images.own.ref }}", cmd: "${NEEDS}"}
  - {id: z, image: u, needs: [x], cmd: "${NEEDS}", enable: "\${{ always() }}"}
`,
  'deep.yml': `kind: batch
inputs: {n: {}}
outputs: {all: {value: "${NEEDS}"}}
tasks:
  - {id: in, action: ws:inner, args: {n: "\${{ inputs.n }}"}, needs: []}
  - {id: hold, action: ws:hold, args: {what: "${NEEDS}"}, needs: []}
  - {id: user, image: u, cmd: "${NEEDS}", needs: [in, hold]}
`,
  'hold.yml': `kind: stateful
inputs: {what: {}}
main: {image: u, cmd: "\${{ inputs.what }}"}
post: {image: u, cmd: "${NEEDS}", env: {STATE: "${STATE}"}}
`,
  'empty.yml': 'kind: batch\ntasks: []\n',
};

/** A flow of a few tasks with most of what the language has. The command of each tells what it was given. */
export function madeFlow(random: Random): Plan {
  const one = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const ids: string[] = [];
  let tasks = '';
  const count = 2 + Math.floor(random() * 7);
  for (let number = 0; number < count; number += 1) {
    const id = `t${number}`;
    const parts: string[] = [];
    const needs = random();
    if (needs < 0.25) parts.push('needs: []');
    else if (needs < 0.7 && ids.length > 0) {
      const chosen = [...new Set([one(ids), one(ids), one(ids)])].slice(0, 1 + Math.floor(random() * 3));
      parts.push(
        `needs: {${chosen.map((need) => `${need}: ${random() < 0.25 ? 'running' : 'completed'}`).join(', ')}}`,
      );
    }
    if (random() < 0.25)
      parts.push(`enable: ${one(['"${{ always() }}"', '"${{ not failure() }}"', 'false', 'always()'])}`);
    const failFast = random() < 0.5;
    const kind = random();
    const image = one(['u', 'u', '"${{ images.one.ref }}"', 'image:two']);
    const own = `image: ${image}, cmd: "${NEEDS}"${random() < 0.3 ? ', cache: {strategy: none}' : ''}`;
    if (kind < 0.15)
      parts.push(`${own}, strategy: {matrix: {x: [1, 2, 3]}, fail_fast: ${failFast}, max_parallel: ${one([1, 2, 9])}}`);
    else {
      parts.push(`id: ${id}`);
      ids.push(id);
      if (kind < 0.3) parts.push(`action: ws:inner, args: {n: "${NEEDS}"}`);
      else if (kind < 0.4) parts.push(`action: ws:deep, args: {n: "${NEEDS}"}`);
      else if (kind < 0.6) parts.push(`action: ws:hold, args: {what: "${NEEDS}"}`);
      else if (kind < 0.63) parts.push('action: ws:empty, args: {}');
      else parts.push(own);
    }
    tasks += `  - {${parts.join(', ')}}\n`;
  }
  const head = `defaults: {fail_fast: ${random() < 0.5}, max_parallel: ${one([1, 2, 3, 10])}}\n`;
  return planOf({ ...FILES, main: `kind: batch\n${head}${IMAGES}tasks:\n${tasks}` });
}
