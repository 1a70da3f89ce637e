import { delosConfig, loadConfig, parseConfig } from '@delos/constructs';
import { configTemplate, DelosError, shapeOf } from '@delos/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

function refusal(text: string): DelosError {
  try {
    parseConfig(text, 'delos.yaml');
  } catch (error) {
    if (error instanceof DelosError) return error;
    throw error;
  }
  throw new Error('the file was accepted');
}

interface Case {
  readonly name: string;
  readonly text: string;
  readonly code: string;
  /** Line, column, field. */
  readonly at: readonly [number, number, string?];
  readonly says: RegExp;
  readonly hint?: RegExp;
}

const CASES: readonly Case[] = [
  {
    name: 'a misspelt key',
    text: 'domian: x.org\n',
    code: 'ERR_CONFIG_KEY',
    at: [1, 1, 'domian'],
    says: /unknown key `domian`/,
    hint: /did you mean `domain`\?/,
  },
  {
    name: 'a misspelt key deep inside',
    text: 'organizations:\n  - name: a\n    projects:\n      - name: b\n        qouta: {}\n',
    code: 'ERR_CONFIG_KEY',
    at: [5, 9, 'organizations[0].projects[0].qouta'],
    says: /unknown key/,
    hint: /`quota`/,
  },
  {
    name: 'a key at the wrong level',
    text: 'domain: x.org\nhttpPort: 80\n',
    code: 'ERR_CONFIG_KEY',
    at: [2, 1, 'httpPort'],
    says: /unknown key/,
    hint: /belongs in `gateway`/,
  },
  {
    name: 'a key like no other',
    text: 'zzzzzzzz: 1\n',
    code: 'ERR_CONFIG_KEY',
    at: [1, 1, 'zzzzzzzz'],
    says: /unknown key/,
    hint: /expected one of: domain, profile, cluster/,
  },
  {
    name: 'a tab',
    text: 'cluster:\n\tname: a\n',
    code: 'ERR_CONFIG_SYNTAX',
    at: [2, 1],
    says: /tab/,
  },
  {
    name: 'a bracket never closed',
    text: 'domain: x.org\npresets: [\n',
    code: 'ERR_CONFIG_SYNTAX',
    at: [3, 1],
    says: /./,
  },
  {
    name: 'the same key twice',
    text: 'domain: a.org\ndomain: b.org\n',
    code: 'ERR_CONFIG_SYNTAX',
    at: [2, 1],
    says: /already there/,
  },
  { name: 'a list on top', text: '- a\n', code: 'ERR_CONFIG_SYNTAX', at: [1, 1], says: /found a list/ },
  {
    name: 'two documents',
    text: 'domain: a.org\n---\ndomain: b.org\n',
    code: 'ERR_CONFIG_SYNTAX',
    at: [2, 1],
    says: /second document/,
  },
  {
    name: 'an alias within itself',
    text: 'users: &a [*a]\n',
    code: 'ERR_CONFIG_VALUE',
    at: [1, 12, 'users[0]'],
    says: /expected keys and values/,
  },
  {
    name: 'a value of another kind',
    text: 'nodePools:\n  - name: a\n    minSize: "2"\n    maxSize: 2\n',
    code: 'ERR_CONFIG_VALUE',
    at: [3, 14, 'nodePools[0].minSize'],
    says: /expected a number, found "2"/,
  },
  {
    name: 'a word that is not in the list',
    text: 'cluster: {engine: embeded}\n',
    code: 'ERR_CONFIG_VALUE',
    at: [1, 19, 'cluster.engine'],
    says: /one of auto, existing, kind, embedded, found "embeded"/,
    hint: /`embedded`/,
  },
  {
    name: 'a preset whose disk does not hold its job’s log',
    text: 'presets: [{name: a, cpu: 1, memory: 1Gi, disk: 10Mi}]\n',
    code: 'ERR_CONFIG_VALUE',
    at: [1, 48, 'presets[0].disk'],
    says: /at least 64Mi/,
  },
  {
    name: 'a size that is no quantity',
    text: 'presets: [{name: a, cpu: 1, memory: 5Q}]\n',
    code: 'ERR_CONFIG_VALUE',
    at: [1, 37, 'presets[0].memory'],
    says: /a quantity such as 512Mi or 2G, found "5Q"/,
  },
  {
    name: 'a URL for a host name',
    text: 'domain: https://x.org/\n',
    code: 'ERR_CONFIG_VALUE',
    at: [1, 9, 'domain'],
    says: /host name such as ai.example.com, without https:/,
  },
  {
    name: 'a needed key left out',
    text: 'presets:\n  - name: a\n    cpu: 1\n',
    code: 'ERR_CONFIG_VALUE',
    at: [2, 5, 'presets[0].memory'],
    says: /`memory` is missing/,
  },
  {
    name: 'a section with nothing in it',
    text: 'gateway:\ndomain: x.org\n',
    code: 'ERR_CONFIG_VALUE',
    at: [1, 9, 'gateway'],
    says: /expected keys and values, found nothing/,
  },
  {
    name: 'a negative number',
    text: 'services: {agent: {replicas: -1}}\n',
    code: 'ERR_CONFIG_VALUE',
    at: [1, 30, 'services.agent.replicas'],
    says: /expected at least 0, found -1/,
  },
  {
    name: 'a preset that names no pool',
    text: 'presets:\n  - {name: a, cpu: 1, memory: 1Gi, pools: [defalt]}\n',
    code: 'ERR_CONFIG_VALUE',
    at: [2, 44, 'presets[0].pools[0]'],
    says: /no node pool is named `defalt`; did you mean `default`\?/,
  },
  {
    name: 'two presets of one name',
    text: 'presets:\n  - {name: a, cpu: 1, memory: 1Gi}\n  - {name: a, cpu: 2, memory: 1Gi}\n',
    code: 'ERR_CONFIG_VALUE',
    at: [3, 12, 'presets[1].name'],
    says: /there already, as entry 1/,
  },
  {
    name: 'a member who is no user',
    text: 'users: [{name: bob}]\norganizations:\n  - name: o\n    projects:\n      - name: p\n        members:\n          - user: bop\n',
    code: 'ERR_CONFIG_VALUE',
    at: [7, 19, 'organizations[0].projects[0].members[0].user'],
    says: /no user is named `bop`; did you mean `bob`\?/,
  },
  {
    name: 'a user of the admin’s name',
    text: 'users: [{name: admin}]\n',
    code: 'ERR_CONFIG_VALUE',
    at: [1, 16, 'users[0].name'],
    says: /admin's name/,
  },
  {
    name: 'a preset larger than every node',
    text: 'nodePools: [{name: p, cpu: 4}]\npresets: [{name: a, cpu: 8, memory: 1Gi}]\n',
    code: 'ERR_CONFIG_VALUE',
    at: [2, 26, 'presets[0].cpu'],
    says: /at most 4/,
  },
  {
    name: 'a pool with more nodes at least than at most',
    text: 'nodePools: [{name: p, minSize: 3, maxSize: 2}]\n',
    code: 'ERR_CONFIG_VALUE',
    at: [1, 32, 'nodePools[0].minSize'],
    says: /above maxSize 2/,
  },
  {
    name: 'a preset with devices of two vendors',
    text: 'presets: [{name: p, cpu: 1, memory: 1Gi, nvidiaGpu: {count: 1}, amdGpu: {count: 1}}]\n',
    code: 'ERR_CONFIG_VALUE',
    at: [1, 73, 'presets[0].amdGpu'],
    says: /devices of one vendor/,
  },
  {
    name: 'one port for two things',
    text: 'gateway: {httpPort: 8443}\n',
    code: 'ERR_CONFIG_VALUE',
    at: [1, 10, 'gateway.httpsPort'],
    says: /port of plain http already/,
  },
];

describe('a file that is wrong is refused at its place, with what was expected', () => {
  test.each(CASES)('$name', ({ text, code, at: [line, column, field], says, hint }) => {
    const error = refusal(text);
    expect(error.code).toBe(code);
    expect(error.where).toEqual({ file: 'delos.yaml', line, column, ...(field === undefined ? {} : { field }) });
    expect(error.message).toMatch(says);
    if (hint !== undefined) expect(error.hint).toMatch(hint);
    expect(error.render().split('\n').length).toBeLessThanOrEqual(5);
    expect(error.render()).toContain(`delos.yaml:${line}:${column}`);
  });
});

test('all that is wrong is found at once: the first in full, the others counted and located, in five lines', () => {
  const error = refusal('domian: x\npresets:\n  - {nam: a, cpu: one, memory: 1Gi}\ngateway: {http: maybe}\n');
  expect(error.where).toMatchObject({ line: 1, column: 1 });
  expect(error.hint).toMatch(/^did you mean `domain`\?\n {2}4 more: 3:5 presets\[0\]\.name, 3:6 presets\[0\]\.nam,/);
  expect(error.render().split('\n').length).toBeLessThanOrEqual(5);
  expect(error.data.problems).toHaveLength(5);
});

test('an empty file, one of comments alone and no file at all mean the defaults', () => {
  for (const text of ['', '# nothing\n', '{}\n']) expect(parseConfig(text, 'f')).toEqual(delosConfig.parse({}));
});

test('the file that `init` writes is the defaults, every key of it commented, `domain` first', () => {
  const text = configTemplate(delosConfig);
  expect(parseConfig(text, 'delos.yaml')).toEqual(delosConfig.parse({}));
  const keys = text.split('\n').filter((line) => /^\w+:/.test(line));
  expect(keys[0]).toBe('domain: localhost');
  expect(keys.map((line) => line.split(':')[0])).toEqual(Object.keys(shapeOf(delosConfig) ?? {}));
  expect(text).not.toMatch(/memory: \d+$/m);
});

test('any key of the file with one letter lost is refused with that key as what was meant', () => {
  const lines = configTemplate(delosConfig).split('\n');
  const keyed = lines.flatMap((line, index) => {
    const match = /^( *(?:- )?)(\w{5,}):/.exec(line);
    return match === null ? [] : [{ index, indent: match[1] ?? '', key: match[2] ?? '' }];
  });
  // Keys of a mapping that people fill in themselves may be anything.
  const fixed = keyed.filter(({ key }) => key !== 'labels');
  fc.assert(
    fc.property(fc.constantFrom(...fixed), fc.nat(), ({ index, indent, key }, at) => {
      const place = 1 + (at % (key.length - 1));
      const wrong = key.slice(0, place) + key.slice(place + 1);
      // httpsPort without its s is a key that is there.
      fc.pre(keyed.every((other) => other.key !== wrong));
      const text = lines.with(index, (lines[index] ?? '').replace(`${indent}${key}:`, `${indent}${wrong}:`)).join('\n');
      const error = refusal(text);
      const problem = (
        error.data.problems as readonly { where: { line: number; field: string }; hint?: string }[]
      ).find(({ where }) => where.line === index + 1 && where.field.endsWith(wrong));
      expect(problem?.hint).toContain(key);
    }),
  );
});

test('a file that is not there is an error of its own that says how to get one', async () => {
  await expect(loadConfig('/nowhere/delos.yaml')).rejects.toMatchObject({
    code: 'ERR_CONFIG_NOT_FOUND',
    where: { file: '/nowhere/delos.yaml' },
    hint: expect.stringContaining('delos init') as string,
  });
});

test('no text at all makes the loader fail otherwise than by a DelosError', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'ab:-{}[]&*!|>\'"%@`#? \n\t0') }), (text) => {
      try {
        parseConfig(text, 'f');
      } catch (error) {
        expect(error).toBeInstanceOf(DelosError);
        expect((error as DelosError).render().split('\n').length).toBeLessThanOrEqual(5);
      }
    }),
  );
});
