import { DelosError, FORMER_POSTGRES_USER } from '@delos/core';

/** TCP by password alone; the socket inside the container for the one user who owns the files, who may also copy them. */
export const HBA = `local all postgres                peer
local replication postgres        peer
host  all postgres   127.0.0.1/32 scram-sha-256
host  all postgres   ::1/128      scram-sha-256
host  all postgres   all          reject
host  all all        all          scram-sha-256
`;

/** Roles of members among themselves, each with a Secret of its name. */
export const MEMBER_ROLES = { replication: 'replicator', rewind: 'rewinder' } as const;
/** It asks members over HTTP, and is no role of PostgreSQL's. */
export const MEMBERS_USER = 'patroni';
export const MEMBER_SECRETS = [...Object.values(MEMBER_ROLES), MEMBERS_USER] as const;

/** Follows the log, and copies all: the archive. */
export const FOLLOWER_ROLE = 'archiver';

/** Lets the archive in, beside those of an HBA. */
export const followedHba = (hba: string): string =>
  hba.replace(
    /(?=host {2}all all {8}all)/,
    `host  replication ${FOLLOWER_ROLE}    all  scram-sha-256
host  all         ${FOLLOWER_ROLE}    all  reject
`,
  );

/** The same where several members copy from each other. */
export const MEMBERS_HBA = HBA.replace(
  /(?=host {2}all all {8}all)/,
  `host  replication replicator  all  scram-sha-256
host  postgres    rewinder    all  scram-sha-256
host  all         replicator  all  reject
host  all         rewinder    all  reject
`,
);

/** It is in the files below, too. */
export const POSTGRES_USER = 60600;

/** /etc/passwd of the container: PostgreSQL asks for its user's name, and images know another user by it. */
export const PASSWD = `root:x:0:0:root:/:/usr/sbin/nologin
postgres:x:${POSTGRES_USER}:${POSTGRES_USER}:PostgreSQL:/tmp:/usr/sbin/nologin
`;

/**
 * Runs as the user that earlier releases ran PostgreSQL as, in today's group: opens a data folder of that user to the
 * group, which `prepare.sh` then takes over. Nothing else can do that without root. Does nothing where there is no such
 * folder; may be killed at any instant and run again.
 */
export const HAND_OVER = `#!/bin/sh
set -eu
for folder in "$PGDATA" "$PGDATA.new"; do
  if [ -d "$folder" ] && [ "$(stat -c %u "$folder")" = ${FORMER_POSTGRES_USER} ]; then
    echo "handing $folder over to user ${POSTGRES_USER}"
    chgrp -R "$(id -g)" "$folder"
    chmod -R g+rwX "$folder"
  fi
done
`;

/**
 * PostgreSQL makes its lock file and then writes its process id there. A kill in between leaves an empty file, with which
 * PostgreSQL refuses to start for ever. The folder is this Pod's alone, so nobody else is just starting.
 */
const UNLOCK = `if [ -f "$PGDATA/postmaster.pid" ] && [ ! -s "$PGDATA/postmaster.pid" ]; then
  echo "removing the empty lock file of a start that was killed" >&2
  rm -f "$PGDATA/postmaster.pid"
fi`;

/** Becomes the server, with the arguments that it is given; after a kill at any instant, too. */
export const START = `#!/bin/sh
set -eu
${UNLOCK}
exec postgres "$@"
`;

/** Also the end of a Secret's name, so what both may be; PostgreSQL's own names are not free. */
const NAME = /^[a-z]([a-z0-9-]{0,40}[a-z0-9])?$/;
const TAKEN = ['admin', 'postgres', 'template0', 'template1', FOLLOWER_ROLE, ...MEMBER_SECRETS];

/** What a script makes true. */
export interface Wanted {
  readonly databases: readonly string[];
  /** Name of the workload, by which messages name its Secrets and its claim. @default postgres */
  readonly server?: string;
  /** Whether several members copy from each other. @default false */
  readonly members?: boolean;
  /** Whether an archive follows the log. @default false */
  readonly followed?: boolean;
}

/**
 * Makes the data folder, the databases and their owners, and lets passwords be what the Secrets say; runs before each
 * start, so that a database that is added later is made too. A database that is not listed any more is kept. The
 * folder gets its name only when it is complete, each step looks at what is there, and a statement is done wholly or
 * not at all: it may be killed at any instant and run again.
 *
 * Works through `postgres --single`, one statement a line: no server listens meanwhile, and no password is in an
 * argument. `PASSWORDS` names another folder of passwords.
 *
 * @throws DelosError ERR_INTERNAL for a name that no database can have
 */
export function prepareScript(wanted: Wanted): string {
  const { databases, server = 'postgres', members = false } = wanted;
  refuseNames(databases);
  return `#!/bin/sh
set -eu
umask 077
server=${server}
${TAKE_OVER}
${RECONCILE}
${SINGLE}
${rolesOf(wanted)}
databases="${databases.join(' ')}"
take_over
${members ? '' : FORMER_MEMBER}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  echo "making the data folder"
  rm -rf "$PGDATA.new"
  # Synced once, at the end.
  initdb --no-sync --pgdata="$PGDATA.new" --username=postgres --encoding=UTF8 --locale=C --auth=scram-sha-256 \\
    --pwfile="$passwords/admin/password" >/dev/null
  reconcile "$PGDATA.new" -c fsync=off
  sync
  mv "$PGDATA.new" "$PGDATA"
  exit 0
fi
${UNLOCK}
reconcile "$PGDATA"
`;
}

/**
 * Makes databases, owners, roles of members and passwords what they shall be, at a primary that serves.
 * @throws DelosError ERR_INTERNAL for a name that no database can have
 */
export function reconcileScript(wanted: Wanted): string {
  const { databases, server = 'postgres' } = wanted;
  refuseNames(databases);
  return `#!/bin/sh
set -eu
umask 077
server=${server}
${RECONCILE}
${SERVING}
${rolesOf({ ...wanted, members: true })}
databases="${databases.join(' ')}"
reconcile primary
`;
}

function refuseNames(databases: readonly string[]): void {
  for (const name of databases) {
    if (NAME.test(name) && !TAKEN.includes(name)) continue;
    throw new DelosError('ERR_INTERNAL', `no database can be named ${JSON.stringify(name)}`, {
      hint: `expected small letters, digits and inner hyphens, at most 42, and none of ${TAKEN.join(', ')}`,
    });
  }
}

/**
 * PostgreSQL wants to own its data folder. One that its former user handed over is copied, and the copy takes its
 * place. The former folder has another name from then on, by which a killed run knows that the copy is whole.
 */
const TAKE_OVER = `take_over() {
  if [ -d "$PGDATA.former" ] && [ ! -e "$PGDATA" ]; then mv "$PGDATA.own" "$PGDATA"; fi
  if [ -d "$PGDATA" ] && [ "$(stat -c %u "$PGDATA")" != "$(id -u)" ]; then
    rm -rf "$PGDATA.own"
    needed=$(du -sk "$PGDATA" | cut -f1)
    free=$(df --output=avail -k "$PGDATA" | tail -n 1)
    if [ "$free" -le "$needed" ]; then
      echo "the volume has $free KiB free, and $needed KiB are needed to copy the data folder to its new owner" >&2
      echo "enlarge the volume of the claim data-$server-0; the old data is untouched" >&2
      exit 1
    fi
    echo "copying the data folder ($needed KiB) for user $(id -u)"
    cp -R --preserve=mode,timestamps "$PGDATA" "$PGDATA.own"
    chmod -R go= "$PGDATA.own"
    sync
    mv "$PGDATA" "$PGDATA.former"
    mv "$PGDATA.own" "$PGDATA"
    sync
  fi
  rm -rf "$PGDATA.former" "$PGDATA.own"
  # The kubelet may have opened it to the volume's group, with which PostgreSQL does not start.
  if [ -d "$PGDATA" ]; then chmod go= "$PGDATA"; fi
}`;

const RECONCILE = `passwords=\${PASSWORDS:-/run/passwords}
# The password of a database's owner, as it stands between quotes in SQL.
password() {
  file=$passwords/$1/password
  if [ "$(grep -c '' "$file")" != 1 ] || ! grep -q . "$file"; then
    echo "$file holds no password of one line: put one into the Secret $server-$1, and restart this Pod" >&2
    return 1
  fi
  sed "s/'/''/g" "$file"
}
statements() {
  value=$(password admin)
  printf '%s\\n' "alter role postgres password '$value';"
  for name in $databases; do
    value=$(password "$name")
    has "role $name" || printf '%s\\n' "create role \\"$name\\";"
    printf '%s\\n' "alter role \\"$name\\" login password '$value';"
    if has "database $name"; then
      printf '%s\\n' "alter database \\"$name\\" owner to \\"$name\\";"
    else
      echo "making database $name" >&2
      printf '%s\\n' "create database \\"$name\\" owner \\"$name\\";"
    fi
    printf '%s\\n' "revoke all on database \\"$name\\" from public;"
  done
  roles
}
# reconcile FOLDER [OPTION]...
reconcile() {
  known=$(mktemp)
  sql "$@" >"$known" <<'EOF'
select 'role ' || rolname from pg_roles;
select 'database ' || datname from pg_database;
EOF
  # As a server alone shows a value, and as psql does.
  has() { grep -qF -e "= \\"$1\\"" "$known" || grep -qxF -e "$1" "$known"; }
  wanted=$(statements)
  echo "setting databases, owners and passwords"
  sql "$@" >/dev/null <<EOF
$wanted
EOF
  rm -f "$known"
}`;

/** `sql FOLDER [OPTION]...` does what stdin says, one statement a line, where no server runs. */
const SINGLE = `sql() {
  data=$1 && shift
  postgres --single -c exit_on_error=on -c log_min_error_statement=panic -c log_checkpoints=off "$@" -D "$data" postgres
}`;

/** The same at a server that runs. */
const SERVING = `sql() {
  psql --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --host=/var/run/postgresql --username=postgres \\
    --dbname=postgres
}`;

/** @see https://www.postgresql.org/docs/17/app-pgrewind.html "Notes": what pg_rewind asks of the server that it copies from */
const REWIND_GRANTS = `for function in 'pg_ls_dir(text, boolean, boolean)' 'pg_stat_file(text, boolean)' 'pg_read_binary_file(text)' \\
    'pg_read_binary_file(text, bigint, bigint, boolean)'; do
    echo "grant execute on function pg_catalog.$function to ${MEMBER_ROLES.rewind};"
  done`;

/** Roles that own no database. */
function rolesOf({ members = false, followed = false }: Wanted): string {
  const copying = [...(members ? [MEMBER_ROLES.replication] : []), ...(followed ? [FOLLOWER_ROLE] : [])];
  const all = [...copying, ...(members ? [MEMBER_ROLES.rewind] : [])];
  if (all.length === 0) return 'roles() { :; }';
  return `roles() {
  for name in ${all.join(' ')}; do
    value=$(password "$name")
    has "role $name" || printf '%s\\n' "create role $name;"
    printf '%s\\n' "alter role $name login password '$value';"
  done
  ${[...copying.map((name) => `echo "alter role ${name} replication;"`), ...(members ? [REWIND_GRANTS] : [])].join('\n  ')}
}`;
}

/**
 * A folder of one of several members may lack what the others have, and waits for one of them in its settings. Only one that was
 * restored from a backup, which bears this mark until its first start, is the whole database.
 */
const FORMER_MEMBER = `if [ -e "$PGDATA/patroni.dynamic.json" ]; then
  if [ ! -e "$PGDATA/backup_label" ]; then
    echo "the volume of the claim data-$server-0 is one of three (services.postgres.replicas: 3), and may lack what the others have" >&2
    echo "set replicas: 3 again; to have one: delos backup, delos down --delete-data, then delos restore with replicas: 1" >&2
    exit 1
  fi
  if [ -e "$PGDATA/postgresql.base.conf" ]; then mv "$PGDATA/postgresql.base.conf" "$PGDATA/postgresql.conf"; fi
  rm -f "$PGDATA/standby.signal" "$PGDATA/recovery.signal" "$PGDATA/patroni.dynamic.json"
fi`;
