#!/bin/bash
# Makes the database cluster at the first start, then becomes the server. The contract is that of the published image
# (github.com/docker-library/docs, postgres): POSTGRES_PASSWORD, _USER, _DB, _INITDB_ARGS, _HOST_AUTH_METHOD, each also
# as NAME_FILE, and the scripts in /docker-entrypoint-initdb.d. Crash-safe: the data folder appears whole, by a rename.
set -Eeuo pipefail

fail() { echo "postgres: $*" >&2; exit 1; }

# value NAME [DEFAULT]: of NAME, or of the file that NAME_FILE names.
value() {
  local file_variable=$1_FILE
  if [ -n "${!1:-}" ] && [ -n "${!file_variable:-}" ]; then fail "both $1 and $file_variable are set"; fi
  if [ -n "${!file_variable:-}" ]; then cat "${!file_variable}"; else printf '%s' "${!1:-${2:-}}"; fi
}

[ "${1:-postgres}" = postgres ] || [ "${1:0:1}" = - ] || exec "$@"
[ "${1:-}" = postgres ] && shift
[ "$(id -u)" != 0 ] || fail "runs as user 999, not as root"

user=$(value POSTGRES_USER postgres)
database=$(value POSTGRES_DB "$user")
method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  password=$(value POSTGRES_PASSWORD)
  [ -n "$password" ] || [ "$method" = trust ] || fail "the first start needs POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE"
  new=$PGDATA/.initializing
  mkdir -p "$PGDATA"
  if [ -d "$new" ]; then
    # A first start was killed: all that is here is its own, and the mark of that goes last.
    find "$PGDATA" -mindepth 1 -maxdepth 1 ! -name .initializing -exec rm -rf {} +
    rm -rf "$new"
  fi
  [ -z "$(ls -A "$PGDATA")" ] || fail "$PGDATA is not empty and holds no database"
  chmod 700 "$PGDATA" || true
  mkdir -m 700 "$new"
  read -r -a extra <<<"${POSTGRES_INITDB_ARGS:-}"
  initdb --pgdata="$new" --username="$user" --auth-local=trust --auth-host="$method" --encoding=UTF8 \
    --locale=C.UTF-8 --pwfile=<(printf '%s\n' "$password") "${extra[@]}"
  printf '\nhost all all all %s\n' "$method" >>"$new/pg_hba.conf"

  # A server for the init scripts alone, which nobody can reach over the network.
  sockets=/var/run/postgresql
  pg_ctl --pgdata="$new" -o "-c listen_addresses='' -c unix_socket_directories='$sockets'" --wait --timeout=120 start
  export PGHOST=$sockets PGUSER=$user
  if [ "$database" != postgres ]; then
    psql -X -q -v ON_ERROR_STOP=1 --dbname=postgres -v name="$database" <<<'CREATE DATABASE :"name"'
  fi
  export PGDATABASE=$database
  for script in /docker-entrypoint-initdb.d/*; do
    case $script in
      *.sh) if [ -x "$script" ]; then "$script"; else . "$script"; fi ;;
      *.sql) psql -X -v ON_ERROR_STOP=1 -f "$script" ;;
      *.sql.gz) gunzip -c "$script" | psql -X -v ON_ERROR_STOP=1 ;;
    esac
  done
  unset PGHOST PGUSER PGDATABASE
  pg_ctl --pgdata="$new" --mode=fast --wait --timeout=120 stop
  # PG_VERSION comes last: with it the cluster is whole, without it the next start begins anew.
  (shopt -s dotglob; for file in "$new"/*; do [ "${file##*/}" = PG_VERSION ] || echo "$file"; done) |
    while read -r file; do mv "$file" "$PGDATA/"; done
  sync
  mv "$new/PG_VERSION" "$PGDATA/"
  rmdir "$new"
elif [ -d "$PGDATA/.initializing" ]; then
  rmdir "$PGDATA/.initializing"
fi

unset POSTGRES_PASSWORD
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql "$@"
