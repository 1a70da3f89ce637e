import { readFile } from 'node:fs/promises';
import type { Manifest } from '@delos/constructs';
import { INSTALLED_CONFIG_MAP, PLATFORM_NAMESPACE } from '@delos/core';
import { writeIfChanged } from '@delos/host';
import pulumi from '@pulumi/pulumi';
import { z } from 'zod';
import { ClusterProvider } from '../bridge/register.ts';
import { type ExportedResource, exportStack, plainOf, resourcesIn, tryExportedSecret } from '../driver/export.ts';
import { pulumiHome } from '../driver/home.ts';
import { type UpdateResult, up } from '../driver/stack.ts';
import { tryReadCheckpoint } from '../driver/state-file.ts';
import type { PlatformInput } from './deploy.ts';

/** The first release, whose stacks say nothing of their version. */
const FIRST_RELEASE = '0.1.0';
const KUBERNETES = 'kubernetes:';

const versioned = z.looseObject({ data: z.looseObject({ version: z.string() }) });

/**
 * The release that a stack of this machine has deployed: `none` where there is no stack, `unfinished` where no deployment
 * has come to its end yet.
 */
export async function installedRelease({
  paths,
}: Pick<PlatformInput, 'paths'>): Promise<string | 'none' | 'unfinished'> {
  const resources = (await tryReadCheckpoint(pulumiHome(paths)))?.resources ?? [];
  const objects = resources.filter(({ type }) => type.startsWith(KUBERNETES));
  if (objects.length === 0) return 'none';
  const record = objects.find(
    ({ type, urn }) => type.endsWith(':ConfigMap') && nameOf(urn) === `${PLATFORM_NAMESPACE}/${INSTALLED_CONFIG_MAP}`,
  );
  const said = versioned.safeParse(record?.inputs);
  if (said.success) return said.data.data.version;
  // Since then objects lie under parts.
  return objects.some(({ parent = '' }) => parent.includes(PART)) ? 'unfinished' : FIRST_RELEASE;
}

const PART = '::delos:platform:Part::';

/** All that is deployed now, as text: what {@link deployFormer} goes back to. It has every secret in plain text. */
export async function exportPlatform({
  paths,
  pulumi: { path },
}: Pick<PlatformInput, 'paths' | 'pulumi'>): Promise<string> {
  const home = pulumiHome(paths);
  const state = await exportStack({ command: path, home });
  const configuration = await readFile(home.stackFile, 'utf8');
  return JSON.stringify({ state, configuration } satisfies z.infer<typeof exportedPlatform>);
}

/** The state of the stack, and the file of its configuration. */
const exportedPlatform = z.object({ state: z.string(), configuration: z.string() });
const parsed = (former: string): z.infer<typeof exportedPlatform> => exportedPlatform.parse(JSON.parse(former));

/** The objects of an exported platform, values of Secrets among them. */
export const manifestsIn = (former: string): readonly Manifest[] =>
  objectsIn(former).map(({ inputs }) => manifest.parse(plainOf(inputs)));

const manifest: z.ZodType<Manifest> = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
});

const objectsIn = (former: string): readonly ExportedResource[] =>
  resourcesIn(parsed(former).state).filter(({ type, custom }) => custom && type.startsWith(KUBERNETES));

/** What the way back needs of a deployment. */
export type FormerInput = Omit<PlatformInput, 'config' | 'configFile' | 'context'>;

/**
 * Brings the cluster back to what was exported, whatever version's code had deployed it: the same objects, with the same
 * values, under the names that they had in the stack, so that this version's code finds them again. What was not there goes.
 * @throws DelosError as a deployment does
 */
export async function deployFormer(input: FormerInput, former: string): Promise<UpdateResult> {
  const { paths, handle, progress, signal } = input;
  const home = pulumiHome(paths);
  const { state, configuration } = parsed(former);
  const present = (await tryReadCheckpoint(home))?.resources ?? [];
  writeIfChanged(home.stackFile, configuration, 0o600);
  const cluster = { kubeconfig: handle.kubeconfig, context: handle.context };
  const program = async (): Promise<void> => registerFormer(cluster, state, present);
  return await up({ paths, pulumi: input.pulumi, cluster, config: {}, progress, signal, program });
}

/** A part of the platform, as register.ts makes it. */
class FormerPart extends pulumi.ComponentResource {
  constructor(type: string, name: string, options: pulumi.ComponentResourceOptions) {
    super(type, name, {}, options);
    this.registerOutputs({});
  }
}

class FormerObject extends pulumi.CustomResource {}

function registerFormer(
  cluster: { readonly kubeconfig: string; readonly context: string },
  state: string,
  present: readonly { readonly urn: string; readonly type: string }[],
): void {
  const provider = new ClusterProvider('cluster', cluster);
  const made = new Map<string, pulumi.Resource>();
  for (const { urn, type, custom, parent, inputs, dependencies } of resourcesIn(state)) {
    if (type.startsWith('pulumi:')) continue;
    const name = nameOf(urn);
    // The newer version may have moved it below a part.
    const moved = present.filter((other) => other.type === type && nameOf(other.urn) === name && other.urn !== urn);
    const above = parent === undefined ? undefined : made.get(parent);
    const options = {
      ...(above === undefined ? {} : { parent: above }),
      ...(moved.length === 0 ? {} : { aliases: moved.map((other) => other.urn) }),
      dependsOn: dependencies.flatMap((dependency) => made.get(dependency) ?? []),
    };
    made.set(
      urn,
      custom
        ? new FormerObject(type, name, marked(inputs), { ...options, provider })
        : new FormerPart(type, name, options),
    );
  }
}

const marked = (inputs: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(inputs).map(([key, value]) => [key, withSecrets(value)]));

function withSecrets(value: unknown): unknown {
  const found = tryExportedSecret(value);
  if (found !== undefined) return pulumi.secret(found.value);
  if (Array.isArray(value)) return value.map(withSecrets);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withSecrets(inner)]));
}

/** `urn:pulumi:STACK::PROJECT::TYPE::NAME`. */
const nameOf = (urn: string): string => urn.split('::').slice(3).join('::');
