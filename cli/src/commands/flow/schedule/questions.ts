import { DelosError, type ShownSchedule, shownSchedule } from '@delos/core';
import { z } from 'zod';
import type { CommandContext } from '../../../context.ts';
import type { ApiClient } from '../../platform/api-client.ts';
import { type PlatformOptions, withPlatform } from '../bakes/access.ts';
import { queryOf } from '../bakes/questions.ts';

/** Which project is meant. */
export interface SchedulePlace {
  readonly org?: string;
  readonly project?: string;
}

export async function schedulesOf(
  client: ApiClient,
  { org, project }: SchedulePlace,
  name?: string,
): Promise<readonly ShownSchedule[]> {
  const query = queryOf({ org_name: org, project_name: project, name });
  return z.array(shownSchedule).parse(await (await client.ask('GET', `/flow/schedules?${query}`)).json());
}

async function scheduleNamed(client: ApiClient, name: string, place: SchedulePlace): Promise<ShownSchedule> {
  const [one, ...others] = await schedulesOf(client, place, name);
  if (one === undefined) {
    throw new DelosError('ERR_NOT_FOUND', `there is no schedule ${JSON.stringify(name)}`, {
      hint: 'delos flow schedule ls lists them',
    });
  }
  if (others.length === 0) return one;
  const all = [one, ...others].map((each) => `--org ${each.org_name} --project ${each.project_name}`);
  throw new DelosError('ERR_USAGE', `several projects have a schedule ${name}`, {
    hint: `say which: ${all.join(', or ')}`,
  });
}

/** Does something with the schedule of a name. @throws DelosError ERR_NOT_FOUND, ERR_USAGE where several projects have one of this name */
export async function withSchedule(
  context: CommandContext,
  name: string,
  options: PlatformOptions & SchedulePlace,
  act: (client: ApiClient, id: string) => Promise<void>,
): Promise<void> {
  await withPlatform(context, options, async (client) => {
    const { id } = await scheduleNamed(client, name, options);
    await act(client, id);
  });
}
