import { randomUUID } from 'node:crypto';
import { DelosError, type ErrorCode, type StreamRefused, type StreamRequest } from '@delos/core';
import type WebSocket from 'ws';
import type { LogTails } from '../../logs/tails.ts';
import type { AgentSession } from './session.ts';

/** How long an agent may take to reach a container. */
const ANSWER_MS = 15_000;
const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  404: 'ERR_NOT_FOUND',
  400: 'ERR_REQUEST',
  501: 'ERR_NOT_IMPLEMENTED',
};

interface Awaited {
  readonly resolve: (socket: WebSocket) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** Which agents are connected to this process, and the streams that are on their way. */
export class AgentHub {
  readonly tails: LogTails;
  readonly #agents = new Map<string, AgentSession[]>();
  readonly #awaited = new Map<string, Awaited>();

  constructor(tails: LogTails) {
    this.tails = tails;
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
  async openStream(cluster: string, request: Omit<StreamRequest, 'id'>): Promise<WebSocket> {
    // The newest: an older one may be a connection that nobody noticed is dead.
    const agent = this.#agents.get(cluster)?.findLast((session) => session.open);
    if (agent === undefined) {
      throw new DelosError('ERR_TIMEOUT', `the agent of cluster ${cluster} is not connected`, {
        hint: 'it connects again by itself; try again in a moment',
      });
    }
    const id = randomUUID();
    const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
    const timer = setTimeout(() => {
      this.#awaited.delete(id);
      reject(
        new DelosError('ERR_TIMEOUT', `the container did not answer within ${ANSWER_MS / 1000} s`, {
          hint: 'try again in a moment',
        }),
      );
    }, ANSWER_MS);
    this.#awaited.set(id, { resolve, reject, timer });
    agent.send({ type: 'stream', stream: { ...request, id } });
    return promise;
  }

  /** Is somebody waiting for this stream? */
  awaits(id: string): boolean {
    return this.#awaited.has(id);
  }

  /** The agent's call back. */
  deliver(id: string, socket: WebSocket): void {
    const awaited = this.#take(id);
    if (awaited === undefined) socket.close(1000, 'nobody waits for it any more');
    else awaited.resolve(socket);
  }

  refuse(id: string, refusal: StreamRefused): boolean {
    const awaited = this.#take(id);
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
