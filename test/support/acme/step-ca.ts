import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@delos/host';
import { certificateAuthority } from '../../../stacks/src/secrets/certificates.ts';
import { goTool } from '../go-tool.ts';
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

const PACKAGE = 'github.com/smallstep/certificates/cmd/step-ca';
const VERSION = 'v0.30.2';

/**
 * @param resolver `HOST:PORT` that it asks for the records of challenges
 * @param life of its certificates, as Go writes a duration
 */
export async function startStepCa(resolver: string, life: string): Promise<StepCa> {
  const program = await goTool('step-ca', PACKAGE, VERSION);
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
