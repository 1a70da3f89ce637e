import { closeSync, constants, existsSync, openSync, readdirSync, readFileSync, readSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { ClassData, Device } from '@delos/core';
import { type Check, check } from '../preflight/check.ts';
import { signatureOf, WINDOWS } from './signatures.ts';

/** What a node shows of a device. */
export type DeviceFacts =
  | { readonly there: false; readonly why: string }
  | {
      readonly there: true;
      /** Bytes. */
      readonly size: number;
      readonly readOnly: boolean;
      readonly partitions: readonly string[];
      /** Where it is mounted, and which devices are made of it. */
      readonly holders: readonly string[];
      /** Hexadecimal, by the offset where it stands. */
      readonly windows: ReadonlyMap<number, string>;
    };

const id = ({ node, path }: Device): string =>
  `storage.device.${node}.${path.replace(/^\/dev\//, '').replaceAll('/', '.')}`;

/** Whether an engine can have a device whole: it is there, nobody has it, and nothing but the engine's own mark is on it. */
export function judgeDevice(device: Device, { name, kind, marks }: ClassData, facts: DeviceFacts): Check {
  const whose = `StorageClass ${name} (${kind})`;
  const needed = `a whole device for ${whose}: attached, not mounted, without a file system`;
  const answer = (ok: boolean, measured: string, fix: string): Check =>
    check(id(device), ok, { measured: `${device.path} on ${device.node}: ${measured}`, needed, fix });
  if (!facts.there) {
    return answer(
      false,
      facts.why,
      'attach it to the node, or name another: ls -l /dev/disk/by-id shows what is there',
    );
  }
  if (facts.size === 0)
    return answer(false, 'it has no size', 'attach a disk to it: a loop device without a file has none');
  if (facts.readOnly) return answer(false, 'it cannot be written to', 'attach it writable, or name another');
  if (facts.holders.length > 0) {
    return answer(
      false,
      `in use: ${facts.holders.join(', ')}`,
      'name another, or unmount it and take it out of /etc/fstab',
    );
  }
  if (facts.partitions.length > 0) {
    const parts = facts.partitions.join(', ');
    return answer(
      false,
      `it has partitions: ${parts}`,
      `name a free one of these, or give it up: wipefs -a ${device.path}`,
    );
  }
  const mark = signatureOf(facts.windows);
  const size = `${(facts.size / 2 ** 30).toFixed(1)} GiB`;
  if (mark === undefined) return answer(true, `attached, free, empty, ${size}`, '');
  if (marks.includes(mark)) return answer(true, `attached, free, has the engine’s own mark (${mark}), ${size}`, '');
  return answer(
    false,
    `it has data: ${mark}`,
    `name another, or, if nobody needs what is on it, wipefs -a ${device.path}`,
  );
}

/** Looks at a device of this machine. @param root of /sys, /proc and /dev, for tests */
export function localFacts(path: string): DeviceFacts {
  if (!existsSync(path)) return { there: false, why: 'it is not there' };
  const real = realpathSync(path);
  const sys = join('/sys/class/block', basename(real));
  if (!existsSync(sys)) return { there: false, why: 'it is no block device' };
  const number = readFileSync(join(sys, 'dev'), 'utf8').trim();
  const holders = [...mountsOf(real, number), ...readdirSync(join(sys, 'holders'))];
  return {
    there: true,
    size: Number(readFileSync(join(sys, 'size'), 'utf8')) * 512,
    readOnly: readFileSync(join(sys, 'ro'), 'utf8').trim() === '1',
    partitions: readdirSync(sys).filter((name) => existsSync(join(sys, name, 'partition'))),
    // Who has it for itself need not be a mount that is seen from here.
    holders: holders.length === 0 && isTaken(real) ? ['somebody has it for itself'] : holders,
    windows: windowsOf(real),
  };
}

/** Mount points of a device. btrfs has a number of its own, and names the device. */
function mountsOf(device: string, number: string): readonly string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter((words) => words[2] === number || words[words.indexOf('-') + 2] === device)
    .map((words) => `mounted at ${words[4] ?? ''}`);
}

/** The kernel gives a block device to one who asks for it alone, as mount(2), md and device-mapper do. */
function isTaken(device: string): boolean {
  try {
    closeSync(openSync(device, constants.O_RDONLY | constants.O_EXCL));
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EBUSY';
  }
}

function windowsOf(device: string): ReadonlyMap<number, string> {
  const file = openSync(device, constants.O_RDONLY);
  try {
    return new Map(
      WINDOWS.map(({ offset, length }) => {
        const bytes = Buffer.alloc(length);
        const read = readSync(file, bytes, 0, length, offset);
        return [offset, bytes.subarray(0, read).toString('hex')];
      }),
    );
  } finally {
    closeSync(file);
  }
}

/** What a Pod on the node does to tell the same, in lines of `key value`. Environment: DEVICE. */
export const DEVICE_SCRIPT = `set -u
b=/bin/busybox
{
  path=/node$DEVICE
  [ -e "$path" ] || { echo "absent it is not there"; exit 0; }
  real=$($b readlink -f "$path")
  name=\${real##*/}
  sys=/sys/class/block/$name
  [ -d "$sys" ] || { echo "absent it is no block device"; exit 0; }
  number=$($b cat $sys/dev)
  echo "size $($b cat $sys/size)"
  echo "ro $($b cat $sys/ro)"
  for part in $sys/*/partition; do
    [ -e "$part" ] || continue
    part=\${part%/partition}
    echo "partition \${part##*/}"
  done
  for holder in $sys/holders/*; do [ -e "$holder" ] && echo "holder \${holder##*/}"; done
  $b awk -v number="$number" -v device="/dev/$name" '{
    for (i = 1; i <= NF; i++) if ($i == "-") { if ($3 == number || $(i + 2) == device) print "holder mounted at " $5; next }
  }' /proc/1/mountinfo
${WINDOWS.map(
  ({ offset, length }) =>
    `  echo "window ${offset} $($b dd if="$real" bs=1 skip=${offset} count=${length} 2>/dev/null | $b hexdump -v -e '1/1 "%02x"')"`,
).join('\n')}
} >/dev/termination-log 2>&1
`;

/** What that Pod has told. */
export function factsFrom(told: string): DeviceFacts {
  const lines = told.split('\n').map((line) => {
    const at = line.indexOf(' ');
    return { key: line.slice(0, at), value: line.slice(at + 1) };
  });
  const all = (key: string): readonly string[] => lines.flatMap((line) => (line.key === key ? [line.value] : []));
  const [absent] = all('absent');
  if (absent !== undefined) return { there: false, why: absent };
  const [size] = all('size');
  if (size === undefined) return { there: false, why: `it cannot be looked at: ${told.trim().slice(0, 200)}` };
  return {
    there: true,
    size: Number(size) * 512,
    readOnly: all('ro')[0] === '1',
    partitions: all('partition'),
    holders: all('holder'),
    windows: new Map(
      all('window').map((value) => {
        const [offset = '', bytes = ''] = value.split(' ');
        return [Number(offset), bytes];
      }),
    ),
  };
}
