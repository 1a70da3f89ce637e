import { join } from 'node:path';
import { unpackedDebian } from '../debian/unpacked.ts';

/** What Debian's server needs beside what every Debian has. */
const LIBRARIES = /^(libjemalloc2|liblua5\.1-0|lua-cjson|lua-bitop|liblzf1|libatomic1|libhiredis\S*|libvalkey\S*)$/;

/** The server's program, and what it needs in its environment. */
export interface RedisProgram {
  /** Holds `redis-server` and `redis-cli`, or `valkey-…`. */
  readonly bin: string;
  readonly env: Readonly<Record<string, string>>;
}

/** The server that our image has, unpacked from Debian's packages into the cache. */
export async function redisProgram(): Promise<RedisProgram> {
  const { root, env } = await unpackedDebian({
    name: 'redis',
    packages: (known) => {
      const server = known.has('redis-server') ? 'redis' : 'valkey';
      return [`${server}-server`, `${server}-tools`];
    },
    libraries: LIBRARIES,
  });
  return { bin: join(root, 'usr/bin'), env };
}
