import pulumi from '@pulumi/pulumi';
import { runPulumi } from '../driver/command.ts';

/** Key of a stack's configuration under which its secrets are. */
export const SECRETS_KEY = 'delos:secrets';

/** Where a stack's secrets are kept between runs. */
export interface SecretKeeper {
  /** As kept last; undefined at the first run. */
  readonly kept: string | undefined;
  /** Keeps them, encrypted. Not called in a preview. */
  keep(secrets: string): Promise<void>;
}

/** Keeps secrets in the stack's configuration, by way of the `pulumi` command of the running update. */
export function configKeeper(options: {
  readonly command: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** In place of what is kept, as a backup had them. */
  readonly restored?: string | undefined;
}): SecretKeeper {
  return {
    kept: options.restored ?? pulumi.runtime.getConfig(SECRETS_KEY),
    keep: async (secrets) => {
      await runPulumi(['config', 'set', SECRETS_KEY, '--secret', '--stack', pulumi.getStack()], {
        ...options,
        input: secrets,
      });
    },
  };
}
