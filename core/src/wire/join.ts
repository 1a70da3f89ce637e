import { z } from 'zod';
import { dnsLabel } from '../config-fields.ts';

/*
 * How a further cluster joins a platform. The platform's operator makes a *join token* for one cluster, good once and for a
 * stated time. The cluster's agent makes a secret of its own for itself and one for its collectors, and trades the join
 * token for their being known: it tells their digests alone, so that neither the network nor the platform's database
 * ever has them. The same trade may be made again: what was lost on the way is no loss.
 *
 *   POST   /agents/v1/join         JoinRequest; no credential but the join token → Joined
 *   PUT    /agents/v1/credentials  Credentials; as the agent: what is accepted from now on, while secrets are rotated
 *   DELETE /agents/v1/membership   as the agent: the cluster leaves → Left
 *
 * Everything else below this prefix is as connection.ts has it below AGENT_PREFIX.
 */

/** Where agents of clusters that have joined reach the control API; routed to the outside. */
export const JOINED_PREFIX = '/agents/v1';

/** SHA-256 of a secret, in hexadecimals. */
const digest = z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in hexadecimals');

export const joinRequest = z.strictObject({
  token: z.string().min(1).max(200),
  /** Of the agent's own secret, and of its collectors'. */
  agent: digest,
  collector: digest,
});
export type JoinRequest = z.infer<typeof joinRequest>;

/** `cluster`: the name that the join token is for. */
export const joined = z.object({ cluster: dnsLabel });

const accepted = z.array(digest).min(1).max(3);
export const credentials = z.strictObject({ agent: accepted, collector: accepted });
export type Credentials = z.infer<typeof credentials>;

/** What the platform ended for a cluster that leaves. */
export const left = z.object({ jobs: z.number().int(), disks: z.number().int() });

/** A join token as people carry it: where the platform is, whom to trust there, and the secret. */
export const joinTicket = z.strictObject({
  url: z.url(),
  cluster: dnsLabel,
  secret: z.string().min(1).max(200),
  /** Certificate authority of the platform, PEM. @default a public one */
  authority: z.string().max(20_000).optional(),
});
export type JoinTicket = z.infer<typeof joinTicket>;

const TICKET = 'delos-join-';

/** One word, for a command line. */
export const joinText = (ticket: JoinTicket): string =>
  TICKET + Buffer.from(JSON.stringify(ticket)).toString('base64url');

/** Undefined for a text that is no join token. */
export function tryJoinTicket(text: string): JoinTicket | undefined {
  if (!text.startsWith(TICKET)) return undefined;
  try {
    return joinTicket.safeParse(JSON.parse(Buffer.from(text.slice(TICKET.length), 'base64url').toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

/*
 * How the operator's command asks the control API's Pod for join tokens: one request on the stdin of
 * `delos-runtime clusters`, one answer on its stdout.
 */
const by = z.string().min(1).max(200);
export const clusterRequest = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('token'),
    cluster: dnsLabel,
    ttlSeconds: z
      .number()
      .int()
      .min(60)
      .max(30 * 86_400),
    by,
  }),
  z.strictObject({ action: z.literal('revoke'), cluster: dnsLabel, by }),
  z.strictObject({ action: z.literal('remove'), cluster: dnsLabel, by }),
  z.strictObject({ action: z.literal('list') }),
]);
export type ClusterRequest = z.infer<typeof clusterRequest>;

export const madeJoinToken = z.object({ secret: z.string(), url: z.string(), expiresAt: z.string() });

/** A cluster as the operator sees it. Times are ISO 8601. */
export const clusterRecord = z.object({
  name: z.string(),
  /** `own`: the platform's; `invited`: its join token waits; `joined`; `left`. */
  state: z.enum(['own', 'invited', 'joined', 'left']),
  /** When its agent last spoke. */
  seenAt: z.string().nullable(),
  /** Of its join token, where one waits. */
  tokenExpiresAt: z.string().nullable(),
  nodes: z.number().int(),
  jobs: z.number().int(),
});
export type ClusterRecord = z.infer<typeof clusterRecord>;
