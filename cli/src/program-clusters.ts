import type { Command } from 'commander';
import type { Action, Verb } from './verbs.ts';

interface Makers {
  readonly verb: Verb;
  readonly action: Action;
  readonly withConfig: (command: Command) => Command;
  readonly withContext: (command: Command) => Command;
}

/** Further clusters that run the jobs of one platform: verbs where the platform is, and where such a cluster is. */
export function clustersVerbs(cli: Command, { verb, action, withConfig, withContext }: Makers): void {
  const clusters = verb(cli, 'clusters', 'further clusters that run jobs of this platform');
  verb(clusters, 'token <name>', 'make the token by which a cluster of that name may join, once; print it')
    .option('--ttl <duration>', 'how long it is good, e.g. 30m, 24h, 7d', '24h')
    .option('--url <url>', 'where that cluster reaches the platform; left out: its public URL')
    .option('--authority <file>', 'certificate authority to trust there, in PEM; left out: that of the gateway')
    .action(action(() => import('./commands/clusters/token.ts')));
  verb(clusters, 'list', 'every cluster: its own, those that have joined, are invited, or have left').action(
    action(() => import('./commands/clusters/list.ts')),
  );
  verb(clusters, 'revoke <name>', 'a join token that was not used is good no more').action(
    action(() => import('./commands/clusters/revoke.ts')),
  );
  verb(clusters, 'remove <name>', 'forget a cluster that is no more; its jobs are told as ended').action(
    action(() => import('./commands/clusters/remove.ts')),
  );
  withContext(withConfig(verb(cli, 'join', 'have this cluster run the jobs of a platform elsewhere')))
    .option('--token-file <file>', 'a file that has what `delos clusters token` printed there; - is standard input')
    .action(action(() => import('./commands/clusters/join.ts')));
  withContext(verb(cli, 'leave', 'leave that platform, and take away all that was made here'))
    .option('--force', 'also where the platform cannot be asked', false)
    .action(action(() => import('./commands/clusters/leave.ts')));
}
