import { z } from 'zod';
import { DelosError } from '../errors/errors.ts';

/** What is looked for in logs. What is left out is not asked for. */
export interface LogQuestion {
  /** Text that is in the line, in small or capital letters. */
  readonly search: string;
  /** Such as 30m, 12h or 7d: lines of that time until now. @default one day */
  readonly since?: string | undefined;
  readonly service?: string | undefined;
  readonly job?: string | undefined;
  readonly organization?: string | undefined;
  readonly project?: string | undefined;
  readonly user?: string | undefined;
  /** Lines of these projects alone, as `ORGANIZATION/PROJECT`. @default also those of the platform itself */
  readonly within?: readonly string[] | undefined;
  /** Lines at most, the newest. @default 1000 */
  readonly limit?: number | undefined;
}

/** Lines that one search gives at most. */
export const MOST_FOUND_LINES = 1_000;
const DAY = '1d';
const SINCE = /^\d{1,5}[smhdw]$/;

/**
 * The question as VictoriaLogs is asked it.
 * @see https://docs.victoriametrics.com/victorialogs/logsql/
 * @throws DelosError ERR_REQUEST
 */
export function logsQl(question: LogQuestion): string {
  const { search, since = DAY, limit = MOST_FOUND_LINES, within, ...labels } = question;
  if (!SINCE.test(since)) {
    throw new DelosError('ERR_REQUEST', `${JSON.stringify(since)} is no time`, {
      where: { field: 'since' },
      hint: 'expected a number with s, m, h, d or w, such as 30m or 7d',
    });
  }
  const { service, job, organization, project, user } = labels;
  const equal = Object.entries({ service, job, organization, project, user }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}:=${JSON.stringify(value)}`],
  );
  const words = `_msg:~${JSON.stringify(`(?i)${search.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}`)}`;
  const filters = [...equal, ...(within === undefined ? [] : [linesOfProjects(within)]), words];
  return `_time:${since} ${filters.join(' ')} | sort by (_time desc) limit ${limit}`;
}

/** Lines of the jobs of these projects, as a filter. @param projects `ORGANIZATION/PROJECT`; one at least */
export function linesOfProjects(projects: readonly string[]): string {
  const each = projects.map((name) => {
    const [organization = '', project = ''] = name.split('/');
    return `(organization:=${JSON.stringify(organization)} project:=${JSON.stringify(project)})`;
  });
  return `(${each.join(' or ')})`;
}

/** A line as VictoriaLogs gives it. */
export const foundLine = z.looseObject({
  _time: z.string(),
  _msg: z.string().default(''),
  namespace: z.string().default(''),
  pod: z.string().default(''),
  container: z.string().default(''),
  node: z.string().default(''),
  output: z.string().default(''),
  service: z.string().optional(),
  job: z.string().optional(),
  organization: z.string().optional(),
  project: z.string().optional(),
  user: z.string().optional(),
});
export type FoundLine = z.infer<typeof foundLine>;

/** @param answer one JSON object a line, the newest first. @returns the oldest first */
export const foundLines = (answer: string): readonly FoundLine[] =>
  answer
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => foundLine.parse(JSON.parse(line)))
    .reverse();
