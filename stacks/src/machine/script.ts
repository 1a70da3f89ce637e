import { word } from './facts.ts';
import { RECORDS, RUN, UNITS } from './part.ts';
import type { Step } from './plan.ts';

/** Seconds in which a new connection must have been made after a change of the firewall; it is undone otherwise. */
export const UNDO_SECONDS = 60;
const UNDO = 'delos-machine-undo';

/** Folders with data of parts that have gone. */
export const KEPT = `${RECORDS}/kept`;

/** Where the content of a step lies when the script runs: a path for the shell, which may use `$P`. */
export type Place = (step: Extract<Step, { do: 'put' | 'unpack' }>) => string;

/** Folders that parts alone put something in. */
const FOLDERS = '/etc/delos-aux /opt/delos-aux';

/**
 * A script of the POSIX shell that does the steps. Its first argument is the folder with their contents. A file gets its name when
 * it is on the disk, so that this may be killed at any instant; a unit that does not start ends it with the last words of the unit.
 * @param guarded whether somebody will connect anew and confirm a firewall
 */
export function applyScript(
  name: string,
  steps: readonly Step[],
  place: Place,
  { guarded }: { readonly guarded: boolean } = { guarded: true },
): string {
  const line = (step: Step): string => lineOf(step, name, place, guarded);
  return `${HEAD}\n${steps.map(line).join('\n')}\n${TIDY}\n`;
}

function lineOf(step: Step, name: string, place: Place, guarded: boolean): string {
  const record = `${RECORDS}/parts/${name}`;
  switch (step.do) {
    case 'record':
      return `printf '%s\\n' ${step.entries.map((one) => word(`${one.kind}\t${one.name}`)).join(' ')} >${record}.new && whole ${record}.new ${record}`;
    case 'put':
      return `put ${place(step)} ${word(step.path)} ${step.mode.toString(8)}`;
    case 'unpack':
      return `unpack ${place(step)} ${word(step.path)}`;
    case 'remove':
      return `remove ${word(step.path)}`;
    case 'end':
      return `end ${word(step.unit)}`;
    case 'mark':
      return `rm -f ${RUN}/${word(step.unit)}`;
    case 'reload':
      return 'systemctl daemon-reload';
    case 'enable':
      return `systemctl --quiet enable ${word(step.unit)}`;
    case 'start':
      if (step.guards === undefined) return `start ${word(step.unit)}`;
      return guarded
        ? `guarded ${word(step.unit)} ${word(step.guards)}`
        : `start ${word(step.unit)}\nsystemctl --quiet enable ${word(step.unit)}`;
    case 'forget':
      return `{ cat ${KEPT} || :; sed -n 's/^data\\t//p' ${record}; } 2>/dev/null | sort -u >${KEPT}.new; whole ${KEPT}.new ${KEPT}; [ -s ${KEPT} ] || rm ${KEPT}; rm -f ${record} ${record}.new`;
  }
}

const HEAD = `set -eu
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
umask 022
P=$1
mkdir -p ${RUN} ${RECORDS}/parts
exec 9>/run/delos-machine.lock
flock -w 120 9 || { echo 'another run changes this machine' >&2; exit 1; }
whole() { sync "$1"; mv -fT "$1" "$2"; sync "$(dirname "$2")"; }
put() {
  mkdir -p "$(dirname "$2")"
  rm -rf "$2.delos-new"
  (umask 077 && cp "$1" "$2.delos-new")
  chown 0:0 "$2.delos-new"
  chmod "$3" "$2.delos-new"
  [ ! -d "$2" ] || [ -L "$2" ] || rm -rf "$2"
  whole "$2.delos-new" "$2"
}
unpack() {
  rm -rf "$2.delos-new" "$2.delos-old"
  mkdir -p "$2.delos-new"
  tar -xf "$1" -C "$2.delos-new" --no-same-owner --no-same-permissions
  sync -f "$2.delos-new"
  [ ! -e "$2" ] || mv -T "$2" "$2.delos-old"
  mv -T "$2.delos-new" "$2"
  rm -rf "$2.delos-old"
}
remove() { rm -rf "$1" "$1.delos-new" "$1.delos-old"; }
end() {
  systemctl stop "$1" 2>/dev/null || :
  systemctl --quiet disable "$1" 2>/dev/null || :
  rm -f ${RUN}/"$1" ${UNITS}/multi-user.target.wants/"$1" ${UNITS}/sysinit.target.wants/"$1"
}
start() {
  rm -f ${RUN}/"$1"
  systemctl reset-failed "$1" 2>/dev/null || :
  systemctl restart "$1" 2>/dev/null || lament "$1"
}
lament() {
  echo "$1 does not start: $(journalctl --unit "$1" --lines 12 --no-pager --output cat | tr '\\n\\t' '  ')" >&2
  exit 1
}
# What was loaded before comes back by itself where nobody confirms that the machine can still be reached.
guarded() {
  if systemctl --quiet is-active ${UNDO}.timer; then systemctl stop ${UNDO}.timer; sh ${RUN}/undo; fi
  nft --stateless list table $2 >${RUN}/former.nft 2>/dev/null || : >${RUN}/former.nft
  printf '%s\\n' "nft delete table $2 2>/dev/null" "nft -f ${RUN}/former.nft" "rm -f ${RUN}/$1" >${RUN}/undo
  systemd-run --quiet --collect --unit ${UNDO} --on-active ${UNDO_SECONDS} --timer-property AccuracySec=1s /bin/sh ${RUN}/undo
  rm -f ${RUN}/"$1"
  systemctl reset-failed "$1" 2>/dev/null || :
  systemctl reload-or-restart "$1" 2>/dev/null || { sh ${RUN}/undo || :; systemctl stop ${UNDO}.timer; lament "$1"; }
}`;

/** What is empty goes with the last part. */
const TIDY = `find ${FOLDERS} -depth -type d -empty -delete 2>/dev/null || :
rmdir ${RECORDS}/parts ${RECORDS} 2>/dev/null || :
[ -e ${RECORDS}/parts ] || rm -rf ${RUN} /run/delos-machine.lock`;

/**
 * Run over a new connection: who makes one is not locked out.
 * @param loaded whether a table was loaded just now; it is an error then that it was undone meanwhile
 */
export const confirmScript = (units: readonly string[], loaded: boolean): string =>
  [
    'set -eu',
    ...(loaded ? [`systemctl stop ${UNDO}.timer`] : []),
    ...units.map((unit) => `systemctl --quiet enable ${word(unit)}`),
  ].join('\n');

/** A check of a guarding unit: its table is as it was loaded, and somebody has confirmed it. */
export const tableCheck = (table: string, unit: string): string =>
  `! systemctl --quiet is-active ${UNDO}.timer && nft --stateless list table ${table} | sha256sum | cmp -s - ${RUN}/${unit}.table`;

/** Notes how the table was loaded, for {@link tableCheck}. */
export const tableNote = (table: string, unit: string): string =>
  `/bin/sh -c 'mkdir -p ${RUN} && nft --stateless list table ${table} | sha256sum >${RUN}/${unit}.table'`;
