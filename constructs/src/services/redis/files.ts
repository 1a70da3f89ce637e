import { HEALTH_USER } from './access-list.ts';

/** Where files of the ConfigMap are mounted. */
export const CONFIG = '/etc/redis';

/**
 * The server's settings. Nothing is written to a disk: what is kept here may be lost. `maxmemory` leaves a third of the
 * container's memory for clients, scripts and fragments.
 */
export const settings = (maxMemoryBytes: number): string => `bind * -::*
port 6379
unixsocket /run/redis/redis.sock
dir /run/redis
aclfile /run/redis/users.acl
databases 1
save ""
appendonly no
maxmemory ${maxMemoryBytes}
maxmemory-policy allkeys-lru
maxmemory-clients 25%
maxclients 256
client-query-buffer-limit 1mb
client-output-buffer-limit normal 4mb 1mb 30
tcp-keepalive 60
loglevel notice
`;

/**
 * Writes the list of users, which lies in memory, and becomes the server. `users` has the rules; each password is in a
 * file of its own, and only its hash goes into the list. `REDIS_CONFIG`, `REDIS_PASSWORDS` and `REDIS_RUN` name other folders.
 */
export const START = `#!/bin/sh
set -eu
umask 077
config=\${REDIS_CONFIG:-${CONFIG}}
passwords=\${REDIS_PASSWORDS:-/run/passwords}
run=\${REDIS_RUN:-/run/redis}
{
  echo "user default reset"
  echo "user ${HEALTH_USER} reset on nopass +ping"
  while read -r name rules; do
    file=$passwords/$name/password
    if [ "$(grep -c '' "$file")" != 1 ] || ! grep -q . "$file"; then
      echo "$file holds no password of one line: put one into the Secret that it is from, and restart this Pod" >&2
      exit 1
    fi
    hashes=
    # While it is rotated two are good: the one that comes, or the one that was, lies beside it.
    for one in "$file" "$file.next" "$file.former"; do
      if [ -s "$one" ]; then hashes="$hashes #$(tr -d '\\n' <"$one" | sha256sum | cut -d' ' -f1)"; fi
    done
    echo "user $name reset on$hashes $rules"
  done <"$config/users"
} >"$run/users.acl.new"
mv "$run/users.acl.new" "$run/users.acl"
exec "$(command -v valkey-server || command -v redis-server)" "$config/redis.conf" "$@"
`;

/** Succeeds where the server answers. */
export const PING = `#!/bin/sh
cli=$(command -v valkey-cli || command -v redis-cli)
answer=$("$cli" -s /run/redis/redis.sock --no-auth-warning --user ${HEALTH_USER} --pass none ping)
[ "$answer" = PONG ]
`;
