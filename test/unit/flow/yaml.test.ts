import { describe, expect, test } from 'vitest';
import { CORPUS } from '../../support/flow/corpus.ts';
import { FlowMaker } from '../../support/flow/flows.ts';
import { bothForms } from '../../support/flow/yaml-form.ts';
import { runSeed, seeded } from '../../support/random.ts';

describe('what the quick reader takes, it reads as the full reader does', () => {
  const maker = new FlowMaker(seeded(runSeed()));
  const corpus = Object.values(CORPUS).flatMap(({ files }) => Object.values(files));
  const made = Array.from({ length: 500 }, () => maker.case()).flatMap(({ files }) => Object.values(files));

  test.each([
    ['the corpus', corpus],
    ['generated files', made],
  ])('%s', (_name, texts) => {
    const forms = texts.flatMap((text) => bothForms(text) ?? []);
    for (const { quick, slow } of forms) expect(quick).toEqual(slow);
    // It must take most of them, or agreement would say little.
    expect(forms.length).toBeGreaterThan(texts.length / 2);
  });

  test.each([
    'a: b\n  c\n',
    'a: b\u0000c\n',
    'a: "b\u007f"\n',
    'a:\n',
    'a: [b,\n c]\n',
    'a: &x b\n',
    'a: !!str b\n',
    'a: b: c\n',
    'a: b\na: c\n',
    'a: "b\\x41"\n',
    '- a\n',
    'a: b',
    'a:\tb\n',
    'a: {b: }\n',
    'a: |2\n   b\n',
    'a: >\n  b\n\n  c\n',
    '---\na: b\n',
  ])('%j is left to the full reader', (text) => {
    expect(bothForms(text)).toBeUndefined();
  });
});
