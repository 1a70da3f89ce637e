import { DelosError } from '@delos/core';
import { z } from 'zod';
import type { Kube } from '../../instance/kube.ts';
import { outputOf, type PodPlace } from '../backup/pod-command.ts';
import { megabytes } from '../backup/sizes.ts';

/** What the archive has of one unbroken history of the database, as `pg-archive points` says it. */
export const pointSet = z.object({
  set: z.string(),
  until: z.iso.datetime(),
  closed: z.boolean(),
  bases: z
    .array(
      z.object({
        id: z.string(),
        from: z.iso.datetime(),
        bytes: z.number(),
        first: z.number(),
        segments: z.number(),
      }),
    )
    .min(1),
  missing: z.array(z.object({ segment: z.string(), number: z.number(), since: z.iso.datetime() })),
  opens: z.boolean(),
  recipient: z.string(),
});
export type PointSet = z.infer<typeof pointSet>;

/** The program of the archive, in its Pod. */
export class Archive {
  readonly #kube: Kube;
  readonly #place: PodPlace;
  readonly #signal: AbortSignal;

  constructor(kube: Kube, namespace: string, name: string, signal: AbortSignal) {
    this.#kube = kube;
    this.#place = { namespace, pod: `deployment/${name}` };
    this.#signal = signal;
  }

  /** What can be gone back to, the earliest history first. */
  async points(): Promise<readonly PointSet[]> {
    return z.array(pointSet).parse(JSON.parse(await this.#text('points')));
  }

  /**
   * Brings what is committed into the archive, and says up to when all is there.
   * @throws DelosError ERR_BACKUP where database or object storage do not answer
   */
  async flush(): Promise<string> {
    return z.object({ asOf: z.iso.datetime() }).parse(JSON.parse(await this.#text('flush'))).asOf;
  }

  /** The same, and what comes next is another history. */
  async close(): Promise<void> {
    await this.#text('close');
  }

  base(set: string, base: string): AsyncGenerator<Buffer> {
    return this.#output('base', set, base);
  }

  log(set: string, base: string, until: string): AsyncGenerator<Buffer> {
    return this.#output('log', set, base, until);
  }

  #output(...args: readonly string[]): AsyncGenerator<Buffer> {
    return outputOf(this.#kube, this.#place, ['/bin/pg-archive', ...args], this.#signal);
  }

  async #text(...args: readonly string[]): Promise<string> {
    const parts: Buffer[] = [];
    for await (const bytes of this.#output(...args)) parts.push(bytes);
    return Buffer.concat(parts).toString();
  }
}

/** What can be gone back to, for a person. */
export function pointsText(sets: readonly PointSet[]): string {
  if (sets.length === 0) return 'The archive has no base backup yet: there is nothing to go back to.';
  const rows = sets.flatMap(({ bases, until, missing, opens, recipient }) => [
    `    ${bases[0]?.from ?? ''} … ${until}   ${bases.length} base backup${bases.length === 1 ? '' : 's'}, the last of ${megabytes(bases.at(-1)?.bytes ?? 0)}`,
    ...missing.map(({ segment, since }) => `        lacks ${segment} of about ${since}`),
    ...(opens ? [] : [`        is encrypted for ${recipient}, which the archive’s key does not open`]),
  ]);
  return [
    'One can go back to any time from … until:',
    ...rows,
    '',
    'delos restore --to-time TIME --plan says what that would do.',
  ].join('\n');
}

/** @throws DelosError ERR_USAGE for a text that is no time, or one without a zone */
export function timeOf(text: string): { readonly text: string; readonly ms: number } {
  if (!z.iso.datetime({ offset: true }).safeParse(text).success) {
    throw new DelosError('ERR_USAGE', `--to-time ${JSON.stringify(text)} is no time`, {
      hint: 'expected date, time and zone: 2026-11-30T15:04:05Z, or 2026-11-30T16:04:05+01:00',
    });
  }
  return { text, ms: Date.parse(text) };
}
