import { z } from 'zod';
import { desire, KINDS, observation, removed } from './kinds.ts';
import { nodeReport } from './node-report.ts';
import { offer } from './offer.ts';
import { streamRequest } from './stream.ts';
import { usageReport } from './usage-report.ts';

/*
 * How a cluster's agents and the control API speak. Agents dial out; the API never dials a cluster.
 *
 * Terminology. The *agent* (one a cluster) makes and watches Pods. A *collector* (one a node) reads container logs
 * from the node's disk. A *desire* is what the API wants of one thing, a *report* is what the agent saw of it; kinds.ts
 * lists the kinds of things.
 *
 * Every message may be lost with its connection and is then derived again from state: on connect the API sends all
 * desires, one message each, and then for each kind a `sync` that names them; the agent sends all observations. An
 * observation counts only once acknowledged. Desires are told in the order in which they were read. The agent forgets what
 * a `sync` of its kind does not name.
 *
 * The agent sends each measurement of running jobs once. It does not send a lost one again: the next one replaces it.
 *
 * The first message is the agent's `hello`. An agent that says anything else first, or speaks another protocol, is told
 * so, and the connection is closed. Both ends are rolled together, so an agent of another protocol is soon replaced.
 *
 * Transport: WebSocket, one JSON text message each, `Authorization: Bearer <agent token>`.
 *   GET  /internal/agent/v1/connect?cluster=NAME            agent
 *   GET  /internal/agent/v1/collect?cluster=NAME&node=NAME  collector
 *   GET  /internal/agent/v1/streams/ID                      agent, one for each StreamRequest, once the Pod has answered
 *   POST /internal/agent/v1/streams/ID                      agent, StreamRefused: the Pod did not answer
 *   GET  /internal/agent/v1/streams/ID/request              another replica of the API, to which the agent is connected → StreamRequest
 *   GET  /internal/agent/v1/logs/JOB?pod=UID&attempt=N      → LogPosition
 *   POST /internal/agent/v1/logs/JOB?pod=UID&attempt=N&offset=BYTES&skipped=BYTES&lost=BOOL&cursor=TEXT&final=BOOL&complete=BOOL
 *        → LogPosition (409: too). `skipped` bytes after `offset` are left out; `lost`: further ones, nobody knows how many. The body is one gzip member of what follows `offset`, empty where there is nothing but `final`.
 *
 * The agent of a cluster that has joined does the same below JOINED_PREFIX (join.ts), and sends its `offer` after `hello`.
 *
 * Stream frames are binary and the client's own: attach and exec carry a channel in byte 0 (STREAM_CHANNEL), a port
 * forward raw bytes. `top` alone is text: a JobUsage each. A normal end of the WebSocket is the end of the stream.
 */
export const AGENT_PREFIX = '/internal/agent/v1';

/** Grows with every change of these messages that the other end would not understand. */
export const AGENT_PROTOCOL = 6;

const kind = z.enum(KINDS);
/** Of a thing: unique in its kind. */
const id = z.string().min(1).max(200);

export const toAgent = z.discriminatedUnion('type', [
  /** Everything of this kind of which something is desired. Each was told before, by a `desire` on this connection. */
  z.object({ type: z.literal('sync'), kind, ids: z.array(id) }),
  z.object({ type: z.literal('desire'), desire }),
  /** Nothing is wanted of it any more. */
  z.object({ type: z.literal('forget'), kind, id }),
  z.object({ type: z.literal('ack'), kind, id, seq: z.number().int() }),
  z.object({ type: z.literal('stream'), stream: streamRequest }),
]);
export type ToAgent = z.infer<typeof toAgent>;

/** `version` is the agent's release, for people. Agents that do not tell their protocol speak the first. */
export const hello = z.object({
  type: z.literal('hello'),
  version: z.string(),
  protocol: z.number().int().positive().default(1),
});

export const fromAgent = z.discriminatedUnion('type', [
  hello,
  z.object({ type: z.literal('nodes'), nodes: z.array(nodeReport) }),
  offer,
  usageReport,
  observation,
  removed,
]);
export type FromAgent = z.infer<typeof fromAgent>;
