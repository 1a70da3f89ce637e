import pulumi from '@pulumi/pulumi';
import { runPulumi } from '../driver/command.ts';
import { PROJECT } from '../driver/home.ts';
import type { SecretKeeper } from './program.ts';

const KEY = `${PROJECT}:secrets`;

/** Keeps secrets in the stack's configuration, by way of the `pulumi` command of the running update. */
export function configKeeper(options: {
  readonly command: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}): SecretKeeper {
  return {
    kept: pulumi.runtime.getConfig(KEY),
    keep: async (secrets) => {
      await runPulumi(['config', 'set', KEY, '--secret', '--stack', pulumi.getStack()], { ...options, input: secrets });
    },
  };
}
