import { composeYaml, type YamlNode } from '@delos/flow';
import { describe, expect, test } from 'vitest';
import { ask, type Case } from '../../support/flow/cases.ts';
import { CORPUS } from '../../support/flow/corpus.ts';

/** Values of a file, but for those that say what kind of file it is. */
function valuesOf(node: YamlNode, path: readonly string[] = []): readonly (readonly [string, YamlNode])[] {
  const own = path.length === 0 ? [] : [[path.join('.'), node] as const];
  if (node.kind === 'sequence')
    return [...own, ...node.items.flatMap((item, index) => valuesOf(item, [...path, String(index)]))];
  if (node.kind === 'scalar') return own;
  return [
    ...own,
    ...node.entries.flatMap(([key, value]) => {
      const name = key.kind === 'scalar' ? key.text : '?';
      return ['kind', 'action', 'module'].includes(name) ? [] : valuesOf(value, [...path, name]);
    }),
  ];
}

/** The file with a value of a wrong shape in the place of a right one. */
function spoilt(text: string, { kind, start, end }: YamlNode): string {
  const tail = /\s*$/.exec(text.slice(start, end))?.[0] ?? '';
  return `${text.slice(0, start)}${kind === 'scalar' ? '[[~]]' : '5'}${tail}${text.slice(end)}`;
}

/** Anchors and tags are left out: what goes with a spoilt value is then more than it. */
/** Names of keys of tables and of arguments. Other names are used elsewhere, and each use of a wrong one is told. */
function keysOf(node: YamlNode, path: readonly string[] = []): readonly (readonly [string, YamlNode])[] {
  if (node.kind === 'scalar') return [];
  if (node.kind === 'sequence') return node.items.flatMap((item, index) => keysOf(item, [...path, String(index)]));
  return node.entries.flatMap(([key, value]) => {
    const name = key.kind === 'scalar' ? key.text : '?';
    const inner = keysOf(value, [...path, name]);
    const free = FREE.test([...path, name].join('.'));
    return free || ['kind', 'action', 'module'].includes(name) ? inner : [[[...path, name].join('.'), key], ...inner];
  });
}
const FREE = /(?:^|\.)(?:params|volumes|images|mixins|env|matrix|inputs|outputs|jobs)\.[^.]+$/;

const good = Object.entries(CORPUS).filter(([, one]) => ask(one).ok && !/ [&!]\S/.test(one.files[one.path] as string));

describe('one mistake is one error, whatever follows from it', () => {
  test.each(good)('%s', (_name, one: Case) => {
    const text = one.files[one.path] as string;
    const root = composeYaml(text).root as YamlNode;
    const spoilings = [
      ...valuesOf(root).map(([path, node]) => [path, spoilt(text, node)] as const),
      ...keysOf(root).map(([path, { end }]) => [path, `${text.slice(0, end)}x${text.slice(end)}`] as const),
    ];
    const found = spoilings.flatMap(([path, changed]) => {
      const { diagnostics } = ask({ ...one, files: { ...one.files, [one.path]: changed } });
      const errors = diagnostics.filter(({ severity }) => severity === 'error');
      const said = errors.map(({ line, code, message }) => `${line} ${code} ${message}`);
      return errors.length <= 1 ? [] : [{ path, changed, said }];
    });
    expect(found).toEqual([]);
  });
});
