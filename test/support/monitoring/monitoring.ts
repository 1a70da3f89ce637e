import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { resolveTool } from '@delos/cluster';
import { silent } from '@delos/core';
import { until } from '../until.ts';
import type { GeneratedParts } from './generated-parts.ts';

/*
 * The real Prometheus, Alertmanager and node exporter as processes, with the commands, the configuration and the rules of
 * the platform's own manifests. A real CoreDNS answers the names of Services by addresses of loopback, one for each
 * service, so that all listen at the ports that they have in a cluster. What differs is paths, addresses to listen on,
 * and clocks: every wait is a second.
 */

export interface Monitoring {
  /** What Prometheus' API answers. */
  ask(path: string, query?: Readonly<Record<string, string>>): Promise<unknown>;
  /** All that a program has logged. */
  logged(program: string): string;
  stop(): Promise<void>;
}

/** Address of loopback that stands for the Pods of the nth service. */
const addressOf = (nth: number): string => `127.0.77.${nth + 1}`;
const DNS = '127.0.77.253';
const PROMETHEUS = '127.0.77.251';
/** Where Prometheus answers. */
export const PROMETHEUS_URL = `http://${PROMETHEUS}:9090`;
const ALERTMANAGER = '127.0.77.252';

/**
 * @param running port of loopback at which a service answers for its metrics, by its name; the others have no Pod
 * @param secrets files below the folder of Secrets → text
 */
export async function startMonitoring(
  parts: GeneratedParts,
  running: Readonly<Record<string, number>>,
  secrets: Readonly<Record<string, string>>,
): Promise<Monitoring> {
  const folder = await mkdtemp(join(tmpdir(), 'delos-monitoring-'));
  const children = new Map<string, ChildProcess>();
  const logs = new Map<string, string>();
  const relays: Server[] = [];
  const stop = async (): Promise<void> => {
    for (const child of children.values()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    }
    for (const relay of relays) relay.close();
    await rm(folder, { recursive: true, force: true });
  };
  const start = async (name: string, command: readonly string[], path: string): Promise<void> => {
    const [program = '', ...args] = command;
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PATH: `${path}:${process.env.PATH}`, DELOS_NODE: 'node-1' },
    });
    children.set(name, child);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text: Buffer) => logs.set(name, (logs.get(name) ?? '') + text.toString()));
    }
  };
  const answers = (name: string, url: string): Promise<unknown> =>
    until(`${name} answers at ${url}`, 30, async (last) => {
      const { exitCode } = children.get(name) ?? {};
      if (exitCode !== null) throw new Error(`${name} ended with ${exitCode}:\n${logs.get(name)}`);
      const answer = await fetch(url).catch((error: unknown) => last(String(error)));
      return answer?.ok === true ? true : undefined;
    });
  try {
    const tools = await toolFolders();
    const places: Readonly<Record<string, string>> = {
      '/etc/prometheus/': `${folder}/prometheus/`,
      '/etc/prometheus-secrets/': `${folder}/secrets/`,
      '/etc/alertmanager/': `${folder}/alertmanager/`,
      '/etc/alertmanager-secrets/': `${folder}/secrets/`,
      '--storage.tsdb.path=/prometheus': `--storage.tsdb.path=${folder}/samples`,
      '--storage.path=/alertmanager': `--storage.path=${folder}/told`,
      '/run/node': `${folder}/node`,
      '=:9090': `=${PROMETHEUS}:9090`,
      '=:9093': `=${ALERTMANAGER}:9093`,
    };
    const placed = (text: string): string =>
      Object.entries(places).reduce((whole, [from, to]) => whole.replaceAll(from, to), text);
    for (const [service, file] of FILES) {
      await mkdir(join(folder, service), { recursive: true });
      await writeFile(join(folder, service, file), hastened(placed(parts.file(service, file))));
    }
    for (const [file, text] of Object.entries(secrets)) {
      await mkdir(dirname(join(folder, 'secrets', file)), { recursive: true });
      await writeFile(join(folder, 'secrets', file), text, { mode: 0o400 });
    }
    await mkdir(join(folder, 'node'));

    const names = new Map<string, string>([['alertmanager.delos.svc.cluster.local', ALERTMANAGER]]);
    const own: Readonly<Record<string, string>> = { prometheus: PROMETHEUS, alertmanager: ALERTMANAGER };
    let nth = 0;
    for (const [job, { host, port }] of parts.targets) {
      const at = running[job];
      const address = own[job] ?? addressOf(nth++);
      if (own[job] !== undefined || job === 'node-exporter' || at !== undefined) names.set(host, address);
      if (job === 'node-exporter') {
        const command = parts
          .command('node-exporter')
          .map((arg) => onDisk(placed(arg)).replace('=:9100', `=${address}:9100`));
        await start('node-exporter', command.map(byName), tools.path);
        await answers('node-exporter', `http://${address}:9100/`);
      } else if (at !== undefined) relays.push(await relay(address, port, at));
    }
    await writeFile(join(folder, 'resolv.conf'), `nameserver ${DNS}\noptions ndots:1\n`);
    await writeFile(join(folder, 'Corefile'), corefile(names));
    await start('coredns', [tools.coredns, '-conf', join(folder, 'Corefile')], tools.path);
    await answers('coredns', `http://${DNS}:8053/health`);
    const program = (name: 'prometheus' | 'alertmanager'): readonly string[] =>
      asking(
        join(folder, 'resolv.conf'),
        parts.command(name).map((word) => byName(placed(word))),
      );
    await start('alertmanager', program('alertmanager'), tools.path);
    await answers('alertmanager', `http://${ALERTMANAGER}:9093/-/ready`);
    await start('prometheus', program('prometheus'), tools.path);
    await answers('prometheus', `http://${PROMETHEUS}:9090/-/ready`);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ask: async (path, query = {}) => {
      const answer = await fetch(`http://${PROMETHEUS}:9090/api/v1/${path}?${new URLSearchParams(query)}`);
      const text = await answer.text();
      if (!answer.ok) throw new Error(`Prometheus answers ${answer.status} to ${path}: ${text}`);
      return JSON.parse(text) as unknown;
    },
    logged: (program) => logs.get(program) ?? '',
    stop,
  };
}

const FILES = [
  ['prometheus', 'prometheus.yaml'],
  ['prometheus', 'rules.yaml'],
  ['alertmanager', 'alertmanager.yaml'],
] as const;

/** A folder that a Pod mounts → one that is mounted on this machine, once. */
const onDisk = (text: string): string => text.replaceAll('/node-disk', MOUNTED);

const MOUNTED = mounted();

/** The first folder on which one file system lies that node exporter knows. */
function mounted(): string {
  const all = readFileSync('/proc/1/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  const found = all.find(
    ([, folder = '', kind = '']) =>
      /^(ext4|xfs|btrfs|tmpfs)$/.test(kind) &&
      /^[a-z/-]+$/.test(folder) &&
      all.filter(([, other]) => other === folder).length === 1,
  );
  return found?.[1] ?? '/';
}

/** Every wait is a second. */
const hastened = (text: string): string =>
  onDisk(text).replace(
    /^(\s*(?:- )?(?:scrape_interval|scrape_timeout|evaluation_interval|refresh_interval|group_wait|group_interval|for)): \S+$/gm,
    '$1: 1s',
  );

/** The command where its own resolv.conf is the machine's. */
const asking = (resolver: string, command: readonly string[]): readonly string[] => [
  ...['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/resolv.conf && exec "$@"', resolver],
  ...command,
];

/** Programs of the image are found by name. */
const byName = (word: string): string =>
  word.replaceAll(/(^|\s)\/bin\/(prometheus|alertmanager|node_exporter)\b/g, '$1$2');

/** Where the programs are. */
async function toolFolders(): Promise<{ readonly path: string; readonly coredns: string }> {
  const all = await Promise.all(
    (['prometheus', 'alertmanager', 'node_exporter', 'coredns'] as const).map((name) => resolveTool(name, silent)),
  );
  return { path: all.map(({ path }) => dirname(path)).join(':'), coredns: all[3]?.path ?? '' };
}

/** Answers these names, and no others, as cluster DNS does. */
const corefile = (names: ReadonlyMap<string, string>): string => `.:53 {
	bind ${DNS}
	health ${DNS}:8053
	hosts {
${[...names].map(([name, address]) => `\t\t${address} ${name}\n`).join('')}		ttl 1
	}
}
`;

/** Passes connections on: services of a test listen at any free port. */
function relay(host: string, port: number, to: number): Promise<Server> {
  const server = createServer((from) => {
    const onward = connect(to, '127.0.0.1');
    from.pipe(onward).pipe(from);
    from.on('error', () => onward.destroy());
    onward.on('error', () => from.destroy());
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve(server));
  });
}
