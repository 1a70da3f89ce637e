import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { command, tryCommand } from '@delos/host';
import { certificateAuthority } from '../../../stacks/src/secrets/certificates.ts';
import { until } from '../until.ts';

/*
 * The network between two sites. Pods of an instance reach no address of this machine, so the way is by a namespace beside it:
 * there a server with a certificate of its own authority answers, and hands all to the platform's gateway on this machine. It
 * can be cut.
 */

const NAME = 'delos-site';
const NEAR = '10.99.7.1';
const FAR = '10.99.7.2';
const PORT = 8443;
const SERVER = fileURLToPath(new URL('./site-link-server.ts', import.meta.url));

export interface SiteLink {
  /** Where the platform is reached from the other site. */
  readonly url: string;
  /** File with the authority of what answers there, PEM. */
  readonly authority: string;
  /** Nothing gets through any more, and what is open breaks off. */
  readonly cut: () => Promise<void>;
  readonly mend: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** @param origin of the platform on this machine: http://127.0.0.1:PORT */
export async function startSiteLink(origin: string): Promise<SiteLink> {
  const folder = await mkdtemp(join(tmpdir(), 'delos-site-link-'));
  const { port } = new URL(origin);
  const ca = await certificateAuthority.createCa(new Date());
  const leaf = await certificateAuthority.createLeaf(ca, { dnsNames: [], ipAddresses: [FAR] }, new Date());
  const authority = join(folder, 'authority.pem');
  await writeFile(authority, ca.certificate);
  await writeFile(join(folder, 'server.crt'), leaf.certificate);
  await writeFile(join(folder, 'server.key'), leaf.key, { mode: 0o600 });
  const gate = join(folder, 'gate');
  const open = new Set<Socket>();
  const here: Server = createServer((socket) => {
    const there = connect(Number(port), '127.0.0.1');
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    for (const [one, other] of [
      [socket, there],
      [there, socket],
    ] as const) {
      one.on('error', () => other.destroy());
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => here.listen(gate, resolve));
  await tryCommand('ip', ['netns', 'delete', NAME]);
  await command('ip', ['netns', 'add', NAME]);
  const inside = ['netns', 'exec', NAME];
  await command('ip', ['link', 'add', NAME, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', NAME]);
  await command('ip', ['address', 'add', `${NEAR}/30`, 'dev', NAME]);
  await command('ip', ['link', 'set', NAME, 'up']);
  await command('ip', [...inside, 'ip', 'address', 'add', `${FAR}/30`, 'dev', 'eth0']);
  await command('ip', [...inside, 'ip', 'link', 'set', 'eth0', 'up']);
  await command('ip', [...inside, 'ip', 'route', 'add', 'default', 'via', NEAR]);
  let server: ChildProcess | undefined;
  const cut = async (): Promise<void> => {
    const gone = server === undefined ? undefined : new Promise((resolve) => server?.once('exit', resolve));
    server?.kill('SIGKILL');
    await gone;
    server = undefined;
    for (const socket of open) socket.destroy();
  };
  const mend = async (): Promise<void> => {
    server = spawn('ip', [...inside, process.execPath, SERVER, folder, FAR, String(PORT)], { stdio: 'inherit' });
    await until('the other site is reached', 20, async () => ((await dials()) ? true : undefined));
  };
  const dials = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(PORT, FAR, () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
  await mend();
  return {
    url: `https://${FAR}:${PORT}`,
    authority,
    cut,
    mend,
    stop: async () => {
      await cut();
      await new Promise((resolve) => here.close(resolve));
      await tryCommand('ip', ['netns', 'delete', NAME]);
      await tryCommand('ip', ['link', 'delete', NAME]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
