import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { InstancePaths } from '@delos/core';
import { tryReadJson, writeJson } from '@delos/host';
import { z } from 'zod';
import type { RotatedSecret } from './catalogue.ts';

/**
 * A rotation that was begun and has not come to its end: address of each of its secrets → how often that had been rotated before.
 * How far it got is in the stack's secrets.
 */
const rotationRecord = z.object({ timesBefore: z.record(z.string(), z.number().int()) });
export type Rotation = z.infer<typeof rotationRecord>;

const pathOf = (paths: InstancePaths): string => join(paths.state, 'rotation.json');

/** The rotation that was interrupted; undefined where there is none. */
export const rotationOf = (paths: InstancePaths): Rotation | undefined => tryReadJson(pathOf(paths), rotationRecord);

/** The record of a rotation that begins. */
export const rotationFrom = (secrets: readonly Pick<RotatedSecret, 'address' | 'times'>[]): Rotation => ({
  timesBefore: Object.fromEntries(secrets.map(({ address, times }) => [address, times])),
});

export const keepRotation = (paths: InstancePaths, rotation: Rotation): void => writeJson(pathOf(paths), rotation);

export const endRotation = (paths: InstancePaths): void => rmSync(pathOf(paths), { force: true });

/** Secrets of a rotation that have its first step before them, or may have been in the midst of it. */
export const beforeFirstStep = <S extends Pick<RotatedSecret, 'address' | 'times' | 'phase'>>(
  secrets: readonly S[],
  { timesBefore }: Rotation,
): readonly S[] =>
  secrets.filter(
    ({ address, times, phase }) => phase === 'next' || (phase === 'none' && times === timesBefore[address]),
  );
