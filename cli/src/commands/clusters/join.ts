import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { DelosError, tryJoinTicket } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { readSettings } from '../../instance/settings.ts';
import { run as up } from '../platform/up.ts';
import { ownFile, writeJoin } from './join-block.ts';

interface Options {
  readonly token?: string;
  readonly tokenFile?: string;
  readonly config?: string;
  readonly context?: string;
}

/**
 * This cluster joins a platform: delos.yaml says so from now on, and `up` deploys what runs jobs. It can be repeated, also with
 * another token.
 */
export async function run(context: CommandContext, options: Options): Promise<void> {
  const text = await tokenOf(options);
  const ticket = tryJoinTicket(text);
  if (ticket === undefined) {
    throw new DelosError('ERR_USAGE', 'that is no join token', {
      hint: 'where the platform is, `delos clusters token NAME` prints one: it begins with delos-join-',
    });
  }
  const { file: known } = await readSettings(context, options.config);
  const file = known ?? ownFile(context.paths);
  writeJoin(context.paths, file, ticket, text);
  if (!existsSync(file)) throw new DelosError('ERR_INTERNAL', `${file} was not written`);
  await up(context, { ...options, config: file });
}

async function tokenOf({ token, tokenFile }: Options): Promise<string> {
  if ((token === undefined) === (tokenFile === undefined)) {
    throw new DelosError('ERR_USAGE', 'say one of --token TOKEN, --token-file FILE', {
      hint: 'a file is seen by nobody in the list of processes',
    });
  }
  if (tokenFile === undefined) return token ?? '';
  return (await readFile(tokenFile, 'utf8')).trim();
}
