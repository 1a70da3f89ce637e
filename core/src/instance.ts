import { join } from 'node:path';
import { DelosError } from './errors/errors.ts';

/** Folders of one instance, after the XDG base directory specification. Nothing here touches the disk. */
export interface InstancePaths {
  readonly instance: string;
  /** Shared by all instances: what can be fetched or built again. `${XDG_CACHE_HOME:-~/.cache}/delos` */
  readonly cache: string;
  /** This instance's durable state: etcd data, Pulumi state, keys. `${XDG_STATE_HOME:-~/.local/state}/delos/INSTANCE` */
  readonly state: string;
  /** Sockets, pid files, locks; may vanish at reboot. */
  readonly run: string;
}

export const DEFAULT_INSTANCE = 'delos';
const NAME = /^[a-z][a-z0-9-]{0,19}$/;

/** @throws DelosError ERR_USAGE when the name is not 1–20 lower-case letters, digits or hyphens, a letter first. */
export function instancePaths(instance: string, env: Readonly<Record<string, string | undefined>>): InstancePaths {
  if (!NAME.test(instance)) {
    throw new DelosError('ERR_USAGE', `instance name ${JSON.stringify(instance)} is not accepted`, {
      hint: 'use 1–20 lower-case letters, digits or hyphens, beginning with a letter',
    });
  }
  const home = env.HOME ?? '/root';
  const base = (variable: string, fallback: string): string => {
    const value = env[variable];
    return value?.startsWith('/') ? value : join(home, fallback);
  };
  const state = join(base('XDG_STATE_HOME', '.local/state'), 'delos', instance);
  return {
    instance,
    cache: join(base('XDG_CACHE_HOME', '.cache'), 'delos'),
    state,
    // Not XDG_RUNTIME_DIR: root often has none, and the embedded node needs one place that survives logout.
    run: join(state, 'run'),
  };
}
