import { DelosError } from '@delos/core';
import { z } from 'zod';
import type { CommandContext } from '../../../context.ts';
import { type PlatformOptions, withPlatform } from './access.ts';
import { type FlowPlace, queryOf } from './questions.ts';

const flows = z.array(z.object({ id: z.string(), name: z.string(), org_name: z.string(), project_name: z.string() }));

/** Forgets kept results of a flow: all, those of a batch, or those of one task of it. */
export async function run(
  context: CommandContext,
  flow: string,
  batch: string | undefined,
  task: string | undefined,
  options: PlatformOptions & Omit<FlowPlace, 'flow'>,
): Promise<void> {
  await withPlatform(context, options, async (client) => {
    const asked = queryOf({ name: flow, org_name: options.org, project_name: options.project });
    const found = flows.parse(await (await client.ask('GET', `/flow/projects?${asked}`)).json());
    const [one, ...others] = found;
    if (one === undefined) {
      throw new DelosError('ERR_NOT_FOUND', `there is no flow ${JSON.stringify(flow)}`, {
        hint: 'a flow is named by the id of its project.yml; delos flow bakes shows them',
      });
    }
    if (others.length > 0) {
      throw new DelosError('ERR_USAGE', `several projects have a flow ${JSON.stringify(flow)}`, {
        hint: `say which: ${found.map((each) => `--org ${each.org_name} --project ${each.project_name}`).join(', or ')}`,
      });
    }
    const which = queryOf({ project_id: one.id, batch, task_id: task });
    await client.ask('DELETE', `/flow/cache_entries?${which}`);
    const what = task ?? batch ?? flow;
    context.result({ flow, batch: batch ?? null, task: task ?? null }, `forgot what was kept of ${what}`);
  });
}
