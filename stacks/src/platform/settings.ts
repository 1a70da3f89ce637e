import { type DelosConfig, delosConfig, loadConfig, type SynthesisContext, synthesisContext } from '@delos/constructs';
import { DelosError } from '@delos/core';
import { z } from 'zod';

/*
 * What the platform's program reads from the stack's configuration, where `delos up` has put it, so that a plain
 * `pulumi up` deploys the same. Keys:
 *   delos:cluster     kubeconfig and context
 *   delos:context     what the manifests depend on beside delos.yaml, and nothing that follows from that
 *   delos:configFile  path of the delos.yaml; read anew at every run
 *   delos:config      where there is no file: the configuration itself
 *   delos:secrets     secret; made by the program
 */
export interface PlatformSettings {
  readonly config: DelosConfig;
  readonly context: SynthesisContext;
  readonly cluster: { readonly kubeconfig: string; readonly context: string };
}

const cluster = z.object({ kubeconfig: z.string(), context: z.string() });

/** The settings as values of the stack's configuration. No secret is among them. */
export function settingsToConfig(
  settings: PlatformSettings,
  configFile: string | undefined,
): Readonly<Record<string, string | undefined>> {
  return {
    cluster: JSON.stringify(settings.cluster),
    context: JSON.stringify(settings.context),
    // One of both: a copy beside its file would be another truth.
    config: configFile === undefined ? JSON.stringify(settings.config) : undefined,
    configFile,
  };
}

/** @throws DelosError ERR_NOT_UP where `delos up` has not been, and what reading delos.yaml throws */
export async function settingsFromConfig(get: (key: string) => string | undefined): Promise<PlatformSettings> {
  const parse = <T>(key: string, schema: z.ZodType<T>): T => {
    const value = get(key);
    if (value === undefined) {
      throw new DelosError('ERR_NOT_UP', `the stack's configuration has no delos:${key}`, {
        hint: 'run `./delos up` (or `./delos up --context NAME` for your own cluster) once, which writes it',
      });
    }
    const parsed = schema.safeParse(JSON.parse(value));
    if (!parsed.success)
      throw new DelosError(
        'ERR_CONFIG_VALUE',
        `delos:${key} is not what delos writes: ${z.prettifyError(parsed.error)}`,
        { hint: 'run `./delos up` once, which writes it anew' },
      );
    return parsed.data;
  };
  const file = get('configFile');
  return {
    config: file === undefined ? parse('config', delosConfig) : await loadConfig(file),
    context: parse('context', synthesisContext),
    cluster: parse('cluster', cluster),
  };
}
