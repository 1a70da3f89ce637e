import type { PlannedDisk, PlannedJob } from './planned.ts';

/** Why a job waits though there may be room: one of its disks cannot be had. */
export interface DiskHold {
  readonly reason: 'DiskInUse' | 'DiskNotReady';
  readonly description: string;
}

/**
 * Who has which disk. One that writes has a disk alone. Those that only read it share it where it lies on one node: on several,
 * a disk is mounted by one job at a time.
 */
export class PlannerDisks {
  /** Disk → job → whether it only reads. */
  readonly #holders = new Map<string, Map<string, boolean>>();
  /** Disk → the jobs that are known to mount it, those that wait among them. */
  readonly #mounters = new Map<string, Set<string>>();

  /** A job is there, and may ask for its disks. */
  know({ id, disks }: PlannedJob): void {
    for (const disk of disks) {
      const jobs = this.#mounters.get(disk.id) ?? new Set();
      this.#mounters.set(disk.id, jobs.add(id));
    }
  }

  /** A job is known no more, and has no disk. @returns who may wait for one of them */
  forget(job: PlannedJob): ReadonlySet<string> {
    for (const disk of job.disks) {
      const holders = this.#holders.get(disk.id);
      holders?.delete(job.id);
      if (holders?.size === 0) this.#holders.delete(disk.id);
      const jobs = this.#mounters.get(disk.id);
      jobs?.delete(job.id);
      if (jobs?.size === 0) this.#mounters.delete(disk.id);
    }
    return this.others(job);
  }

  /** A job has its disks from now on. */
  take({ id, disks }: PlannedJob): void {
    for (const disk of disks) {
      const holders = this.#holders.get(disk.id) ?? new Map<string, boolean>();
      this.#holders.set(disk.id, holders.set(id, disk.readOnly));
    }
  }

  /** A job that had a place has none any more, and waits as the others do. */
  giveBack({ id, disks }: PlannedJob): void {
    for (const disk of disks) this.#holders.get(disk.id)?.delete(id);
  }

  /** Other jobs with a disk of this one's. */
  others({ id, disks }: PlannedJob): ReadonlySet<string> {
    const jobs = new Set(disks.flatMap((disk) => [...(this.#mounters.get(disk.id) ?? [])]));
    jobs.delete(id);
    return jobs;
  }

  /** Why a job cannot have its disks; undefined where it can. */
  holdOf(job: PlannedJob): DiskHold | undefined {
    for (const disk of job.disks) {
      const hold = this.#holdOf(job.id, disk);
      if (hold !== undefined) return hold;
    }
    return undefined;
  }

  #holdOf(job: string, { id, name, readOnly, missing, nodes }: PlannedDisk): DiskHold | undefined {
    if (missing !== null) return { reason: 'DiskNotReady', description: `Disk ${name} ${missing}.` };
    const holders = [...(this.#holders.get(id) ?? [])].filter(([holder]) => holder !== job).sort();
    const [first, ...more] = holders;
    if (first === undefined) return undefined;
    const [holder, reads] = first;
    const inUse = (why: string): DiskHold => ({ reason: 'DiskInUse', description: `Disk ${name} ${why}.` });
    if (!reads) return inUse(`is in use by ${holder}, which may write to it. It is free when that has ended`);
    const who = more.length === 0 ? holder : `${holder} and ${more.length} more`;
    if (!readOnly) return inUse(`is read by ${who}, and this job may write to it. It is free when nobody reads it`);
    return nodes?.length === 1 ? undefined : inUse(`is in use by ${who}, and one job at a time can mount it`);
  }
}

/** Nodes that all disks of a job can be mounted on; undefined: any. */
export function diskNodes({ disks }: Pick<PlannedJob, 'disks'>): string[] | undefined {
  const lists = disks.flatMap(({ nodes }) => (nodes === null ? [] : [nodes]));
  const [first, ...others] = lists;
  return first?.filter((node) => others.every((nodes) => nodes.includes(node)));
}
