import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, X509Certificate } from 'node:crypto';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { resolveTool } from '@delos/cluster';
import { engineContext, objectOf, parseConfig, synthesize } from '@delos/constructs';
import { ACME_SECRET, silent } from '@delos/core';
import { freePort } from '@delos/host';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type AcmeServer, startAcmeServer } from '../../support/acme/server.ts';
import { ask } from '../../support/dns/ask.ts';
import { type Knot, startKnot } from '../../support/dns/knot.ts';
import { startGateway, type TestGateway } from '../../support/edge/gateway.ts';
import { shownCertificate } from '../../support/edge/raw-connection.ts';
import { askServer } from '../../support/service/agent-token.ts';
import { type ControlPlane, startControlPlane } from '../../support/service/control-plane.ts';
import { until } from '../../support/until.ts';

/*
 * A certificate by ACME, with real parts: smallstep's server, which Caddy has in it, gives it, Knot DNS has the records, a real
 * API server the Secret, and the gateway's own Caddy serves it. It is renewed after half a minute, so that renewals are seen.
 */

const DOMAIN = 'ai.example.com';
const NAMES = [DOMAIN, `*.${DOMAIN}`, `*.apps.${DOMAIN}`, `*.jobs.${DOMAIN}`];
/** Certificates of that server live for five minutes at least, and begin a minute before. */
const RENEW_SHARE = 0.75;
const RENEWED_S = 60;
const MAIN = fileURLToPath(new URL('../../../runtime/service/src/main.ts', import.meta.url));
const TOKEN = randomBytes(16).toString('hex');
const USER = {
  token: TOKEN,
  user: 'system:serviceaccount:delos:acme',
  groups: ['system:serviceaccounts', 'system:serviceaccounts:delos', 'system:authenticated'],
};
const YAML = (port: number, directory: string): string => `
domain: ${DOMAIN}
dns: {update: {server: 127.0.0.1, port: ${port}, zone: example.com, key: {name: delos-writer, secret: {secret: {name: tsig, key: key}}}}}
gateway: {tls: {acme: {directory: '${directory}', email: ops@example.com, acceptTerms: true, waitSeconds: 0}}}
`;

let folder: string;
let knot: Knot;
let ca: AcmeServer;
let plane: ControlPlane;
let keeper: ChildProcess | undefined;
let internal: number;
let env: Readonly<Record<string, string>>;
let logged = '';

const container = z.object({ env: z.array(z.object({ name: z.string(), value: z.string().optional() })) });
const set = z.object({ template: z.object({ spec: z.object({ containers: z.tuple([container]) }) }) });
const secretShape = z.object({ data: z.record(z.string(), z.string()).default({}) });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-acme-'));
  knot = await startKnot('example.com');
  ca = await startAcmeServer(`127.0.0.1:${knot.port}`);
  plane = await startControlPlane((await resolveTool('kube', silent)).path, { users: [USER] });
  const config = parseConfig(YAML(knot.port, ca.directory), 'delos.yaml');
  const synthesis = synthesize(config, engineContext(config, 'embedded'));
  const create = (path: string, body: unknown) => plane.client.api.request('POST', path, { body });
  await create('/api/v1/namespaces', { metadata: { name: 'delos' } });
  // As a deployment makes it: there is no certificate in it.
  await create('/api/v1/namespaces/delos/secrets', objectOf(synthesis, 'Secret', ACME_SECRET).manifest);
  await create('/api/v1/namespaces/delos/secrets', { metadata: { name: 'another' }, stringData: { a: 'b' } });
  const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/delos';
  await create(`${rbac}/roles`, objectOf(synthesis, 'Role', 'acme').manifest);
  await create(`${rbac}/rolebindings`, objectOf(synthesis, 'RoleBinding', 'acme').manifest);
  await writeFile(join(folder, 'tsig'), knot.key.secret);
  await writeFile(
    join(folder, 'kubeconfig'),
    JSON.stringify({
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'c' },
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      clusters: [
        {
          name: 'c',
          cluster: {
            server: plane.server,
            'certificate-authority-data': Buffer.from(await plane.ca()).toString('base64'),
          },
        },
      ],
      users: [{ name: 'u', user: { token: TOKEN } }],
    }),
    { mode: 0o600 },
  );
  internal = await freePort();
  const { containers } = set.parse(objectOf(synthesis, 'StatefulSet', 'acme').manifest.spec).template.spec;
  env = {
    ...Object.fromEntries(containers[0].env.map(({ name, value = '' }) => [name, value])),
    PATH: process.env.PATH ?? '',
    DELOS_ACME_STATE: join(folder, 'data'),
    DELOS_DNS_KEY_FILE: join(folder, 'tsig'),
    DELOS_KUBECONFIG: join(folder, 'kubeconfig'),
    DELOS_INTERNAL_PORT: String(internal),
    DELOS_LISTEN_HOST: '127.0.0.1',
    DELOS_ACME_LOOK_SECONDS: '1',
    DELOS_ACME_AGAIN_SECONDS: '0.5',
    DELOS_ACME_RENEW_SHARE: String(RENEW_SHARE),
    NODE_EXTRA_CA_CERTS: ca.authorityFile,
  };
}, 1_500_000);
afterAll(async () => {
  keeper?.kill('SIGKILL');
  await ca?.stop();
  await knot?.stop();
  await plane?.stop();
  await rm(folder, { recursive: true, force: true });
});

function startKeeper(): void {
  keeper = spawn(process.execPath, [MAIN, 'acme'], { stdio: ['ignore', 'pipe', 'pipe'], env });
  for (const stream of [keeper.stdout, keeper.stderr]) stream?.on('data', (piece) => (logged += String(piece)));
}
async function endKeeper(signal: NodeJS.Signals): Promise<void> {
  const gone = new Promise((resolve) => keeper?.once('exit', resolve));
  keeper?.kill(signal);
  await gone;
}
async function secretNow(): Promise<Readonly<Record<string, string>>> {
  const answer = await plane.client.api.request('GET', `/api/v1/namespaces/delos/secrets/${ACME_SECRET}`);
  const { data } = secretShape.parse(answer);
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
}
const certificateNow = async (): Promise<X509Certificate | undefined> => {
  const { 'tls.crt': pem } = await secretNow();
  return pem === undefined ? undefined : new X509Certificate(pem);
};
const another = (before?: X509Certificate) =>
  until('there is another certificate', 120, async (last) => {
    last(logged.slice(-1500));
    const now = await certificateNow();
    return now === undefined || now.serialNumber === before?.serialNumber ? undefined : now;
  });
const metric = async (name: string): Promise<number> => {
  const text = await (await fetch(`http://127.0.0.1:${internal}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]);
};
const certificatesHad = (): number => logged.split('there is a new certificate').length - 1;

describe('a certificate by ACME', () => {
  test('is for all levels of names, of the server’s authority, and no record of a challenge stays', async () => {
    startKeeper();
    const first = await another();
    expect(first.subjectAltName?.split(', ').sort()).toEqual(NAMES.map((name) => `DNS:${name}`).sort());
    const chain = ((await secretNow())['tls.crt'] ?? '').match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? [];
    const signers = [...chain.slice(1), ca.authority].map((pem) => new X509Certificate(pem));
    expect(signers.some((signer) => first.verify(signer.publicKey))).toBe(true);
    expect(signers.at(-2)?.verify(signers.at(-1)?.publicKey ?? first.publicKey)).toBe(true);
    for (const name of [DOMAIN, `jobs.${DOMAIN}`, `apps.${DOMAIN}`]) {
      const { records } = await ask({ port: knot.port }, `_acme-challenge.${name}`, 16);
      expect(records.filter(({ type }) => type === 16)).toEqual([]);
    }
    expect(await metric('delos_acme_failing')).toBe(0);
    expect(await metric('delos_acme_certificate_end_timestamp_seconds')).toBe(Date.parse(first.validTo) / 1000);
  });

  test('survives the process: one that was killed starts with what it had, and orders nothing', async () => {
    // Right after a renewal, so that none is due.
    const before = await another(await certificateNow());
    const had = certificatesHad();
    await endKeeper('SIGKILL');
    startKeeper();
    await until(
      'it looks again',
      30,
      async () => (await metric('delos_acme_certificate_end_timestamp_seconds').catch(() => 0)) > 0 || undefined,
    );
    expect((await certificateNow())?.serialNumber).toBe(before.serialNumber);
    expect(certificatesHad()).toBe(had);
    expect((await readdir(join(folder, 'data'))).filter((name) => name.startsWith('account-'))).toHaveLength(1);
  });

  test('is put back where somebody took it out of the Secret', async () => {
    await plane.client.api.request('PATCH', `/api/v1/namespaces/delos/secrets/${ACME_SECRET}`, {
      body: { data: null },
      contentType: 'application/merge-patch+json',
    });
    expect(await another()).toBeDefined();
  });

  test('stays while the server is away, which is told, and is renewed when it is back', async () => {
    const before = await another(await certificateNow());
    await ca.kill();
    await until(
      'a renewal has failed',
      RENEWED_S * 2,
      async () => (await metric('delos_acme_failing')) === 1 || undefined,
    );
    expect((await certificateNow())?.serialNumber).toBe(before.serialNumber);
    await ca.start();
    await another(before);
    await until('all is well', 30, async () => (await metric('delos_acme_failing')) === 0 || undefined);
  });

  test('is not had where the name server does not take the records, and the words say why', async () => {
    await endKeeper('SIGTERM');
    await writeFile(join(folder, 'tsig'), randomBytes(32).toString('base64'));
    startKeeper();
    await until(
      'it fails',
      RENEWED_S * 2,
      () => /did not take the update of example\.com[^"]*BADSIG/.test(logged) || undefined,
    );
    await writeFile(join(folder, 'tsig'), knot.key.secret);
    await another(await certificateNow());
    expect(logged).not.toContain(knot.key.secret);
    expect(logged).not.toContain('PRIVATE KEY');
  });

  test('its keeper reads no Secret, and writes no other', async () => {
    const url = new URL(plane.server);
    const at = { ip: url.hostname, port: Number(url.port) };
    const as = async (method: 'GET' | 'PATCH' | 'POST', path: string, body?: unknown): Promise<number> =>
      (
        await askServer(
          at,
          { token: TOKEN, ca: await plane.ca() },
          { method, path, ...(body === undefined ? {} : { body }) },
        )
      ).status;
    const secrets = '/api/v1/namespaces/delos/secrets';
    expect(await as('GET', `${secrets}/${ACME_SECRET}`)).toBe(403);
    expect(await as('GET', secrets)).toBe(403);
    expect(await as('PATCH', `${secrets}/another`, { data: {} })).toBe(403);
    expect(await as('POST', secrets, { metadata: { name: 'new' } })).toBe(403);
    expect(await as('PATCH', `${secrets}/${ACME_SECRET}`, { data: {} })).toBe(200);
  });

  test('what it keeps is its own to read', async () => {
    const { stat } = await import('node:fs/promises');
    for (const name of await readdir(join(folder, 'data'))) {
      expect([name, (await stat(join(folder, 'data', name))).mode & 0o077]).toEqual([name, 0]);
    }
    await chmod(folder, 0o700);
  });
});

describe('the gateway', () => {
  let gateway: TestGateway;
  let backend: Server;

  beforeAll(async () => {
    backend = createServer((_request, answer) => answer.end('ok'));
    await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
    const { port } = backend.address() as AddressInfo;
    gateway = await startGateway({ api: port, identity: port }, {}, YAML(knot.port, ca.directory));
  });
  afterAll(async () => {
    await gateway?.stop();
    backend?.closeAllConnections();
    backend?.close();
  });

  test('serves its own until there is one by ACME, then that, and each renewal without a failed handshake', async () => {
    const own = await shownCertificate(gateway.ports.https);
    const failures: string[] = [];
    let handshakes = 0;
    let calling = true;
    const callers = Array.from({ length: 4 }, async () => {
      while (calling) {
        await shownCertificate(gateway.ports.https).then(
          () => handshakes++,
          (error: unknown) => failures.push(String(error)),
        );
      }
    });
    const shows = (wanted: X509Certificate) =>
      until('the gateway shows it', 30, async (last) => {
        last(gateway.logged().slice(-1000));
        return (await shownCertificate(gateway.ports.https)) === wanted.fingerprint256 || undefined;
      });
    let now = await certificateNow();
    for (let renewals = 0; renewals < 3; renewals++) {
      if (now === undefined) throw new Error('there is no certificate');
      // What the kubelet does.
      await gateway.later(await secretNow());
      now = (await certificateNow()) ?? now;
      await gateway.later(await secretNow());
      await shows(now);
      if (renewals < 2) now = await another(now);
    }
    calling = false;
    await Promise.all(callers);
    expect(own).not.toBe(now?.fingerprint256);
    expect(failures).toEqual([]);
    expect(handshakes).toBeGreaterThan(100);
  });

  test('is believed by who trusts the server’s authority, under each level of names', async () => {
    for (const servername of [DOMAIN, `a.${DOMAIN}`, `job-1.jobs.${DOMAIN}`, `x.apps.${DOMAIN}`]) {
      await gateway.later(await secretNow());
      const authorized = await until(`${servername} is believed`, 30, async (last) => {
        const fault = await new Promise<string>((resolve) => {
          const socket = connect({ host: '127.0.0.1', port: gateway.ports.https, servername, ca: ca.authority }, () => {
            resolve('');
            socket.end();
          });
          socket.once('error', (error) => resolve(error.message));
        });
        last(fault);
        if (fault === '') return true;
        await gateway.later(await secretNow());
        return undefined;
      });
      expect(authorized).toBe(true);
    }
  });

  test('goes on with what it has where the files are spoilt', async () => {
    const before = await shownCertificate(gateway.ports.https);
    await gateway.later({ 'tls.crt': 'no certificate\n', 'tls.key': 'no key\n' });
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(await shownCertificate(gateway.ports.https)).toBe(before);
  });
});
