import { type BakeImage, type ImageAct, type ImageChange, type ImageEvent, imageJobId } from '@delos/engine';

export type BuildFate = 'succeeded' | 'failed' | 'lost';

/**
 * The registry, and the jobs that build images: made once by their ids, stopped by their ids also before they are made.
 * It holds what is written of images, too. Throws where what must hold does not.
 */
export class ImageService {
  /** What is written, as it outlives a crash. */
  readonly rows: Map<string, BakeImage>;
  readonly #there = new Set<string>();
  readonly #builtHere = new Set<string>();
  readonly #forced: ReadonlySet<string>;
  readonly #jobs = new Map<string, { readonly ref: string; phase: 'running' | BuildFate | 'cancelled' }>();
  readonly #refused = new Set<string>();
  readonly #attempt: string;
  readonly #fate: () => { readonly end: BuildFate; readonly lasts: number };
  readonly #later: (after: number, run: () => void) => void;
  readonly #say: (event: ImageEvent) => void;
  readonly seen = { builds: 0, broken: 0 };

  constructor(
    images: readonly BakeImage[],
    options: {
      readonly attempt: string;
      /** Whether the registry has an image from the beginning. */
      readonly has: () => boolean;
      readonly fate: () => { readonly end: BuildFate; readonly lasts: number };
      readonly later: (after: number, run: () => void) => void;
      readonly say: (event: ImageEvent) => void;
    },
  ) {
    this.rows = new Map(images.map((image) => [image.ref, image]));
    this.#forced = new Set(
      images.filter(({ definitions }) => definitions.some(({ force }) => force === true)).map(({ ref }) => ref),
    );
    for (const { ref } of images) if (options.has()) this.#there.add(ref);
    this.#attempt = options.attempt;
    this.#fate = options.fate;
    this.#later = options.later;
    this.#say = options.say;
  }

  write({ ref, status, jobId }: ImageChange): void {
    const row = this.rows.get(ref);
    if (row === undefined) throw new Error(`there is no image ${ref}`);
    if (row.status === 'built' || row.status === 'build_failed')
      throw new Error(`${ref} was ${row.status}, is ${status}`);
    if (status === 'cached' && !this.#there.has(ref)) throw new Error(`${ref} is said to be there`);
    if (status === 'built' && !this.#builtHere.has(ref)) throw new Error(`${ref} is said to be built`);
    this.rows.set(ref, { ...row, status, jobId: jobId ?? row.jobId });
  }

  do(act: ImageAct): void {
    if (act.kind === 'find') {
      this.#say({ kind: 'found', ref: act.ref, there: this.#there.has(act.ref) });
      return;
    }
    const job = this.#jobs.get(act.jobId);
    if (act.kind === 'build' && job === undefined && !this.#refused.has(act.jobId)) this.#make(act);
    else if (act.kind === 'stop' && job === undefined) this.#refused.add(act.jobId);
    else if (act.kind === 'stop' && job?.phase === 'running') job.phase = 'cancelled';
    this.#tell(act.ref, act.jobId);
  }

  /** A job begins: what it is made of must be there. */
  checkStart(task: string, image: string): void {
    if (!this.rows.has(image)) return;
    const good = this.#forced.has(image) ? this.#builtHere.has(image) : this.#there.has(image);
    if (!good) throw new Error(`${task} has started without ${image}`);
  }

  checkEnd(): void {
    for (const { ref, phase } of this.#jobs.values())
      if (phase === 'running') throw new Error(`the bake has ended, and ${ref} is still being built`);
  }

  #make({ ref, jobId, build }: ImageAct & { readonly kind: 'build' }): void {
    this.seen.builds += 1;
    const row = this.rows.get(ref);
    if (row?.jobId !== jobId || row.status !== 'building') throw new Error(`${ref}: a build that no row tells of`);
    for (const [id, { ref: other, phase }] of this.#jobs)
      if (other === ref && (phase === 'running' || phase === 'succeeded' || phase === 'failed'))
        throw new Error(`${ref} is built once more, though ${id} is ${phase}`);
    if (!Array.from({ length: 20 }, (_, index) => imageJobId(this.#attempt, ref, index + 1)).includes(jobId))
      throw new Error(`${ref}: a job of another id`);
    if (build.context === '' || build.dockerfile !== 'Dockerfile')
      throw new Error(`${ref}: built from ${JSON.stringify(build)}`);
    const job: { readonly ref: string; phase: 'running' | BuildFate | 'cancelled' } = { ref, phase: 'running' };
    this.#jobs.set(jobId, job);
    const { end, lasts } = this.#fate();
    this.#later(lasts, () => {
      if (job.phase !== 'running') return;
      job.phase = end;
      if (end === 'failed') this.seen.broken += 1;
      if (end === 'succeeded') {
        this.#there.add(ref);
        this.#builtHere.add(ref);
      }
      this.#tell(ref, jobId);
    });
  }

  #tell(ref: string, jobId: string): void {
    const phase = this.#jobs.get(jobId)?.phase ?? (this.#refused.has(jobId) ? 'cancelled' : 'running');
    if (phase !== 'running') this.#say({ kind: 'built', ref, jobId, status: phase });
  }
}
