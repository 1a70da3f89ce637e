import { type Command, Option } from 'commander';
import { positiveNumber } from './option-numbers.ts';
import type { Action, Verb } from './verbs.ts';

/** `delos audit …` */
export function auditVerbs(cli: Command, verb: Verb, action: Action): void {
  const audit = verb(cli, 'audit', 'records of who did what');
  verb(audit, 'ls', 'records, the earliest first')
    .option('--actor <name>', 'of one person')
    .option('--act <verb>', 'of one act, or those that begin so: job., credits.add')
    .option('--object <text>', 'of what has this in its name')
    .addOption(new Option('--outcome <word>', 'how it ended').choices(['done', 'refused', 'failed']))
    .option('--from <time>', 'since, such as 2027-01-01T00:00:00Z')
    .option('--to <time>', 'before')
    .option('--limit <number>', 'at most', positiveNumber, 100)
    .action(action(() => import('./commands/audit/ls.ts')));
  verb(audit, 'export <file>', 'write all records, and what proves them, to a file')
    .addOption(
      new Option('--format <format>', 'chain: for `audit verify`')
        .choices(['chain', 'syslog', 'ocsf'])
        .default('chain'),
    )
    .option('--after <number>', 'only what follows this record', positiveNumber)
    .action(action(() => import('./commands/audit/export.ts')));
  verb(audit, 'keys', 'print the public keys by which exports are verified').action(
    action(() => import('./commands/audit/keys.ts')),
  );
  verb(audit, 'verify <file>', 'find what was removed, changed, inserted or put elsewhere in an export; asks nobody')
    .requiredOption('--key <file>', 'public keys, as `audit keys` printed them')
    .option('--checkpoints <file>', 'an earlier export, whose checkpoints the chain must agree with')
    .option('--part', 'the file begins with a checkpoint, and what was before is elsewhere', false)
    .action(action(() => import('./commands/audit/verify.ts')));
  verb(audit, 'erase <person>', 'erase what records tell of a person; the chain stays whole')
    .requiredOption('--why <text>', 'why, for the record of it')
    .action(action(() => import('./commands/audit/erase.ts')));
}
