import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  expandFlow,
  FLOW_CODES,
  type FlowCode,
  flowCodePage,
  isFlow,
  parseFlowFile,
  renderDiagnostic,
  verdict,
  type World,
} from '@delos/flow';
import { describe, expect, test } from 'vitest';

const ROOT = '/repo/demo';
function world(files: Readonly<Record<string, string>> = {}): World {
  return {
    place: { cluster: 'main', org: 'acme', project: 'demo', user: 'ada' },
    workspace: { root: ROOT, read: (path) => files[path.slice(ROOT.length + 1)] },
    openParams: true,
  };
}

function check(text: string, files: Readonly<Record<string, string>> = {}) {
  const file = parseFlowFile('flow.yml', text);
  return file.kind !== undefined && isFlow(file.kind) ? expandFlow(file, 'flow', world(files)) : verdict([file]);
}
const codesOf = (text: string, files = {}): readonly string[] => check(text, files).diagnostics.map(({ code }) => code);

const CODES = Object.keys(FLOW_CODES) as FlowCode[];

describe('diagnostics', () => {
  test.each(CODES.filter((code) => FLOW_CODES[code].example !== ''))(
    '%s is said of the example on its page',
    (code) => {
      expect(codesOf(FLOW_CODES[code].example)).toContain(code);
    },
  );

  test.each([
    ['FLOW_INPUT', 'kind: batch\ntasks: [{action: ws:a, args: {}}]\n', 'kind: batch\ninputs: {x: {}}\ntasks: []\n'],
    ['FLOW_INPUT', 'kind: batch\ntasks: [{action: ws:a, args: {y: 1}}]\n', 'kind: batch\ntasks: []\n'],
    ['FLOW_LOCAL_NEEDS', 'kind: batch\ntasks: [{image: u}, {action: ws:a, args: {}}]\n', 'kind: local\ncmd: ls\n'],
    [
      'FLOW_CYCLE',
      'kind: batch\ntasks: [{action: ws:a, args: {}}]\n',
      'kind: batch\ntasks: [{action: ws:a, args: {}}]\n',
    ],
  ])('%s is said of a call', (code, text, action) => {
    expect(codesOf(text, { 'a.yml': action })).toContain(code);
  });

  test('a parameter without a value is refused when a flow is expanded, not when it is checked', () => {
    const file = parseFlowFile(
      'flow.yml',
      'kind: batch\nparams: {lr: ~}\ntasks: [{image: u, cmd: "${{ params.lr }}"}]\n',
    );
    expect(expandFlow(file, 'flow', world()).ok).toBe(true);
    const again = parseFlowFile('flow.yml', file.report.text);
    expect(expandFlow(again, 'flow', { ...world(), openParams: false }).diagnostics).toMatchObject([
      { code: 'FLOW_PARAM' },
    ]);
  });

  test.each(CODES)('%s has the page that the registry makes', async (code) => {
    await expect(flowCodePage(code)).toMatchFileSnapshot(`../../../docs/flow-errors/${code}.md`);
  });

  test('warnings do not change the verdict', () => {
    const { ok, diagnostics } = check(FLOW_CODES.FLOW_UNUSED_VOLUME.example);
    expect(ok).toBe(true);
    expect(diagnostics).toMatchObject([{ severity: 'warning' }]);
  });

  test('a message shows the line with a caret under what is meant, and the nearest name', () => {
    const [found] = check(
      'kind: batch\ntasks:\n  - image: u\n    cmd: run ${{ flow.title }} ${{ paramz.x }}\n',
    ).diagnostics;
    expect(found && renderDiagnostic(found)).toBe(
      [
        'flow.yml:4:34: error: there is no `paramz` here [FLOW_CONTEXT]',
        ' 4 |     cmd: run ${{ flow.title }} ${{ paramz.x }}',
        '   |                                    ^^^^^^',
        '   = did you mean `params`?',
      ]
        .join('\n')
        .replace('flow.yml:4:34', `flow.yml:4:${found?.column}`),
    );
    expect('    cmd: run ${{ flow.title }} ${{ '.length + 1).toBe(found?.column);
  });

  test.each([
    ['double quotes with escapes', 'cmd: "a\\t\\u0041 ${{ nope.x }}"', 'nope'],
    ['single quotes', "cmd: 'it''s ${{ nope.x }}'", 'nope'],
    ['a literal text', 'bash: |\n      first line\n      echo ${{ nope.x }}', 'nope'],
    ['a folded text', 'bash: >\n      first line\n      and ${{ nope.x }} more', 'nope'],
    ['a plain text of two lines', 'cmd: first\n      and ${{ nope.x }}', 'nope'],
  ])('the place is exact in %s', (_name, body, word) => {
    const text = `kind: batch\ntasks:\n  - image: u\n    ${body}\n`;
    const [found] = check(text).diagnostics;
    const line = text.split('\n')[(found?.line ?? 1) - 1] ?? '';
    expect(line.slice((found?.column ?? 1) - 1)).toMatch(new RegExp(`^${word}`));
  });

  test('ten mistakes of one file are all reported, and nothing else is', () => {
    const text = [
      'kind: batch',
      'titel: Ten mistakes',
      'params:',
      '  lr: 0.1',
      'volumes:',
      '  data: {remote: "storage:data", mount: /data}',
      'defaults:',
      '  life_span: soon',
      'tasks:',
      '  - id: prepare-it',
      '    image: ubuntu',
      '  - id: train',
      '    image: ubuntu',
      '    needs: [prepair]',
      '    cmd: train --lr ${{ params.lrr }}',
      '    volumes: ["${{ volumes.dat.ref }}"]',
      '    http_port: eighty',
      '  - id: test',
      '    image: ubuntu',
      '    needs: [train]',
      '    cmd: ${{ 1+1 }}',
      '    env: [A]',
      '  - id: report',
      '    image: ubuntu',
      '    needs: []',
      '    bash: ${{ lenn("a") }}',
      '    volumes: ["${{ volumes.data.ref_ro }}"]',
      '    tags: ["${{ params.lr }}"]',
      '',
    ].join('\n');
    const found = check(text).diagnostics.map(({ line, code }) => `${line} ${code}`);
    expect(found).toEqual([
      '2 FLOW_KEY',
      '8 FLOW_VALUE',
      '10 FLOW_ID',
      '14 FLOW_NEEDS',
      '15 FLOW_NAME',
      '16 FLOW_NAME',
      '17 FLOW_VALUE',
      '21 FLOW_SYNTAX',
      '22 FLOW_TYPE',
      '26 FLOW_FUNCTION',
    ]);
  });
});

const given = process.env.DELOS_FLOWS ?? join(import.meta.dirname, '../../../../shared/flows');
const published = join(given, 'train-eval.yaml');

describe.skipIf(!existsSync(published))(
  `the published example ${existsSync(published) ? '' : `(not there: ${published}) `}`,
  () => {
    test('is refused at each place that names the volume `data`, and `dataset` is offered', () => {
      const text = readFileSync(published, 'utf8');
      const file = parseFlowFile('train-eval.yaml', text);
      const { diagnostics, ok } = expandFlow(file, 'train-eval', world());
      expect(ok).toBe(false);
      const lines = text.split('\n').flatMap((line, index) => (line.includes('volumes.data.') ? [index + 1] : []));
      const errors = diagnostics.filter(({ severity }) => severity === 'error');
      expect(errors.map(({ line, code, hint }) => ({ line, code, hint }))).toEqual(
        lines.map((line) => ({ line, code: 'FLOW_NAME', hint: 'did you mean `dataset`?' })),
      );
      for (const { line, column } of errors) expect(text.split('\n')[line - 1]?.slice(column - 1)).toMatch(/^data\./);
    });
  },
);

describe('a name that a context will not have is told before its values are there', () => {
  const needing = (field: string): string =>
    `kind: batch\ntasks:\n  - {id: a, image: u}\n  - id: b\n    image: u\n    needs: [a]\n    ${field}\n`;
  const ofLive = (field: string): string => `kind: live\njobs:\n  j:\n    image: u\n    multi: true\n    ${field}\n`;
  test.each([
    ['a mapping that is one template', needing('env: ${{ needs.a.output }}'), 'output'],
    ['a list that is one template', needing('volumes: ${{ needs.a.output }}'), 'output'],
    ['an entry of a mapping', needing('env: {A: "${{ needs.a.output }}"}'), 'output'],
    ['an item of a list', needing('tags: ["${{ needs.a.output }}"]'), 'output'],
    ['a needed task by its key', needing('cmd: ${{ needs["a"].output }}'), 'output'],
    ['a key of a needed task', needing('tags: ["${{ needs.a[\'result\'] }}"]'), "['result']"],
    ['a part of an output', needing('cmd: ${{ needs.a.outputs.x.y }}'), 'y'],
    ['a task that is not needed', needing('env: {A: "${{ needs.c.result }}"}'), 'c'],
    ['git', needing('env: {A: "${{ git.shaa }}"}'), 'shaa'],
    ['a branch of git', needing('cmd: ${{ git.branch.name }}'), 'name'],
    ['several instances', ofLive('cmd: ${{ multi.arguments }}'), 'arguments'],
    ['a branch that may not be taken', needing('cmd: ${{ 1 if needs.a.result == "x" else needs.a.outp }}'), 'outp'],
    [
      'an open parameter',
      'kind: batch\nparams: {p: ~}\ntasks:\n  - {id: a, image: u, cmd: "${{ params.p.q }}"}\n',
      'q',
    ],
    [
      'a volume whose address waits',
      'kind: batch\nparams: {p: ~}\nvolumes: {v: {remote: "storage:${{ params.p }}", mount: /v}}\ntasks:\n  - {id: a, image: u, tags: ["${{ volumes.v.reff }}"]}\n',
      'reff',
    ],
  ])('%s', (_name, text, word) => {
    const errors = check(text).diagnostics.filter(({ severity }) => severity === 'error');
    expect(errors.map(({ code }) => code)).toEqual(['FLOW_NAME']);
    const [{ line, column } = { line: 0, column: 0 }] = errors;
    expect(
      text
        .split('\n')
        [line - 1]?.slice(column - 1)
        .startsWith(word),
    ).toBe(true);
  });
});

describe('an id that two tasks have is named', () => {
  const codes = (text: string): readonly string[] =>
    check(text).diagnostics.map(({ line, code, severity }) => `${line} ${severity} ${code}`);
  test('at the second task, as the one mistake, where it would need itself', () => {
    expect(codes('kind: batch\ntasks:\n  - {id: a, image: u}\n  - {id: a, image: v}\n')).toEqual([
      '4 error FLOW_CYCLE',
    ]);
    expect(
      check('kind: batch\ntasks:\n  - {id: a, image: u}\n  - {id: a, image: v}\n').diagnostics[0]?.message,
    ).toMatch(/the id `a` is given twice, first on line 3/);
  });
  test('as a warning where the later one silently replaces the earlier', () => {
    expect(codes('kind: batch\ntasks:\n  - {id: a, image: u, needs: []}\n  - {id: a, image: v, needs: []}\n')).toEqual([
      '4 warning FLOW_DUPLICATE_ID',
    ]);
    expect(codes('kind: batch\ntasks:\n  - {id: a, image: u, needs: [], strategy: {matrix: {x: [1, 2]}}}\n')).toEqual([
      '3 warning FLOW_DUPLICATE_ID',
    ]);
  });
  test('a task that needs itself is still a circle where rows share the id', () => {
    expect(
      codes('kind: batch\ntasks:\n  - {id: a, image: u, needs: [a], strategy: {matrix: {x: [1, 2]}}}\n'),
    ).toContain('3 error FLOW_CYCLE');
  });
});
