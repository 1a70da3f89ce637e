import { z } from 'zod';
import { runPulumi } from './command.ts';
import { MISLEADING, type PulumiHome, pulumiEnvironment } from './home.ts';

/** How the engine writes a secret into an exported state, and below which key (pulumi/sdk, resource/properties). */
const SIGNATURE = '4dabf18193072939515e22adb298388d';
const SECRET = '1b47061264138c4ac30d75fd1eb44270';

const exported = z.looseObject({
  deployment: z.looseObject({
    resources: z
      .array(
        z.looseObject({
          urn: z.string(),
          type: z.string(),
          custom: z.boolean().default(false),
          parent: z.string().optional(),
          inputs: z.record(z.string(), z.unknown()).default({}),
          dependencies: z.array(z.string()).default([]),
        }),
      )
      .default([]),
  }),
});

/** A resource as a stack had it. */
export interface ExportedResource {
  readonly urn: string;
  readonly type: string;
  readonly custom: boolean;
  readonly parent?: string | undefined;
  /** Secrets among them are {@link isExportedSecret}. */
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly dependencies: readonly string[];
}

/** The whole state of a stack, with every secret in plain text. @throws Error of the `pulumi` command */
export async function exportStack({ command, home }: { readonly command: string; readonly home: PulumiHome }) {
  const env = { ...process.env, ...pulumiEnvironment(home), [MISLEADING]: undefined };
  const args = ['stack', 'export', '--show-secrets', '--stack', home.stack];
  return await runPulumi(args, { command, cwd: home.project, env });
}

/** The resources of an exported state, each after those that it depends on. */
export const resourcesIn = (state: string): readonly ExportedResource[] =>
  exported.parse(JSON.parse(state)).deployment.resources;

const secret = z.object({ [SIGNATURE]: z.literal(SECRET), plaintext: z.string() });

/** The value of what an exported state marks as a secret; undefined where it is none. */
export function tryExportedSecret(value: unknown): { readonly value: unknown } | undefined {
  const parsed = secret.safeParse(value);
  return parsed.success ? { value: JSON.parse(parsed.data.plaintext) } : undefined;
}

/** A value without the marks of its secrets. */
export function plainOf(value: unknown): unknown {
  const found = tryExportedSecret(value);
  if (found !== undefined) return found.value;
  if (Array.isArray(value)) return value.map(plainOf);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plainOf(inner)]));
}
