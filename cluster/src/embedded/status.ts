import { isAlive, tryReadJson } from '@delos/host';
import { z } from 'zod';
import type { Layout } from './spec.ts';

const identity = z.object({ pid: z.number(), start: z.string() });

const hostStatus = z.object({
  process: identity,
  specHash: z.string(),
  init: identity.optional(),
  message: z.string(),
  /** Every node, and what was done of what is asked of them. A `host` of an earlier release knows one node. */
  members: z.array(z.object({ index: z.number(), init: identity.optional(), message: z.string() })).optional(),
  wanted: z.object({ stopped: z.array(z.number()), cut: z.array(z.number()) }).optional(),
  forwards: z.array(z.object({ host: z.number(), node: z.number(), open: z.boolean(), error: z.string() })),
});
export type HostStatus = z.infer<typeof hostStatus>;

/** Whether the Node object has the labels and fake devices that are asked for. */
const nodeState = z.object({
  /** `refused`: the API server does not take them, and trying again does not help. */
  kind: z.enum(['ready', 'waiting', 'refused']),
  /** What is amiss. */
  text: z.string(),
  /** Which labels and devices these were: `askedHash` of them. */
  asked: z.string(),
});
export type NodeState = z.infer<typeof nodeState>;

const nodeStatus = z.object({
  /** Within the node's own PID namespace. */
  pid: z.number(),
  specHash: z.string(),
  began: z.string(),
  addons: z.string(),
  /** Of how many nodes the add-ons are that were applied last. */
  addonNodes: z.number().optional(),
  dns: z.string(),
  /** A supervisor of an earlier release does not tell. */
  node: nodeState.optional(),
  parts: z.array(
    z.object({
      name: z.string(),
      state: z.enum(['waiting', 'starting', 'ready', 'unready']),
      pid: z.number().optional(),
      restarts: z.number(),
      message: z.string(),
    }),
  ),
});
export type NodeStatus = z.infer<typeof nodeStatus>;

/** Undefined when no `host` process lives. */
export function tryReadHostStatus(layout: Layout): HostStatus | undefined {
  const status = tryReadJson(layout.hostStatus, hostStatus);
  return status !== undefined && isAlive(status.process) ? status : undefined;
}

/** First process of a node; undefined when it is gone. */
export function tryReadInit(layout: Layout): z.infer<typeof identity> | undefined {
  const host = tryReadHostStatus(layout);
  const init = layout.index === 1 ? host?.init : host?.members?.find(({ index }) => index === layout.index)?.init;
  return init !== undefined && isAlive(init) ? init : undefined;
}

/** What a node's supervisor last wrote; undefined when the node's first process is gone. */
export function tryReadNodeStatus(layout: Layout): NodeStatus | undefined {
  if (tryReadInit(layout) === undefined) return undefined;
  return tryReadJson(layout.nodeStatus, nodeStatus);
}
