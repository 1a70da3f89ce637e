import type { JobClass } from './job-class.ts';
import type { ScopeState } from './scope-tree.ts';
import { Sleepers } from './sleepers.ts';

/** Which classes are to be looked at in this cycle, and what the others wait for. */
export class Attention {
  readonly awake = new Set<JobClass>();
  readonly sleepers = new Sleepers();

  wake(of: JobClass): void {
    if (of.awake || of.pending.size === 0) return;
    this.sleepers.remove(of);
    of.awake = true;
    of.asleepOn = undefined;
    this.awake.add(of);
    of.queue.awakeClasses.push(of);
    for (let scope: ScopeState | undefined = of.queue; scope !== undefined; scope = scope.parent) scope.awake += 1;
  }

  wakeAll(classes: Iterable<JobClass>): void {
    for (const of of [...classes]) this.wake(of);
  }

  /** Puts a class to sleep on what stops it; undefined: it has no jobs. */
  sleep(of: JobClass, on: JobClass['asleepOn']): void {
    if (of.awake) {
      of.awake = false;
      this.awake.delete(of);
      of.queue.awakeClasses.splice(of.queue.awakeClasses.indexOf(of), 1);
      for (let scope: ScopeState | undefined = of.queue; scope !== undefined; scope = scope.parent) scope.awake -= 1;
    } else this.sleepers.remove(of);
    of.asleepOn = on;
    if (on !== undefined) this.sleepers.add(of, on);
  }
}
