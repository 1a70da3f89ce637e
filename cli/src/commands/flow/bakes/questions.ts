import {
  type BakeDifference,
  type BakeReport,
  type BakeRestart,
  type BakeSubmissionInput,
  bakeDifference,
  bakeReport,
  type CarriedBake,
  carriedBake,
  DelosError,
  type ListedBake,
  listedBake,
} from '@delos/core';
import { z } from 'zod';
import type { ApiClient } from '../../platform/api-client.ts';

/* What the commands about bakes ask the platform. */

const BAKE = /^bake-[0-9a-z]{8}(?:-[0-9a-z]{4}){3}-[0-9a-z]{12}$/;

export type BakeFilter = Readonly<
  Partial<Record<'org_name' | 'project_name' | 'flow' | 'batch' | 'name' | 'status', string | undefined>>
> & { readonly limit?: number };

/** Whose flows are meant. */
export interface FlowPlace {
  readonly org?: string;
  readonly project?: string;
  readonly flow?: string;
}
export const placeFilter = ({ org, project, flow }: FlowPlace): BakeFilter => ({
  org_name: org,
  project_name: project,
  flow,
});

/** What is undefined is left out. */
export function queryOf(fields: Readonly<Record<string, string | number | undefined>>): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) query.set(name, String(value));
  return query;
}

export async function recentBakes(client: ApiClient, filter: BakeFilter): Promise<readonly ListedBake[]> {
  const response = await client.ask('GET', `/flow/bakes/recent?${queryOf(filter)}`);
  return z.array(listedBake).parse(await response.json());
}

/** The id of a bake: as it is, or that of the newest bake of this name. @throws DelosError ERR_NOT_FOUND */
export async function bakeNamed(client: ApiClient, text: string, place: FlowPlace): Promise<string> {
  if (BAKE.test(text)) return text;
  const [newest] = await recentBakes(client, { ...placeFilter(place), name: text, limit: 1 });
  if (newest !== undefined) return newest.id;
  throw new DelosError('ERR_NOT_FOUND', `there is no bake ${JSON.stringify(text)}`, {
    hint: '`delos flow bakes` lists them; a bake is named by its id or its name',
  });
}

export async function reportOf(client: ApiClient, bake: string, attempt?: number): Promise<BakeReport> {
  const query = attempt === undefined ? '' : `?attempt=${attempt}`;
  return bakeReport.parse(await (await client.ask('GET', `/flow/bakes/${bake}/report${query}`)).json());
}

export async function pictureOf(client: ApiClient, bake: string, attempt?: number): Promise<string> {
  const query = attempt === undefined ? '' : `?attempt=${attempt}`;
  return (await client.ask('GET', `/flow/bakes/${bake}/picture${query}`)).text();
}

export async function differenceOf(client: ApiClient, before: string, after: string): Promise<BakeDifference> {
  return bakeDifference.parse(await (await client.ask('GET', `/flow/bakes/${before}/diff?with=${after}`)).json());
}

export async function submit(client: ApiClient, submission: BakeSubmissionInput): Promise<CarriedBake> {
  return carriedBake.parse(await (await client.ask('POST', '/flow/bakes/submit', submission)).json());
}

export async function restartBake(client: ApiClient, bake: string, from: BakeRestart): Promise<CarriedBake> {
  return carriedBake.parse(await (await client.ask('POST', `/flow/bakes/${bake}/restart`, from)).json());
}

export async function cancelBake(client: ApiClient, bake: string): Promise<string> {
  const response = await client.ask('POST', `/flow/bakes/${bake}/cancel`, {});
  return z.object({ result: z.string() }).parse(await response.json()).result;
}
