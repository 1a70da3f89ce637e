import { join } from 'node:path';
import { instancePaths } from '@delos/core';
import { z } from 'zod';
import { TEST_INSTANCE } from '../instance.ts';
import { tryReadJson, writeJson } from '../json-file.ts';
import { runName } from '../test-run.ts';

const MARKER = join(instancePaths(TEST_INSTANCE, process.env).cache, 'tests', `${TEST_INSTANCE}-cluster.json`);

/** Notes, for the end of the run, that this run uses the cluster of the tests' instance. */
export const noteUse = (): Promise<void> => writeJson(MARKER, { run: runName() });

/** Whether this run has used it. */
export async function usedCluster(): Promise<boolean> {
  return (await tryReadJson(MARKER, z.object({ run: z.string() })))?.run === runName();
}
