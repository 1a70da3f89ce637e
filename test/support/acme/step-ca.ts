import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DEFAULT_INSTANCE, instancePaths } from '@delos/core';
import { freePort } from '@delos/host';
import { certificateAuthority } from '../../../stacks/src/secrets/certificates.ts';
import { until } from '../until.ts';

/** A real ACME server: step-ca, built from its Go module into the cache, on loopback, with an authority of its own. */
export interface StepCa {
  readonly directory: string;
  /** Its authority, PEM, and the file that has it. */
  readonly authority: string;
  readonly authorityFile: string;
  /** All that it logged. */
  readonly log: () => string;
  /** As if its machine were lost; and back with what it had. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

const MODULE = 'github.com/smallstep/certificates';
const VERSION = 'v0.30.2';
const exec = promisify(execFile);

async function stepCa(): Promise<string> {
  const { cache } = instancePaths(DEFAULT_INSTANCE, process.env);
  const folder = join(cache, 'test', `step-ca-${VERSION}`);
  const program = join(folder, 'step-ca');
  const there = await access(program).then(
    () => true,
    () => false,
  );
  if (there) return program;
  await mkdir(join(folder, '..'), { recursive: true });
  const work = await mkdtemp(`${folder}.new-`);
  try {
    const env = {
      ...process.env,
      ...{ GOFLAGS: '-mod=mod', CGO_ENABLED: '0' },
      ...{ GOMODCACHE: join(cache, 'go/mod'), GOCACHE: join(cache, 'go/build') },
    };
    const go = (...args: readonly string[]) => exec('go', args, { cwd: work, env, maxBuffer: 2 ** 26 });
    await writeFile(join(work, 'go.mod'), 'module step-ca\n\ngo 1.24\n');
    await go('get', '-tool', `${MODULE}/cmd/step-ca@${VERSION}`);
    await go('build', '-p', '2', '-trimpath', '-ldflags', '-s -w', '-o', 'step-ca', `${MODULE}/cmd/step-ca`);
    await mkdir(folder, { recursive: true });
    await rename(join(work, 'step-ca'), program);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return program;
}

/**
 * @param resolver `HOST:PORT` that it asks for the records of challenges
 * @param life of its certificates, as Go writes a duration
 */
export async function startStepCa(resolver: string, life: string): Promise<StepCa> {
  const program = await stepCa();
  const folder = await mkdtemp(join(tmpdir(), 'delos-step-ca-'));
  const port = await freePort();
  const { certificate, key } = await certificateAuthority.createCa(new Date());
  const file = (name: string): string => join(folder, name);
  await writeFile(file('root.crt'), certificate);
  await writeFile(file('root.key'), key, { mode: 0o600 });
  const claims = { minTLSCertDuration: '5s', defaultTLSCertDuration: life, maxTLSCertDuration: life };
  const config = {
    ...{ root: file('root.crt'), crt: file('root.crt'), key: file('root.key') },
    ...{ address: `127.0.0.1:${port}`, dnsNames: ['127.0.0.1'], logger: { format: 'text' } },
    db: { type: 'badgerv2', dataSource: file('db') },
    authority: {
      backdate: '1s',
      provisioners: [{ type: 'ACME', name: 'acme', challenges: ['dns-01'], claims }],
    },
  };
  await writeFile(file('ca.json'), JSON.stringify(config));
  let child: ChildProcess | undefined;
  let log = '';
  const directory = `https://127.0.0.1:${port}/acme/acme/directory`;
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child?.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  const start = async (): Promise<void> => {
    const before = log.length;
    child = spawn(program, [file('ca.json'), '--resolver', resolver], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (piece) => (log += String(piece)));
    await until('step-ca serves', 60, (last) => {
      last(log);
      if (child?.exitCode !== null) throw new Error(`step-ca ended: ${log}`);
      return log.slice(before).includes('Serving HTTPS') || undefined;
    });
  };
  await start();
  return {
    ...{ directory, authority: certificate, authorityFile: file('root.crt'), log: () => log, kill, start },
    stop: async () => {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
