import { randomUUID } from 'node:crypto';
import { DelosError, type ErrorCode, type StreamRefused, type StreamRequest } from '@delos/core';
import type WebSocket from 'ws';
import type { LogTails } from '../../logs/tails.ts';
import type { AgentSession } from './session.ts';
import type { Principal } from './tokens.ts';

/** How long an agent may take to reach a container. */
const ANSWER_MS = 15_000;
/** How long another replica may take to take a request. */
const TAKE_MS = 3_000;
const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  404: 'ERR_NOT_FOUND',
  400: 'ERR_REQUEST',
  501: 'ERR_NOT_IMPLEMENTED',
};

interface Awaited {
  readonly cluster: string;
  readonly stream: StreamRequest;
  readonly resolve: (socket: WebSocket) => void;
  readonly reject: (error: Error) => void;
  /** Ends the wait. */
  timer: NodeJS.Timeout;
}

/** The other replicas of the API, one of which the agent may be connected to. */
export interface OtherReplicas {
  /** Where the agent reaches this replica. No trailing slash. */
  readonly address: string;
  /** Asks them for the agent. Whichever has it takes the request from here. */
  readonly ask: (cluster: string, id: string) => Promise<void>;
}

/** Which agents are connected to this process, and the streams that are on their way. */
export class AgentHub {
  readonly tails: LogTails;
  readonly #agents = new Map<string, AgentSession[]>();
  readonly #awaited = new Map<string, Awaited>();

  readonly #others: OtherReplicas | undefined;

  /** @param others where there is but one replica, undefined */
  constructor(tails: LogTails, others?: OtherReplicas) {
    this.tails = tails;
    this.#others = others;
  }

  add(session: AgentSession): void {
    this.#agents.set(session.cluster, [...(this.#agents.get(session.cluster) ?? []), session]);
  }

  remove(session: AgentSession): void {
    const left = (this.#agents.get(session.cluster) ?? []).filter((other) => other !== session);
    if (left.length === 0) this.#agents.delete(session.cluster);
    else this.#agents.set(session.cluster, left);
  }

  get sessions(): readonly AgentSession[] {
    return [...this.#agents.values()].flat();
  }

  /**
   * A stream into a job's container: open, and paused until somebody listens.
   * @throws DelosError ERR_NOT_FOUND where the container does not run, ERR_TIMEOUT where the cluster does not answer
   */
  async openStream(cluster: string, request: Omit<StreamRequest, 'id' | 'callback'>): Promise<WebSocket> {
    const agent = this.agentOf(cluster);
    const others = this.#others;
    if (agent === undefined && others === undefined) throw notConnected(cluster);
    const id = randomUUID();
    const stream: StreamRequest = { ...request, id, callback: others?.address ?? null };
    const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
    const first = agent === undefined ? () => notConnected(cluster) : noAnswer;
    const timer = this.#failAfter(agent === undefined ? TAKE_MS : ANSWER_MS, id, first);
    this.#awaited.set(id, { cluster, stream, resolve, reject, timer });
    if (agent !== undefined) agent.ask(stream);
    else {
      try {
        await others?.ask(cluster, id);
      } catch (error) {
        this.#take(id)?.reject(error instanceof Error ? error : new Error(String(error)));
      }
    }
    return promise;
  }

  /** The agent of a cluster that is connected to this replica. The newest: an older one may be a connection that nobody noticed is dead. */
  agentOf(cluster: string): AgentSession | undefined {
    return this.#agents.get(cluster)?.findLast((session) => session.open);
  }

  /** Gives a request to another replica, which has the agent. Undefined where nobody waits for it. */
  hand(id: string): StreamRequest | undefined {
    const awaited = this.#awaited.get(id);
    if (awaited === undefined) return undefined;
    clearTimeout(awaited.timer);
    awaited.timer = this.#failAfter(ANSWER_MS, id, noAnswer);
    return awaited.stream;
  }

  #failAfter(ms: number, id: string, why: () => DelosError): NodeJS.Timeout {
    return setTimeout(() => this.#take(id)?.reject(why()), ms);
  }

  /** Is somebody waiting for this stream, and for it from there? */
  awaits(id: string, from: Principal): boolean {
    const awaited = this.#awaited.get(id);
    return awaited !== undefined && isFrom(awaited, from);
  }

  /** The agent's call back. */
  deliver(id: string, socket: WebSocket): void {
    const awaited = this.#take(id);
    if (awaited === undefined) socket.close(1000, 'nobody waits for it any more');
    else awaited.resolve(socket);
  }

  refuse(id: string, refusal: StreamRefused, from: Principal): boolean {
    const awaited = this.awaits(id, from) ? this.#take(id) : undefined;
    awaited?.reject(new DelosError(CODE_OF_STATUS[refusal.status] ?? 'ERR_TIMEOUT', refusal.message));
    return awaited !== undefined;
  }

  #take(id: string): Awaited | undefined {
    const awaited = this.#awaited.get(id);
    this.#awaited.delete(id);
    clearTimeout(awaited?.timer);
    return awaited;
  }
}

/**
 * Whether a stream is this one's to answer. The platform's own secret is shown by another replica as well, which passes on what
 * came to it from elsewhere; the id, which was told to the right agent alone, stands for that.
 */
const isFrom = ({ cluster }: Pick<Awaited, 'cluster'>, from: Principal): boolean =>
  !from.joined || from.cluster === cluster;

const notConnected = (cluster: string): DelosError =>
  new DelosError('ERR_TIMEOUT', `the agent of cluster ${cluster} is not connected`, {
    hint: 'it connects again by itself; try again in a moment',
  });

const noAnswer = (): DelosError =>
  new DelosError('ERR_TIMEOUT', `the container did not answer within ${ANSWER_MS / 1000} s`, {
    hint: 'try again in a moment',
  });
