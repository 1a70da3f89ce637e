import { z } from 'zod';
import type { CommandContext } from '../../context.ts';
import { secondsOf } from '../platform/token.ts';
import { askRegistry, mib } from './ask.ts';

const report = z.object({
  blobs: z.number(),
  bytes: z.number(),
  links: z.number(),
  manifests: z.number(),
  kept: z.number(),
  seconds: z.number(),
});

/** Gives the space back of what no image needs, and nobody has asked for within a time. People may push meanwhile. */
export async function run(context: CommandContext, options: { readonly unusedFor: string }): Promise<void> {
  const seconds = secondsOf(options.unusedFor, '--unused-for');
  const done = await askRegistry(context, report, ['collect', String(seconds)]);
  const manifests = done.manifests === 0 ? '' : `, and ${done.manifests} images that long had no tag`;
  context.result(
    done,
    `removed ${done.blobs} blobs of ${mib(done.bytes)}${manifests}; ${done.kept} blobs are part of images`,
  );
}
