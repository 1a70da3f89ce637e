import { PLATFORM_NAMESPACE, SERVICES, servicesOf, victoriaLogs } from '@delos/constructs';
import { DelosError } from '@delos/core';
import { z } from 'zod';
import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { kubeOf } from '../../instance/kube.ts';
import { readSettings } from '../../instance/settings.ts';

/** What is looked for. What is left out is not asked for. */
export interface Search {
  /** Text that is in the line, in small or capital letters. */
  readonly search: string;
  /** Such as 30m, 12h or 7d: lines of that time until now. @default one day */
  readonly since?: string;
  readonly service?: string;
  readonly job?: string;
  readonly project?: string;
  readonly user?: string;
  /** Lines at most, the newest. @default 1000 */
  readonly limit?: number;
}

const DAY = '1d';
const MOST_LINES = 1_000;
const SINCE = /^\d{1,5}[smhdw]$/;

const found = z.looseObject({
  _time: z.string(),
  _msg: z.string().default(''),
  namespace: z.string().default(''),
  pod: z.string().default(''),
  container: z.string().default(''),
  node: z.string().default(''),
  service: z.string().optional(),
  job: z.string().optional(),
});
type Found = z.infer<typeof found>;

/**
 * The question as VictoriaLogs is asked it.
 * @see https://docs.victoriametrics.com/victorialogs/logsql/
 * @throws DelosError ERR_USAGE
 */
export function logsQl({ search, since = DAY, limit = MOST_LINES, ...labels }: Search): string {
  if (!SINCE.test(since)) {
    throw new DelosError('ERR_USAGE', `--since ${JSON.stringify(since)} is no time`, {
      hint: 'expected a number with s, m, h, d or w, such as 30m or 7d',
    });
  }
  const { service, job, project, user } = labels;
  const equal = Object.entries({ service, job, project, user }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}:=${JSON.stringify(value)}`],
  );
  const words = `_msg:~${JSON.stringify(`(?i)${search.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}`)}`;
  return [`_time:${since}`, ...equal, words, `| sort by (_time desc) limit ${limit}`].join(' ');
}

/** Lines of platform and jobs that have a text, also of Pods that are gone. The oldest first. */
export async function searchLogs(context: CommandContext, search: Search): Promise<void> {
  const query = logsQl(search);
  const { config } = await readSettings(context, undefined);
  if (!servicesOf(config, SERVICES).some(({ name }) => name === victoriaLogs.name)) {
    throw new DelosError('ERR_NOT_FOUND', 'this platform has nothing to search logs in', {
      hint: 'set `services: {victoriaLogs: {enabled: true}}` in delos.yaml, then `delos up`. It has lines of what then runs',
    });
  }
  const kube = await kubeOf(context, await (await engineOf(context)).handle());
  const path = `/api/v1/namespaces/${PLATFORM_NAMESPACE}/services/${victoriaLogs.name}:http/proxy/select/logsql/query`;
  const answer = await kube.text(['get', '--raw', `${path}?query=${encodeURIComponent(query)}`]);
  const lines = linesIn(answer);
  context.result({ query, lines }, lines.map(shown).join('\n'));
}

/** @param answer one JSON object a line, the newest first */
export const linesIn = (answer: string): readonly Found[] =>
  answer
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => found.parse(JSON.parse(line)))
    .reverse();

const shown = ({ _time: time, _msg: text, service, job, pod, node }: Found): string =>
  `${time} ${job ?? service ?? pod} ${node}: ${text}`;
