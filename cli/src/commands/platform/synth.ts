import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { SynthesizedObject } from '@delos/constructs';
import { DelosError, nearest, PROFILE_NAMES, type ProfileName, yamlText } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { readSettings } from '../../instance/settings.ts';

interface SynthOptions {
  readonly config?: string;
  readonly profile?: string;
  readonly engine?: string;
  readonly out?: string;
}

/** First line of each file that this command writes. By it the command knows which files it may remove. */
const MARK = '# Written by delos synth';

/**
 * Writes the platform's manifests: as one stream to stdout, or to a folder, one file an object, numbered in their
 * order.
 */
export async function run(context: CommandContext, options: SynthOptions): Promise<void> {
  const profile = profileNamed(options.profile);
  const { config } = await readSettings(context, options.config, profile);
  const { engineContext, synthesize } = await import('@delos/constructs');
  const { objects } = synthesize(config, engineContext(config, options.engine));
  if (options.out === undefined) {
    context.result({ objects: objects.map(({ manifest }) => manifest) }, objects.map(documentOf).join('---\n'));
    return;
  }
  const folder = resolve(options.out);
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) {
    if (/^\d{3}-.*\.yaml$/.test(name) && (await readFile(join(folder, name), 'utf8')).startsWith(MARK)) {
      await rm(join(folder, name));
    }
  }
  const files = objects.map((object, index) => ({
    name: fileName(object, index),
    text: `${MARK}\n${documentOf(object)}`,
  }));
  for (const { name, text } of files) await writeFile(join(folder, name), text);
  context.result({ folder, files: files.map(({ name }) => name) }, `wrote ${files.length} objects to ${options.out}`);
}

/** @throws DelosError ERR_USAGE for a name that is no profile */
function profileNamed(name: string | undefined): ProfileName | undefined {
  const found = PROFILE_NAMES.find((each) => each === name);
  if (found !== undefined || name === undefined) return found;
  const near = nearest(name, PROFILE_NAMES);
  throw new DelosError('ERR_USAGE', `no profile is named ${JSON.stringify(name)}`, {
    hint: near === undefined ? `profiles: ${PROFILE_NAMES.join(', ')}` : `did you mean ${near}?`,
  });
}

function fileName({ manifest }: SynthesizedObject, index: number): string {
  const { namespace, name } = manifest.metadata;
  const parts = [manifest.kind.toLowerCase(), ...(namespace === undefined ? [] : [namespace]), name];
  return `${String(index).padStart(3, '0')}-${parts.join('-')}.yaml`;
}

/** A Secret's values are not known here. A comment says what makes each of them. */
function documentOf({ manifest, secrets }: SynthesizedObject): string {
  const keys = Object.entries(secrets).map(([key, source]) =>
    source.kind === 'file'
      ? `# ${key}: read from ${source.path} at deployment\n`
      : `# ${key}: ${source.kind}, made at deployment\n`,
  );
  return `${keys.join('')}${yamlText(manifest)}`;
}
