import { type Part, RECORDS, RUN } from './part.ts';

/** What a machine has of a part. */
export interface Facts {
  /** Path → what is there; no entry where nothing is. */
  readonly files: ReadonlyMap<string, { readonly sha256: string; readonly mode: string }>;
  /** Path → digest. */
  readonly trees: ReadonlyMap<string, string>;
  readonly units: ReadonlyMap<string, UnitFacts>;
  /** What the part's record names: all that was ever begun to be made for it. */
  readonly recorded: readonly Recorded[];
  /** Needed commands that are not there. */
  readonly lacking: readonly string[];
}

export interface UnitFacts {
  readonly active: boolean;
  readonly enabled: boolean;
  /** The unit on the disk is not the one that systemd knows. */
  readonly stale: boolean;
  /** Of its start; empty where it has not noted any. */
  readonly stamp: string;
  /** What its check said. */
  readonly whole: boolean;
}

export interface Recorded {
  readonly kind: 'file' | 'tree' | 'unit' | 'data';
  readonly name: string;
}

/** The mode that {@link Facts} show of a file of root's. */
export const rootMode = (mode: number): string => `${mode.toString(8)}:0:0`;

/** A word for the shell. */
export const word = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** A script of the POSIX shell that prints what {@link parseFacts} reads. It changes nothing. */
export function lookScript(part: Part): string {
  const lines = [
    'export LC_ALL=C',
    `f() { if [ -f "$1" ] && [ ! -L "$1" ]; then printf 'file\\t%s\\t%s\\t%s\\n' "$1" "$(sha256sum <"$1" | cut -c1-64)" "$(stat -c %a:%u:%g -- "$1")"; elif [ -e "$1" ] || [ -L "$1" ]; then printf 'file\\t%s\\tother\\tother\\n' "$1"; fi; }`,
    `t() { if [ -d "$1" ]; then printf 'tree\\t%s\\t%s\\n' "$1" "$(cd "$1" && find . -type f -print0 | sort -z | xargs -0r sha256sum | sha256sum | cut -c1-64)"; fi; }`,
    `u() { printf 'unit\\t%s\\t%s\\t%s\\t%s\\n' "$1" "$(systemctl show -p ActiveState -p UnitFileState -p NeedDaemonReload -- "$1" | tr '\\n' ' ')" "$(cat ${RUN}/"$1" 2>/dev/null)" "$2"; }`,
    `c() { command -v "$1" >/dev/null || printf 'lacking\\t%s\\n' "$1"; }`,
    // Root's PATH may lack these.
    'export PATH="$PATH:/usr/sbin:/sbin"',
    ...['systemctl', 'sha256sum', 'tar', 'flock', 'bash', ...part.needs.map(({ command }) => command)].map(
      (command) => `c ${word(command)}`,
    ),
    `sed 's/^/recorded\\t/' ${RECORDS}/parts/${part.name} 2>/dev/null`,
    ...Object.keys(part.files).map((path) => `f ${word(path)}`),
    ...Object.keys(part.trees).map((path) => `t ${word(path)}`),
    ...Object.entries(part.units).map(([name, { check }]) =>
      check === undefined
        ? `u ${word(name)} whole`
        : `if ( ${check} ) >/dev/null 2>&1 </dev/null; then u ${word(name)} whole; else u ${word(name)} broken; fi`,
    ),
    "echo 'end'",
  ];
  return `${lines.join('\n')}\n`;
}

/** @throws Error for an answer that was cut off */
export function parseFacts(text: string): Facts {
  const lines = text.split('\n').map((line) => line.split('\t'));
  if (!lines.some(([kind]) => kind === 'end')) throw new Error('the machine’s answer was cut off');
  const files = new Map<string, { sha256: string; mode: string }>();
  const trees = new Map<string, string>();
  const units = new Map<string, UnitFacts>();
  const recorded: Recorded[] = [];
  const lacking: string[] = [];
  for (const [kind, first = '', second = '', third = '', fourth = ''] of lines) {
    if (kind === 'file') files.set(first, { sha256: second, mode: third });
    if (kind === 'tree') trees.set(first, second);
    if (kind === 'unit') {
      units.set(first, {
        active: second.includes('ActiveState=active '),
        enabled: second.includes('UnitFileState=enabled '),
        stale: second.includes('NeedDaemonReload=yes '),
        stamp: third,
        whole: fourth === 'whole',
      });
    }
    if (kind === 'recorded' && isKind(first)) recorded.push({ kind: first, name: second });
    if (kind === 'lacking') lacking.push(first);
  }
  return { files, trees, units, recorded, lacking };
}

const isKind = (text: string): text is Recorded['kind'] => ['file', 'tree', 'unit', 'data'].includes(text);
