import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { resolveTool } from '@delos/cluster';
import { engineContext, type Manifest, parseConfig, synthesize } from '@delos/constructs';
import { PORTS, silent } from '@delos/core';
import { freePort } from '@delos/host';
import { z } from 'zod';
import { certificateAuthority } from '../../../stacks/src/secrets/certificates.ts';
import { until } from '../until.ts';

/* The gateway's own Caddyfile, run by the real Caddy on loopback. Addresses are replaced, and what a test says. */

export interface TestGateway {
  /** Of Caddy's process. */
  readonly pid: number;
  readonly ports: { readonly http: number; readonly https: number; readonly internal: number };
  /** Who has signed its first certificate, PEM. */
  readonly authority: () => string;
  /** Gives it another certificate, as the kubelet does when its Secret changes. */
  readonly renew: () => Promise<void>;
  /** Gives it files that are no certificate. */
  readonly spoil: () => Promise<void>;
  /** Gives it, beside its own, a certificate that came later. */
  readonly later: (files: Readonly<Record<string, string>>) => Promise<void>;
  /** All that Caddy has logged. */
  readonly logged: () => string;
  readonly stop: () => Promise<void>;
}

const files = z.object({
  Caddyfile: z.string(),
  'index.html': z.string(),
  'start.sh': z.string(),
  'certificate.Caddyfile': z.string(),
  'check.Caddyfile': z.string(),
});

const deployment = z.object({
  template: z.object({ spec: z.object({ containers: z.tuple([z.object({ command: z.array(z.string()) })]) }) }),
});

/** The files and the command that the platform's own gateway has. */
function gatewayParts(yaml: string): z.infer<typeof files> & { readonly command: readonly string[] } {
  const config = parseConfig(yaml, 'delos.yaml');
  const { objects } = synthesize(config, engineContext(config, 'embedded'));
  const manifest = (of: string): Manifest | undefined =>
    objects.find(({ manifest: { kind, metadata } }) => kind === of && metadata.name === 'gateway')?.manifest;
  const { template } = deployment.parse(manifest('Deployment')?.spec);
  return { ...files.parse(manifest('ConfigMap')?.data), command: template.spec.containers[0].command };
}

/** A port that was free is another process's when Caddy listens to it: others are tried then, so often. */
const TRIES = 5;

/**
 * @param backends ports that stand where the control API and Keycloak are
 * @param yaml the platform's delos.yaml
 * @param changes parts of the Caddyfile → what takes their place, so that a test need not wait for long limits
 */
export async function startGateway(
  backends: { readonly api: number; readonly identity: number },
  changes: Readonly<Record<string, string>> = {},
  yaml = '',
): Promise<TestGateway> {
  for (let tried = 1; ; tried++) {
    const { gateway, failure } = await tryGateway(backends, changes, yaml);
    if (gateway !== undefined) return gateway;
    if (tried === TRIES || !failure.includes('address already in use')) throw new Error(failure);
  }
}

async function tryGateway(
  backends: { readonly api: number; readonly identity: number },
  changes: Readonly<Record<string, string>>,
  yaml: string,
): Promise<
  { readonly gateway: TestGateway; readonly failure?: never } | { readonly gateway?: never; readonly failure: string }
> {
  const { path } = await resolveTool('caddy', silent);
  const folder = await mkdtemp(join(tmpdir(), 'delos-gateway-'));
  const ports = { http: await freePort(), https: await freePort(), internal: await freePort() };
  const tls = join(folder, 'tls');
  await mkdir(tls);
  const { 'ca.crt': authority, ...pair } = await newPair();
  await putFiles(tls, pair);
  await Promise.all(['tls.crt', 'tls.key'].map((name) => symlink(join('..data', name), join(tls, name))));
  const parts = gatewayParts(yaml);
  await writeFile(join(folder, 'index.html'), parts['index.html']);
  const later = join(folder, 'later');
  await mkdir(later);
  const places = { '/etc/caddy-tls-later': later, '/etc/caddy-tls': tls, '/etc/caddy': folder };
  const inner = { '127.0.0.1:8442': `127.0.0.1:${await freePort()}`, '/run/certificate': folder };
  const all = {
    'control-api.delos.svc.cluster.local:8080': `127.0.0.1:${backends.api}`,
    'keycloak.delos.svc.cluster.local:8080': `127.0.0.1:${backends.identity}`,
    'http://:8080': `http://:${ports.http}`,
    'https://:8443': `https://:${ports.https}`,
    'http://:8081': `http://:${ports.internal}`,
    '127.0.0.1:8442': inner['127.0.0.1:8442'],
    '/etc/caddy': folder,
    '/run/certificate': folder,
    'auto_https off': 'auto_https off\n\tdefault_bind 127.0.0.1',
    ...changes,
  };
  // Where jobs have no names, neither of these is there.
  const http2 = parts.Caddyfile.replace(`servers :${PORTS.https}`, `servers 127.0.0.1:${ports.https}`).replace(
    `.jobs.localhost:${PORTS.https} {`,
    `.jobs.localhost:${ports.https} {`,
  );
  await writeFile(join(folder, 'Caddyfile'), replaced(http2, all));
  await writeFile(join(folder, 'certificate.Caddyfile'), replaced(parts['certificate.Caddyfile'], inner));
  await writeFile(join(folder, 'check.Caddyfile'), parts['check.Caddyfile']);
  const script = { ...places, '/run/certificate': folder, 'sleep 2': 'sleep 0.5' };
  await writeFile(join(folder, 'start.sh'), replaced(parts['start.sh'], script));
  const [shell = '', ...args] = parts.command;
  const caddy = spawn(
    shell,
    args.map((arg) => arg.replaceAll('/etc/caddy/', `${folder}/`)),
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        PATH: `${dirname(path)}:${process.env.PATH}`,
        GOMEMLIMIT: '200MiB',
        XDG_DATA_HOME: folder,
        XDG_CONFIG_HOME: folder,
      },
    },
  );
  let logged = '';
  caddy.stderr.on('data', (data: Buffer) => {
    logged += data.toString();
  });
  const failure = await until('Caddy answers', 60, async () => {
    if (caddy.exitCode !== null) return `Caddy ended with ${caddy.exitCode}: ${logged.slice(-500)}`;
    const answer = await fetch(`http://127.0.0.1:${ports.internal}/health/ready`).catch(() => undefined);
    return answer?.ok === true ? '' : undefined;
  });
  if (failure !== '' || caddy.pid === undefined) {
    await rm(folder, { recursive: true, force: true });
    return { failure };
  }
  const gateway: TestGateway = {
    pid: caddy.pid,
    ports,
    authority: () => authority,
    renew: async () => {
      const { 'ca.crt': _authority, ...another } = await newPair();
      await putFiles(tls, another);
    },
    spoil: () => putFiles(tls, { 'tls.crt': 'no certificate\n', 'tls.key': 'no key\n' }),
    later: async (files) => {
      await putFiles(later, files);
      for (const name of Object.keys(files)) {
        await symlink(join('..data', name), join(later, name)).catch(() => undefined);
      }
    },
    logged: () => logged,
    stop: async () => {
      caddy.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
  return { gateway };
}

function replaced(text: string, parts: Readonly<Record<string, string>>): string {
  let all = text;
  for (const [part, instead] of Object.entries(parts)) {
    if (!all.includes(part)) throw new Error(`the gateway's files have no ${JSON.stringify(part)}`);
    all = all.replaceAll(part, instead);
  }
  return all;
}

const newPair = async (): Promise<Readonly<Record<'tls.crt' | 'tls.key' | 'ca.crt', string>>> => {
  const now = new Date();
  const ca = await certificateAuthority.createCa(now);
  const names = { dnsNames: ['localhost', '*.jobs.localhost'], ipAddresses: ['127.0.0.1'] };
  const { certificate, key } = await certificateAuthority.createLeaf(ca, names, now);
  return { 'tls.crt': certificate, 'tls.key': key, 'ca.crt': ca.certificate };
};

/** Changes all files of a folder at once, as the kubelet does: `..data` is a link to a folder that is replaced. */
async function putFiles(folder: string, contents: Readonly<Record<string, string>>): Promise<void> {
  const version = `..${process.hrtime.bigint()}`;
  await mkdir(join(folder, version));
  for (const [name, content] of Object.entries(contents)) await writeFile(join(folder, version, name), content);
  await symlink(version, join(folder, '..data_tmp'));
  await rename(join(folder, '..data_tmp'), join(folder, '..data'));
}
