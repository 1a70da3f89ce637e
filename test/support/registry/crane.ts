import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveTool } from '@delos/cluster';
import { silent } from '@delos/core';
import { type CommandResult, execute, expectOk } from '../../../peers/src/command.ts';

/** crane, as one person has it who is logged in at a registry. */
export interface Crane {
  readonly run: (...args: readonly string[]) => Promise<CommandResult>;
  /** @throws Error when the exit code is not 0 */
  readonly ok: (...args: readonly string[]) => Promise<string>;
  /** Pushes an image of one layer, or of one more than `base` has, with this text in the file /content. @returns its digest */
  readonly push: (reference: string, content: string, base?: string) => Promise<string>;
  /** The text of /content of an image. */
  readonly content: (reference: string) => Promise<CommandResult>;
  readonly stop: () => Promise<void>;
}

/**
 * @param login user and password, or a token of the registry itself; undefined for nobody
 * @param authorities file with those that it trusts
 */
export async function crane(
  host: string,
  login: { readonly user: string; readonly password: string } | { readonly token: string } | undefined,
  authorities?: string,
): Promise<Crane> {
  const { path } = await resolveTool('crane', silent);
  const home = await mkdtemp(join(tmpdir(), 'delos-crane-'));
  const shown =
    login === undefined || 'token' in login
      ? { registrytoken: login?.token }
      : { auth: Buffer.from(`${login.user}:${login.password}`).toString('base64') };
  await writeFile(join(home, 'config.json'), JSON.stringify({ auths: login === undefined ? {} : { [host]: shown } }), {
    mode: 0o600,
  });
  const run = (...args: readonly string[]): Promise<CommandResult> =>
    execute([path, ...args], {
      env: { PATH: '/usr/bin:/bin', HOME: home, DOCKER_CONFIG: home, SSL_CERT_FILE: authorities },
      cwd: home,
    });
  const ok = (...args: readonly string[]): Promise<string> => expectOk(run(...args));
  let nth = 0;
  return {
    run,
    ok,
    push: async (reference, content, base) => {
      nth += 1;
      const layer = join(home, `layer-${nth}.tar`);
      await writeFile(join(home, 'content'), content);
      await expectOk(execute(['tar', '-C', home, '-cf', layer, 'content']));
      const on = base === undefined ? [] : ['--base', base];
      const pushed = await ok('append', ...on, '--new_layer', layer, '--new_tag', reference);
      return /sha256:[0-9a-f]{64}/.exec(pushed)?.[0] ?? '';
    },
    content: async (reference) => {
      const image = join(home, 'image.tar');
      const exported = await run('export', reference, image);
      return exported.code === 0 ? execute(['tar', '-xOf', image, 'content']) : exported;
    },
    stop: () => rm(home, { recursive: true, force: true }),
  };
}
