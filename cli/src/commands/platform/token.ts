import { DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { issue, list, revoke } from './tokens.ts';

interface TokenOptions {
  readonly user?: string;
  readonly ttl: string;
  readonly revoke?: string;
  readonly list: boolean;
}

/** Issues a token for a user; or lists or revokes issued ones. Only the token itself goes to stdout. */
export async function run(context: CommandContext, options: TokenOptions): Promise<void> {
  const asked = [options.user, options.revoke, options.list || undefined].filter((given) => given !== undefined);
  if (asked.length !== 1) {
    throw new DelosError('ERR_USAGE', 'say one of --user NAME, --revoke ID, --list', {
      hint: 'for example: delos token --user admin --ttl 12h',
    });
  }
  if (options.user !== undefined) {
    const issued = await issue(context, { user: options.user, ttlSeconds: secondsOf(options.ttl) });
    context.result(issued, issued.token);
    return;
  }
  if (options.revoke !== undefined) {
    const record = await revoke(context, options.revoke);
    context.result(record, `revoked ${record.id} of ${record.user}`);
    return;
  }
  const records = await list(context);
  const lines = records.map((record) =>
    [
      record.id,
      record.user,
      `until ${record.expiresAt}`,
      `by ${record.issuedBy}`,
      record.revokedAt === null ? '' : 'revoked',
    ]
      .filter((part) => part !== '')
      .join('  '),
  );
  context.result({ tokens: records }, lines.length === 0 ? 'no issued token is valid' : lines.join('\n'));
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** `90s`, `30m`, `12h`, `7d`, `2w`, or together: `1d12h`. @throws DelosError ERR_USAGE */
export function secondsOf(text: string, option = '--ttl'): number {
  if (!/^(\d{1,9}[smhdw])+$/.test(text)) {
    throw new DelosError('ERR_USAGE', `${option} ${JSON.stringify(text)} is not a duration`, {
      hint: 'a number and s, m, h, d or w: 30m, 12h, 7d, 1d12h',
    });
  }
  return [...text.matchAll(/(\d+)([smhdw])/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (UNITS[unit ?? ''] ?? 0),
    0,
  );
}
