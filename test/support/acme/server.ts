import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveTool } from '@delos/cluster';
import { silent } from '@delos/core';
import { freePort } from '@delos/host';
import { until } from '../until.ts';

/**
 * A real ACME server on loopback, with an authority of its own: that of smallstep's step-ca, as Caddy has it in it.
 * @see https://caddyserver.com/docs/caddyfile/directives/acme_server
 */
export interface AcmeServer {
  readonly directory: string;
  /** Its root authority, PEM, and the file that has it. */
  readonly authority: string;
  readonly authorityFile: string;
  /** As if its machine were lost; and back with what it had. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** @param resolver `HOST:PORT` that it asks for the records of challenges */
export async function startAcmeServer(resolver: string): Promise<AcmeServer> {
  const { path } = await resolveTool('caddy', silent);
  const folder = await mkdtemp(join(tmpdir(), 'delos-acme-server-'));
  const port = await freePort();
  const config = `{
	admin off
	persist_config off
	skip_install_trust
	auto_https disable_redirects
	storage file_system ${folder}/storage
	default_sni 127.0.0.1
}
https://127.0.0.1:${port} {
	bind 127.0.0.1
	tls internal
	acme_server {
		lifetime 5m
		resolvers ${resolver}
		challenges dns-01
	}
}
`;
  await writeFile(join(folder, 'Caddyfile'), config);
  let child: ChildProcess | undefined;
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child?.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  const authorityFile = join(folder, 'storage/pki/authorities/local/root.crt');
  const start = async (): Promise<void> => {
    let log = '';
    child = spawn(path, ['run', '--config', join(folder, 'Caddyfile'), '--adapter', 'caddyfile'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder, HOME: folder },
    });
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (piece) => (log += String(piece)));
    await until('the ACME server serves', 60, async (last) => {
      last(log.slice(-2000));
      if (child?.exitCode !== null) throw new Error(`Caddy ended: ${log}`);
      return log.includes('serving initial configuration') &&
        (await readFile(authorityFile).catch(() => undefined)) !== undefined
        ? true
        : undefined;
    });
  };
  await start();
  return {
    directory: `https://127.0.0.1:${port}/acme/local/directory`,
    authority: await readFile(authorityFile, 'utf8'),
    authorityFile,
    kill,
    start,
    stop: async () => {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
