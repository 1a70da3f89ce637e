import { delosConfig, engineContext, SERVICES, synthesize } from '@delos/constructs';
import { expect, test } from 'vitest';
import { chosen, listText, rotatedSecrets, shownBy } from '../../../../cli/src/commands/rotate/catalogue.ts';
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
const synthesis = synthesize(config, engineContext(config, 'embedded'));
const all = rotatedSecrets(synthesis, EMPTY_STORE);
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
  expect(every).toEqual(
    expect.arrayContaining(['keycloak-admin', 'token-issuer', 'object-storage-admin', 'job-router']),
  );
  expect(every).not.toContain('grafana');
  expect(chosen(all, { ...none, names: ['agent-token'] }).map(({ name }) => name)).toEqual(['agent-token']);
  expect(chosen(all, none)).toEqual([]);
});

test('one that ends what people hold is chosen by its name alone, and the list says what it ends', () => {
  for (const name of ['object-storage-projects', 'registry-token-key']) {
    expect(chosen(all, { ...none, every: true }).map((secret) => secret.name)).not.toContain(name);
    expect(chosen(all, { ...none, names: [name] }).map((secret) => secret.name)).toEqual([name]);
    expect(listText(all)).toMatch(new RegExp(`${name} +never +two are accepted.* by its name alone, since it ends .+`));
  }
});

test('what is waited for are the secrets that show a value, those that follow from it included', () => {
  const shown = shownBy(synthesis, ['delos/registry-token-key/key', 'delos/agent-token/token']);
  expect([...shown].sort()).toEqual(['agent-token', 'registry', 'registry-token-key']);
});

test('a rotation that was interrupted goes on with its own, whatever is named', () => {
  const interrupted = ['delos/agent-token/token'];
  for (const names of [[], ['postgres-delos']]) {
    expect(chosen(all, { ...none, names, interrupted }).map(({ address }) => address)).toEqual(interrupted);
  }
});

test.each([
  ['an unknown one', 'nobody', 'no secret is called nobody'],
  ['one that is kept', 'grafana', 'grafana is not rotated: Grafana has encrypted with it'],
])('%s is refused', (_, name, words) => {
  expect(() => chosen(all, { ...none, names: [name] })).toThrow(words);
});

test('the list says of each how or why not, and never a value', () => {
  const text = listText(all);
  for (const { name } of all) expect(text).toContain(name);
  expect(text).toMatch(/registry\/secret +never +two are accepted/);
  expect(text).toMatch(/grafana +never +not: Grafana has encrypted with it/);
  expect(text).toMatch(/keycloak-admin +never +its clients have both while Keycloak is told/);
  expect(text).toMatch(/postgres-delos +never +its clients have both/);
});

test('members of a PostgreSQL of several: roles change at the primary, and they take two of what they ask each other by', () => {
  const three = delosConfig.parse({ services: { postgres: { replicas: 3 } } });
  const secrets = rotatedSecrets(synthesize(three, engineContext(three, 'embedded')), EMPTY_STORE);
  const ways = secrets.filter(({ name }) => name.startsWith('postgres-')).map(({ name, way }) => [name, way]);
  expect(Object.fromEntries(ways)).toMatchObject({
    'postgres-admin': { kind: 'role', role: 'postgres' },
    'postgres-delos': { kind: 'role', role: 'delos' },
    'postgres-replicator': { kind: 'role', role: 'replicator' },
    'postgres-rewinder': { kind: 'role', role: 'rewinder' },
    'postgres-patroni': { kind: 'overlap' },
  });
});
