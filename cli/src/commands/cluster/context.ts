import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { provideImages } from '../../instance/images.ts';
import { lockInstance } from '../../instance/lock.ts';
import { planPlatform } from '../../instance/platform.ts';
import { readSettings } from '../../instance/settings.ts';
import { interruptible } from '../../interrupt.ts';

/** What a program of one's own has to know of this cluster. The images are brought there, and ports lead to the gateway. */
export async function run(context: CommandContext, options: { readonly config?: string }): Promise<void> {
  const settings = await readSettings(context, options.config);
  const unlock = await lockInstance(context.paths, 'cluster context');
  try {
    const handle = await (await engineOf(context)).handle();
    const images = await interruptible(context.signal, provideImages(context, settings.config, handle));
    const { input } = await planPlatform(context, settings, handle, images);
    context.result(input.context, JSON.stringify(input.context, undefined, 2));
  } finally {
    unlock();
  }
}
