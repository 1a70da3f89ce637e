import { randomUUID } from 'node:crypto';
import { DelosError, type DiskSettings } from '@delos/core';
import { requirePresent } from '../../../db/clusters/present.ts';
import { diskMade } from '../../../db/disks-state.ts';
import type { DiskRow, Tx } from '../../../db/schema.ts';
import type { Caller } from '../../deps.ts';
import { projectFor } from '../../project-for.ts';
import { stillUser } from '../../still-user.ts';
import type { DiskDemand } from './quotas.ts';
import type { DiskRequest } from './request.ts';
import { sizeText } from './size-text.ts';

export interface CreateDiskContext {
  readonly cluster: string;
  /** The platform's own one. */
  readonly ownCluster: string;
  readonly caller: Caller;
  readonly settings: DiskSettings;
  /** @throws DelosError ERR_QUOTA_EXCEEDED */
  readonly checkQuota: (tx: Tx, demand: DiskDemand) => Promise<void>;
}

/**
 * Writes the row of a new disk; its claim follows from it.
 * @throws DelosError with what to do; nothing is written then
 */
export async function createDisk(tx: Tx, request: DiskRequest, context: CreateDiskContext): Promise<DiskRow> {
  const { cluster, caller, settings } = context;
  const { storage } = request;
  if (storage > settings.maxSize) {
    throw new DelosError('ERR_REQUEST', `a disk is at most ${sizeText(settings.maxSize)}`, {
      where: { field: 'storage' },
      hint: 'the limit is disks.maxSize in delos.yaml',
    });
  }
  await stillUser(tx, caller);
  const project = await projectFor(tx, { org: request.org_name, name: request.project_name }, caller, {
    kind: 'disk',
    cluster,
  });
  await requirePresent(tx, context.ownCluster, cluster);
  await context.checkQuota(tx, { cluster, project, storage, settings });
  const row = await tx
    .insertInto('disks')
    .values({
      id: `disk-${randomUUID()}`,
      cluster,
      org: project.org,
      project: project.name,
      owner: caller.user,
      name: request.name ?? null,
      namespace: project.namespace,
      storage,
      life_span: request.life_span ?? null,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
    .catch((error: unknown) => {
      throw nameTaken(error, request.name ?? '') ?? error;
    });
  await diskMade(tx, row);
  return row;
}

function nameTaken(error: unknown, name: string): DelosError | undefined {
  const unique = error instanceof Error && 'constraint' in error && error.constraint === 'disks_name';
  if (!unique) return undefined;
  return new DelosError('ERR_CONFLICT', `this project has a disk named ${JSON.stringify(name)} already`, {
    hint: `choose another name, or remove it: apolo disk rm ${name}`,
  });
}
