import pulumi from '@pulumi/pulumi';
import { z } from 'zod';
import { runPulumi } from '../driver/command.ts';
import { MISLEADING, type PulumiHome, pulumiEnvironment } from '../driver/home.ts';
import { tryReadCheckpoint } from '../driver/state-file.ts';

const KEY = 'delos:secrets';

/** Where a stack's secrets are kept between runs. */
export interface SecretKeeper {
  /** As kept last; undefined at the first run. */
  readonly kept: string | undefined;
  /** Keeps them, encrypted. Not called in a preview. */
  keep(secrets: string): Promise<void>;
}

/**
 * What a stack of this machine keeps, as text; undefined where it keeps nothing yet.
 * @throws Error of the `pulumi` command
 */
export async function keptSecrets(options: {
  readonly command: string;
  readonly home: PulumiHome;
}): Promise<string | undefined> {
  const { command, home } = options;
  if ((await tryReadCheckpoint(home)) === undefined) return undefined;
  const env = { ...process.env, ...pulumiEnvironment(home), [MISLEADING]: undefined };
  const text = await runPulumi(['config', '--json', '--show-secrets', '--stack', home.stack], {
    command,
    cwd: home.project,
    env,
  });
  return configValues.parse(JSON.parse(text))[KEY]?.value;
}

const configValues = z.record(z.string(), z.looseObject({ value: z.string().optional() }));

/** Keeps secrets in the stack's configuration, by way of the `pulumi` command of the running update. */
export function configKeeper(options: {
  readonly command: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** In place of what is kept, as a backup had them. */
  readonly restored?: string | undefined;
}): SecretKeeper {
  return {
    kept: options.restored ?? pulumi.runtime.getConfig(KEY),
    keep: async (secrets) => {
      await runPulumi(['config', 'set', KEY, '--secret', '--stack', pulumi.getStack()], { ...options, input: secrets });
    },
  };
}
