import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectOk } from '../../../peers/src/command.ts';
import { beginLogin, codeOf, words } from '../../support/identity/login.ts';
import { delos, delosJson, kubectl, password, upDocument } from '../../support/instance.ts';
import { until } from '../../support/until.ts';

/* Two Keycloaks on two nodes, of which one is taken away at a time: who is logging in does not notice. */

const folder = mkdtempSync(join(tmpdir(), 'delos-keycloak-'));
const config = join(folder, 'delos.yaml');
writeFileSync(
  config,
  `domain: localhost
cluster: { engine: embedded, embedded: { nodes: [default, default] } }
gateway: { httpPort: 0, httpsPort: 0 }
nodePools: [{ name: default, maxSize: 2 }]
users: [{ name: ann, email: ann@example.com }]
organizations:
  - name: default
    projects: [{ name: default, members: [{ user: ann, role: manager }] }]
monitoring: { enabled: false }
services:
  keycloak: { replicas: 2 }
  devpi: { enabled: false }
`,
);

let realm: string;

const keycloaks = async (): Promise<readonly string[]> =>
  (await kubectl(['get', 'pods', '-n', 'delos', '-l', 'app.kubernetes.io/name=keycloak', '-o', 'name']))
    .trim()
    .split('\n')
    .sort();
/** Both serve, each on its node, and each knows of the other. */
const whole = () =>
  until('both Keycloaks serve', 300, async (last) => {
    const path = 'jsonpath={.status.readyReplicas} {.status.updatedReplicas} {.status.replicas}';
    const state = await kubectl(['get', 'deployment', 'keycloak', '-n', 'delos', '-o', path]);
    last(state);
    return state === '2 2 2' && (await keycloaks()).length === 2 ? true : undefined;
  });

beforeAll(async () => {
  await expectOk(delos(['down', '--delete-data']));
  const { apiUrl } = await delosJson(upDocument, ['up', '--config', config], { timeout: 2400 });
  realm = `${new URL(apiUrl).origin}/auth/realms/delos`;
  await whole();
});
afterAll(async () => {
  await expectOk(delos(['down', '--delete-data']));
  rmSync(folder, { recursive: true });
});

const BY_FORCE = ['--grace-period=0', '--force'];

describe.each([
  { how: 'as a drain does it', args: [] },
  { how: 'by force', args: BY_FORCE },
])('a login that has begun goes on when a Keycloak is taken away $how', ({ args }) => {
  test.each([0, 1])('(%i)', async (which) => {
    await whole();
    const secret = await password('ann');
    const { browser, page, redirect } = await beginLogin(realm);
    await kubectl(['delete', (await keycloaks())[which] ?? '', '-n', 'delos', '--wait=false', ...args]);
    const after = await browser.submit(page, { username: 'ann', password: secret }, redirect);
    expect(codeOf(after), words(after)).not.toBe('');
    // And those of others, in the seconds in which the two learn that one has gone.
    expect(await slowestLogin(secret, 20_000)).toBeLessThan(10_000);
  });
});

/** Milliseconds of the slowest of the logins that are tried for so long, one after the other. */
async function slowestLogin(secret: string, forMs: number): Promise<number> {
  let slowest = 0;
  for (const end = performance.now() + forMs; performance.now() < end; ) {
    const from = performance.now();
    const { browser, page, redirect } = await beginLogin(realm);
    const after = await browser.submit(page, { username: 'ann', password: secret }, redirect);
    expect(codeOf(after), words(after)).not.toBe('');
    slowest = Math.max(slowest, Math.round(performance.now() - from));
  }
  return slowest;
}
