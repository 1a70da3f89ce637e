import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { FLOW_CODES, type FlowCode, formatFlow } from '@delos/flow';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { workspaceOf } from '../../../cli/src/commands/flow/world.ts';
import { execute, expectOk } from '../../../peers/src/command.ts';
import { type Authority, authorityPython, startAuthority } from '../../../peers/src/flow-authority.ts';
import { outcomeDiffers } from '../../support/engine/differs.ts';
import { type Outcome, playScript } from '../../support/engine/script.ts';
import { TABLE } from '../../support/engine/table.ts';
import { type Answer, answer, gist, scopeOfData } from '../../support/flow/answer.ts';
import { ask, type Case, difference, type TheirAnswer } from '../../support/flow/cases.ts';
import { CORPUS } from '../../support/flow/corpus.ts';
import { DIFFERENCES, LATE } from '../../support/flow/differences.ts';
import { CONTEXT } from '../../support/flow/expression-words.ts';
import { ExpressionMaker } from '../../support/flow/expressions.ts';
import { FlowMaker } from '../../support/flow/flows.ts';
import { madeLog, type ReadLog, readLog } from '../../support/flow/logs.ts';
import { type TheirYaml, withoutMarks, yamlDiffers } from '../../support/flow/yaml-answer.ts';
import { YamlMaker } from '../../support/flow/yaml-texts.ts';
import { runSeed, seeded } from '../../support/random.ts';

let authority: Authority;
let folder: string;
let data: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-flow-'));
  data = join(folder, 'coverage');
  authority = await startAuthority();
});
afterAll(async () => {
  await authority.close();
  await rm(folder, { recursive: true, force: true });
});

const EXPRESSIONS = 20_000;
const FILES = 2000;
const LOGS = 2000;
const TEXTS = 2000;

describe('against apolo-flow itself', () => {
  test(`${EXPRESSIONS} generated expressions have its verdict and its value`, async () => {
    const seed = runSeed();
    const maker = new ExpressionMaker(seeded(seed));
    const scope = scopeOfData(CONTEXT);
    const found: { readonly template: string; readonly delos: Answer; readonly authority: Answer }[] = [];
    const seen: Record<string, number> = { load: 0, eval: 0, value: 0, slow: 0 };
    for (let made = 0; made < EXPRESSIONS; made += 1000) {
      const templates = Array.from({ length: 1000 }, () => maker.template());
      const theirs = await authority.ask<Answer[]>('eval', { templates, context: CONTEXT });
      templates.forEach((template, index) => {
        const their = theirs[index] as Answer;
        const kind = their.slow
          ? 'slow'
          : their.load !== undefined
            ? 'load'
            : their.eval !== undefined
              ? 'eval'
              : 'value';
        seen[kind] = (seen[kind] ?? 0) + 1;
        const our = answer(template, scope);
        if (kind !== 'slow' && gist(our) !== gist(their)) found.push({ template, delos: our, authority: their });
      });
    }
    expect(found.slice(0, 20), `seed ${seed}: ${found.length} differ`).toEqual([]);
    // The generator must reach every verdict, or agreement would say little.
    for (const kind of ['load', 'eval', 'value']) expect(seen[kind]).toBeGreaterThan(EXPRESSIONS / 20);
    expect(seen.slow).toBeLessThan(EXPRESSIONS / 200);
  });

  test(`the ${Object.keys(CORPUS).length} files of the corpus have its verdict, and their tasks its values`, async () => {
    const theirs = await authority.ask<TheirAnswer[]>('flow', { cases: Object.values(CORPUS) });
    const found = Object.entries(CORPUS).flatMap(([name, one], index) => {
      const differs = difference(ask(one), theirs[index] as TheirAnswer);
      return differs === undefined ? [] : [`${name}: ${differs}`];
    });
    expect(found).toEqual([]);
  });

  test(`${FILES} generated files have its verdict, and their tasks its values`, async () => {
    const seed = runSeed();
    const maker = new FlowMaker(seeded(seed));
    const found: { readonly one: Case; readonly differs: string }[] = [];
    let tasks = 0;
    for (let made = 0; made < FILES; made += 200) {
      const cases = Array.from({ length: 200 }, () => maker.case());
      const theirs = await authority.ask<TheirAnswer[]>('flow', { cases });
      cases.forEach((one, index) => {
        const their = theirs[index] as TheirAnswer;
        tasks += their.tasks?.filter(({ late }) => late === undefined).length ?? 0;
        const differs = difference(ask(one), their);
        if (differs !== undefined) found.push({ one, differs });
      });
    }
    expect(found.slice(0, 5), `seed ${seed}: ${found.length} differ`).toEqual([]);
    expect(tasks).toBeGreaterThan(FILES / 10);
  });

  test(`${TEXTS} generated texts of YAML have its verdict and its values, before and after they are laid out`, async () => {
    const seed = runSeed();
    const maker = new YamlMaker(seeded(seed));
    const found: { readonly text: string; readonly differs: string }[] = [];
    const seen = { read: 0, refused: 0, laidOut: 0 };
    for (let made = 0; made < TEXTS; made += 500) {
      const texts = Array.from({ length: 500 }, () => maker.text());
      const theirs = await authority.ask<TheirYaml[]>('yaml', { texts });
      const layouts = texts.map((text) => formatFlow(text, undefined) ?? '');
      const after = await authority.ask<TheirYaml[]>('yaml', { texts: layouts });
      texts.forEach((text, index) => {
        const their = theirs[index] as TheirYaml;
        seen[their.refused === undefined ? 'read' : 'refused'] += 1;
        const differs = yamlDiffers(text, their);
        if (differs !== undefined) found.push({ text, differs });
        const layout = layouts[index] as string;
        if (layout === '' || layout === text) return;
        seen.laidOut += 1;
        if (!isDeepStrictEqual(withoutMarks(after[index]?.root), withoutMarks(their.root)))
          found.push({ text, differs: `laid out: ${layout}` });
      });
    }
    expect(found.slice(0, 5), `seed ${seed}: ${found.length} differ`).toEqual([]);
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(TEXTS / 5);
  });

  test(`${LOGS} generated logs, cut anywhere, have its outputs, its states and what it shows`, async () => {
    const seed = runSeed();
    const random = seeded(seed);
    const logs = Array.from({ length: LOGS }, () => madeLog(random));
    const theirs = await authority.ask<ReadLog[]>('log', { logs });
    const found = logs.flatMap((chunks, index) => {
      const [ours, their] = [readLog(chunks), theirs[index]];
      return isDeepStrictEqual(ours, their) ? [] : [{ chunks, ours, their }];
    });
    expect(found.slice(0, 5), `seed ${seed}: ${found.length} differ`).toEqual([]);
    expect(theirs.filter(({ outputs }) => Object.keys(outputs).length > 0).length).toBeGreaterThan(LOGS / 4);
  });

  test(`the ${Object.keys(TABLE).length} bakes of the table end as its own executor ends them`, async () => {
    const theirs = await authority.ask<Outcome[]>('run', { cases: Object.values(TABLE) });
    const found = Object.entries(TABLE).flatMap(([name, script], index) => {
      const differs = outcomeDiffers(script, playScript(script), theirs[index] as Outcome);
      return differs === undefined ? [] : [`${name}: ${differs}`];
    });
    expect(found).toEqual([]);
  });

  test('a flow belongs to the workspace that it finds', async () => {
    const root = join(folder, 'places');
    const places = ['a/.apolo', 'a/b/.neuro', 'a/b/c', 'a/d/.apolo', 'a/d/.neuro', 'e/f'];
    for (const place of places) await mkdir(join(root, place), { recursive: true });
    for (const place of ['a', 'a/b', 'a/b/c', 'a/d', 'a/.apolo']) {
      const at = join(root, place);
      expect(workspaceOf(join(at, 'flow.yml')), place).toBe(await authority.ask('workspace', { folder: at }));
    }
    // Of a file that belongs to none, its own folder is taken.
    expect(await authority.ask('workspace', { folder: join(root, 'e/f') })).toBeNull();
    expect(workspaceOf(join(root, 'e/f/flow.yml'))).toBe(join(root, 'e/f'));
  });

  test.each(Object.entries(DIFFERENCES))(
    'a deliberate difference: %s',
    async (_name, { one, theirs: expected, ours }) => {
      const [their] = await authority.ask<TheirAnswer[]>('flow', { cases: [one] });
      const late = their?.late ?? their?.tasks?.find((task) => task.late !== undefined)?.late;
      expect(their?.stage ?? (late === undefined ? 'passes' : 'fails when it runs')).toBe(expected);
      const { ok, diagnostics } = ask(one);
      expect(
        ok ? 'passes' : diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code),
      ).toEqual(ours);
    },
  );

  test('a deliberate difference: an action that calls itself is refused', async () => {
    const itself = 'kind: batch\ntasks: [{action: ws:a, args: {}}]\n';
    const one: Case = { kind: 'batch', path: 'main', files: { main: itself, 'a.yml': itself } };
    expect(ask(one).diagnostics.map(({ code }) => code)).toEqual(['FLOW_CYCLE']);
    expect(await authority.ask('endless', { cases: [one] })).toBe(true);
  });

  test('a deliberate difference: a lone CR ends the last line of a log too', async () => {
    const log = ['::set-output name=a::1\rtext'];
    expect(readLog(log)).toEqual({ shown: 'text', outputs: { a: '1' }, states: {} });
    expect(await authority.ask('log', { logs: [log] })).toEqual([{ shown: '', outputs: { a: '1\rtext' }, states: {} }]);
  });

  const late = (Object.keys(FLOW_CODES) as FlowCode[]).filter((code) => 'late' in FLOW_CODES[code]);
  test.each(late)('%s may be said of what it finds only when a task is about to start', async (code) => {
    const one = LATE[code] as Case;
    const [their] = await authority.ask<TheirAnswer[]>('flow', { cases: [one] });
    expect(their?.stage).toBeNull();
    expect(their?.late ?? their?.tasks?.find((task) => task.late !== undefined)?.late).toBeDefined();
    const errors = ask(one).diagnostics.filter(({ severity }) => severity === 'error');
    expect(errors.map((error) => error.code)).toEqual([code]);
  });

  test('the corpus reaches 90 of 100 lines of each of its parser, expressions, contexts, tokenizer and checks', async () => {
    const modules = ['parser', 'expr', 'context', 'tokenizer', 'expr_validation'];
    const include = modules.map((name) => `*/apolo_flow/${name}.py`).join(',');
    const wrapper = ['-m', 'coverage', 'run', `--data-file=${data}`, `--include=${include}`];
    const watched = await startAuthority({ wrapper });
    await watched.ask('flow', {
      cases: [...Object.values(CORPUS), ...Object.values(DIFFERENCES).map(({ one }) => one)],
    });
    await watched.ask('workspace', { folder });
    await watched.close();
    const report = join(folder, 'coverage.json');
    const python = await authorityPython();
    await expectOk(execute([python, '-m', 'coverage', 'json', `--data-file=${data}`, '-o', report], { timeout: 120 }));
    const { files } = JSON.parse(await readFile(report, 'utf8')) as {
      files: Record<string, { summary: { percent_covered: number } }>;
    };
    const covered = Object.entries(files).map(([path, { summary }]) => [
      basename(path, '.py'),
      summary.percent_covered,
    ]);
    expect(covered.map(([name]) => name).sort()).toEqual(modules.toSorted());
    expect(covered.filter(([, percent]) => Number(percent) < 90)).toEqual([]);
  });
});
