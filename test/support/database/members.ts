import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { z } from 'zod';
import { kubectl } from '../instance.ts';
import { until } from '../until.ts';

/* Members of PostgreSQL in the tests' instance, and a client in the cluster that writes to them. */

const NAMES = ['postgres-0', 'postgres-1', 'postgres-2'];
const SCRIPT = readFileSync(join(import.meta.dirname, 'writer.py'), 'utf8');
const DSN = 'host=postgres-primary.delos.svc.cluster.local dbname=written user=written password=written';

const listed = z.array(
  z.looseObject({ Member: z.string(), Role: z.string(), State: z.string(), TL: z.number().optional() }),
);
export type Listed = z.infer<typeof listed>;

/** What a member that answers says of all. */
export async function members(): Promise<Listed> {
  for (const name of NAMES) {
    const text = await inPod(name, ['patronictl', 'list', '--format', 'json']).catch(() => undefined);
    if (text !== undefined) return listed.parse(JSON.parse(text));
  }
  return [];
}

/** Waits until one is the primary and the others have what it writes. */
export const allFollow = (seconds = 180): Promise<Listed> =>
  until('all members follow the primary', seconds, async (last) => {
    const found = await members();
    last(found.map(({ Member, Role, State }) => [Member, Role, State]));
    const followers = found.filter(({ Role, State }) => Role === 'Quorum Standby' && State === 'streaming');
    const leaders = found.filter(({ Role, State }) => Role === 'Leader' && State === 'running');
    return leaders.length === 1 && followers.length === 2 ? found : undefined;
  });

export const inPod = (pod: string, command: readonly string[], input?: string): Promise<string> =>
  kubectl(
    ['exec', ...(input === undefined ? [] : ['-i']), '-n', 'delos', pod, '-c', 'postgres', '--', ...command],
    input === undefined ? {} : { input },
  );

/** Name of the primary. */
export const primary = (): Promise<string> =>
  kubectl(['get', 'endpoints', '-n', 'delos', 'postgres-primary', '-o', 'jsonpath={.metadata.annotations.leader}']);

/** What statements give, a line a row, as the superuser of that Pod. */
export const sqlIn = async (pod: string, database: string, statements: string): Promise<readonly string[]> => {
  const psql = ['psql', '-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-h', '/var/run/postgresql', '-U', 'postgres'];
  return (await inPod(pod, [...psql, '-d', database], statements)).split('\n').filter((line) => line !== '');
};

export const nodeOf = (pod: string): Promise<string> =>
  kubectl(['get', 'pod', '-n', 'delos', pod, '-o', 'jsonpath={.spec.nodeName}']);

/** A table for the writer, in a database of its own. */
export async function makeTable(pod: string): Promise<void> {
  await sqlIn(pod, 'postgres', "create role written login password 'written';\ncreate database written owner written;");
  await sqlIn(pod, 'written', 'set role written;\ncreate table written (number bigint primary key);');
}

export const rows = async (pod: string): Promise<ReadonlySet<string>> =>
  new Set(await sqlIn(pod, 'written', 'select number from written;'));

const label = (name: string) => ({ matchLabels: { 'app.kubernetes.io/name': name } });

/** Starts the writer on that node. */
export async function startWriter(node: string): Promise<void> {
  const image = await kubectl([
    'get',
    'pod',
    '-n',
    'delos',
    NAMES[0] ?? '',
    '-o',
    'jsonpath={.spec.containers[0].image}',
  ]);
  const metadata = (name: string) => ({ name, namespace: 'delos', labels: label('writer').matchLabels });
  const policy = (name: string, spec: object) => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadata(name),
    spec,
  });
  const items = [
    policy('writer', { podSelector: label('writer'), policyTypes: ['Egress'], egress: [{}] }),
    policy('writer-in', {
      podSelector: label('postgres'),
      policyTypes: ['Ingress'],
      ingress: [{ from: [{ podSelector: label('writer') }] }],
    }),
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata('writer'), data: { 'writer.py': SCRIPT } },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: metadata('writer'),
      spec: {
        nodeName: node,
        // As the profile `ha` has it: the cut node may have one of the two that answer for names.
        dnsConfig: {
          options: [
            { name: 'timeout', value: '1' },
            { name: 'attempts', value: '5' },
            { name: 'ndots', value: '2' },
          ],
        },
        terminationGracePeriodSeconds: 1,
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, runAsUser: 65_000, seccompProfile: { type: 'RuntimeDefault' } },
        containers: [
          {
            name: 'writer',
            image,
            command: ['python3', '/writer/writer.py', DSN],
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
            volumeMounts: [{ name: 'writer', mountPath: '/writer' }],
          },
        ],
        volumes: [{ name: 'writer', configMap: { name: 'writer' } }],
      },
    },
  ];
  await kubectl(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) });
  await until('the writer has written', 60, async () => ((await acknowledged()).length > 20 ? true : undefined));
}

export const stopWriter = (): Promise<string> =>
  kubectl(['delete', '-n', 'delos', 'pod/writer', 'configmap/writer', '--ignore-not-found']);

interface Acknowledged {
  readonly number: string;
  /** Seconds. */
  readonly at: number;
}

/** What the writer was told is committed, in its order. */
export async function acknowledged(): Promise<readonly Acknowledged[]> {
  const log = await kubectl(['logs', '-n', 'delos', 'writer']).catch(() => '');
  return log.split('\n').flatMap((line) => {
    const [, number, at] = /^(\d+) (\d+\.\d+)$/.exec(line) ?? [];
    return number === undefined || at === undefined ? [] : [{ number, at: Number(at) }];
  });
}

/** The longest time without a commit, in seconds. */
export const longestGap = (all: readonly Acknowledged[]): number =>
  Math.max(0, ...all.slice(1).map(({ at }, index) => at - (all[index]?.at ?? at)));

/** What a Secret of PostgreSQL holds, once nothing else is accepted. */
export async function passwordOf(name: string): Promise<string> {
  const text = await kubectl(['get', 'secret', '-n', 'delos', `postgres-${name}`, '-o', 'json']);
  const { data } = z.object({ data: z.record(z.string(), z.string()) }).parse(JSON.parse(text));
  expect(Object.keys(data)).toEqual(['password']);
  return Buffer.from(data.password ?? '', 'base64').toString();
}

/** Whether a password opens what it is for: of a role at the primary, of `patroni` at another member. */
export async function opens(name: string, password: string): Promise<boolean> {
  const host = 'postgres-primary.delos.svc.cluster.local';
  const pod = (await primary()) === 'postgres-0' ? 'postgres-1' : 'postgres-0';
  const address = await kubectl(['get', 'pod', '-n', 'delos', pod, '-o', 'jsonpath={.status.podIP}']);
  const database = { delos: 'delos', keycloak: 'keycloak', rewinder: 'postgres' }[name];
  const program =
    name === 'patroni'
      ? `import sys,base64,urllib.request as u,urllib.error as e
r=u.Request('http://${address}:8008/reload',data=b'',headers={'Authorization':'Basic '+base64.b64encode(b'patroni:'+sys.stdin.read().strip().encode()).decode()})
try: print(u.urlopen(r,timeout=10).status)
except e.HTTPError as error: print(error.code)`
      : `import sys,psycopg2
try:
  psycopg2.connect('host=${host} user=${name} ${database === undefined ? 'replication=true' : `dbname=${database}`}',password=sys.stdin.read().strip(),connect_timeout=10)
  print('in')
except psycopg2.OperationalError as error: print('refused' if 'password authentication failed' in str(error) else error)`;
  const said = await kubectl(['exec', '-i', '-n', 'delos', 'writer', '--', 'python3', '-c', program], {
    input: `${password}\n`,
  });
  expect(said.trim(), name).toMatch(/^(in|refused|202|401)$/);
  return ['in', '202'].includes(said.trim());
}
