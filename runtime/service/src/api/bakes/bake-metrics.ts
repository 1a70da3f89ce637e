import { sql } from 'kysely';
import { Gauge, type Registry } from 'prom-client';
import type { Db } from '../../db/schema.ts';

/** Batches and bakes that are told of by their names: those whose people asked for it, at most so many. */
const MOST_TOLD = 200;
/** How long the end of a bake is told. Prometheus looks each 15 s or so. Seconds. */
const TOLD_SECONDS = 180;
const PLACE = ['org', 'project', 'flow', 'batch'] as const;

/**
 * What Prometheus sees of bakes, in the one control API that carries them out. Alerts follow from it, and so the
 * platform's one sender tells people: of a bake that stands, and of those that somebody asked to be told of.
 */
export class BakeMetrics {
  readonly #open: Gauge;
  readonly #behind: Gauge;
  readonly #failed: Gauge<(typeof PLACE)[number]>;
  readonly #ended: Gauge<(typeof PLACE)[number] | 'result' | 'bake'>;
  /** Since when something is to be done of an attempt, and was not done without an error. Milliseconds since 1970. */
  readonly #waits = new Map<string, number>();

  constructor(registry: Registry) {
    this.#open = gauge(registry, 'delos_flow_bakes_open', 'Bakes that the platform carries out');
    this.#behind = gauge(
      registry,
      'delos_flow_bake_behind_seconds',
      'How long the bake that waits longest has waited to be carried on without an error',
    );
    this.#failed = gauge(
      registry,
      'delos_flow_batch_failed',
      'Batch flows whose last bake failed, where somebody asked to be told',
      PLACE,
    );
    this.#ended = gauge(registry, 'delos_flow_bake_ended', 'Bakes that ended lately, where somebody asked to be told', [
      ...PLACE,
      'result',
      'bake',
    ]);
  }

  /** Something is to be done of this attempt. */
  wait(attempt: string, now: number): void {
    if (!this.#waits.has(attempt)) this.#waits.set(attempt, now);
  }

  /** Nothing failed in carrying this attempt on. */
  good(attempt: string): void {
    this.#waits.delete(attempt);
  }

  /** @param count of attempts that are to be carried out */
  open(count: number, now: number): void {
    this.#open.set(count);
    this.#behind.set(Math.max(0, ...[...this.#waits.values()].map((at) => (now - at) / 1000)));
  }

  /** Reads of whom people want to be told. */
  async tell(db: Db): Promise<void> {
    const failed = await sql<Record<(typeof PLACE)[number], string>>`
      select org, project, flow, batch from (
        select distinct on (b.flow, b.batch) p.org, p.project, p.name as flow, b.batch, b.status
        from flow_bakes b join flow_projects p on p.id = b.flow
        where 'failure' = any (b.notify) and b.status in ('succeeded', 'failed')
        order by b.flow, b.batch, b.created_at desc, b.id desc
      ) as last where status = 'failed' order by org, project, flow, batch limit ${MOST_TOLD}`.execute(db);
    const ended = await sql<Record<(typeof PLACE)[number] | 'result' | 'bake', string>>`
      select p.org, p.project, p.name as flow, b.batch, a.result, b.id as bake
      from flow_attempts a join flow_bakes b on b.id = a.bake join flow_projects p on p.id = b.flow
      where 'end' = any (b.notify) and a.settled_at > now() - make_interval(secs => ${TOLD_SECONDS})
      order by a.settled_at desc limit ${MOST_TOLD}`.execute(db);
    this.#failed.reset();
    this.#ended.reset();
    for (const labels of failed.rows) this.#failed.set(labels, 1);
    for (const labels of ended.rows) this.#ended.set(labels, 1);
  }

  /** Another one carries bakes out now. */
  close(): void {
    for (const each of [this.#open, this.#behind, this.#failed, this.#ended]) each.reset();
  }
}

function gauge<T extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly T[] = [],
): Gauge<T> {
  const known = registry.getSingleMetric(name);
  return known instanceof Gauge ? known : new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] });
}
