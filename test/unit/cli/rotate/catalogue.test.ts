import { delosConfig, engineContext, SERVICES, synthesize } from '@delos/constructs';
import { expect, test } from 'vitest';
import { chosen, listText, rotatedSecrets } from '../../../../cli/src/commands/rotate/catalogue.ts';
import { EMPTY_STORE } from '../../../../stacks/src/secrets/secret-store.ts';

/** Every service that there is, also those that are off by default. */
const config = delosConfig.parse({
  users: [{ name: 'ann', email: 'ann@example.com' }],
  services: Object.fromEntries(
    SERVICES.filter(({ optional }) => optional === true).map(({ name }) => [
      name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      { enabled: true },
    ]),
  ),
});
const all = rotatedSecrets(synthesize(config, engineContext(config, 'embedded')), EMPTY_STORE);
const none = { names: [], every: false, interrupted: [] };

test('each secret that is made here says how it is rotated, or why it is not', () => {
  expect(all.length).toBeGreaterThan(10);
  const silent = all.filter(
    ({ way }) => way.kind === 'kept' && (way.why.length < 20 || /does not say how/.test(way.why)),
  );
  expect(silent.map(({ name }) => name)).toEqual([]);
  expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
});

test('all that can be are chosen where that is asked for, and by name', () => {
  const every = chosen(all, { ...none, every: true }).map(({ name }) => name);
  expect(every).toEqual(
    expect.arrayContaining(['agent-token', 'collector-token', 'postgres-delos', 'postgres-keycloak']),
  );
  expect(every).not.toContain('keycloak-admin');
  expect(chosen(all, { ...none, names: ['agent-token'] }).map(({ name }) => name)).toEqual(['agent-token']);
  expect(chosen(all, none)).toEqual([]);
});

test('a rotation that was interrupted goes on with its own, whatever is named', () => {
  const interrupted = ['delos/agent-token/token'];
  for (const names of [[], ['postgres-delos']]) {
    expect(chosen(all, { ...none, names, interrupted }).map(({ address }) => address)).toEqual(interrupted);
  }
});

test.each([
  ['an unknown one', 'nobody', 'no secret is called nobody'],
  ['one that is kept', 'keycloak-admin', 'keycloak-admin is not rotated: Keycloak'],
])('%s is refused', (_, name, words) => {
  expect(() => chosen(all, { ...none, names: [name] })).toThrow(words);
});

test('the list says of each how or why not, and never a value', () => {
  const text = listText(all);
  for (const { name } of all) expect(text).toContain(name);
  expect(text).toMatch(/keycloak-admin +never +not: Keycloak takes it/);
  expect(text).toMatch(/postgres-delos +never +its clients have both/);
});

test('roles of a PostgreSQL with several members are kept', () => {
  const three = delosConfig.parse({ services: { postgres: { replicas: 3 } } });
  const secrets = rotatedSecrets(synthesize(three, engineContext(three, 'embedded')), EMPTY_STORE);
  const roles = secrets.filter(({ name }) => name.startsWith('postgres-'));
  expect(roles.length).toBeGreaterThan(2);
  expect(roles.filter(({ way }) => way.kind !== 'kept')).toEqual([]);
});
