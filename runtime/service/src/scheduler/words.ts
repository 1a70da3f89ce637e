import { nodesText, quotaText, type Reason, type Remedy } from '@delos/scheduling';

/**
 * Why a job waits, for its user: what stops it, then the most useful of what is known about its start. Two sentences at
 * most.
 * @param offered whether a preset is one that users can name
 * @param silence what is to be said of a cluster that is not heard of; empty: nothing
 */
export function waitingText(reason: Reason, offered: (preset: string) => boolean, silence: string): string {
  return sentences([blockText(reason), silence === '' ? outlookText(reason, offered) : silence]);
}

/** Where a place is kept for a job until the jobs there that are stopping have ended. */
export function keptText({ node, leavers }: { readonly node: string; readonly leavers: number }): string {
  const who = leavers === 1 ? '1 job that is stopping has' : `${leavers} jobs that are stopping have`;
  return `It starts on node ${node} as soon as ${who} ended.`;
}

function blockText({ quota, nodes, together }: Reason): string {
  if (quota !== undefined) {
    const { kind, scope, rule, dimension, used, cap } = quota;
    const seats = dimension === 'jobs' && (rule === 'quota' || rule === 'limit');
    return seats
      ? `${kind} ${scope} runs ${used} ${used === 1 ? 'job' : 'jobs'} and ${kind === 'person' ? 'their' : 'its'} ${rule} is ${cap}`
      : quotaText(quota);
  }
  const [first] = nodes;
  if (first === undefined) return 'it waits for its turn';
  return together ? 'each group of its replicas has room, but not all together' : nodesText(first);
}

function outlookText(reason: Reason, offered: (preset: string) => boolean): string {
  const { never, quota, nodes, expected } = reason;
  const ways = reason.remedies.flatMap((remedy) => wayText(remedy, offered)).join(' or ');
  if (never) {
    const raise = quota !== undefined && quota.needed > quota.cap;
    if (!raise && (nodes[0]?.total ?? 0) === 0) return '';
    const why = raise ? 'it waits until that is raised' : 'none would hold it even when empty';
    return ways === '' ? why : `${why}; it would start now ${ways}`;
  }
  const by = expected.at === undefined ? '' : `by ${minuteOf(expected.at)}`;
  if (ways !== '') return `it would start now ${ways}${by === '' ? '' : `; otherwise ${by}`}`;
  return by === '' ? `when it starts is not known: ${expected.basis}` : `it is expected ${by}: ${expected.basis}`;
}

function wayText(remedy: Remedy, offered: (preset: string) => boolean): readonly string[] {
  switch (remedy.change) {
    case 'preset':
      return offered(remedy.preset) ? [`with preset ${remedy.preset}`] : [];
    case 'pools':
      return [`in pool ${remedy.pools.join(' or ')}`];
    case 'queue':
      // Queues are users' places in projects: what can be chosen is the project.
      return [`in project ${remedy.queue.split('/').slice(0, 2).join('/')}`];
    case 'count':
      return [`with ${remedy.count} ${remedy.count === 1 ? 'replica' : 'replicas'}`];
  }
}

/** An instant to the minute, rounded up: nobody is told a time that is too early. */
function minuteOf(at: number): string {
  const minute = new Date(Math.ceil(at / 60_000) * 60_000).toISOString();
  return `${minute.slice(0, 10)} ${minute.slice(11, 16)} UTC`;
}

function sentences(texts: readonly string[]): string {
  return texts
    .filter((text) => text !== '')
    .map((text) => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`)
    .join(' ');
}
