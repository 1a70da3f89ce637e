import { Argument, type Command } from 'commander';

const SHELLS = ['bash', 'zsh', 'fish', 'powershell'];

/**
 * `completion SHELL` prints the script to source; the script asks `complete -- WORDS` for suggestions. The library is
 * loaded for these two alone.
 */
export function completionVerbs(cli: Command, plain: () => Command): void {
  cli
    .command('completion')
    .description('print a completion script: source <(delos completion bash)')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .action(async (shell: string) => {
      const { default: tab } = await import('@bomb.sh/tab/commander');
      // The script calls the launcher by the path it was called by: a checkout need not be on PATH.
      tab(plain()).setup('delos', process.env.DELOS_LAUNCHER ?? 'delos', shell);
    });
  cli
    .command('complete', { hidden: true })
    .argument('[words...]')
    .allowExcessArguments()
    .action(async () => {
      const { default: tab } = await import('@bomb.sh/tab/commander');
      // The library adds a verb of this name: it is given a command line that has none.
      tab(plain()).parse(process.argv.slice(process.argv.indexOf('--') + 1));
    });
}
