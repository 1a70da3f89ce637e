import {
  convert,
  drawGraph,
  type ExpandedTask,
  evaluateTemplate,
  expandFlow,
  flowJsonSchema,
  flowReference,
  formatFlow,
  parseFlowFile,
  parseTemplate,
  type Residual,
  taskDocument,
  type World,
} from '@delos/flow';
import { describe, expect, test } from 'vitest';
import { scopeOfData } from '../../support/flow/answer.ts';
import { CORPUS } from '../../support/flow/corpus.ts';

const WORLD: World = {
  place: { cluster: 'main', org: 'acme', project: 'demo', user: 'ada' },
  workspace: { root: '/repo/demo', read: () => undefined },
};
function expand(text: string, world: Partial<World> = {}): readonly ExpandedTask[] {
  const { tasks, diagnostics } = expandFlow(parseFlowFile('flow.yml', text), 'flow', { ...WORLD, ...world });
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  return tasks;
}

const TRAIN = `kind: batch
params: {lr: "0.1"}
tasks:
  - {id: prepare, image: u}
  - id: train_\${{ matrix.x }}
    image: u
    strategy: {matrix: {x: [1, 2]}}
    bash: run --lr \${{ params.lr }} --in '\${{ needs.prepare.outputs.path }}'
`;

describe('expansion', () => {
  test('what is known is put in, the rest says what it waits for', () => {
    const [, train] = expand(TRAIN, { params: { lr: '0.5' } });
    const cmd = train?.fields.cmd as Residual;
    expect(cmd.waits).toEqual(['needs']);
    expect(cmd.$expr).toContain('--lr 0.5');
    expect(cmd.as).toBeUndefined();
    const scope = scopeOfData({ needs: { prepare: { result: 'succeeded', outputs: { path: "a'b" } } } });
    expect(evaluateTemplate(parseTemplate(cmd.$expr), scope)).toBe(convert('bash', "run --lr 0.5 --in 'a'b'"));
  });

  test('it is the same each time', () => {
    const once = JSON.stringify(expand(TRAIN).map(taskDocument));
    expect(JSON.stringify(expand(TRAIN).map(taskDocument))).toBe(once);
  });

  test('a key of the cache is there where nothing is waited for, else the reason', () => {
    const [prepare, train] = expand(TRAIN).map(taskDocument);
    expect(prepare?.cache_key).toMatch(/^[0-9a-f]{64}$/);
    expect(train).toMatchObject({ cache_key: null, cache_key_reason: 'needs the results of other tasks' });
  });

  test('git is waited for where its state is not given', () => {
    const [task] = expand('kind: batch\ntasks: [{image: u, cmd: "${{ git.sha }}"}]\n');
    expect(task?.fields.cmd).toMatchObject({ waits: ['git'] });
    const [known] = expand('kind: batch\ntasks: [{image: u, cmd: "${{ git.sha }}"}]\n', {
      git: { sha: 'abc', branch: 'b', tags: [] },
    });
    expect(known?.fields.cmd).toBe('abc');
  });

  test('files are hashed by the workspace alone', () => {
    const hashFiles = (root: string, patterns: readonly string[]): string => `${root}:${patterns.join('+')}`;
    const [task] = expand("kind: batch\ntasks: [{image: u, cmd: \"${{ hash_files('a', '**/*.py') }}\"}]\n", {
      workspace: { ...WORLD.workspace, hashFiles },
    });
    expect(task?.fields.cmd).toBe('/repo/demo:a+**/*.py');
  });
});

describe('drawings', () => {
  const tasks = expand(TRAIN);
  test('mermaid names each task once and each need', () => {
    expect(drawGraph(tasks, 'mermaid').split('\n')).toEqual([
      'flowchart TD',
      '  t0["prepare"]',
      '  t1["train_1<br/>x=1"]',
      '  t2["train_2<br/>x=2"]',
      '  t0 --> t1',
      '  t0 --> t2',
      '',
    ]);
  });
  test('dot and svg hold every task and need', () => {
    const dot = drawGraph(tasks, 'dot');
    const svg = drawGraph(tasks, 'svg');
    expect(svg.match(/<rect /g)).toHaveLength(tasks.length);
    for (const { id, needs } of tasks) {
      expect(svg).toContain(`<title>${id}</title>`);
      for (const need of Object.keys(needs)) expect(dot).toContain(`"${need}" -> "${id}"`);
    }
  });
});

describe('drawings of calls', () => {
  const outer = 'kind: batch\ntasks:\n  - {id: a, action: ws:inner, args: {}}\n  - {id: z, image: u}\n';
  const inner = 'kind: batch\ntasks:\n  - {id: b, image: u}\n  - {image: u, strategy: {matrix: {x: [1.5]}}}\n';
  const tasks = expand(outer, {
    workspace: { ...WORLD.workspace, read: (path) => (path.endsWith('/inner.yml') ? inner : undefined) },
  });
  const ids = ['a', 'a.b', 'a.task-2-1.5', 'z'];

  test('in a picture, the box of a call lies around those of its tasks, and none over another', () => {
    const boxes = new Map(
      [
        ...drawGraph(tasks, 'svg').matchAll(
          /<title>(.*?)<\/title><rect x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"/g,
        ),
      ].map(([, id = '', x, y, width, height]) => {
        const [left, top] = [Number(x), Number(y)];
        return [id, { left, top, right: left + Number(width), bottom: top + Number(height) }] as const;
      }),
    );
    expect([...boxes.keys()].sort()).toEqual(ids);
    const [call, first, second, last] = ids.map((id) => boxes.get(id) as NonNullable<ReturnType<typeof boxes.get>>);
    for (const own of [first, second]) {
      expect(own?.left).toBeGreaterThan(call?.left as number);
      expect(own?.top).toBeGreaterThan(call?.top as number);
      expect(own?.right).toBeLessThan(call?.right as number);
      expect(own?.bottom).toBeLessThan(call?.bottom as number);
    }
    expect(second?.top).toBeGreaterThan(first?.bottom as number);
    expect(last?.top).toBeGreaterThan(call?.bottom as number);
  });

  test('mermaid and dot group the tasks of a call, whatever points their ids hold', () => {
    expect(drawGraph(tasks, 'mermaid')).toContain(
      'subgraph t0["a"]\n    t1["b"]\n    t2["task-2-1.5<br/>x=1.5"]\n  end\n  t3["z"]',
    );
    expect(drawGraph(tasks, 'dot')).toMatch(/subgraph "cluster_a" \{[^}]*"a\.b"[^}]*"a\.task-2-1\.5"[^}]*\}\n {2}"z"/);
  });
});

describe('layout', () => {
  test('comments stay, sections come in order, values keep their type', () => {
    const text =
      '# top\ntasks:\n    - id: a   # first\n      image: "u"\n      env: {A: yes, B: "010"}\n    - image: v\n# the kind\nkind: batch\n';
    const formatted = formatFlow(text, 'batchFlow') as string;
    for (const comment of ['# top', '# first', '# the kind']) expect(formatted).toContain(comment);
    expect(formatted.indexOf('kind:')).toBeLessThan(formatted.indexOf('tasks:'));
    expect(expand(formatted).map(taskDocument)).toEqual(expand(text).map(taskDocument));
    expect(formatFlow(formatted, 'batchFlow')).toBe(formatted);
  });

  test('no file of the corpus changes what it means, and a second time nothing changes', () => {
    for (const [name, { kind, files, path }] of Object.entries(CORPUS)) {
      const text = files[path] as string;
      const parsed = parseFlowFile(path, text);
      const formatted = formatFlow(text, parsed.kind);
      if (formatted === undefined) continue;
      expect(formatFlow(formatted, parsed.kind), name).toBe(formatted);
      if (kind !== 'batch' && kind !== 'live') continue;
      const world = { ...WORLD, workspace: { root: '/repo/demo', read: (file: string) => files[file.slice(11)] } };
      const expandAll = (given: string) => {
        const { tasks, diagnostics } = expandFlow(parseFlowFile(path, given, 'flow'), 'flow', world);
        return { tasks: tasks.map(taskDocument), codes: diagnostics.map(({ code }) => code).sort() };
      };
      expect(expandAll(formatted), name).toEqual(expandAll(text));
    }
  });
});

describe('published texts', () => {
  const guides = '../../../docs/guides';
  test('the JSON Schema for editors is the schema', async () => {
    await expect(`${JSON.stringify(flowJsonSchema(), undefined, 2)}\n`).toMatchFileSnapshot(
      `${guides}/flow.schema.json`,
    );
  });
  test('the reference says what the schema says', async () => {
    await expect(
      `# Keys and functions of flows\n\nThis page is made from the schema that the command checks with; [flows.md](flows.md) tells how they are used.\n\n${flowReference()}`,
    ).toMatchFileSnapshot(`${guides}/flow-reference.md`);
  });
});
