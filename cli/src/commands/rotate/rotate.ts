import { synthesize } from '@delos/constructs';
import { DelosError } from '@delos/core';
import type { PlatformInput, SecretStore } from '@delos/stacks';
import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { expectedImages } from '../../instance/images.ts';
import { kubeOf } from '../../instance/kube.ts';
import { lockInstance } from '../../instance/lock.ts';
import { planPlatform } from '../../instance/platform.ts';
import { askRuntime } from '../../instance/runtime-command.ts';
import { readSettings, recordedConfig } from '../../instance/settings.ts';
import { Phases } from '../../phases.ts';
import { refuseOtherRelease } from '../upgrade/other-release.ts';
import { refuseHalfUpgraded } from '../upgrade/record.ts';
import { chosen, listText, type RotatedSecret, rotatedSecrets, shownBy } from './catalogue.ts';
import { untilArrived } from './pods.ts';
import { beforeFirstStep, endRotation, keepRotation, rotationFrom, rotationOf } from './record.ts';
import { setRolePasswords } from './roles.ts';

export interface Options {
  readonly list: boolean;
  readonly all: boolean;
}

/**
 * Replaces secrets by others while all that use them go on: first both are accepted, then the new one is used, then the
 * former one is accepted no more. A rotation that was interrupted goes on where it was.
 */
export async function run(context: CommandContext, names: readonly string[], options: Options): Promise<void> {
  refuseHalfUpgraded(context.paths);
  await refuseOtherRelease(context.paths);
  const unlock = await lockInstance(context.paths, 'rotate');
  try {
    const handle = await (await engineOf(context)).handle();
    // What is deployed, not what delos.yaml has become since.
    const config = await recordedConfig(context);
    const { file } = await readSettings(context, undefined);
    const images = await expectedImages(context, config, handle);
    const { input } = await planPlatform(context, { config, file }, handle, images);
    const look = async (): Promise<readonly RotatedSecret[]> =>
      rotatedSecrets(synthesize(input.config, input.context), await storeOf(input));
    const all = await look();
    if (options.list) return context.result({ secrets: all }, listText(all));
    const some = chosen(all, {
      names,
      every: options.all,
      interrupted: Object.keys(rotationOf(context.paths)?.timesBefore ?? {}),
    });
    if (some.length === 0) {
      throw new DelosError('ERR_USAGE', 'expected names of secrets, or --all', {
        hint: '`delos rotate --list` names them',
      });
    }
    await rotate(context, input, some);
  } finally {
    unlock();
  }
}

async function rotate(context: CommandContext, input: PlatformInput, some: readonly RotatedSecret[]): Promise<void> {
  const { turnSecrets } = await import('@delos/stacks');
  const kube = await kubeOf(context, await (await engineOf(context)).handle());
  const phases = new Phases(context.progress, context.signal);
  const addresses = some.map(({ address }) => address);
  const objects = shownBy(synthesize(input.config, input.context), addresses);
  const rotation = rotationOf(context.paths) ?? rotationFrom(some);
  keepRotation(context.paths, rotation);
  const step = (to: 'next' | 'former' | 'done', what: string, of = addresses): Promise<void> =>
    phases.run(what, async () => {
      await turnSecrets(input, { addresses: of, to });
      await untilArrived(kube, objects, context);
    });
  const roles = (passwordIn: (store: SecretStore, address: string) => string | undefined): Promise<void> =>
    phases.run('roles', async () => {
      const store = await storeOf(input);
      const passwords = some.flatMap(({ address, way }) => {
        const password = passwordIn(store, address);
        return way.kind === 'role' && password !== undefined ? [[way.role, password] as const] : [];
      });
      if (passwords.length > 0) await setRolePasswords(kube, Object.fromEntries(passwords), context);
    });
  // All of a rotation take each step together. A step that is interrupted is repeated, and no further values are made.
  const first = beforeFirstStep(some, rotation);
  if (first.length > 0) {
    await step(
      'next',
      'accept both',
      first.map(({ address }) => address),
    );
    await roles(({ turns }, address) => (turns[address]?.phase === 'next' ? turns[address].value : undefined));
  }
  await step('former', 'use the new');
  // A server that started anew since, or another primary, has set what its Secrets showed it then.
  await roles(({ turns, passwords }, address) => (turns[address]?.phase === 'former' ? passwords[address] : undefined));
  if (some.some(({ way }) => way.kind === 'told')) {
    await phases.run('Keycloak', () =>
      askRuntime(context, { service: 'identity', program: 'realm', request: {}, what: 'the realm' }),
    );
  }
  if (some.some(({ way }) => way.kind === 'overlap' && way.before === 'rewrap')) {
    await phases.run('secrets of projects', () =>
      askRuntime(context, { service: 'control-api', program: 'rewrap', request: {}, what: 'its secrets' }),
    );
  }
  await step('done', 'refuse the former');
  endRotation(context.paths);
  const document = { rotated: some.map(({ name }) => name), phases: phases.done };
  const seconds = phases.done.reduce((sum, phase) => sum + phase.seconds, 0);
  context.result(document, `${some.length} secrets rotated in ${seconds.toFixed(0)} s: ${document.rotated.join(', ')}`);
}

/** @throws DelosError ERR_NOT_UP where nothing is deployed from this machine */
async function storeOf(input: PlatformInput): Promise<SecretStore> {
  const { parseStore, platformSecrets } = await import('@delos/stacks');
  const kept = await platformSecrets(input);
  if (kept !== undefined) return parseStore(kept);
  throw new DelosError('ERR_NOT_UP', `there is no platform of instance ${input.paths.instance}`, {
    hint: '`delos up` deploys one. The secrets of a stack that a plain `pulumi up` deployed are in its own keeping',
  });
}
