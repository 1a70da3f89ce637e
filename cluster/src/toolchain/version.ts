import type { VersionProbe } from '@delos/artifacts';

/** `v1.34.4+k3s1` → [1, 34, 4]; undefined for what does not begin with a number. */
export function tryParseVersion(text: string): readonly number[] | undefined {
  const match = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(text.trim());
  if (match === null) return undefined;
  return [match[1], match[2], match[3]].map((part) => Number(part ?? '0'));
}

/** True for a pre-release (`1.34.4-rc.0`), which never stands in for the release. A build suffix (`+k3s1`) is none. */
function preRelease(text: string): boolean {
  return /^v?\d+(\.\d+)*-(alpha|beta|rc|dev|pre)/.test(text.trim());
}

/** Whether a version found on the machine may stand in for the pinned one. */
export function fits(found: string, pinned: string, probe: Pick<VersionProbe, 'atLeast' | 'same'>): boolean {
  const least = tryParseVersion(probe.atLeast ?? pinned);
  const version = tryParseVersion(found);
  if (least === undefined || version === undefined || preRelease(found)) return false;
  const equal = probe.same === 'minor' ? 2 : 1;
  for (let part = 0; part < 3; part += 1) {
    const difference = (version[part] ?? 0) - (least[part] ?? 0);
    if (difference === 0) continue;
    return difference > 0 && part >= equal;
  }
  return true;
}
