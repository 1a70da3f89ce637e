import { RESTORE_FOLDER } from '@delos/constructs';

/*
 * Scripts of the Pod that has the volume of the database, run as PostgreSQL's own user. Their first argument is the folder of the
 * database. `FOLDER.recovery` beside it has the base backup (`data`), the log (`log`), and what the recovery needs and says.
 */

/** Begins anew: whatever an earlier run left is not whole. Where that run had come to its end, it stays. */
export const beginScript = (volume: string = RESTORE_FOLDER): string => `set -eu
umask 077
cd ${volume}
if [ -e "$1.recovery/done" ]; then exit 0; fi
rm -rf "$1.recovery"
mkdir "$1.recovery" "$1.recovery/data" "$1.recovery/log" "$1.recovery/run"`;

/** Whether an earlier run had come to its end: then it says so. */
export const doneScript = (volume: string = RESTORE_FOLDER): string =>
  `if [ -e ${volume}/"$1.recovery/done" ]; then echo done; fi`;

/** Unpacks a tar into the part \`$2\`. */
export const fillScript = (volume: string = RESTORE_FOLDER): string => `set -eu
umask 077
tar --extract --file=- --no-same-owner --directory=${volume}/"$1.recovery/$2"`;

const ENDED_EARLY = 'recovery ended before configured recovery target was reached';

/**
 * Lets PostgreSQL replay the log until the time \`$2\`, and no further, and begin a new timeline there. It listens at a socket of its
 * folder alone. Where the log has no commit after that time, PostgreSQL says that it did not reach it: then the whole log is what was
 * committed by then, since the caller has seen to it that the log goes up to there.
 */
export const recoverScript = (volume: string = RESTORE_FOLDER): string => `set -eu
umask 077
cd ${volume}/"$1.recovery"
here=$(pwd)
if [ -e done ]; then exit 0; fi
chmod 700 data
rm -f data/postmaster.pid data/standby.signal data/patroni.dynamic.json
# Of a member of several: Patroni had put its own settings in the place of these.
if [ -e data/postgresql.base.conf ]; then mv data/postgresql.base.conf data/postgresql.conf; fi
printf 'local all postgres trust\\n' >hba.conf
: >ident.conf
cat >server.conf <<EOF
listen_addresses = ''
unix_socket_directories = '$here/run'
unix_socket_permissions = 0700
hba_file = '$here/hba.conf'
ident_file = '$here/ident.conf'
logging_collector = off
log_timezone = 'UTC'
timezone = 'UTC'
shared_buffers = 64MB
max_connections = 20
max_wal_size = 1GB
hot_standby = off
archive_mode = off
restore_command = 'cp "$here/log/%f" "%p"'
recovery_target_timeline = 'latest'
recovery_target_action = 'promote'
EOF
recover() {
  : >data/recovery.signal
  : >server.log
  postgres -D "$here/data" -c config_file="$here/server.conf" "$@" >>server.log 2>&1 &
  server=$!
  until pg_isready --quiet --host="$here/run" --username=postgres --dbname=postgres; do
    if ! kill -0 $server 2>/dev/null; then
      wait $server || true
      return 1
    fi
    sleep 0.2
  done
}
# No abbreviation of a zone is known while PostgreSQL starts, and so no Z.
if ! recover -c recovery_target_time="$(printf '%s' "$2" | sed 's/[Zz]$/+00:00/')"; then
  if ! grep -qF '${ENDED_EARLY}' server.log || ! recover; then
    grep -E 'FATAL|PANIC|ERROR' server.log | head -n 5 >&2
    exit 1
  fi
fi
kill -INT $server
wait $server
rm -f data/recovery.signal data/recovery.done
sync
: >done
sync`;

/** Lets what was recovered be the database. What was there before is kept beside it. */
export const takeScript = (volume: string = RESTORE_FOLDER): string => `set -eu
cd ${volume}
if [ -d "$1.recovery/data" ]; then
  if [ ! -e "$1.recovery/done" ]; then echo 'the recovery has not come to its end' >&2; exit 1; fi
  if [ -e "$1" ]; then
    rm -rf "$1.before-restore"
    mv "$1" "$1.before-restore"
  fi
  mv "$1.recovery/data" "$1"
  sync
fi
rm -rf "$1.recovery"
sync`;

/** Gives up: the database is as it was. */
export const giveUpScript = (volume: string = RESTORE_FOLDER): string => `set -eu
cd ${volume}
rm -rf "$1.recovery"
sync`;
