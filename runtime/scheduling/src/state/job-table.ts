import type { JobClass } from './entities.ts';

/**
 * Jobs by number: three flat columns, so that a million waiting jobs are a million ids and little else. Numbers of jobs
 * that have left are used again.
 */
export class JobTable {
  readonly ids: string[] = [];
  readonly #classes: (JobClass | undefined)[] = [];
  #submittedAt = new Float64Array(1024);
  /** Place of a waiting job in its class's heap, -1 of one that does not wait. */
  #place = new Int32Array(1024).fill(-1);
  readonly #byId = new Map<string, number>();
  readonly #free: number[] = [];

  get size(): number {
    return this.#byId.size;
  }

  add(id: string, submittedAt: number, of: JobClass): number {
    const slot = this.#free.pop() ?? this.ids.length;
    if (slot >= this.#submittedAt.length) this.#grow();
    this.ids[slot] = id;
    this.#classes[slot] = of;
    this.#submittedAt[slot] = submittedAt;
    this.#byId.set(id, slot);
    return slot;
  }

  /** Frees the number of a job that does not wait. */
  remove(slot: number): void {
    this.#byId.delete(this.ids[slot] as string);
    this.#classes[slot] = undefined;
    this.#place[slot] = -1;
    this.ids[slot] = '';
    this.#free.push(slot);
  }

  slotOf(id: string): number | undefined {
    return this.#byId.get(id);
  }

  classOf(slot: number): JobClass {
    const of = this.#classes[slot];
    if (of === undefined) throw new RangeError(`no job has number ${slot}`);
    return of;
  }

  submittedAt(slot: number): number {
    return this.#submittedAt[slot] as number;
  }

  place(slot: number): number {
    return this.#place[slot] as number;
  }

  setPlace(slot: number, place: number): void {
    this.#place[slot] = place;
  }

  /** By age, then id. */
  before(a: number, b: number): boolean {
    const difference = this.submittedAt(a) - this.submittedAt(b);
    return difference < 0 || (difference === 0 && (this.ids[a] as string) < (this.ids[b] as string));
  }

  #grow(): void {
    const submittedAt = new Float64Array(this.#submittedAt.length * 2);
    submittedAt.set(this.#submittedAt);
    this.#submittedAt = submittedAt;
    const place = new Int32Array(this.#place.length * 2).fill(-1);
    place.set(this.#place);
    this.#place = place;
  }
}
