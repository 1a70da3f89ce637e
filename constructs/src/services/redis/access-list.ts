import { DelosError } from '@delos/core';
import type { CacheAccess } from '../../base/cache.ts';

/** Who asks for the health of the server. It has no password, and may do nothing but that. */
export const HEALTH_USER = 'health';

/** Also the end of a Secret's name, so what both may be. */
const NAME = /^[a-z]([a-z0-9-]{0,40}[a-z0-9])?$/;
const TAKEN = ['default', HEALTH_USER];
const COMMAND = /^[a-z]+(\|[a-z-]+)?$/;
const KEYS = /^[a-z][a-z0-9-]*:([a-z0-9-]+:)*\*$/;

/** Commands that reach beyond a user's own keys: administration, the keys of others, and what stops the server for all. */
const NEVER = new Set(
  `acl bgrewriteaof bgsave client cluster config dbsize debug failover flushall flushdb function info keys latency memory
   migrate module monitor pfdebug psync publish randomkey replconf replicaof restore role save scan script select shutdown
   slaveof slowlog sort spublish swapdb sync wait`.split(/\s+/),
);

/**
 * One user's line of the file from which the server's own list of users is written: name and rules. The password comes to
 * it when the server starts.
 * @throws DelosError ERR_INTERNAL for a name, a command or a beginning of keys that no user of a cache can have
 */
export function accessLine(name: string, { commands, keys }: CacheAccess): string {
  const refuse = (what: string, hint: string): DelosError => new DelosError('ERR_INTERNAL', what, { hint });
  if (!NAME.test(name) || TAKEN.includes(name)) {
    const expected = `expected small letters, digits and inner hyphens, at most 42, and none of ${TAKEN.join(', ')}`;
    throw refuse(`no user of a cache can be named ${JSON.stringify(name)}`, expected);
  }
  for (const command of commands) {
    if (!COMMAND.test(command)) {
      const expected = 'expected the name of one command in small letters, no category: get, object|freq';
      throw refuse(`${name}: ${JSON.stringify(command)} is no command of a cache`, expected);
    }
    if (NEVER.has(command.split('|', 1)[0] ?? '')) {
      throw refuse(`${name}: a user of a cache never has the command ${command}`, 'it reaches beyond its own keys');
    }
  }
  for (const pattern of keys) {
    if (KEYS.test(pattern)) continue;
    const expected = 'expected words, each with a colon, and a star at the end: limits:*';
    throw refuse(`${name}: ${JSON.stringify(pattern)} is no beginning of keys`, expected);
  }
  return [name, ...keys.map((pattern) => `~${pattern}`), ...commands.map((command) => `+${command}`)].join(' ');
}
