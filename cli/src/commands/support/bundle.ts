import { join, resolve } from 'node:path';
import { pulumiHome } from '@delos/stacks';
import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { type Kube, kubeOf } from '../../instance/kube.ts';
import { table } from '../../table.ts';
import { writeArchive } from './archive.ts';
import { boundedEntries, type Outcome, type Source } from './bounds.ts';
import { clusterSources } from './cluster-sources.ts';
import { machineSources } from './machine-sources.ts';
import { Redactor } from './redact.ts';
import { secretsOfCluster, secretsOfEnvironment, secretsOfFiles } from './secret-values.ts';

/** Puts what somebody who helps must know of an instance into one file, without its secrets. */
export async function run(context: CommandContext, options: { readonly out?: string }): Promise<void> {
  const file = resolve(options.out ?? `delos-${context.paths.instance}-support.tar.gz`);
  const outcome: Outcome = { files: [], leftOut: [] };
  const kube = await clusterOf(context, outcome);
  const home = pulumiHome(context.paths);
  const secrets = [
    ...(kube?.secrets ?? []),
    ...secretsOfEnvironment(process.env),
    ...secretsOfFiles({
      whole: [home.passphraseFile],
      kubeconfigs: [join(context.paths.state, 'cluster', 'kubeconfig')],
    }),
  ];
  const sources = allSources(context, kube?.kube, outcome);
  await writeArchive(file, boundedEntries(sources, new Redactor(secrets), outcome));
  const { files, leftOut } = outcome;
  const bytes = files.reduce((sum, each) => sum + each.bytes, 0);
  const missing =
    leftOut.length === 0
      ? ''
      : `\n\n${table(
          ['LEFT OUT', 'WHY'],
          leftOut.map(({ path, why }) => [path, why]),
        )}`;
  context.result(
    { file, bytes, files, leftOut },
    `${file}: ${files.length} files, ${(bytes / 2 ** 20).toFixed(1)} MiB before compression. Secrets are taken out. It names users, images and addresses: look into it before you send it.${missing}`,
  );
}

async function* allSources(context: CommandContext, kube: Kube | undefined, outcome: Outcome): AsyncGenerator<Source> {
  yield* await machineSources(context);
  if (kube !== undefined) yield* clusterSources(kube);
  yield { path: 'contents.json', read: async () => JSON.stringify(outcome, undefined, 2) };
}

/** The cluster and its secrets; undefined where it does not answer. Without its secrets, nothing is read of it. */
async function clusterOf(
  context: CommandContext,
  outcome: Outcome,
): Promise<{ readonly kube: Kube; readonly secrets: readonly string[] } | undefined> {
  try {
    const kube = await kubeOf(context, await (await engineOf(context)).handle());
    return { kube, secrets: await secretsOfCluster(kube) };
  } catch (error) {
    outcome.leftOut.push({ path: 'cluster/', why: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
}
