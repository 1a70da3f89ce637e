import { DelosError, RELEASE } from '@delos/core';
import { Command, Option } from 'commander';
import { completionVerbs } from './completion.ts';
import { commandContext, type GlobalOptions } from './context.ts';
import { flowVerbs } from './flow-verbs.ts';
import { positiveNumber, wholeNumber } from './option-numbers.ts';
import { auditVerbs } from './program-audit.ts';
import { bundleVerbs } from './program-bundle.ts';
import { clustersVerbs } from './program-clusters.ts';
import { creditsVerbs } from './program-credits.ts';
import { withSearch } from './search-options.ts';
import { auxVmVerbs, nodeVerbs } from './verb-groups.ts';
import type { Run } from './verbs.ts';

/** The whole command line. Each verb names its module; modules are imported lazily. */
export function program(root: string, options: { readonly completion?: boolean } = {}): Command {
  const cli = new Command('delos')
    .description('Furnishes a Kubernetes cluster with a multi-tenant platform for AI and HPC work')
    .addOption(
      new Option('--instance <name>', 'which installation of this machine is meant')
        .env('DELOS_INSTANCE')
        .default('delos'),
    )
    .option('--json', 'print exactly one JSON document on stdout; progress goes to stderr', false)
    .option('-y, --yes', 'answer questions with yes; never overrides a failed check', false)
    .version(RELEASE)
    .showHelpAfterError('(delos --help lists the commands)')
    .exitOverride()
    .enablePositionalOptions();

  const action =
    <Args extends unknown[]>(load: () => Promise<{ run: Run<Args> }>) =>
    async (...args: unknown[]): Promise<void> => {
      const command = args.pop() as Command;
      refuseEmpty(command);
      const { run } = await load();
      await run(commandContext(globalOptions(command), root), ...(args as Args));
    };

  /** Global options work after the verb too, where people type them. */
  const verb = (parent: Command, nameAndArgs: string, description: string): Command =>
    parent
      .command(nameAndArgs)
      .description(description)
      .option('--json', 'print one JSON document')
      .option('-y, --yes', 'answer yes')
      .option('--instance <name>');
  const withConfig = (command: Command): Command => command.option('--config <file>', 'delos.yaml to use');
  const withContext = (command: Command): Command =>
    command.option('--context <name>', 'kubeconfig context of an existing cluster');

  withContext(withConfig(verb(cli, 'up', 'install what is missing, deploy the platform, run a first job')))
    .option('--bundle <folder>', 'take everything from this bundle, and fetch nothing')
    .option('--trust <file>', 'with --bundle: list of the keys that this site believes')
    .option('--at <time>', 'with --bundle: what time it is, where this machine’s clock is wrong')
    .action(action(() => import('./commands/platform/up.ts')));
  withContext(verb(cli, 'down', 'take this instance down; its data stays'))
    .option('--delete-data', 'remove its data as well: databases, volumes, keys', false)
    .action(action(() => import('./commands/platform/down.ts')));
  withContext(withConfig(verb(cli, 'upgrade', 'bring an installed platform to this version, or leave it as it was')))
    .option('--plan', 'say what would be done, and what is refused; change nothing', false)
    .option('--offline', 'the platform may stop meanwhile', false)
    .option('--gate-limit <seconds>', 'how long each object may take to be ready', positiveNumber, 600)
    .option('--rollback', 'go back to the restore point', false)
    .option('--confirm', 'remove the restore point: there is no way back then', false)
    .action(action(() => import('./commands/upgrade/upgrade.ts')));
  verb(cli, 'status', 'what runs, where, and who may log in')
    .option('--show-passwords', 'show the passwords of the platform’s users', false)
    .action(action(() => import('./commands/observe/status.ts')));
  withSearch(
    verb(
      cli,
      'logs [part]',
      'log of a part: a service of the platform or a process of the embedded cluster; or a search',
    ),
  )
    .option('-f, --follow', 'keep printing what the part writes', false)
    .option('--tail <lines>', 'only the last lines', wholeNumber)
    .action(action(() => import('./commands/observe/logs.ts')));
  verb(cli, 'support-bundle', 'one file with what somebody who helps must know: status, objects, logs; no secrets')
    .option('--out <file>', 'where to write; left out: delos-INSTANCE-support.tar.gz')
    .action(action(() => import('./commands/support/bundle.ts')));
  withConfig(verb(cli, 'backup', 'all that the platform keeps, as one encrypted file; the platform serves on'))
    .option('--to <recipient...>', 'age recipients who can open it')
    .option('--passphrase-file <file>', 'encrypt it for whoever knows the passphrase in this file')
    .option('--out <file>', 'where to write; left out: delos-INSTANCE-TIME.backup')
    .option('--new-key <file>', 'make a key for backups, and do nothing else')
    .option('--without-files', 'leave out files of projects', false)
    .option('--most-files <size>', 'write nothing where files of projects take more', '100Gi')
    .action(action(() => import('./commands/backup/backup.ts')));
  withContext(withConfig(verb(cli, 'restore [file]', 'bring a platform back from a backup, or its database to a time')))
    .option('--key <file>', 'key that the backup was encrypted for')
    .option('--passphrase-file <file>', 'file with the passphrase that it was encrypted with')
    .option('--verify', 'read the whole file, say what is in it, and do nothing else', false)
    .option('--without-files', 'bring back all but files of projects', false)
    .option('--points', 'say to which times the database can go back, and do nothing else', false)
    .option('--to-time <time>', 'take the database back to this time, such as 2026-11-30T15:04:05Z')
    .option('--plan', 'say what --to-time would do, and what is refused; change nothing', false)
    .action(action(() => import('./commands/backup/restore.ts')));
  withContext(withConfig(verb(cli, 'preflight', 'look at machine, cluster and configuration; change nothing')))
    .option('--storage', 'make a volume of each kind in the cluster, use it, and take it away again', false)
    .action(action(() => import('./commands/platform/preflight.ts')));
  withContext(withConfig(verb(cli, 'preview', 'what `up` would change, object by object'))).action(
    action(() => import('./commands/platform/preview.ts')),
  );
  withConfig(
    verb(cli, 'export-config', 'print delos.yaml with what administrators made while the platform ran'),
  ).action(action(() => import('./commands/export-config/export-config.ts')));
  withConfig(verb(cli, 'synth', 'write the platform’s manifests, without secrets; asks no cluster'))
    .option('--profile <name>', 'small, medium or ha, in place of the profile of delos.yaml')
    .option('--engine <name>', 'for which kind of cluster: embedded, kind or existing; left out: that of delos.yaml')
    .option('--out <folder>', 'where to write, a file an object; left out: to stdout')
    .action(action(() => import('./commands/platform/synth.ts')));

  creditsVerbs(cli, verb, action);
  auditVerbs(cli, verb, action);
  clustersVerbs(cli, { verb, action, withConfig, withContext });

  const dns = verb(cli, 'dns', 'the records that lead to the platform');
  withConfig(verb(dns, 'records', 'print them'))
    .option('--zone', 'the whole zone, as a zone file', false)
    .option('--check', 'also resolve each name, and fail where one does not lead to the platform', false)
    .action(action(() => import('./commands/dns/records.ts')));
  withConfig(verb(dns, 'update', 'write them to the server of `dns.update`; `up` does it too')).action(
    action(() => import('./commands/dns/update.ts')),
  );
  const images = verb(cli, 'images', 'the registry of images');
  verb(images, 'usage', 'what the images of each project take').action(
    action(() => import('./commands/images/usage.ts')),
  );
  verb(images, 'collect', 'give back the space of what no image needs; people may push meanwhile')
    .option('--unused-for <duration>', 'leave what somebody has asked for since, e.g. 30m, 24h', '24h')
    .action(action(() => import('./commands/images/collect.ts')));
  const nodes = verb(cli, 'nodes', 'the nodes of the cluster, as jobs find them');
  withContext(withConfig(verb(nodes, 'label', 'set the labels of pools on nodes, by what their devices say')))
    .option('--plan', 'show what --apply would do; so it is without either', false)
    .option('--apply', 'set the labels', false)
    .option('--overwrite', 'also labels that a node has with another value', false)
    .action(action(() => import('./commands/nodes/label.ts')));

  const cluster = verb(cli, 'cluster', 'the Kubernetes cluster underneath, by itself');
  withContext(withConfig(verb(cluster, 'up', 'start or repair the cluster; have more or fewer nodes')))
    .option('--nodes <number>', 'how many embedded nodes there shall be', positiveNumber)
    .option('--delete-data', 'volumes that lie on nodes which go may be lost', false)
    .action(action(() => import('./commands/cluster/up.ts')));
  nodeVerbs(verb(cluster, 'node', 'single nodes of the embedded cluster'), verb, action);
  withConfig(
    verb(cluster, 'context', 'bring the images to the cluster; print what a program on the library needs'),
  ).action(action(() => import('./commands/cluster/context.ts')));
  verb(cluster, 'down', 'take the cluster down; its data stays')
    .option('--delete-data', 'remove its data as well', false)
    .action(action(() => import('./commands/cluster/down.ts')));
  verb(cluster, 'status', 'nodes and parts of the cluster').action(
    action(() => import('./commands/cluster/status.ts')),
  );
  verb(cluster, 'kubeconfig', 'path of the kubeconfig of this instance')
    .option('--raw', 'print the file itself', false)
    .action(action(() => import('./commands/cluster/kubeconfig.ts')));
  verb(cluster, 'env', 'print shell lines with which plain pulumi, in stacks/local, means this cluster').action(
    action(() => import('./commands/cluster/env.ts')),
  );

  auxVmVerbs(verb(cli, 'aux-vm', 'a Debian machine with a site’s registry, charts, packages and names'), verb, action);

  bundleVerbs(
    verb(cli, 'bundle', 'bundles for sites without a network: all that a platform needs, signed'),
    verb,
    action,
  );

  cli
    .command('kubectl')
    .description('kubectl with this instance’s kubeconfig; everything after it is passed through')
    .argument('[args...]')
    .passThroughOptions()
    .allowUnknownOption()
    .helpOption(false)
    .action(action(() => import('./commands/cluster/kubectl.ts')));
  verb(cli, 'env', 'shell lines that make plain pulumi, kubectl and apolo find this instance').action(
    action(() => import('./commands/platform/env.ts')),
  );
  verb(cli, 'token', 'issue a token for `apolo config login-with-token TOKEN URL`')
    .option('--user <name>', 'whose token')
    .option('--ttl <duration>', 'how long it is valid, e.g. 30m, 12h, 7d', '12h')
    .option('--revoke <id>', 'revoke an issued token')
    .option('--list', 'list the issued tokens', false)
    .action(action(() => import('./commands/platform/token.ts')));
  const rotate = verb(cli, 'rotate [secrets...]', 'replace secrets by others while the platform serves')
    .option('--list', 'say which there are, and how each is rotated or why not', false)
    .option('--all', 'all that can be', false)
    .action(action(() => import('./commands/rotate/rotate.ts')));
  verb(rotate, 'tls', 'the certificate of the gateway; nothing restarts, and no connection fails')
    .option('--authority', 'the authority that signs as well; the former one is good for 30 days more', false)
    .action(action(() => import('./commands/tls/rotate.ts')));
  verb(cli, 'trust', 'the certificate authorities of the platform; have apolo trust them')
    .option('--install', 'add them to the certifi of the Python that apolo is in', false)
    .option('--remove', 'take out again what was added, everywhere', false)
    .option('--python <file>', 'the interpreter whose certifi is meant; left out: that of the apolo on PATH')
    .option('--system', 'this machine’s own store as well, or alone where no --python is named', false)
    .action(action(() => import('./commands/tls/trust.ts')));
  verb(cli, 'init', 'write a commented delos.yaml')
    .option('--force', 'overwrite one that is there', false)
    .argument('[file]', 'where to write', 'delos.yaml')
    .action(action(() => import('./commands/platform/init.ts')));

  verb(cli, 'simulate', 'schedule on paper: lists of Pods, queues over time, or one state of the scheduler')
    .option('--nodes <file>', 'nodes as CSV: sn, cpu_milli, memory_mib, gpu, model')
    .option('--pods <file>', 'Pods as CSV: name, cpu_milli, memory_mib, num_gpu, gpu_milli, gpu_spec')
    .option('--arrivals <ratio>', 'how many GPUs all Pods ask for, as a multiple of those of the nodes', '1.3')
    .option('--seeds <list>', 'orders of arrival, e.g. 42-51 or 1,5,9-12', '42-51')
    .option('--policy <names>', 'placement policies', 'random,bestfit,fgd,default')
    .option('--no-bound', 'leave out the bound that no policy can pass')
    .option(
      '--workload <file...>',
      'queues over time, as YAML, or a log in Standard Workload Format (.swf, .swf.gz); several are compared',
    )
    .option('--html <file>', 'write the figures of --workload as one page with charts')
    .option('--snapshot <file>', 'decide once on a state of the scheduler, and say why jobs wait')
    .action(action(() => import('./commands/simulate/simulate.ts')));

  flowVerbs(
    verb(cli, 'flow', 'workflows of apolo-flow: check, expand, draw and format their files; bake them on a platform'),
    verb,
    action,
  );

  verb(cli, 'test', 'run all tests')
    .option('--long', 'run the long ones as well', false)
    .option('--only <suite>', 'unit, integration, e2e or long')
    .argument('[rooms...]', 'only the tests of these rooms (flow, stacks, e2e, …) or these files')
    .action(action(() => import('./commands/develop/test.ts')));
  verb(cli, 'bench', 'measure: api, bundle, flow, flow-engine, job-latency, packing, scheduler, storage, up')
    .argument('<name>', 'which measurement')
    .option('--samples <number>', 'how many pairs', positiveNumber)
    .option('--plot <file>', 'writes a picture, where the benchmark has one (scheduler)')
    .action(action(() => import('./commands/develop/bench.ts')));

  if (options.completion ?? true) completionVerbs(cli, () => program(root, { completion: false }));
  return cli;
}

/** An empty value names nothing: mostly a shell's variable that was not set. @throws DelosError ERR_USAGE */
function refuseEmpty(command: Command): void {
  // What comes after `kubectl` is kubectl's.
  if (command.name() === 'kubectl') return;
  const isEmpty = (value: unknown): boolean => [value].flat().includes('');
  for (let at: Command | null = command; at !== null; at = at.parent) {
    const option = at.options.find((one) => isEmpty(at?.getOptionValue(one.attributeName())));
    if (option !== undefined) throw emptyValue(option.flags);
  }
  const argument = command.registeredArguments.find((_, index) => isEmpty(command.processedArgs[index]));
  if (argument !== undefined) throw emptyValue(`<${argument.name()}>`);
}

const emptyValue = (what: string): DelosError =>
  new DelosError('ERR_USAGE', `${what}: the value is empty`, {
    hint: 'give a value, or leave it out; a shell variable may not be set',
  });

/** Global options as they were given, before or after the verb; the nearest to the verb wins, a default never does. */
function globalOptions(command: Command): GlobalOptions {
  const given = (name: string): unknown => {
    for (let at: Command | null = command; at !== null; at = at.parent) {
      const source = at.getOptionValueSource(name);
      if (source !== undefined && source !== 'default') return at.getOptionValue(name);
    }
    return undefined;
  };
  const instance = given('instance');
  return {
    json: given('json') === true,
    yes: given('yes') === true,
    ...(typeof instance === 'string' ? { instance } : {}),
  };
}
