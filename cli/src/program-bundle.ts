import type { Command } from 'commander';
import { positiveNumber, sizeInBytes, wholeNumber } from './option-numbers.ts';
import type { Action, Verb } from './verbs.ts';

/** `delos bundle …` */
export function bundleVerbs(bundle: Command, verb: Verb, action: Action): void {
  const trusting = (command: Command): Command =>
    command
      .option('--trust <file>', 'list of the keys that this site believes')
      .option('--at <time>', 'what time it is, where this machine’s clock is wrong');
  verb(bundle, 'create', 'write all that a platform needs into one signed folder')
    .option('--config <file>', 'delos.yaml of the platform')
    .option('--out <folder>', 'where to write: an empty folder')
    .option('--sign <key...>', 'private keys that sign it')
    .option('--keys <list...>', 'lists of keys that sites may not have yet, each with its FILE.dsse beside it')
    .option('--since <bundle>', 'only what this lacks: an earlier bundle, its bundle.json, or a site’s inventory')
    .option('--pack-size <size>', 'the most that a pack has, e.g. 512Mi; left out: 1Gi', sizeInBytes)
    .option('--created-at <time>', 'time in the index; left out: SOURCE_DATE_EPOCH, else now')
    .option('--parts <names...>', 'images, wheels, tools, npm, debian, sbom: these alone, and what bundle.add names')
    .option(
      '--offline-check',
      'say whether everything is pinned, listed and found; fetch, build and write nothing',
      false,
    )
    .action(action(() => import('./commands/bundle/create.ts')));
  trusting(
    verb(bundle, 'verify <folder>', 'read every byte of a bundle, and judge its signature; change nothing'),
  ).action(action(() => import('./commands/bundle/verify.ts')));
  trusting(verb(bundle, 'inspect <folder>', 'what is in a bundle'))
    .option('--items', 'each item by its name', false)
    .option('--sbom <image>', 'the software in an image; with --json its CycloneDX document')
    .option('--spdx', 'with --sbom and --json: its SPDX document', false)
    .action(action(() => import('./commands/bundle/inspect.ts')));
  const atRegistry = (command: Command, required = true): Command =>
    (required
      ? command.requiredOption('--registry <url>', 'the site’s registry')
      : command.option('--registry <url>', 'the site’s registry')
    )
      .option('--user <name>', 'who may write there')
      .option('--password-file <file>', 'file with the password of that user')
      .option('--authority <file>', 'authority that has signed its certificate, in PEM')
      .option('--site <folder>', 'where the site’s record of its bundles is; left out: in this instance’s state');
  atRegistry(
    trusting(verb(bundle, 'import <folder>', 'verify a bundle, and send what the site’s registry lacks of it')),
    false,
  )
    .option('--aux <file>', 'the site’s auxiliary machine, in place of --registry: wheels and charts go there too')
    .option('--store <folder>', 'where that registry keeps its data, if on this machine: room is looked at')
    .option('--parallel <number>', 'how many blobs at once', positiveNumber, 4)
    .option('--plan', 'say what would be sent; change nothing', false)
    .action(action(() => import('./commands/bundle/import.ts')));
  atRegistry(verb(bundle, 'prune', 'say what goes when only the latest bundles stay'))
    .option('--keep <number>', 'how many stay', positiveNumber, 2)
    .option('--apply', 'remove the others', false)
    .action(action(() => import('./commands/bundle/prune.ts')));
  verb(bundle, 'inventory', 'write what this site has, for whoever makes its next bundle')
    .requiredOption('--out <file>', 'where to write')
    .option('--site <folder>', 'where the site’s record of its bundles is; left out: in this instance’s state')
    .action(action(() => import('./commands/bundle/inventory.ts')));
  verb(bundle, 'diff <before> <after>', 'what one bundle has, lacks, and has otherwise than another').action(
    action(() => import('./commands/bundle/diff.ts')),
  );
  trusting(
    verb(bundle, 'serve <folder>', 'verify a bundle, and serve it from its packs: images, Python packages, files'),
  )
    .option('--listen <address>', 'address and port; left out: this machine alone', '127.0.0.1:5080')
    .action(action(() => import('./commands/bundle/serve.ts')));
  verb(bundle, 'new-key <file>', 'make a key that signs bundles, and its public half FILE.pub').action(
    action(() => import('./commands/bundle/new-key.ts')),
  );
  verb(bundle, 'keys', 'write a list of keys: the first, which sites pin, or the next')
    .requiredOption('--out <file>', 'where to write')
    .requiredOption('--until <time>', 'when the list, and the keys that come in, end')
    .option('--from <time>', 'when the keys that come in begin to count; left out: now')
    .option('--after <list>', 'the list that this one replaces')
    .option('--add <key...>', 'public keys that come in')
    .option('--revoke <id...>', 'keys whose signatures count no more, by the beginning of their ids')
    .option('--threshold <number>', 'how many different keys must sign', wholeNumber, 1)
    .option('--sign <key...>', 'private keys that sign it: of the list before, and of this one')
    .action(action(() => import('./commands/bundle/keys.ts')));
  verb(bundle, 'sign <folder>', 'add a signature to a bundle, where several keys must sign')
    .requiredOption('--key <file>', 'private key')
    .action(action(() => import('./commands/bundle/sign.ts')));
}
