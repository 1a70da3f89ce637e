import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tryReadJson, writeAtomic } from '@delos/host';
import { z } from 'zod';

const SETTING = '/proc/sys/net/ipv4/ip_forward';

export function setForwarding(value: string): void {
  if (readForwarding() !== value) writeFileSync(SETTING, value);
}

export function readForwarding(): string {
  return readFileSync(SETTING, 'utf8').trim();
}

/**
 * What the machine's setting was before any instance came. It lies where a reboot clears it, as it clears the setting.
 */
const NOTE = '/run/delos/ip-forward.json';
const note = z.object({ before: z.string() });

/*
 * Instances share the machine's one setting. The first one notes what it was. The last one puts it back. Call both
 * functions under one lock.
 */

/** For an instance that is about to change the setting. @returns what it was before the first instance */
export function noteForwarding(current: string, path = NOTE): string {
  const known = tryReadJson(path, note)?.before;
  if (known !== undefined) return known;
  writeAtomic(path, JSON.stringify({ before: current }));
  return current;
}

/**
 * For an instance that goes. @returns the value to put back; undefined while others need the setting
 * @param own what this instance's inventory holds, for when there is no note @param others whether another instance is up
 */
export function forwardingToRestore(own: string, others: boolean, path = NOTE): string | undefined {
  if (others) return undefined;
  const before = tryReadJson(path, note)?.before ?? own;
  rmSync(path, { force: true });
  return before;
}
