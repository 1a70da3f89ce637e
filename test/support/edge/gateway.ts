import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { resolveTool } from '@delos/cluster';
import { engineContext, type Manifest, parseConfig, synthesize } from '@delos/constructs';
import { silent } from '@delos/core';
import { freePort } from '@delos/host';
import { z } from 'zod';
import { until } from '../until.ts';

/* The gateway's own Caddyfile, run by the real Caddy on loopback. Addresses are replaced, and what a test says. */

export interface TestGateway {
  /** Of Caddy's process. */
  readonly pid: number;
  readonly ports: { readonly http: number; readonly https: number; readonly internal: number };
  /** All that Caddy has logged. */
  readonly logged: () => string;
  readonly stop: () => Promise<void>;
}

const files = z.object({ Caddyfile: z.string(), 'index.html': z.string() });

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
  const { path } = await resolveTool('caddy', silent);
  const folder = await mkdtemp(join(tmpdir(), 'delos-gateway-'));
  const ports = { http: await freePort(), https: await freePort(), internal: await freePort() };
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=test'],
      ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
      ...['-keyout', join(folder, 'tls.key'), '-out', join(folder, 'tls.crt')],
    ],
    { stdio: 'ignore' },
  );
  const parts = gatewayParts(yaml);
  await writeFile(join(folder, 'index.html'), parts['index.html']);
  let text = parts.Caddyfile;
  const all = {
    'control-api.delos.svc.cluster.local:8080': `127.0.0.1:${backends.api}`,
    'keycloak.delos.svc.cluster.local:8080': `127.0.0.1:${backends.identity}`,
    'http://:8080': `http://:${ports.http}`,
    'https://:8443': `https://:${ports.https}`,
    'http://:8081': `http://:${ports.internal}`,
    '/etc/caddy-tls/': `${folder}/`,
    '/etc/caddy': folder,
    'auto_https off': 'auto_https off\n\tdefault_bind 127.0.0.1',
    ...changes,
  };
  for (const [part, instead] of Object.entries(all)) {
    if (!text.includes(part)) throw new Error(`the Caddyfile has no ${JSON.stringify(part)}`);
    text = text.replaceAll(part, instead);
  }
  await writeFile(join(folder, 'Caddyfile'), text);
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
  await until('Caddy answers', 60, async () => {
    if (caddy.exitCode !== null) throw new Error(`Caddy ended with ${caddy.exitCode}: ${logged.slice(-500)}`);
    const answer = await fetch(`http://127.0.0.1:${ports.internal}/health/ready`).catch(() => undefined);
    return answer?.ok === true ? true : undefined;
  });
  if (caddy.pid === undefined) throw new Error('Caddy has no process');
  return {
    pid: caddy.pid,
    ports,
    logged: () => logged,
    stop: async () => {
      caddy.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
