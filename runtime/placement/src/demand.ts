import { isShare, type PodRequest, totalGpuMilli, WHOLE_GPU } from './terms.ts';

/** After how many arrivals what was learned is first put to use; then whenever their number has doubled. */
const FIRST_LESSON = 32;

/** What the Pods that have arrived so far were like. It knows nothing of those to come, and forgets none. */
export interface Demand {
  /** How often what is learned was put to use; whoever keeps something that follows from it renews it then. */
  readonly lessons: number;
  /** Part of the GPU Pods that ask for so many milli of one GPU, by milli; 0–1. */
  readonly shares: ReadonlyMap<number, number>;
  /** Whole GPUs asked for, by GPU Pod. */
  readonly wholes: number;
  /** Part of all milli-GPU asked for that Pods of so many GPUs ask for, by GPUs, two or more; 0–1. */
  readonly several: ReadonlyMap<number, number>;
  /** Milli-CPU asked for beside each milli-GPU by GPU Pods; undefined before the first lesson. */
  readonly cpuPerGpu: number | undefined;
}

/** Demand before anything has arrived. */
export const NO_DEMAND: Demand = { lessons: 0, shares: new Map(), wholes: 0, several: new Map(), cpuPerGpu: undefined };

/** Demand of which all is known: kinds of Pods, and how often each is asked for in proportion. */
export function demandOf(kinds: readonly { readonly request: PodRequest; readonly weight: number }[]): Demand {
  const asking = kinds.filter(({ request }) => request.gpus > 0);
  const pods = asking.reduce((sum, { weight }) => sum + weight, 0);
  const gpu = asking.reduce((sum, { request, weight }) => sum + weight * totalGpuMilli(request), 0);
  const cpu = asking.reduce((sum, { request, weight }) => sum + weight * request.cpuMilli, 0);
  if (pods === 0) return NO_DEMAND;
  const shares = new Map<number, number>();
  const several = new Map<number, number>();
  let wholes = 0;
  for (const { request, weight } of asking) {
    if (isShare(request)) add(shares, request.gpuMilli, weight / pods);
    else wholes += (request.gpus * weight) / pods;
    if (request.gpus > 1) add(several, request.gpus, (weight * totalGpuMilli(request)) / gpu);
  }
  return { lessons: 1, shares, wholes, several, cpuPerGpu: cpu / gpu };
}

/** Learns demand from arrivals. */
export class DemandLearner {
  #pods = 0;
  #next = FIRST_LESSON;
  #cpu = 0;
  #gpu = 0;
  #wholes = 0;
  readonly #shares = new Map<number, number>();
  readonly #several = new Map<number, number>();
  #learned: Demand = NO_DEMAND;

  get learned(): Demand {
    return this.#learned;
  }

  /** Counts a Pod that has arrived; once for each, whether or not it finds a place. */
  arrived(request: PodRequest): void {
    if (request.gpus === 0) return;
    const gpu = totalGpuMilli(request);
    this.#pods += 1;
    this.#cpu += request.cpuMilli;
    this.#gpu += gpu;
    if (isShare(request)) add(this.#shares, request.gpuMilli, 1);
    else this.#wholes += request.gpus;
    if (request.gpus > 1) add(this.#several, request.gpus, gpu);
    if (this.#pods >= this.#next) this.#learn();
  }

  #learn(): void {
    this.#next = 2 * this.#pods;
    this.#learned = {
      lessons: this.#learned.lessons + 1,
      shares: new Map([...this.#shares].map(([milli, count]) => [milli, count / this.#pods])),
      wholes: this.#wholes / this.#pods,
      several: new Map([...this.#several].map(([gpus, milli]) => [gpus, milli / this.#gpu])),
      cpuPerGpu: this.#cpu / this.#gpu,
    };
  }
}

function add(counts: Map<number, number>, key: number, amount: number): void {
  counts.set(key, (counts.get(key) ?? 0) + amount);
}

/**
 * Milli-GPU of one GPU that are expected never to be used, by its free milli 0–1000, when shares come as in `demand`
 * and take any GPU with room. With free milli f, each share that fits takes it in proportion to how often it comes, and
 * with weight `idleWeight` none comes before the end, so that all of f is lost; an idle GPU may also go to a whole Pod.
 */
export function expectedWaste({ shares, wholes }: Demand, idleWeight: number): Float64Array {
  const waste = new Float64Array(WHOLE_GPU + 1);
  for (let free = 1; free <= WHOLE_GPU; free += 1) {
    let weight = free === WHOLE_GPU ? wholes : idleWeight;
    let sum = free === WHOLE_GPU ? 0 : idleWeight * free;
    for (const [ask, rate] of shares) {
      if (ask > free) continue;
      weight += rate;
      sum += rate * (waste[free - ask] as number);
    }
    waste[free] = weight > 0 ? sum / weight : free === WHOLE_GPU ? 0 : free;
  }
  return waste;
}
