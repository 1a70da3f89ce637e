import { type Command, InvalidArgumentError } from 'commander';
import type { Action, Verb } from './verbs.ts';

/** `delos cluster node …` */
export function nodeVerbs(node: Command, verb: Verb, action: Action): void {
  verb(node, 'ls', 'every node: its pool, its address, whether it runs').action(
    action(() => import('./commands/cluster/node-list.ts')),
  );
  const deeds = {
    stop: 'end all of a node at once, as if its machine lost its power',
    start: 'start a node that was stopped',
    cut: 'cut a node off from the network',
    mend: 'connect a node that was cut off',
  } as const;
  for (const [deed, what] of Object.entries(deeds)) {
    verb(node, `${deed} <node>`, what).action(
      action(async () => {
        const { runDeed } = await import('./commands/cluster/node-deed.ts');
        return { run: runDeed(deed as keyof typeof deeds) };
      }),
    );
  }
}

/** `delos aux-vm …` */
export function auxVmVerbs(auxVm: Command, verb: Verb, action: Action): void {
  const placed = (command: Command): Command =>
    command.option('--config <file>', 'file that says what the machine is', 'aux-vm.yaml');
  placed(verb(auxVm, 'up', 'make the machine as its file says, by ssh'))
    .option('--bundle <folder>', 'take all programs from this bundle, and fetch nothing')
    .option('--trust <file>', 'with --bundle: list of the keys that this site believes')
    .option('--at <time>', 'with --bundle: what time it is, where this machine’s clock is wrong')
    .action(action(() => import('./commands/aux-vm/up.ts')));
  placed(verb(auxVm, 'preview', 'what `up` would change there')).action(
    action(() => import('./commands/aux-vm/preview.ts')),
  );
  placed(verb(auxVm, 'destroy', 'take from the machine what was made there; its data stays'))
    .option('--delete-data', 'delete its data as well', false)
    .action(action(() => import('./commands/aux-vm/destroy.ts')));
  placed(verb(auxVm, 'show', 'how the machine is used; asks nobody'))
    .option('--show-password', 'show the password of who may write', false)
    .action(action(() => import('./commands/aux-vm/show.ts')));
  placed(verb(auxVm, 'cloud-init', 'print user data that makes a new machine the same at its first start'))
    .requiredOption('--archive <place>', 'where the machine finds the programs: an address, or a path of its own')
    .requiredOption('--sha256 <digest>', 'digest of that archive, as `aux-vm programs` prints it', sha256)
    .action(action(() => import('./commands/aux-vm/cloud-init.ts')));
  verb(auxVm, 'programs', 'write the programs that the machine runs: to be carried there')
    .requiredOption('--out <place>', 'a folder, or a file NAME.tar')
    .action(action(() => import('./commands/aux-vm/programs.ts')));
  verb(auxVm, 'env', 'shell lines that make plain pulumi in stacks/aux-vm find this machine').action(
    action(() => import('./commands/aux-vm/env.ts')),
  );
}

function sha256(text: string): string {
  if (!/^[0-9a-f]{64}$/.test(text)) throw new InvalidArgumentError('expected 64 hexadecimal digits');
  return text;
}
