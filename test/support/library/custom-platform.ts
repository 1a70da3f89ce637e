import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { synthesisContext } from '@delos/constructs';
import { expect } from 'vitest';
import { z } from 'zod';
import { type CommandOptions, expectOk } from '../../../peers/src/command.ts';
import { delosJson } from '../instance.ts';
import { until } from '../until.ts';
import { notesImage } from './notes-image.ts';
import type { PackedProject } from './project.ts';

/** kubectl's stdout. @throws Error with its stderr */
export type Kubectl = (args: readonly string[], input?: string) => Promise<string>;

/** What the guide's platform is deployed on. */
export interface Site {
  /** Reference of the image of the service `notes`. */
  readonly image: string;
  /** Where the gateway answers. */
  readonly origin: string;
}

/** Settings of the guide's platform and what it has to know of the instance's cluster, as files of the project. */
export async function describeCluster(project: PackedProject, options: CommandOptions = {}): Promise<Site> {
  const config = join(project.folder, 'delos.yaml');
  await writeFile(config, 'gateway: { httpPort: 0, httpsPort: 0 }\n');
  const context = await delosJson(synthesisContext, ['cluster', 'context', '--config', config], options);
  await writeFile(join(project.folder, 'context.json'), JSON.stringify(context));
  const { hostPorts } = context.entrance;
  const image = await notesImage(context.images.postgres ?? '');
  return { image, origin: `http://127.0.0.1:${hostPorts?.httpPort}` };
}

const answerShape = z.object({ database: z.string(), user: z.string(), owner: z.string(), notes: z.number() });

/** `notes` answers through the gateway, keeps rows in a database that is its own, and has written to its volume. */
export async function expectNotes(origin: string, kubectl: Kubectl, seconds: number): Promise<void> {
  const ask = async () => {
    const response = await fetch(`${origin}/notes/`);
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    return answerShape.parse(await response.json());
  };
  const first = await until(`${origin}/notes/ answers`, seconds, (last) =>
    ask().catch((error) => void last(`${error}`)),
  );
  expect(first).toMatchObject({ database: 'notes', user: 'notes', owner: 'notes' });
  expect((await ask()).notes).toBe(first.notes + 1);
  expect(await kubectl(['-n', 'delos', 'exec', 'notes-0', '--', 'cat', '/data/starts'])).toMatch(/^(\d+\n)+$/);
  const claims = await kubectl(['-n', 'delos', 'get', 'pvc', 'data-notes-0', '-o', 'jsonpath={.status.phase}']);
  expect(claims).toBe('Bound');
}

/** The manifests of the guide's platform, by its program. */
export const manifestsOf = (project: PackedProject, image: string): Promise<string> =>
  expectOk(project.run([process.execPath, 'manifests.ts', image]));

const listShape = z.object({
  items: z.array(
    z.object({
      kind: z.string(),
      metadata: z.object({
        name: z.string(),
        namespace: z.string().default(''),
        uid: z.string(),
        generation: z.number().optional(),
        resourceVersion: z.string(),
      }),
    }),
  ),
});

/** Object → what becomes another by any change of what is wanted of it. */
export async function formsOf(kubectl: Kubectl, manifests: string): Promise<Readonly<Record<string, string>>> {
  const { items } = listShape.parse(JSON.parse(await kubectl(['get', '-o', 'json', '-f', '-'], manifests)));
  return Object.fromEntries(
    items.map(({ kind, metadata: { namespace, name, uid, generation, resourceVersion } }) => [
      `${kind} ${namespace}/${name}`,
      // Kinds that have a status have a generation, and another version by each change of that status.
      `${uid} ${generation ?? resourceVersion}`,
    ]),
  );
}
