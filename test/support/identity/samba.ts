import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { unpackedDebian } from '../debian/unpacked.ts';
import { certificate } from './slapd.ts';

/*
 * A real domain controller of Active Directory: Samba's of Debian, unpacked into the cache, with a domain of its own in a folder of its
 * own. It looks for its modules and its schema below /usr, and takes the ports of LDAP: so it has a view of /usr of its own, and a
 * network of its own, which a relay leads out of.
 */

const exec = promisify(execFile);
const LIBRARIES =
  /^(samba-\S+|winbind|python3-(samba|ldb|tdb|talloc|dnspython|cryptography|markdown)|lib(ldb2|talloc2|tevent0|tdb1|lmdb0|wbclient0|cups2\S*|popt0|avahi-\S+|jansson4|tirpc3|ldap-2\S*|icu\d+|bsd0|gnutls30|dbus-1-3|sasl2-2|gpgme11|assuan0|cap2|keyutils1|python3\S*))$/;

export const DOMAIN_BASE = 'DC=corp,DC=example,DC=com';
export const PEOPLE = `CN=Users,${DOMAIN_BASE}`;
export const ADMIN_PASSWORD = 'Passw0rd-of-the-domain';

export interface Samba {
  /** `ldaps://127.0.0.1:PORT`. */
  readonly url: string;
  /** PEM file of the authority that has signed its certificate. */
  readonly authority: string;
  /** Runs samba-tool, as an administrator at the controller's console does: each line one command, without quotes. */
  tool(...lines: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

/** @throws Error where this machine has no namespaces, or no overlays to give them */
export async function startSamba(): Promise<Samba> {
  const { root } = await unpackedDebian({
    name: 'samba-ad-dc',
    packages: () => ['samba-ad-dc', 'samba', 'samba-ad-provision', 'samba-common-bin'],
    libraries: LIBRARIES,
  });
  const folder = await mkdtemp(join(tmpdir(), 'delos-samba-'));
  await certificate(folder);
  await chmod(join(folder, 'server.key'), 0o600);
  await mkdir(join(folder, 'run'));
  const inside = join(folder, 'inside.sh');
  await writeFile(inside, INSIDE);
  const conf = join(folder, 'domain/etc/smb.conf');
  /** Shell's words within the view of /usr. */
  const within = (...more: readonly string[]) => [
    ...['--mount', '--propagation', 'private', ...more, 'sh', inside, join(root, 'usr')],
  ];
  const tool = async (...lines: readonly string[]): Promise<string> => {
    const script = lines.map((line) => `samba-tool ${line} --configfile=${conf}`).join('\n');
    const { stdout } = await exec('unshare', [...within(), 'sh', '-ec', script], { maxBuffer: 2 ** 24 });
    return stdout;
  };
  const options = {
    interfaces: 'lo',
    'bind interfaces only': 'yes',
    'ncalrpc dir': join(folder, 'run/ncalrpc'),
    'pid directory': join(folder, 'run'),
    'log file': join(folder, 'samba.log'),
    'server services': 'ldap',
    'tls keyfile': join(folder, 'server.key'),
    'tls certfile': join(folder, 'server.pem'),
    'tls cafile': join(folder, 'ca.pem'),
  };
  let child: ChildProcess | undefined;
  let relay: Server | undefined;
  const stop = async (): Promise<void> => {
    relay?.close();
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child?.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    }
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await exec(
      'unshare',
      [
        ...within(),
        ...['samba-tool', 'domain', 'provision', `--targetdir=${join(folder, 'domain')}`, '--realm=CORP.EXAMPLE.COM'],
        ...['--domain=CORP', '--server-role=dc', '--dns-backend=NONE', `--adminpass=${ADMIN_PASSWORD}`],
        ...['--host-name=dc1', '--host-ip=127.0.0.1'],
        ...Object.entries(options).map(([key, value]) => `--option=${key}=${value}`),
      ],
      { maxBuffer: 2 ** 24 },
    );
    const socket = join(folder, 'ldaps.sock');
    const leadOut = [process.execPath, fileURLToPath(new URL('lead-out.ts', import.meta.url)), socket, '636'];
    const samba = ['/usr/sbin/samba', '--foreground', '--no-process-group', '--model=single', `--configfile=${conf}`];
    const script = `ip link set lo up\n${leadOut.join(' ')} &\nexec ${samba.join(' ')}`;
    // The first process of a namespace: with it all others in there end.
    const namespaces = ['--net', '--pid', '--fork', '--kill-child=SIGKILL'];
    child = spawn('unshare', [...within(...namespaces), 'sh', '-ec', script], { stdio: 'ignore' });
    relay = createServer((outer) => {
      const inner = connect({ path: socket });
      for (const [one, other] of [
        [outer, inner],
        [inner, outer],
      ] as const) {
        one.on('error', () => other.destroy());
        one.pipe(other);
      }
    });
    await new Promise<void>((resolve) => relay?.listen(0, '127.0.0.1', resolve));
    const { port } = relay.address() as AddressInfo;
    for (let attempt = 0; !(await answers(port)); attempt++) {
      if (attempt > 300 || child.exitCode !== null) throw new Error(`Samba does not start: exit ${child.exitCode}`);
      await sleep(200);
    }
    return { url: `ldaps://127.0.0.1:${port}`, authority: join(folder, 'ca.pem'), tool, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The unpacked files lie over the machine's own, for the processes of this namespace alone. */
const INSIDE = `set -eu
usr=$1
shift
mount -t overlay overlay -o "lowerdir=$usr:/usr" /usr
exec "$@"
`;

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    // Who it is, Keycloak looks at.
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
