import type { ClusterEngine } from '@delos/cluster';
import type { InstancePaths, PlatformConfig } from '@delos/core';

/*
 * What the command asks of the rooms, in one place. The rooms export functions of these shapes:
 *   @delos/cluster     engineFor, preflight
 */

export interface EngineOptions {
  readonly paths: InstancePaths;
  /** Repository root. */
  readonly root: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `--yes`: a server that is not loopback is accepted. */
  readonly yes: boolean;
  /** `--context NAME`. */
  readonly context?: string;
}
export type EngineFor = (config: PlatformConfig, options: EngineOptions) => ClusterEngine | Promise<ClusterEngine>;

/** One thing looked at before anything is changed. */
export interface PreflightCheck {
  /** Stable. */
  readonly id: string;
  readonly ok: boolean;
  /** A failed check that is not fatal is a warning. */
  readonly fatal: boolean;
  readonly measured: string;
  readonly needed: string;
  /** What to do when it is not ok. */
  readonly fix: string;
}
/** @throws DelosError when a fatal check fails and has a code of its own, else the caller reports ERR_PREFLIGHT */
export type Preflight = (config: PlatformConfig, options: EngineOptions) => Promise<readonly PreflightCheck[]>;
