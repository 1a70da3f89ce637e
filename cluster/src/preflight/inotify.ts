import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { type Check, check } from './check.ts';
import { NEEDS } from './needs.ts';

const LIMITS = '/proc/sys/fs/inotify';

export interface InotifyFacts {
  readonly maxInstances: number;
  /** Of root, which all parts of a node run as. */
  readonly usedInstances: number;
  readonly maxWatches: number;
}

/**
 * Watches of files. A kubelet or containerd that gets none ends, or serves old certificates.
 * @param further nodes beside the first that are asked for and do not run
 */
export function inotifyChecks(
  { maxInstances, usedInstances, maxWatches }: InotifyFacts,
  further = 0,
): readonly Check[] {
  const free = maxInstances - usedInstances;
  const needed = NEEDS.inotifyInstances + further * NEEDS.furtherNodeInotify;
  const fix = (name: string, value: number): string =>
    `sysctl -w fs.inotify.${name}=${value}, and for good: a line fs.inotify.${name}=${value} in /etc/sysctl.d/delos.conf`;
  return [
    check('inotify.instances', free >= needed, {
      // A limit below the need can never be enough; one that others use up may be enough later.
      fatal: maxInstances < needed,
      measured: `${free} of ${maxInstances} inotify instances of root are free`,
      needed: `${needed} free ones`,
      fix: fix('max_user_instances', Math.max(512, 4 * maxInstances)),
    }),
    check('inotify.watches', maxWatches >= NEEDS.inotifyWatches, {
      fatal: false,
      measured: `${maxWatches} inotify watches a user`,
      needed: `${NEEDS.inotifyWatches}`,
      fix: fix('max_user_watches', 524_288),
    }),
  ];
}

export function readInotify(): InotifyFacts {
  const limit = (name: string): number => Number(readFileSync(`${LIMITS}/${name}`, 'utf8'));
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return {
    maxInstances: limit('max_user_instances'),
    usedInstances: processes.reduce((sum, id) => sum + instancesOf(`/proc/${id}`), 0),
    maxWatches: limit('max_user_watches'),
  };
}

/** How many a process of root holds; none once it has ended. */
function instancesOf(process: string): number {
  try {
    if (statSync(process).uid !== 0) return 0;
    return readdirSync(`${process}/fd`).filter((fd) => isInotify(`${process}/fd/${fd}`)).length;
  } catch {
    return 0;
  }
}

function isInotify(descriptor: string): boolean {
  try {
    return readlinkSync(descriptor).includes('inotify');
  } catch {
    return false;
  }
}
