import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DelosError, type InstancePaths, type JoinTicket, yamlText } from '@delos/core';
import { writeIfChanged } from '@delos/host';

/*
 * What `delos join` writes: the token and the authority into files of the instance, and a section `join` into delos.yaml, marked
 * so that `delos leave` finds it again.
 */

const BEGIN = '# >>> delos join >>>';
const END = '# <<< delos join <<<';
const BLOCK = new RegExp(`\\n?${BEGIN}\\n[\\s\\S]*?${END}\\n`);

const folderOf = ({ state }: InstancePaths): string => join(state, 'join');

/** The file where there is none of the user's. */
export const ownFile = (paths: InstancePaths): string => join(folderOf(paths), 'delos.yaml');

/**
 * Has this file say that the cluster joins a platform. What else it says stays.
 * @throws DelosError ERR_CONFLICT where it says so already, by a section that somebody else wrote
 */
export function writeJoin(paths: InstancePaths, file: string, ticket: JoinTicket, text: string): void {
  const token = join(folderOf(paths), 'token');
  const authority = join(folderOf(paths), 'authority.pem');
  const before = existsSync(file) ? readFileSync(file, 'utf8').replace(BLOCK, '') : '';
  if (/^join:/m.test(before)) {
    throw new DelosError('ERR_CONFLICT', 'the configuration says already which platform this cluster joins', {
      where: { file, field: 'join' },
      hint: 'write the token into the file that `join.token` names, and run `delos up`; or take the section out',
    });
  }
  writeIfChanged(token, text, 0o600);
  if (ticket.authority === undefined) rmSync(authority, { force: true });
  else writeIfChanged(authority, ticket.authority, 0o600);
  const section = yamlText({
    join: {
      platform: ticket.url,
      cluster: ticket.cluster,
      token: { file: token },
      ...(ticket.authority === undefined ? {} : { authority }),
    },
  });
  const gap = before === '' || before.endsWith('\n') ? '' : '\n';
  writeIfChanged(resolve(file), `${before}${gap}${BEGIN}\n${section}${END}\n`, 0o644);
}

/** Takes back what {@link writeJoin} wrote. */
export function removeJoin(paths: InstancePaths, file: string | undefined): void {
  rmSync(folderOf(paths), { recursive: true, force: true });
  if (file === undefined || !existsSync(file)) return;
  const before = readFileSync(file, 'utf8');
  const after = before.replace(BLOCK, '');
  if (after !== before) writeIfChanged(file, after, 0o644);
}
