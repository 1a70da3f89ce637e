import { DelosError, type InstancePaths } from '@delos/core';
import { type LockHolder, tryHolder, tryLock } from '@delos/host';

/**
 * Takes the lock of an instance: one changing command at a time.
 * @returns a function that gives it back
 * @throws DelosError ERR_LOCKED, naming the holder
 */
export async function lockInstance(paths: InstancePaths, command: string): Promise<() => void> {
  const unlock = await tryLock(nameOf(paths), command);
  if (unlock !== undefined) return unlock;
  const other = await holderOf(paths);
  throw new DelosError(
    'ERR_LOCKED',
    other === undefined
      ? `instance ${paths.instance} is held by another run`
      : `instance ${paths.instance} is held by \`delos ${other.what}\` (process ${other.pid}, since ${other.since})`,
    { hint: 'wait until it has ended, or end it; then run the same command again', data: { holder: other } },
  );
}

/** Who holds the instance now; undefined when nobody does. */
export const holderOf = (paths: InstancePaths): Promise<LockHolder | undefined> => tryHolder(nameOf(paths));

/** The name holds the state folder as well: two users may each have an instance of one name. */
const nameOf = (paths: InstancePaths): string => `instance ${paths.state}`;
