import { addressPods } from '../../../../cluster/src/netpol/addresses.ts';
import { compile } from '../../../../cluster/src/netpol/compile.ts';
import { tryPrefix } from '../../../../cluster/src/netpol/ipv4.ts';
import { parseNamespace, parsePod, parsePolicy } from '../../../../cluster/src/netpol/parse.ts';
import type { Table } from '../../../../cluster/src/netpol/table.ts';
import type { World } from './judge.ts';

/** The range of Pods and the table that the tests' worlds are compiled into. */
const podCidr = tryPrefix('10.202.0.0/24');
if (podCidr === undefined) throw new Error('prefix');
export const node = { table: 'npol', podCidr, podInterfaces: 'veth*' };

/** The rules that Delos makes of a world. */
export function table(from: World): Table {
  return compile(
    {
      namespaces: from.namespaces.map(parseNamespace),
      pods: addressPods(from.pods.map(parsePod), [], new Set()),
      policies: from.policies.map(parsePolicy),
    },
    node,
  );
}
