import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { DelosError, tryJoinTicket } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { readSettings } from '../../instance/settings.ts';
import { run as up } from '../platform/up.ts';
import { ownFile, writeJoin } from './join-block.ts';

interface Options {
  readonly tokenFile?: string;
  readonly config?: string;
  readonly context?: string;
}

/**
 * This cluster joins a platform: delos.yaml says so from now on, and `up` deploys what runs jobs. It can be repeated, also with
 * another token.
 */
export async function run(context: CommandContext, options: Options): Promise<void> {
  const token = await tokenOf(options.tokenFile);
  const ticket = tryJoinTicket(token);
  if (ticket === undefined) {
    throw new DelosError('ERR_USAGE', 'that is no join token', {
      hint: 'where the platform is, `delos clusters token NAME` prints one: it begins with delos-join-',
    });
  }
  const { file: known } = await readSettings(context, options.config);
  const file = known ?? ownFile(context.paths);
  writeJoin(context.paths, file, ticket, token);
  if (!existsSync(file)) throw new DelosError('ERR_INTERNAL', `${file} was not written`);
  await up(context, { ...options, config: file });
}

/** A token is an argument of no command: every process of the machine could read it. @throws DelosError ERR_USAGE */
async function tokenOf(file: string | undefined): Promise<string> {
  const hint = 'the file has what `delos clusters token NAME` printed; - is standard input';
  if (file === undefined) throw new DelosError('ERR_USAGE', '--token-file is missing', { hint });
  try {
    return (file === '-' ? await text(process.stdin) : await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw new DelosError(
      'ERR_USAGE',
      `--token-file: ${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      { hint },
    );
  }
}
