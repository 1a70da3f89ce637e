import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { PROJECT, type PulumiHome } from './home.ts';

/** What the driver reads of Pulumi's own files in the file backend (pulumi/pkg, backend/diy). It never writes them. */
const pendingOperation = z.looseObject({
  type: z.string(),
  resource: z.looseObject({
    urn: z.string(),
    type: z.string(),
    provider: z.string().default(''),
    inputs: z.record(z.string(), z.unknown()).default({}),
  }),
});
export type PendingOperation = z.infer<typeof pendingOperation>;

const checkpointFile = z.looseObject({
  checkpoint: z.looseObject({
    latest: z
      .looseObject({
        resources: z
          .array(
            z.looseObject({
              urn: z.string(),
              type: z.string(),
              id: z.string().default(''),
              parent: z.string().optional(),
              inputs: z.record(z.string(), z.unknown()).default({}),
            }),
          )
          .default([]),
        pending_operations: z.array(pendingOperation).default([]),
      })
      .nullish(),
  }),
});

export interface Checkpoint {
  readonly resources: readonly {
    readonly urn: string;
    readonly type: string;
    readonly id: string;
    readonly parent?: string | undefined;
    /** Secrets among them are encrypted. */
    readonly inputs: Readonly<Record<string, unknown>>;
  }[];
  readonly pending: readonly PendingOperation[];
}

/** Undefined for a stack that was never made. */
export async function tryReadCheckpoint(home: PulumiHome): Promise<Checkpoint | undefined> {
  const path = join(home.backend, '.pulumi', 'stacks', PROJECT, `${home.stack}.json`);
  const content = await readFile(path, 'utf8').catch(() => undefined);
  if (content === undefined) return undefined;
  const latest = checkpointFile.parse(JSON.parse(content)).checkpoint.latest;
  return { resources: latest?.resources ?? [], pending: latest?.pending_operations ?? [] };
}

const lockFile = z.object({ pid: z.number().int(), hostname: z.string(), timestamp: z.string() });
export type StackLock = z.infer<typeof lockFile>;

export interface LockFile {
  readonly name: string;
  /** Undefined where the file names no holder: a writer that was killed leaves such a one, and the engine stops at it. */
  readonly lock: StackLock | undefined;
}

export async function readLocks(home: PulumiHome): Promise<readonly LockFile[]> {
  const folder = join(home.backend, '.pulumi', 'locks', 'organization', PROJECT, home.stack);
  const names = await readdir(folder).catch(() => []);
  const files = await Promise.all(names.map(async (name) => ({ name, content: await tryRead(join(folder, name)) })));
  return files.flatMap(({ name, content }) => (content === undefined ? [] : [{ name, lock: parse(content) }]));
}

/** A lock may vanish between listing and reading. */
const tryRead = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined);

function parse(content: string): StackLock | undefined {
  try {
    return lockFile.safeParse(JSON.parse(content)).data;
  } catch {
    return undefined;
  }
}
