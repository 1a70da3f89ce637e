import { truthy } from '@delos/flow';
import type { BakeImage, ImageAct, ImageChange, ImageEvent, ImageStatus } from '../model/image.ts';
import { jobIdOf, TRIES } from '../model/job-id.ts';
import type { TaskNode } from '../state/node.ts';
import type { Values } from './values.ts';

/**
 * Where an image stands. `unasked` for by any task; `finding` it in the registry; `building`; `there`; `failed`.
 */
type Phase = 'unasked' | 'finding' | 'building' | 'there' | 'failed';

interface ImageNode {
  readonly image: BakeImage;
  phase: Phase;
  status: ImageStatus;
  try: number;
  /** The job of this try was told to end, since nobody needed it. */
  stopped: boolean;
  why: string;
  /** Tasks that start once it is there. */
  readonly waiting: Set<TaskNode>;
  act: ImageAct | undefined;
}

export interface ImagesOptions {
  readonly attempt: string;
  readonly tries?: number;
  readonly images?: readonly BakeImage[];
}

/**
 * The images that a bake builds: each when the first task that needs it could start otherwise, and once, whoever else
 * needs it. A task that waits for one takes no place of max_parallel.
 */
export class Images {
  readonly #nodes: ReadonlyMap<string, ImageNode>;
  readonly #attempt: string;
  readonly #tries: number;
  readonly #values: Values;
  changes: ImageChange[] = [];
  acts: ImageAct[] = [];

  constructor({ attempt, tries = TRIES, images = [] }: ImagesOptions, values: Values) {
    this.#attempt = attempt;
    this.#tries = tries;
    this.#values = values;
    this.#nodes = new Map(images.map((image) => [image.ref, this.#restored(image)]));
  }

  /** Jobs run that build images. */
  get building(): boolean {
    return [...this.#nodes.values()].some(({ phase }) => phase === 'building');
  }

  /** All that is awaited, to be asked for again. */
  outstanding(): readonly ImageAct[] {
    return [...this.#nodes.values()].flatMap(({ act }) => act ?? []);
  }

  /**
   * Whether a task has to wait for its image. @param image as the task names it
   * @throws RangeError where it could not be built, or nothing says how; EvalFault, PythonError
   */
  holds(task: TaskNode, image: string, callOf: (id: string) => TaskNode | undefined): boolean {
    const node = this.#nodes.get(image);
    if (node === undefined || node.phase === 'there') return false;
    if (node.phase === 'unasked') {
      const defined = node.image.definitions.find(({ call }) => hasBegun(call, callOf));
      // Named before the call that defines it has begun: it is taken as it is.
      if (defined === undefined) return false;
      const call = callOf(defined.call);
      if (truthy(this.#values.imageField(defined.force, call))) this.#build(node, task, callOf);
      else this.#go(node, 'finding', { kind: 'find', ref: image });
    }
    if (node.phase === 'failed') throw new RangeError(node.why);
    node.waiting.add(task);
    return true;
  }

  /** @returns the tasks that are to be looked at again */
  tell(event: ImageEvent, callOf: (id: string) => TaskNode | undefined): readonly TaskNode[] {
    const node = this.#nodes.get(event.ref);
    if (node === undefined) return [];
    if (event.kind === 'refused' && (node.phase === 'finding' || node.phase === 'building')) {
      if (node.phase === 'building') this.#write(node, 'build_failed');
      return this.#fail(node, `image ${event.ref}: ${event.why}`);
    }
    if (event.kind === 'found' && node.phase === 'finding') {
      if (event.there) return this.#there(node, 'cached');
      const [first] = node.waiting;
      if (first === undefined) {
        node.phase = 'unasked';
        node.act = undefined;
        return [];
      }
      try {
        this.#build(node, first, callOf);
      } catch (error) {
        // Whoever waits finds out for itself what is wrong.
        if (!(error instanceof Error)) throw error;
        return this.#fail(node, error.message);
      }
      return [];
    }
    if (event.kind !== 'built' || node.phase !== 'building' || event.jobId !== this.#jobId(node)) return [];
    if (event.status === 'succeeded') return this.#there(node, 'built');
    const stopped = node.stopped && event.status === 'cancelled';
    if (stopped || (event.status === 'lost' && node.try < this.#tries)) {
      // Whoever needs it after all, or still, has it begun once more.
      this.#write(node, 'pending');
      node.try += 1;
      node.phase = 'unasked';
      node.act = undefined;
      return this.#released(node);
    }
    this.#write(node, 'build_failed');
    const why = event.status === 'lost' ? `the platform lost its job ${node.try} times` : `its job ${event.status}`;
    return this.#fail(node, `image ${event.ref} could not be built: ${why}; apolo logs ${event.jobId}`);
  }

  /** The bake ends early: only what tasks need that survive goes on. @returns the tasks that waited and do not survive */
  cancel(): readonly TaskNode[] {
    const released: TaskNode[] = [];
    for (const node of this.#nodes.values()) {
      for (const task of [...node.waiting]) {
        if (task.always) continue;
        node.waiting.delete(task);
        released.push(task);
      }
      if (node.waiting.size > 0) continue;
      if (node.phase === 'building') {
        node.stopped = true;
        this.#go(node, 'building', { kind: 'stop', ref: node.image.ref, jobId: this.#jobId(node) });
      } else if (node.phase === 'finding') {
        node.phase = 'unasked';
        node.act = undefined;
      }
    }
    return released;
  }

  #build(node: ImageNode, task: TaskNode, callOf: (id: string) => TaskNode | undefined): void {
    const { image } = node;
    const defined = image.definitions.find(({ call }) => hasBegun(call, callOf));
    if (defined === undefined)
      throw new RangeError(`task ${task.task.id} names image ${image.ref} before it is defined`);
    const build = this.#values.build(image, defined, callOf(defined.call));
    node.stopped = false;
    const jobId = this.#jobId(node);
    this.#write(node, 'building', jobId);
    this.#go(node, 'building', { kind: 'build', ref: image.ref, jobId, build });
  }

  #go(node: ImageNode, phase: Phase, act: ImageAct): void {
    node.phase = phase;
    node.act = act;
    this.acts.push(act);
  }

  #there(node: ImageNode, status: ImageStatus): readonly TaskNode[] {
    node.phase = 'there';
    node.act = undefined;
    this.#write(node, status);
    return this.#released(node);
  }

  #fail(node: ImageNode, why: string): readonly TaskNode[] {
    node.phase = 'failed';
    node.act = undefined;
    node.why = why;
    return this.#released(node);
  }

  #released(node: ImageNode): readonly TaskNode[] {
    const all = [...node.waiting];
    node.waiting.clear();
    return all;
  }

  #write(node: ImageNode, status: ImageStatus, jobId?: string): void {
    if (node.status === status && jobId === undefined) return;
    node.status = status;
    this.changes.push({ ref: node.image.ref, status, ...(jobId === undefined ? {} : { jobId }) });
  }

  #jobId(node: ImageNode): string {
    return imageJobId(this.#attempt, node.image.ref, node.try);
  }

  /** What an earlier attempt did not bring about is begun anew. */
  #restored(image: BakeImage): ImageNode {
    const { status, jobId, ref } = image;
    const ids = Array.from({ length: MOST_TRIES }, (_, index) => imageJobId(this.#attempt, ref, index + 1));
    const own = ids.indexOf(jobId ?? '') + 1;
    const node: ImageNode = {
      image,
      phase: status === 'built' ? 'there' : 'unasked',
      status,
      try: Math.max(1, own),
      stopped: false,
      why: '',
      waiting: new Set(),
      act: undefined,
    };
    if (own > 0 && status === 'pending') node.try += 1;
    if (own > 0 && status === 'build_failed') {
      node.phase = 'failed';
      node.why = `image ${ref} could not be built; apolo logs ${jobId}`;
    }
    if (own > 0 && status === 'building') node.phase = 'building';
    return node;
  }

  /** Says again what is to be built: of a bake that was made of what is written. */
  resume(callOf: (id: string) => TaskNode | undefined): void {
    for (const node of this.#nodes.values()) {
      if (node.phase !== 'building' || node.stopped) continue;
      const { image } = node;
      const jobId = this.#jobId(node);
      const defined = image.definitions.find(({ call }) => hasBegun(call, callOf));
      // What it was made of is settled: without it, the job is only watched.
      if (defined === undefined) node.act = { kind: 'stop', ref: image.ref, jobId };
      else
        node.act = {
          kind: 'build',
          ref: image.ref,
          jobId,
          build: this.#values.build(image, defined, callOf(defined.call)),
        };
    }
  }
}

/** How often a build is begun in all, also where it was told to end and is needed after all. */
const MOST_TRIES = 20;

/** The id of the job that builds an image; no task has an id with a zero byte. */
export const imageJobId = (attempt: string, ref: string, tryNumber: number): string =>
  jobIdOf(attempt, `image\0${ref}`, tryNumber);

function hasBegun(call: string, callOf: (id: string) => TaskNode | undefined): boolean {
  if (call === '') return true;
  const phase = callOf(call)?.phase;
  return phase === 'open' || phase === 'done';
}
