import { z } from 'zod';
import { jobId, jobPodSpec } from './job.ts';

/*
 * How a cluster's agents and the control API speak. Agents dial out; the API never dials a cluster.
 *
 * Terminology. The *agent* (one a cluster) makes and watches Pods. A *collector* (one a node) reads container logs
 * from the node's disk. *Desired* is what the API wants of one job; *observation* is what the agent saw of its Pod.
 * A desire carries the job's *revision* (grows with each change), so that an old message never undoes a newer one. A job has
 * one Pod after another where it gives way to others: each is a *run*, and what is told of a run says of which.
 *
 * Life of a job as the agent sees it:
 *   run     the Pod shall exist (created once: a Pod of that name that exists is the same run)
 *   stop    the container shall end, the Pod stay, so that its log can still be read (activeDeadlineSeconds)
 *   remove  the end is recorded and the log archived: the Pod may go, and then the next run may come
 * Every message may be lost with its connection and is then derived again from state: on connect the API sends all
 * desires, one `job` each, and then a `sync` that names them; the agent sends all observations. An observation counts only
 * once acknowledged. Desires are told in the order in which they were read. The agent forgets what a `sync` does not name.
 *
 * Transport: WebSocket, one JSON text message each, `Authorization: Bearer <agent token>`.
 *   GET  /internal/agent/v1/connect?cluster=NAME            agent
 *   GET  /internal/agent/v1/collect?cluster=NAME&node=NAME  collector
 *   GET  /internal/agent/v1/streams/ID                      agent, one for each StreamRequest, once the Pod has answered
 *   POST /internal/agent/v1/streams/ID                      agent, StreamRefused: the Pod did not answer
 *   GET  /internal/agent/v1/logs/JOB?pod=UID&attempt=N      → LogPosition
 *   POST /internal/agent/v1/logs/JOB?pod=UID&attempt=N&offset=BYTES&skipped=BYTES&lost=BOOL&cursor=TEXT&final=BOOL&complete=BOOL
 *        → LogPosition (409: too). `skipped` bytes after `offset` are left out; `lost`: further ones, nobody knows how many. The body is one gzip member of what follows `offset`, empty where there is nothing but `final`.
 *
 * Stream frames are binary and the client's own: attach and exec carry a channel in byte 0 (STREAM_CHANNEL), a port
 * forward raw bytes. `top` alone is text: a JobUsage each. A normal end of the WebSocket is the end of the stream.
 */
export const AGENT_PREFIX = '/internal/agent/v1';

/** Container log bytes exactly as the kubelet keeps them (CRI format), numbered over all rotated files of one attempt. */
export const logPosition = z.object({
  /** Bytes archived so far: the next offset. */
  length: z.number().int().nonnegative(),
  /** True once sealed: nothing more is accepted. */
  final: z.boolean(),
  /** What the collector said with the last bytes: where in which file they ended. Nobody else reads it. */
  cursor: z.string().nullable().default(null),
  /**
   * The job's log is over its limit: so many bytes a second are taken from now on. What is more is left out, the oldest
   * first, and the next append says how much that was (`skipped`). Null: no limit yet.
   */
  rate: z.number().int().positive().nullable().default(null),
});
export type LogPosition = z.infer<typeof logPosition>;

export const desiredJob = z.object({
  jobId,
  revision: z.number().int().nonnegative(),
  action: z.enum(['run', 'stop', 'remove']),
  /** Seconds between SIGTERM and SIGKILL at a stop. */
  graceSeconds: z.number().int().nonnegative().default(15),
  /** Number of the run, from 0. */
  run: z.number().int().nonnegative().default(0),
  /** The run's Pod that was seen: when it is gone it is observed as `absent`, never made again. Null: none was seen. */
  podUid: z.string().nullable().default(null),
  spec: jobPodSpec,
});
export type DesiredJob = z.infer<typeof desiredJob>;

export const podObservation = z.object({
  jobId,
  /** Empty where there is no Pod and none had been seen. */
  podUid: z.string(),
  run: z.number().int().nonnegative().default(0),
  /** `absent`: no such Pod though one had been seen, or none at a `stop`. */
  phase: z.enum(['pending', 'running', 'succeeded', 'failed', 'absent']),
  /** One of core's REASONS where one fits. */
  reason: z.string().nullable(),
  /** For a person: what happened and, where known, what to do. */
  description: z.string().nullable(),
  nodeName: z.string().nullable(),
  podIp: z.string().nullable(),
  /** Container restarts so far, of this Pod; equals the current attempt. */
  restarts: z.number().int().nonnegative(),
  startedAt: z.iso.datetime({ offset: true }).nullable(),
  finishedAt: z.iso.datetime({ offset: true }).nullable(),
  exitCode: z.number().int().nullable(),
  /** It has ended, and not because it was asked to. */
  ofItself: z.boolean().default(false),
  /** It has ended for its node's sake (a drain, a shutdown, a loss), and for nothing that it did. */
  putOut: z.boolean().default(false),
  /** Its node refused it, or put it out for the node's own sake, before a container had started: it never ran. */
  refused: z.boolean().default(false),
  /** An image answered by a stand-in, and by what. */
  standIn: z.string().nullable().default(null),
});
export type PodObservation = z.infer<typeof podObservation>;

export const nodeReport = z.object({
  name: z.string(),
  pool: z.string().nullable(),
  ready: z.boolean(),
  schedulable: z.boolean(),
  /** Taints that only jobs with such a device tolerate, by key. Left out by agents that do not tell. */
  taints: z.array(z.string()).optional(),
  /** Allocatable less what Pods that are not jobs request. */
  cpu: z.number().nonnegative(),
  memory: z.number().int().nonnegative(),
  extended: z.record(z.string(), z.number().int().nonnegative()),
  pods: z.number().int().nonnegative(),
});
export type NodeReport = z.infer<typeof nodeReport>;

/** A byte stream that a client of the API wants with a Pod; the agent dials /streams/ID and joins it to the kubelet. */
export const streamRequest = z.object({
  id: z.string(),
  jobId,
  kind: z.enum(['attach', 'exec', 'port-forward', 'top']),
  tty: z.boolean().default(false),
  stdin: z.boolean().default(false),
  stdout: z.boolean().default(false),
  stderr: z.boolean().default(false),
  command: z.array(z.string()).default([]),
  port: z.number().int().nullable().default(null),
});
export type StreamRequest = z.infer<typeof streamRequest>;

/** What a job's container uses, as the official client reads it. */
export const jobUsage = z.object({
  /** Cores. */
  cpu: z.number().nonnegative(),
  memory_bytes: z.number().int().nonnegative(),
  /** When it was measured, in seconds since 1970. */
  timestamp: z.number(),
});
export type JobUsage = z.infer<typeof jobUsage>;

/** Byte 0 of a frame of attach and exec, as the official client has it. */
export const STREAM_CHANNEL = {
  stdin: 0,
  stdout: 1,
  stderr: 2,
  /** The end: JSON `{"exit_code": n}`. */
  exit: 3,
  /** JSON `{"width": n, "height": n}`, towards the container. */
  resize: 4,
} as const;

/** Why a stream could not be had: answered to the client's handshake. */
export const streamRefused = z.object({
  /** HTTP status; 404 where the container has ended or not started. */
  status: z.number().int().min(400).max(599),
  message: z.string(),
});
export type StreamRefused = z.infer<typeof streamRefused>;

export const toAgent = z.discriminatedUnion('type', [
  /** Every job of which something is desired. Each was told before, by a `job` on this connection. */
  z.object({ type: z.literal('sync'), jobIds: z.array(jobId) }),
  z.object({ type: z.literal('job'), job: desiredJob }),
  /** Nothing is wanted of it any more. */
  z.object({ type: z.literal('forget'), jobId }),
  z.object({ type: z.literal('ack'), jobId, podUid: z.string(), seq: z.number().int() }),
  z.object({ type: z.literal('stream'), stream: streamRequest }),
]);
export type ToAgent = z.infer<typeof toAgent>;

export const fromAgent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('hello'), version: z.string(), nonce: z.string() }),
  z.object({ type: z.literal('nodes'), nodes: z.array(nodeReport) }),
  z.object({ type: z.literal('observation'), seq: z.number().int(), observation: podObservation }),
  z.object({ type: z.literal('removed'), jobId, podUid: z.string(), run: z.number().int().nonnegative().default(0) }),
]);
export type FromAgent = z.infer<typeof fromAgent>;

/** To the collector of one node: read this log to its end and seal it. */
export const toCollector = z.discriminatedUnion('type', [
  z.object({ type: z.literal('seal'), jobId, podUid: z.string(), attempts: z.number().int().nonnegative() }),
]);
export type ToCollector = z.infer<typeof toCollector>;
