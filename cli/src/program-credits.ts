import type { Command } from 'commander';
import type { Action, Verb } from './verbs.ts';

/** `delos credits …` */
export function creditsVerbs(cli: Command, verb: Verb, action: Action): void {
  const credits = verb(cli, 'credits', 'credits, from which jobs are paid where presets have prices');
  verb(credits, 'add <to> <amount>', 'give credits to an organization, or set some aside: ORGANIZATION/PROJECT')
    .requiredOption('--why <text>', 'why, for the statement')
    .option('--key <text>', 'what makes two calls one: the second does nothing')
    .action(action(() => import('./commands/credits/add.ts')));
  verb(credits, 'show [organization]', 'what is left, held and spent, and when it ends').action(
    action(() => import('./commands/credits/show.ts')),
  );
  verb(credits, 'statement <of>', 'what ORGANIZATION or ORGANIZATION/PROJECT had and got in a month')
    .option('--month <month>', 'such as 2027-01; left out: this one')
    .option('--csv', 'as CSV', false)
    .action(action(() => import('./commands/credits/statement.ts')));
  verb(credits, 'verify', 'add everything up again, and say whether the books are sound').action(
    action(() => import('./commands/credits/verify.ts')),
  );
}
