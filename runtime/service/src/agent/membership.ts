import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Credentials, DelosError, JOINED_PREFIX, joined, tryJoinTicket } from '@delos/core';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { LiveSecret } from '../live-secret.ts';

export interface MembershipProps {
  /** Where the platform is; no trailing slash. */
  readonly url: string;
  /** The join token, as people carry it. */
  readonly ticket: LiveSecret;
  /** What the agent and its collectors show. */
  readonly agent: LiveSecret;
  readonly collector: LiveSecret;
  readonly log: Logger;
}

const ANSWER_MS = 10_000;
const RETRY_MS = 2_000;
/** Secrets may be rotated: their files are looked at this often. */
const LOOK_MS = 1_000;

const refused = z.object({ error: z.string() });

/**
 * Has a cluster be a member of a platform elsewhere: tells the platform which secrets its agent and collectors show. Where it
 * knows none of them yet, the join token is traded for that.
 */
export class Membership {
  readonly #props: MembershipProps;
  #problem: string | undefined = 'has not joined yet';
  #told = '';

  constructor(props: MembershipProps) {
    this.#props = props;
  }

  /** Why it is no member; undefined where it is one. */
  get problem(): string | undefined {
    return this.#problem;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const accepted = this.#accepted();
      const text = JSON.stringify(accepted);
      if (text !== this.#told) await this.#announce(accepted, text);
      const wait = text === this.#told ? LOOK_MS : RETRY_MS;
      await sleep(wait, undefined, { signal }).catch(() => undefined);
    }
  }

  async #announce(accepted: Credentials, text: string): Promise<void> {
    try {
      if (!(await this.#tell(accepted))) {
        await this.#join(accepted);
        // The join tells of one secret each.
        await this.#tell(accepted);
      }
      this.#told = text;
      this.#problem = undefined;
    } catch (error) {
      const reason = `${this.#props.url}: ${wordsOf(error)}`;
      if (reason !== this.#problem) this.#props.log.warn({ reason }, 'no member of the platform');
      this.#problem = reason;
    }
  }

  /** @returns false where the platform knows none of our secrets */
  async #tell(accepted: Credentials): Promise<boolean> {
    const { url, agent } = this.#props;
    const answer = await ask(`${url}${JOINED_PREFIX}/credentials`, 'PUT', accepted, agent.current());
    if (answer.status === 401) return false;
    if (!answer.ok) throw new Error(await reasonOf(answer));
    return true;
  }

  /** @throws DelosError, Error why not */
  async #join({ agent: [agent = ''], collector: [collector = ''] }: Credentials): Promise<void> {
    const { url, ticket, log } = this.#props;
    const token = tryJoinTicket(ticket.current())?.secret;
    if (token === undefined) throw new DelosError('ERR_CONFIG_VALUE', 'the join token is none');
    const answer = await ask(`${url}${JOINED_PREFIX}/join`, 'POST', { token, agent, collector });
    if (!answer.ok) throw new Error(await reasonOf(answer));
    log.info({ ...joined.parse(await answer.json()) }, 'joined the platform');
  }

  /** Current ones first. */
  #accepted(): Credentials {
    const { agent, collector } = this.#props;
    return { agent: agent.accepted().map(digest), collector: collector.accepted().map(digest) };
  }
}

/** `fetch` says why in the cause alone. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

const digest = (secret: string): string => createHash('sha256').update(secret).digest('hex');

const ask = (url: string, method: string, body: unknown, secret?: string): Promise<Response> =>
  fetch(url, {
    method,
    headers: {
      'content-type': 'application/json',
      ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }),
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(ANSWER_MS),
  });

async function reasonOf(answer: Response): Promise<string> {
  const said = refused.safeParse(await answer.json().catch(() => undefined)).data?.error;
  return `the platform answered ${answer.status}${said === undefined ? '' : `: ${said}`}`;
}
