import { addressPods } from '../../../../cluster/src/netpol/addresses.ts';
import { compile, type NodeFacts } from '../../../../cluster/src/netpol/compile.ts';
import { tryPrefix } from '../../../../cluster/src/netpol/ipv4.ts';
import { parseNamespace, parsePod, parsePolicy } from '../../../../cluster/src/netpol/parse.ts';
import type { Table } from '../../../../cluster/src/netpol/table.ts';
import type { World } from './judge.ts';

/** A node whose Pods have these addresses. */
function nodeOf(cidr: string): NodeFacts {
  const podCidr = tryPrefix(cidr);
  if (podCidr === undefined) throw new Error('prefix');
  return { table: 'npol', podCidr, podInterfaces: 'veth*' };
}
/** The node whose table the tests' worlds are compiled into, and a second one. */
export const node = nodeOf('10.202.0.0/24');
export const second = nodeOf('10.204.0.0/24');

/** The rules that Delos makes of a world on one node, and of Pods that leave on others. */
export function table(from: World, on: NodeFacts = node, leaving: World['pods'] = []): Table {
  return compile(
    {
      namespaces: from.namespaces.map(parseNamespace),
      pods: addressPods(from.pods.map(parsePod), [], new Set()),
      leaving: addressPods(leaving.map(parsePod), [], new Set()),
      policies: from.policies.map(parsePolicy),
    },
    on,
  );
}
