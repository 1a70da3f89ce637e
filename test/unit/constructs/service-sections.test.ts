import { parseConfig, SERVICES, sectionName, sectionsOf } from '@delos/constructs';
import { configReference, configWith, isDelosError, readYaml } from '@delos/core';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';

const logShipper = {
  name: 'log-shipper',
  idea: 'the shipper: brings logs elsewhere',
  config: z.strictObject({ target: z.string().default('nowhere').describe('Where they go') }),
};
const still = { name: 'still', idea: 'one with nothing to set', config: z.strictObject({}).prefault({}) };
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

test('a service with nothing to set has no section', () => {
  expect(refusal('services: {still: {}}')).toMatchObject({ code: 'ERR_CONFIG_KEY', field: 'services.still' });
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

test('each service of the list that has something to set has its section, and nothing else has one', () => {
  const settable = SERVICES.filter(({ config }) => Object.keys(config.parse({}) as object).length > 0);
  expect(Object.keys(parseConfig('', 'f').services)).toEqual(settable.map(sectionName));
});
