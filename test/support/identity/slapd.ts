import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '@delos/host';
import { unpackedDebian } from '../debian/unpacked.ts';

/*
 * A real directory: OpenLDAP's slapd of Debian, unpacked into the cache, on loopback, with a folder of its own. Its
 * certificate is of an authority of its own. Locked accounts are its password policy's matter.
 */

const exec = promisify(execFile);
const LIBRARIES =
  /^(libldap\S*|libltdl7\S*|libsasl2-2|libsasl2-modules-db|libwrap0|libnsl2|libtirpc3\S*|libargon2-1|libodbc2|libdb5\S*)$/;

export const BASE = 'dc=example,dc=com';
export const BIND_DN = `cn=keycloak,${BASE}`;
export const BIND_PASSWORD = 'password-of-keycloak-itself';
export const userDn = (user: string): string => `uid=${user},ou=people,${BASE}`;
export const groupDn = (group: string): string => `cn=${group},ou=groups,${BASE}`;

export interface Slapd {
  /** `ldaps://127.0.0.1:PORT`. */
  readonly url: string;
  /** PEM file of the authority that has signed its certificate. */
  readonly authority: string;
  /** Applies LDIF with changes. */
  change(ldif: string): Promise<void>;
  /** As if its machine were lost: nobody listens. */
  kill(): Promise<void>;
  /** With what it had. */
  start(): Promise<void>;
  /** Takes connections and answers nothing, or goes on. */
  freeze(frozen: boolean): void;
  stop(): Promise<void>;
}

/** A person of the directory. */
export const person = (user: string, password: string, mail = `${user}@corp.example.com`): string =>
  `dn: ${userDn(user)}
objectClass: inetOrgPerson
uid: ${user}
cn: ${user}
sn: ${user}
givenName: ${user}
mail: ${mail}
userPassword: ${password}
`;

export const group = (name: string, members: readonly string[]): string =>
  `dn: ${groupDn(name)}
objectClass: groupOfNames
cn: ${name}
member: cn=nobody,${BASE}
${members.map((user) => `member: ${userDn(user)}\n`).join('')}`;

export const changeMembers = (name: string, how: 'add' | 'delete', user: string): string =>
  `dn: ${groupDn(name)}
changetype: modify
${how}: member
member: ${userDn(user)}
`;

/** People and groups that tests begin with. */
export const DIRECTORY: readonly string[] = [
  person('lena', 'password-of-lena'),
  person('mats', 'password-of-mats'),
  // Has the name of a user of the platform itself.
  person('ruth', 'password-of-ruth-there'),
  // Is in no group that is mapped.
  person('nils', 'password-of-nils'),
  group('ml', ['lena']),
  group('ops', ['mats']),
  group('chess', ['lena', 'nils']),
];

export async function startSlapd(entries: readonly string[]): Promise<Slapd> {
  const { root, env: libraries } = await unpackedDebian({
    name: 'slapd',
    packages: () => ['slapd', 'ldap-utils'],
    libraries: LIBRARIES,
  });
  const folder = await mkdtemp(join(tmpdir(), 'delos-slapd-'));
  await mkdir(join(folder, 'data'));
  const port = await freePort();
  await certificate(folder);
  const conf = join(folder, 'slapd.conf');
  await writeFile(conf, configuration(root, folder), { mode: 0o600 });
  const base = [
    `dn: ${BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n`,
    ...['people', 'groups', 'policies'].map(
      (ou) => `dn: ou=${ou},${BASE}\nobjectClass: organizationalUnit\nou: ${ou}\n`,
    ),
    `dn: cn=default,ou=policies,${BASE}\nobjectClass: device\nobjectClass: pwdPolicy\ncn: default\npwdAttribute: userPassword\npwdLockout: TRUE\n`,
    `dn: ${BIND_DN}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: keycloak\nuserPassword: ${BIND_PASSWORD}\n`,
  ];
  const ldif = join(folder, 'entries.ldif');
  await writeFile(ldif, [...base, ...entries].join('\n'));
  const env = { ...process.env, ...libraries, LDAPTLS_CACERT: join(folder, 'ca.pem'), LDAPCONF: '/dev/null' };
  await exec(join(root, 'usr/sbin/slapadd'), ['-f', conf, '-l', ldif], { env });
  const url = `ldaps://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  const kill = async (): Promise<void> => {
    const old = child;
    child = undefined;
    if (old === undefined || old.exitCode !== null || old.signalCode !== null) return;
    const gone = new Promise((resolve) => old.once('exit', resolve));
    old.kill('SIGKILL');
    await gone;
  };
  const start = async (): Promise<void> => {
    child = spawn(join(root, 'usr/sbin/slapd'), ['-f', conf, '-h', `${url}/`, '-d', '0'], { env, stdio: 'ignore' });
    for (let attempt = 0; !(await answers(port)); attempt++) {
      if (attempt > 600 || child.exitCode !== null) throw new Error(`slapd does not start: exit ${child.exitCode}`);
      await sleep(100);
    }
  };
  await start();
  return {
    url,
    authority: join(folder, 'ca.pem'),
    change: async (text) => {
      const file = join(folder, 'change.ldif');
      await writeFile(file, text);
      const who = ['-H', url, '-x', '-D', `cn=root,${BASE}`, '-w', 'root'];
      await exec(join(root, 'usr/bin/ldapmodify'), [...who, '-e', 'relax', '-f', file], { env });
    },
    kill,
    start,
    freeze: (frozen) => void child?.kill(frozen ? 'SIGSTOP' : 'SIGCONT'),
    stop: async () => {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const configuration = (root: string, folder: string): string => `
include ${root}/etc/ldap/schema/core.schema
include ${root}/etc/ldap/schema/cosine.schema
include ${root}/etc/ldap/schema/inetorgperson.schema
modulepath ${root}/usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
pidfile ${folder}/pid
TLSCACertificateFile ${folder}/ca.pem
TLSCertificateFile ${folder}/server.pem
TLSCertificateKeyFile ${folder}/server.key
database mdb
maxsize 33554432
suffix "${BASE}"
rootdn "cn=root,${BASE}"
rootpw root
directory ${folder}/data
dbnosync
overlay ppolicy
ppolicy_default cn=default,ou=policies,${BASE}
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="${BIND_DN}" read by * none
`;

/** An authority, and a server's certificate of it for 127.0.0.1. */
export async function certificate(folder: string): Promise<void> {
  const openssl = (...args: readonly string[]) => exec('openssl', args, { cwd: folder });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  await openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=test authority');
  await openssl(
    ...['req', '-x509', ...key, '-keyout', 'server.key', '-out', 'server.pem', '-subj', '/CN=127.0.0.1'],
    ...['-CA', 'ca.pem', '-CAkey', 'ca.key', '-addext', 'subjectAltName=IP:127.0.0.1'],
    ...['-addext', 'basicConstraints=critical,CA:FALSE'],
  );
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
