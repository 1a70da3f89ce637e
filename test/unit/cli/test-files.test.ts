import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { chosenTests, integrationRows } from '../../../cli/src/commands/develop/test-files.ts';

const ROOT = join(import.meta.dirname, '../../..');
const short = { long: false };

describe('tests are chosen', () => {
  test.each([
    ['all', [], short, ['unit', 'integration', 'e2e'], []],
    ['all, the long ones too', [], { long: true }, ['unit', 'integration', 'e2e', 'long'], []],
    ['a room', ['flow'], short, ['unit', 'integration'], ['test/unit/flow/', 'test/integration/flow/']],
    [
      'a room with a long form',
      ['placement'],
      { long: true },
      ['unit', 'long'],
      ['test/unit/placement/', 'test/long/placement/'],
    ],
    ['one kind of a room', ['flow'], { long: false, only: 'unit' }, ['unit'], ['test/unit/flow/']],
    ['two rooms', ['core', 'kube'], short, ['unit'], ['test/unit/core/', 'test/unit/kube/']],
    ['end to end', ['e2e'], short, ['e2e'], ['test/e2e/']],
    ['a file', ['test/unit/core/errors.test.ts'], short, ['unit'], ['test/unit/core/errors.test.ts']],
    ['files by a part of their name', ['errors.test.ts'], short, ['unit', 'integration', 'e2e'], ['errors.test.ts']],
  ] as const)('by %s', (_, wanted, options, suites, filters) => {
    expect(chosenTests(ROOT, wanted, options)).toEqual({ suites, filters });
  });
});

describe('a refusal', () => {
  test.each([
    ['of a mistyped room names the nearest', ['flwo'], short, 'there is no room "flwo" with tests'],
    [
      'of a room without tests of that kind says so',
      ['flow'],
      { long: false, only: 'e2e' },
      'room flow has no tests of this kind',
    ],
  ] as const)('%s', (_, wanted, options, message) => {
    expect(() => chosenTests(ROOT, wanted, options)).toThrow(message);
  });
});

describe('the two rows of integration tests', () => {
  const { alone, onCluster } = integrationRows(ROOT);

  const filesOf = (filter: string): readonly string[] =>
    filter.endsWith('.test.ts')
      ? [filter]
      : readdirSync(join(ROOT, filter), { recursive: true, encoding: 'utf8' })
          .filter((file) => file.endsWith('.ts'))
          .map((file) => `${filter}${file}`);

  test('hold each file once', () => {
    const tests = [...alone, ...onCluster].flatMap(filesOf).filter((file) => file.endsWith('.test.ts'));
    expect(tests.sort()).toEqual(
      filesOf('test/integration/')
        .filter((file) => file.endsWith('.test.ts'))
        .sort(),
    );
  });

  test.each(alone)('%s starts no cluster', (filter) => {
    const texts = filesOf(filter).map((file) => readFileSync(join(ROOT, file), 'utf8'));
    expect(texts.filter((text) => /support\/(cluster\/cluster|instance)\.ts/.test(text))).toEqual([]);
  });
});
