import { NODE_PORTS } from '@delos/core';
import { tryReadJson } from '@delos/host';
import { hostsOfNode, type RegistryHosts, writeHosts } from '../../registry-hosts.ts';
import { addressesOf } from '../host/addresses.ts';
import { type Forwards, forwards } from '../host/forward.ts';
import { layoutOf, type NodeSpec } from '../spec.ts';

/** The port that a URL of `https` leaves out, and with it the name of an image. */
const USUAL_PORT = 443;

/**
 * The platform's own registry, by each name that people know the platform by: on a node, that is its own node port. The
 * names lead to this machine, whose loopback is not the node's.
 */
export function hostsOfPlatform(
  { number, index, publicName }: Pick<NodeSpec, 'number' | 'index' | 'publicName'>,
  { ports }: Forwards,
): readonly RegistryHosts[] {
  const { nodeIp } = addressesOf(number, index);
  const names = ['127.0.0.1', ...(publicName === null ? [] : [publicName.name])];
  return ports.flatMap(({ host, node }) => {
    const scheme = { [NODE_PORTS.http]: 'http', [NODE_PORTS.https]: 'https' }[node];
    if (scheme === undefined) return [];
    // The certificate is for the public name. What is asked is the node itself, and nothing outside of it.
    const own = { url: `${scheme}://${nodeIp}:${node}`, ...(scheme === 'https' ? { unchecked: true } : {}) };
    return names.map((name) => ({
      registry: scheme === 'https' && host === USUAL_PORT ? name : `${name}:${host}`,
      // Twice: containerd 1.6 reads no file that has a server alone.
      asked: [own],
      last: own,
      files: new Map<string, string>(),
    }));
  });
}

/** Writes whom a node's containerd asks for images; it reads that at each pull. */
export function writeNodeHosts(spec: NodeSpec): void {
  const exposed = tryReadJson(layoutOf(spec.state).forwards, forwards) ?? { ports: [] };
  writeHosts(layoutOf(spec.state, spec.index).certsD, [...hostsOfNode(spec), ...hostsOfPlatform(spec, exposed)]);
}
