/** TCP by password alone; the socket inside the container for the one user who owns the files. */
export const HBA = `local all postgres                peer
host  all postgres   127.0.0.1/32 scram-sha-256
host  all postgres   ::1/128      scram-sha-256
host  all postgres   all          reject
host  all all        all          scram-sha-256
`;

/**
 * Makes the data folder and lets roles and passwords be what the Secrets say; runs before each start. The folder gets
 * its name only when it is complete, so a kill at any instant leaves either nothing or a whole database. Works through
 * `postgres --single`, one statement a line: no server listens meanwhile, and no password is in an argument.
 */
export function prepareScript(databases: readonly string[]): string {
  const roles = (verb: string): string =>
    ['admin', ...databases]
      .map((name) => (name === 'admin' ? `alter role postgres password '$(password admin)';` : role(verb, name)))
      .join('\n');
  const create = databases.map(
    (name) => `create database ${name} owner ${name};\nrevoke all on database ${name} from public;`,
  );
  return `#!/bin/sh
set -eu
umask 077
password() { sed "s/'/''/g" "/run/passwords/$1/password"; }
sql() {
  data=$1 && shift
  postgres --single -c exit_on_error=on -c log_min_error_statement=panic -c log_checkpoints=off "$@" -D "$data" \\
    postgres >/dev/null
}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  echo "making the database"
  rm -rf "$PGDATA.new"
  # Synced once, at the end.
  initdb --no-sync --pgdata="$PGDATA.new" --username=postgres --encoding=UTF8 --locale=C --auth=scram-sha-256 \\
    --pwfile=/run/passwords/admin/password >/dev/null
  sql "$PGDATA.new" -c fsync=off <<EOF
${roles('create')}
${create.join('\n')}
EOF
  sync
  mv "$PGDATA.new" "$PGDATA"
  exit 0
fi
echo "setting the roles' passwords"
sql "$PGDATA" <<EOF
${roles('alter')}
EOF
`;
}

const role = (verb: string, name: string): string => `${verb} role ${name} login password '$(password ${name})';`;
