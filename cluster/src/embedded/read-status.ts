import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { API_SERVER_PORT, POOL_LABEL } from '@delos/core';
import { z } from 'zod';
import type { ClusterStatus } from '../engine.ts';
import { openApi } from './api.ts';
import { addressesOf, nodeName } from './host/addresses.ts';
import { layoutOf, type NodeSpec } from './spec.ts';
import { type HostStatus, tryReadHostStatus, tryReadNodeStatus } from './status.ts';
import { firstMissing, nodeUnkept } from './wait.ts';

const nodeList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
      status: z.object({
        conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
        nodeInfo: z.object({ kubeletVersion: z.string() }),
      }),
    }),
  ),
});
type Found = z.infer<typeof nodeList>['items'][number];
type Part = ClusterStatus['parts'][number];

/** The state of every node. A part that does not run says why. */
export async function readStatus(members: readonly [NodeSpec, ...NodeSpec[]]): Promise<ClusterStatus> {
  const [spec] = members;
  const layout = layoutOf(spec.state);
  const hostStatus = tryReadHostStatus(layout);
  const host = {
    name: 'host',
    healthy: hostStatus !== undefined && hostStatus.message === '',
    message: hostStatus === undefined ? 'does not run' : hostStatus.message,
  };
  const server = `https://${addressesOf(spec.number).nodeIp}:${API_SERVER_PORT}`;
  const parts = members.flatMap((member) => partsOf(member, hostStatus));
  const shown = (found: readonly Found[]) => members.map((member) => nodeOf(member, found, hostStatus));
  if (!existsSync(join(layout.pki, 'admin.key')) || stateOf(1, hostStatus) === 'stopped') {
    return { kind: 'embedded', server, version: '', nodes: shown([]), parts: [host, ...parts] };
  }
  const api = openApi(spec, 'admin');
  try {
    const supervisor = tryReadNodeStatus(layout);
    const missing = await firstMissing(spec, () => api);
    const unkept = supervisor === undefined ? undefined : nodeUnkept(spec, supervisor);
    const node = { name: 'node', healthy: unkept === undefined, message: unkept ?? '' };
    const late = missing === unkept ? undefined : missing;
    const addons = { name: 'add-ons', healthy: late === undefined, message: late ?? '' };
    const found = nodeList.safeParse(await api.get('/api/v1/nodes').catch(() => undefined)).data?.items ?? [];
    const version = found.map(({ status }) => status.nodeInfo.kubeletVersion)[0] ?? '';
    return { kind: 'embedded', server, version, nodes: shown(found), parts: [host, ...parts, node, addons] };
  } finally {
    api.close();
  }
}

function stateOf(index: number, host: HostStatus | undefined): 'running' | 'stopped' | 'cut' {
  if (host?.wanted?.stopped.includes(index) === true) return 'stopped';
  return host?.wanted?.cut.includes(index) === true ? 'cut' : 'running';
}

function nodeOf({ index, labels, number }: NodeSpec, found: readonly Found[], host: HostStatus | undefined) {
  const name = nodeName(index);
  const known = found.find(({ metadata }) => metadata.name === name);
  return {
    name,
    ready: known?.status.conditions.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false,
    pool: known?.metadata.labels[POOL_LABEL] ?? labels[POOL_LABEL],
    address: addressesOf(number, index).nodeIp,
    state: stateOf(index, host),
  };
}

/** Of a further node, with its name; nothing of one that was stopped. */
function partsOf({ state, index }: NodeSpec, host: HostStatus | undefined): readonly Part[] {
  const prefix = index === 1 ? '' : `${nodeName(index)}/`;
  if (stateOf(index, host) === 'stopped') {
    return [{ name: nodeName(index), healthy: false, message: `stopped: delos cluster node start ${nodeName(index)}` }];
  }
  const said = index === 1 ? '' : (host?.members?.find((each) => each.index === index)?.message ?? 'does not run');
  const cut = stateOf(index, host) === 'cut' ? `cut off: delos cluster node mend ${nodeName(index)}` : said;
  const ill = cut === '' ? [] : [{ name: nodeName(index), healthy: false, message: cut }];
  const parts = (tryReadNodeStatus(layoutOf(state, index))?.parts ?? []).map((part) => ({
    name: `${prefix}${part.name}`,
    healthy: part.state === 'ready',
    message: part.message,
  }));
  return [...ill, ...parts];
}
