import { readdir, readFile, readlink } from 'node:fs/promises';
import { contains, tryAddress, tryPrefix } from '../../../../cluster/src/netpol/ipv4.ts';
import { execute, expectOk } from '../../../../peers/src/command.ts';
import { until } from '../../../support/until.ts';

export interface PolicyAgentProcess {
  /** In the machine's own numbering. */
  readonly pid: number;
  /** nft in the node's network namespace. */
  nft(args: readonly string[]): Promise<string>;
}

/** The policy agent of the node that a Pod's address is of; waits for one that is starting again. */
export async function policyAgent(podIp: string): Promise<PolicyAgentProcess> {
  const pid = await until(`a policy agent for ${podIp}`, 20, () => find(podIp), 20);
  return {
    pid,
    nft: (args) => expectOk(execute(['nsenter', '--net', '--target', String(pid), 'nft', ...args])),
  };
}

/** True while a CNI plugin of that agent's node waits for an answer. */
export async function gateWaits(podIp: string): Promise<true | undefined> {
  const { pid } = await policyAgent(podIp);
  const network = await readlink(`/proc/${pid}/ns/net`);
  for (const other of await readdir('/proc')) {
    if (!/^\d+$/.test(other)) continue;
    const command = await readFile(`/proc/${other}/cmdline`, 'utf8').catch(() => '');
    if (!command.includes('delos-cni-gate')) continue;
    if ((await readlink(`/proc/${other}/ns/net`).catch(() => '')) === network) return true;
  }
  return undefined;
}

async function find(podIp: string): Promise<number | undefined> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (!command.includes('netpol/main.ts')) continue;
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    const range = tryPrefix(/(?:^|\0)DELOS_POD_CIDR=([^\0]*)/.exec(environment)?.[1] ?? '');
    if (range !== undefined && contains(range, tryAddress(podIp) ?? -1)) return Number(pid);
  }
  return undefined;
}
