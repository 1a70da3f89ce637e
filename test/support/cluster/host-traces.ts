import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { instancePaths } from '@delos/core';
import { readInventory } from '../../../cluster/src/embedded/host/inventory.ts';
import { layoutOf } from '../../../cluster/src/embedded/spec.ts';

const exec = promisify(execFile);

/**
 * What an instance has on the machine outside of its cache, a line each: processes, mounts, interfaces, nftables, loop devices, control
 * groups, locks and namespaces that have a name. Two lists can be compared where nothing else happens on the machine meanwhile but in
 * other instances of this user: what these say is theirs is left out.
 */
export async function machineTraces(): Promise<readonly string[]> {
  const theirs = await neighbours();
  return (await allTraces()).filter((line) => !theirs.some((part) => line.endsWith(part) || line.includes(`${part}/`)));
}

/** What an instance's own names look like: nothing else of this machine is called so. A lock goes with its process. */
const OF_AN_INSTANCE =
  /^(interface delos-\d|nftables table \S+ delos_\d|control group \/sys\/fs\/cgroup\/[^/]+\/delos-[^/]+(\/|$))/;

/**
 * What is there now and was not before, and can be of an instance whose state lies in the folder. Others may run tests meanwhile.
 */
export async function tracesSince(before: readonly string[], folder: string): Promise<readonly string[]> {
  const lines = await machineTraces();
  return lines.filter((line) => !before.includes(line) && (OF_AN_INSTANCE.test(line) || line.includes(folder)));
}

/** Ends of lines that other instances' inventories and state folders account for. */
async function neighbours(): Promise<readonly string[]> {
  const root = dirname(instancePaths('any', process.env).state);
  const names = await readdir(root).catch(() => []);
  return names.flatMap((name) => {
    const state = join(root, name);
    return [
      state,
      ...readInventory(layoutOf(state).inventory).flatMap((item) => {
        if (item.kind === 'link') return [` ${item.name}`];
        if (item.kind === 'table') return [` ${item.family} ${item.name}`];
        if (item.kind === 'cgroup') return [`/${item.path}`];
        return item.kind === 'loops' ? [item.folder] : [];
      }),
    ];
  });
}

async function allTraces(): Promise<readonly string[]> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map((line) => line.split(' ')[4] ?? '');
  const sockets = (await readFile('/proc/net/unix', 'utf8')).match(/@delos-[0-9a-f]{24}/g) ?? [];
  const tables = await exec('nft', ['list', 'tables']).then(({ stdout }) => stdout.trim().split('\n'));
  const of = (kind: string, names: readonly string[]): string[] =>
    names.filter((name) => name !== '').map((name) => `${kind} ${name}`);
  return [
    ...of('mount', mounts),
    ...of('interface', await readdir('/sys/class/net')),
    ...of('nftables', tables),
    ...of('loop device', await loops()),
    ...of('control group', await groups()),
    ...of('lock', sockets),
    ...of('network namespace', await readdir('/run/netns').catch(() => [])),
  ].sort();
}

/** Processes whose command or variables name the folder, as `PID COMMAND`; not the one that asks. */
export async function processesNaming(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid) continue;
    const read = (file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
    const command = await read('cmdline');
    const where = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    if ([command, await read('environ'), where].some((text) => text.includes(folder))) {
      found.push(`${pid} ${command.replaceAll('\0', ' ')}`);
    }
  }
  return found;
}

async function loops(): Promise<readonly string[]> {
  const devices = (await readdir('/sys/block')).filter((name) => name.startsWith('loop'));
  return Promise.all(
    devices.map((name) =>
      readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').then(
        (file) => file.trim(),
        () => '',
      ),
    ),
  );
}

/** Those of Delos, in whatever hierarchy. */
async function groups(): Promise<readonly string[]> {
  const { stdout } = await exec('find', ['/sys/fs/cgroup', '-maxdepth', '4', '-type', 'd', '-name', '*delos*']);
  return stdout.split('\n');
}
