import { Command, Option } from 'commander';
import { type CommandContext, commandContext, type GlobalOptions } from './context.ts';

/** A command's code, loaded when it runs and not before. */
type Run<Args extends unknown[]> = (context: CommandContext, ...args: Args) => Promise<void>;

/** The whole command line. Each verb names its module; modules are imported lazily. */
export function program(root: string): Command {
  const cli = new Command('delos')
    .description('Furnishes a Kubernetes cluster with a multi-tenant platform for AI and HPC work')
    .addOption(
      new Option('--instance <name>', 'which installation of this machine is meant')
        .env('DELOS_INSTANCE')
        .default('delos'),
    )
    .option('--json', 'print exactly one JSON document on stdout; progress goes to stderr', false)
    .option('-y, --yes', 'answer questions with yes; never overrides a failed check', false)
    .version('0.1.0')
    .showHelpAfterError('(delos --help lists the commands)')
    .exitOverride()
    .enablePositionalOptions();

  const action =
    <Args extends unknown[]>(load: () => Promise<{ run: Run<Args> }>) =>
    async (...args: unknown[]): Promise<void> => {
      const command = args.pop() as Command;
      const { run } = await load();
      await run(commandContext(command.optsWithGlobals<GlobalOptions>(), root), ...(args as Args));
    };

  /** Global options work after the verb too, where people type them. */
  const verb = (parent: Command, nameAndArgs: string, description: string): Command =>
    parent
      .command(nameAndArgs)
      .description(description)
      .option('--json', 'print one JSON document')
      .option('-y, --yes', 'answer yes')
      .option('--instance <name>');

  verb(cli, 'test', 'run all tests')
    .option('--long', 'run the long ones as well', false)
    .option('--only <suite>', 'unit, integration, e2e or long')
    .argument('[files...]', 'only these test files')
    .action(action(() => import('./commands/test.ts')));

  return cli;
}
