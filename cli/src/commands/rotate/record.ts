import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { InstancePaths } from '@delos/core';
import { tryReadJson, writeJson } from '@delos/host';
import { z } from 'zod';

/** A rotation that was begun and has not come to its end: which secrets it is of. How far it got is in the stack's secrets. */
const rotationRecord = z.object({ addresses: z.array(z.string()).min(1) });

const pathOf = (paths: InstancePaths): string => join(paths.state, 'rotation.json');

/** Addresses of an interrupted rotation; undefined where there is none. */
export const rotationOf = (paths: InstancePaths): readonly string[] | undefined =>
  tryReadJson(pathOf(paths), rotationRecord)?.addresses;

export const keepRotation = (paths: InstancePaths, addresses: readonly string[]): void =>
  writeJson(pathOf(paths), { addresses });

export const endRotation = (paths: InstancePaths): void => rmSync(pathOf(paths), { force: true });
