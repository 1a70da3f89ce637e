import { isEnabled, parseConfig, SERVICES, sectionName, sectionsOf } from '@delos/constructs';
import { configReference, configWith, isDelosError, readYaml } from '@delos/core';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';

const resources = { cpu: '10m', memory: '32Mi', memoryLimit: '64Mi' };
const logShipper = {
  name: 'log-shipper',
  resources,
  idea: 'the shipper: brings logs elsewhere',
  config: z.strictObject({ target: z.string().default('nowhere').describe('Where they go') }),
};
const still = {
  name: 'still',
  idea: 'one with nothing of its own to set',
  config: z.strictObject({}).prefault({}),
  resources,
};
const schema = configWith(sectionsOf([...SERVICES, logShipper, still]));
const read = (text: string) => readYaml(schema, { file: 'delos.yaml', text });

/** The error of a text that is refused. */
function refusal(text: string, by: (text: string) => unknown = read): unknown {
  try {
    by(text);
  } catch (error) {
    if (isDelosError(error)) return { code: error.code, message: error.message, hint: error.hint, ...error.where };
    throw error;
  }
  throw new Error(`accepted: ${text}`);
}

describe('a service that joins the list', () => {
  test('has its section in delos.yaml, which may be left out', () => {
    expect(read('services: {logShipper: {target: archive}}').services).toMatchObject({
      logShipper: { target: 'archive' },
    });
    for (const text of ['', 'services: {}', 'services: {logShipper: {}}']) {
      expect(read(text).services).toMatchObject({ logShipper: { target: 'nowhere' }, agent: { replicas: 1 } });
    }
  });

  test('is in the guide, by its idea', () => {
    expect(configReference(schema)).toContain(
      '| `services.logShipper` | keys |  | The shipper: brings logs elsewhere |',
    );
    expect(configReference(schema)).toContain('| `services.logShipper.target` | text | `"nowhere"` | Where they go |');
  });

  test('refuses a key that it has not, at its place and with the nearest name', () => {
    expect(refusal('services:\n  logShipper: {tarqet: archive}')).toMatchObject({
      code: 'ERR_CONFIG_KEY',
      line: 2,
      field: 'services.logShipper.tarqet',
      hint: expect.stringContaining('`target`') as string,
    });
  });
});

test('each service can be left out and has its memory set, also one with nothing of its own', () => {
  const { services } = read('services: {still: {enabled: false, resources: {memory: 48Mi}}}');
  expect(services).toMatchObject({
    still: { enabled: false, resources: { cpu: 0.01, memory: 48 * 2 ** 20, memoryLimit: 64 * 2 ** 20 } },
  });
});

test('a service that is optional is off unless its section says otherwise', () => {
  const optional = { ...still, name: 'extra', optional: true };
  const extra = configWith(sectionsOf([...SERVICES, optional]));
  const enabled = (text: string): boolean => {
    const config = readYaml(extra, { file: 'delos.yaml', text });
    return isEnabled({ ...parseConfig('', 'f'), services: config.services }, optional);
  };
  expect([enabled(''), enabled('services: {extra: {}}'), enabled('services: {extra: {enabled: true}}')]).toEqual([
    false,
    false,
    true,
  ]);
});

test('an unknown service is refused, at its place and with the nearest name', () => {
  expect(refusal('services:\n  agnet: {replicas: 2}', (text) => parseConfig(text, 'delos.yaml'))).toMatchObject({
    code: 'ERR_CONFIG_KEY',
    line: 2,
    column: 3,
    field: 'services.agnet',
    hint: expect.stringContaining('`agent`') as string,
  });
});

test('each service of the list has its section, and nothing else has one', () => {
  expect(Object.keys(parseConfig('', 'f').services)).toEqual(SERVICES.map(sectionName));
});
