import { join } from 'node:path';
import type { ImageDefinition } from '@delos/flow';
import type { CommandContext } from '../../../context.ts';
import type { FlowOptions } from '../world.ts';
import { type PlatformOptions, withPlatform } from './access.ts';
import { collect } from './collect.ts';
import { type CollectedBake, type ImagePlace, sendContexts } from './contexts.ts';
import { follow } from './follow.ts';
import { allOf } from './frame.ts';
import { submit } from './questions.ts';

export interface BakeOptions extends PlatformOptions {
  readonly param?: readonly string[];
  readonly workspace?: string;
  readonly actions?: string;
  readonly gitMirror: string;
  readonly org?: string;
  readonly project?: string;
  readonly name?: string;
  readonly tag?: readonly string[];
  readonly notify?: readonly ('end' | 'failure')[];
  readonly lifeSpan?: number;
  readonly detach: boolean;
}

/** A bake of the files of a path; undefined, with everything said and the exit code set, where they have errors. */
export function submissionOf(
  context: CommandContext,
  path: string,
  options: Omit<BakeOptions, 'detach'>,
): CollectedBake | undefined {
  const { org, project } = options;
  const place: FlowOptions = {
    ...options,
    cluster: 'default',
    project: project ?? 'default',
    user: options.as ?? 'user',
    fetch: { mirror: options.gitMirror, cache: join(context.paths.cache, 'actions') },
  };
  const collected = collect(context, path, place);
  if (collected === undefined) return undefined;
  const { asked, images } = collected;
  const whole = {
    ...asked,
    org_name: org ?? null,
    project_name: project ?? asked.project_name ?? null,
    name: options.name ?? null,
    tags: [...(options.tag ?? [])],
    notify: [...(options.notify ?? [])],
    ...(options.lifeSpan === undefined ? {} : { life_span_minutes: options.lifeSpan }),
  };
  const imagesIn = (at: ImagePlace): readonly ImageDefinition[] =>
    images.length === 0 ? [] : (collect(context, path, { ...place, ...at })?.images ?? []);
  return { asked: whole, imagesIn };
}

/** Has the platform carry out a batch flow, and follows it to its end. */
export async function run(context: CommandContext, path: string, options: BakeOptions): Promise<void> {
  const found = submissionOf(context, path, options);
  if (found === undefined) return;
  await withPlatform(context, options, async (client) => {
    const made = await submit(client, await sendContexts(client, found));
    if (options.detach) {
      context.result(
        made,
        `${made.id} is carried out by ${made.job}\nfollow it: delos flow inspect --follow ${made.id}`,
      );
      return;
    }
    if (!context.json) process.stderr.write(`${made.id}\n`);
    const report = await follow(context, client, made.id, made.number);
    context.result(report, allOf(report).join('\n'));
  });
}
