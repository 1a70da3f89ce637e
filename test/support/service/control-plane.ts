import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '@delos/host';
import { connect, type ObjectClient } from '@delos/stacks';

/** A real etcd, API server and controllers for one test file, without a node: Pods are what the test says of them. */
export interface ControlPlane {
  readonly kubeconfig: string;
  readonly context: string;
  readonly server: string;
  readonly client: ObjectClient;
  /** PEM by which the server is known. */
  ca(): Promise<string>;
  stop(): Promise<void>;
}

/** Somebody whom the API server knows by a token. */
export interface KnownUser {
  readonly token: string;
  readonly user: string;
  readonly groups: readonly string[];
}

const START_LIMIT_MS = 60_000;

export interface ControlPlaneOptions {
  /** Beside the one whose credentials the kubeconfig has. @default nobody */
  readonly users?: readonly KnownUser[];
  /** Pods get a service account, which must be there. @default false */
  readonly serviceAccounts?: boolean;
}

export async function startControlPlane(kube: string, options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const folder = await mkdtemp(join(tmpdir(), 'delos-control-plane-'));
  const [etcdPort, peerPort, apiPort] = [await freePort(), await freePort(), await freePort()];
  const running: ChildProcess[] = [];
  const start = (name: string, args: readonly string[]): void => {
    const log = createWriteStream(join(folder, `${name}.log`));
    // Whatever ends this test run, SIGKILL too, ends them.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', kube, name, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.pipe(log);
    child.stderr.pipe(log);
    running.push(child);
  };
  const stop = async (): Promise<void> => {
    await Promise.all(running.map((child) => ended(child)));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const token = randomBytes(16).toString('hex');
    const known = [{ token, user: 'test', groups: ['system:masters'] }, ...(options.users ?? [])];
    const lines = known.map((each) => `${each.token},${each.user},${each.user},"${each.groups.join(',')}"\n`);
    await writeFile(join(folder, 'tokens.csv'), lines.join(''), { mode: 0o600 });
    const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const keyFile = join(folder, 'accounts.key');
    await writeFile(keyFile, keys.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    await mkdir(join(folder, 'certs'));
    const etcd = `http://127.0.0.1:${etcdPort}`;
    start('etcd', [
      ...['--name', 'test', '--data-dir', join(folder, 'etcd'), '--unsafe-no-fsync'],
      ...['--listen-client-urls', etcd, '--advertise-client-urls', etcd],
      ...['--listen-peer-urls', `http://127.0.0.1:${peerPort}`],
      ...['--initial-advertise-peer-urls', `http://127.0.0.1:${peerPort}`],
      ...['--initial-cluster', `test=http://127.0.0.1:${peerPort}`],
    ]);
    start('kube-apiserver', [
      ...['--etcd-servers', etcd, '--bind-address', '127.0.0.1', '--advertise-address', '127.0.0.1'],
      ...['--secure-port', String(apiPort), '--cert-dir', join(folder, 'certs')],
      ...['--token-auth-file', join(folder, 'tokens.csv'), '--authorization-mode', 'RBAC'],
      ...['--service-account-issuer', 'https://kubernetes.default.svc', '--service-account-key-file', keyFile],
      ...['--service-account-signing-key-file', keyFile, '--service-cluster-ip-range', '10.255.0.0/24'],
      ...(options.serviceAccounts === true ? [] : ['--disable-admission-plugins', 'ServiceAccount']),
      ...['--allow-privileged=true', '--endpoint-reconciler-type', 'none'],
    ]);
    const kubeconfig = join(folder, 'kubeconfig');
    const server = `https://127.0.0.1:${apiPort}`;
    await writeFile(kubeconfig, kubeconfigOf(server, token), { mode: 0o600 });
    const client = await connect({ kubeconfig, context: 'test' });
    await answering(client, async () => `see ${await readFile(join(folder, 'kube-apiserver.log'), 'utf8')}`);
    start('kube-controller-manager', [
      ...['--kubeconfig', kubeconfig, '--leader-elect=false', '--service-account-private-key-file', keyFile],
      ...['--bind-address', '127.0.0.1', '--secure-port', '0', '--controllers', '*'],
      ...['--use-service-account-credentials=false', '--cert-dir', join(folder, 'certs')],
    ]);
    const ca = (): Promise<string> => readFile(join(folder, 'certs/apiserver.crt'), 'utf8');
    return { kubeconfig, context: 'test', server, client, ca, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function answering(client: ObjectClient, detail: () => Promise<string>): Promise<void> {
  const started = Date.now();
  for (;;) {
    const ready = await client.api.request('GET', '/readyz').then(
      (answer) => answer === 'ok',
      () => false,
    );
    if (ready) return;
    if (Date.now() - started > START_LIMIT_MS) throw new Error(`the API server does not start: ${await detail()}`);
    await sleep(200);
  }
}

function kubeconfigOf(server: string, token: string): string {
  return JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      clusters: [{ name: 'test', cluster: { server, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'test', user: { token } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    },
    undefined,
    2,
  );
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('close', () => resolve());
    child.kill('SIGKILL');
  });
}
