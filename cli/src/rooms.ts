import type { ClusterEngine, ClusterHandle } from '@delos/cluster';
import type { SynthesisContext } from '@delos/constructs';
import type { InstancePaths, PlatformConfig, Progress } from '@delos/core';

/*
 * What the command asks of the rooms, in one place. The rooms export functions of these shapes:
 *   @delos/constructs  loadConfig, synthesize
 *   @delos/cluster     engineFor, preflight
 *   @delos/stacks      deployPlatform, previewPlatform, destroyPlatform, envLines, platformSecret
 */

/** @throws DelosError ERR_CONFIG_NOT_FOUND, ERR_CONFIG_SYNTAX, ERR_CONFIG_KEY, ERR_CONFIG_VALUE */
export type LoadConfig = (file: string) => Promise<PlatformConfig>;

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

export interface StackInput {
  readonly config: PlatformConfig;
  readonly context: SynthesisContext;
  readonly handle: Pick<ClusterHandle, 'kubeconfig' | 'context' | 'kind'>;
  readonly paths: InstancePaths;
  readonly root: string;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}
export interface Changes {
  readonly same: number;
  readonly create: number;
  readonly update: number;
  readonly delete: number;
  readonly replace: number;
}
export interface Preview {
  readonly changeSummary: Readonly<Record<string, number>>;
  readonly steps: readonly { readonly urn: string; readonly type: string; readonly op: string }[];
}
/** @throws DelosError ERR_DEPLOY, ERR_NOT_READY, ERR_INTERRUPTED */
export type DeployPlatform = (input: StackInput) => Promise<{ readonly changes: Changes }>;
export type PreviewPlatform = (input: StackInput) => Promise<Preview>;
/** With `keepData`, volumes and their claims stay. */
export type DestroyPlatform = (input: StackInput & { readonly keepData: boolean }) => Promise<void>;
