import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';

/** 2 only where the unified hierarchy is the machine's only one; the hybrid layout is 1 to the kubelet. */
export function cgroupVersion(): 1 | 2 {
  return existsSync(join(ROOT, 'cgroup.controllers')) ? 2 : 1;
}

/** Mount points of the hierarchies, links left out. */
function hierarchies(): string[] {
  if (cgroupVersion() === 2) return [ROOT];
  return readdirSync(ROOT, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(ROOT, entry.name));
}

/** Makes the cgroup in every hierarchy: the kubelet expects its root to be there. */
export function ensureCgroup(path: string): void {
  for (const hierarchy of hierarchies()) {
    const folder = join(hierarchy, path);
    mkdirSync(folder, { recursive: true });
    if (cgroupVersion() === 2) {
      const controllers = readFileSync(join(ROOT, 'cgroup.controllers'), 'utf8').trim().split(/\s+/);
      for (const at of [ROOT, folder]) {
        for (const name of controllers) {
          try {
            writeFileSync(join(at, 'cgroup.subtree_control'), `+${name}`);
          } catch {
            // Pods get no limits from a controller that cannot be delegated here.
          }
        }
      }
    }
    // Empty cpusets take no process; the machine's own values are inherited.
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const target = join(folder, file);
      if (hierarchy.endsWith('cpuset') && existsSync(target) && readFileSync(target, 'utf8').trim() === '') {
        writeFileSync(target, readFileSync(join(hierarchy, file), 'utf8').trim());
      }
    }
  }
}

/** Folders of this cgroup that are there, in any hierarchy. */
export function listCgroup(path: string): string[] {
  if (!existsSync(ROOT)) return [];
  return hierarchies()
    .map((hierarchy) => join(hierarchy, path))
    .filter((folder) => statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true);
}

/** Removes it with all below it. A cgroup that still holds a process stays, and is found again by `listCgroup`. */
export function removeCgroup(path: string): void {
  for (const folder of listCgroup(path)) removeTree(folder);
}

function removeTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(folder, entry.name));
  }
  try {
    rmdirSync(folder);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'EBUSY' && code !== 'ENOENT' && code !== 'ENOTEMPTY') throw error;
  }
}
