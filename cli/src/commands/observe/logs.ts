import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { namespaceOf, SERVICES } from '@delos/constructs';
import { DelosError, type LogQuestion, NAME_LABEL } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { kubeOf } from '../../instance/kube.ts';
import { capture, passThrough } from '../../process.ts';
import { searchLogs } from './search.ts';

interface LogOptions extends Omit<LogQuestion, 'search' | 'within'> {
  readonly follow: boolean;
  readonly tail?: number;
  readonly search?: string;
}

const ONLY_SEARCHED = ['since', 'service', 'job', 'project', 'user', 'limit'] as const;

/** The log of a process of an embedded node (`node-2/kubelet` of the second), from its file; else that of a service of the platform. */
export async function run(context: CommandContext, part: string | undefined, options: LogOptions): Promise<void> {
  const { search } = options;
  if (search !== undefined) {
    if (part !== undefined || options.follow || options.tail !== undefined) {
      throw new DelosError('ERR_USAGE', '--search looks through all parts, and what is there already', {
        hint: 'leave out the part, --follow and --tail; --service names a service, --limit says how many lines',
      });
    }
    return await searchLogs(context, { ...options, search });
  }
  const alone = ONLY_SEARCHED.find((name) => options[name] !== undefined);
  if (alone !== undefined || part === undefined) {
    throw new DelosError('ERR_USAGE', alone === undefined ? 'no part is named' : `--${alone} goes with --search`, {
      hint: '`delos logs PART`, or `delos logs --search TEXT`',
    });
  }
  const file = join(context.paths.state, 'logs', `${part}.log`);
  if (/^(node-\d+\/)?[a-z0-9-]+$/.test(part) && (await isThere(file))) {
    const lines = options.tail === undefined ? '+1' : String(options.tail);
    await show(context, part, ['tail', '-n', lines, ...(options.follow ? ['-F'] : []), file], {});
    return;
  }
  const service = SERVICES.find(({ name }) => name === part);
  if (service === undefined) {
    throw new DelosError('ERR_NOT_FOUND', `there is no service ${JSON.stringify(part)}`, {
      hint: `services: ${SERVICES.map(({ name }) => name).join(', ')}; \`delos cluster status\` lists the cluster's own parts`,
    });
  }
  const kube = await kubeOf(context, await (await engineOf(context)).handle());
  const args = [
    ...kube.argv,
    ...['logs', '-n', namespaceOf(service), '-l', `${NAME_LABEL}=${part}`, '--all-containers', '--prefix'],
    ...['--max-log-requests', '20', '--tail', String(options.tail ?? -1)],
    ...(options.follow ? ['--follow'] : []),
  ];
  await show(context, part, args, kube.env);
}

async function show(
  context: CommandContext,
  part: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const [command = '', ...args] = argv;
  if (!context.json) {
    process.exitCode = await passThrough(command, args, env);
    return;
  }
  if (argv.some((word) => word === '-F' || word === '--follow')) {
    throw new DelosError('ERR_USAGE', '--json prints one document and --follow has no end', {
      hint: 'leave one of the two out',
    });
  }
  context.result({ part, text: await capture(command, args, env) }, '');
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
