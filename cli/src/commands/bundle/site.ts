import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Registry } from '@delos/airgap';
import { DelosError, isLoopback } from '@delos/core';
import type { CommandContext } from '../../context.ts';

export interface RegistryOptions {
  readonly registry: string;
  readonly user?: string;
  readonly passwordFile?: string;
  readonly authority?: string;
}

/** Where a site keeps what it knows of its bundles. */
export const siteOf = (context: CommandContext, given: string | undefined): string =>
  given === undefined ? join(context.paths.state, 'bundles') : resolve(given);

/** The site's registry. @throws DelosError ERR_USAGE */
export function registryOf({ registry, user, passwordFile, authority }: RegistryOptions): Registry {
  const url = URL.parse(registry);
  if (
    url === null ||
    !/^https?:$/.test(url.protocol) ||
    url.pathname !== '/' ||
    url.search !== '' ||
    url.username !== ''
  ) {
    throw new DelosError('ERR_USAGE', `--registry ${JSON.stringify(registry)} is no address of a registry`, {
      hint: 'expected https://HOST[:PORT], or http:// where it is on this machine',
    });
  }
  if ((user === undefined) !== (passwordFile === undefined)) {
    throw new DelosError('ERR_USAGE', 'expected --user and --password-file, both or neither', {
      hint: 'a password is read from a file, so that no list of processes shows it',
    });
  }
  if (user !== undefined && url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw new DelosError('ERR_USAGE', `--registry ${registry}: a password is not sent to another machine without TLS`, {
      hint: 'expected https://HOST[:PORT], with --authority FILE where an authority of the site has signed its certificate',
    });
  }
  const login =
    user === undefined || passwordFile === undefined
      ? undefined
      : { user, password: textOf(passwordFile).replace(/\r?\n$/, '') };
  return new Registry({
    url: registry,
    ...(login === undefined ? {} : { login }),
    ...(authority === undefined ? {} : { authority: textOf(authority) }),
  });
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new DelosError('ERR_USAGE', `${file} cannot be read`, { where: { file }, cause });
  }
}
