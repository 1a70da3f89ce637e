import { setTimeout as sleep } from 'node:timers/promises';
import { AGENT_PREFIX, JOINED_PREFIX } from '@delos/core';
import type { Logger } from 'pino';
import WebSocket, { type RawData } from 'ws';
import { z } from 'zod';
import { every, guard } from './edge/guard.ts';
import { type LiveSecret, liveOf } from './live-secret.ts';
import { bufferOf } from './relay.ts';

/*
 * A connection that agents and collectors keep to the control plane: dialled, watched, dialled again.
 */

/** Below which path the control API serves: it has one for the platform's own cluster, and one for those that have joined. */
export const agentPrefix = z.enum([AGENT_PREFIX, JOINED_PREFIX]).default(AGENT_PREFIX);
export type AgentPrefix = z.infer<typeof agentPrefix>;

export interface UplinkProps {
  /** Where it dials; http or https. */
  readonly url: string;
  readonly token: string | LiveSecret;
  readonly log: Logger;
  /** First messages of a new connection are sent from here. */
  readonly onOpen: () => void;
  /** One JSON text message. What it throws ends the connection. */
  readonly onMessage: (text: string) => void;
  /** @default the machine's */
  readonly clock?: UplinkClock;
}

export interface UplinkClock {
  /** Milliseconds. */
  readonly now: () => number;
  /** Waits so many milliseconds; rejects when the signal comes. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

const MACHINE_CLOCK: UplinkClock = { now: Date.now, sleep: (ms, signal) => sleep(ms, undefined, { signal }) };

/** Bounds of the wait before dialling again; each is drawn at random from its upper half. */
const RETRY_MS = [100, 250, 500, 1_000, 2_000];
/** A connection that lasted so long was a good one. */
const STEADY_MS = 5_000;
const PING_MS = 10_000;
const SILENCE_MS = 25_000;
/** The longest message names every job of a cluster. */
const MAX_MESSAGE_BYTES = 64 * 2 ** 20;

export class Uplink {
  readonly #props: UplinkProps;
  readonly #clock: UplinkClock;
  #socket: WebSocket | undefined;
  #problem: string | undefined = 'not connected yet';

  constructor(props: UplinkProps) {
    this.#props = props;
    this.#clock = props.clock ?? MACHINE_CLOCK;
  }

  get connected(): boolean {
    return this.#socket !== undefined;
  }

  /** Why there is no connection; undefined where there is one. */
  get problem(): string | undefined {
    return this.#socket === undefined ? this.#problem : undefined;
  }

  /** Sends, or drops where there is no connection. */
  send(message: unknown): void {
    this.#socket?.send(JSON.stringify(message));
  }

  async run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures += 1) {
      const dialled = this.#clock.now();
      const opened = await this.#connection(signal);
      // One that is ended at once was refused: it is not dialled again at once.
      if (opened && this.#clock.now() - dialled > STEADY_MS) failures = 0;
      if (signal.aborted) return;
      const limit = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 2_000;
      await this.#clock.sleep(limit / 2 + (Math.random() * limit) / 2, signal).catch(() => undefined);
    }
  }

  /** One connection from dialling to its end. @returns whether it was open */
  #connection(signal: AbortSignal): Promise<boolean> {
    const { url, token, log, onOpen, onMessage } = this.#props;
    const socket = new WebSocket(url.replace(/^http/, 'ws'), {
      headers: { authorization: `Bearer ${liveOf(token).current()}` },
      handshakeTimeout: 5_000,
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
    });
    let opened = false;
    let heard = this.#clock.now();
    const endWatch = every(PING_MS, log, 'watching the control plane', () => {
      if (this.#clock.now() - heard > SILENCE_MS) {
        this.#problem = `the control plane said nothing for ${SILENCE_MS / 1000} s`;
        socket.terminate();
      } else if (opened) socket.ping();
    });
    const end = (): void => socket.terminate();
    signal.addEventListener('abort', end, { once: true });
    return new Promise((resolve) => {
      const open = (): void => {
        opened = true;
        heard = this.#clock.now();
        this.#socket = socket;
        log.info({ url }, 'connected to the control plane');
        onOpen();
      };
      const failed = (error: unknown): void => {
        log.error({ error }, 'a message of the control plane is not understood');
        socket.terminate();
      };
      socket.on('open', guard(open, failed));
      socket.on('pong', () => {
        heard = this.#clock.now();
      });
      const hear = (data: RawData): void => {
        heard = this.#clock.now();
        onMessage(bufferOf(data).toString('utf8'));
      };
      socket.on('message', guard(hear, failed));
      socket.on('error', (error) => {
        this.#problem = `${url}: ${error.message}`;
        log.warn({ url, reason: error.message }, 'no connection to the control plane');
      });
      socket.once('close', (code, text) => {
        endWatch();
        signal.removeEventListener('abort', end);
        if (opened) {
          const reason = [String(code), text.toString('utf8')].filter(Boolean).join(': ');
          this.#problem = `the control plane ended the connection (${reason})`;
          log.warn({ url, reason }, 'the control plane ended the connection');
        }
        if (this.#socket === socket) this.#socket = undefined;
        resolve(opened);
      });
    });
  }
}
