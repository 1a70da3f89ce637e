/*
 * What marks a device as somebody's. Each mark stands at a fixed place at the beginning of the device.
 * @see https://git.kernel.org/pub/scm/utils/util-linux/util-linux.git/tree/libblkid/src
 */

/** A mark, and by which words people know it. */
interface Signature {
  readonly name: string;
  readonly offset: number;
  /** Hexadecimal. */
  readonly bytes: string;
}

const text = (word: string): string => Buffer.from(word, 'latin1').toString('hex');

/** Names are those of wipefs(8). */
export const SIGNATURES: readonly Signature[] = [
  { name: 'ext2, ext3 or ext4', offset: 1080, bytes: '53ef' },
  { name: 'xfs', offset: 0, bytes: text('XFSB') },
  { name: 'btrfs', offset: 65_600, bytes: text('_BHRfS_M') },
  { name: 'LVM2_member', offset: 512, bytes: text('LABELONE') },
  { name: 'LVM2_member', offset: 0, bytes: text('LABELONE') },
  // The first label of a pool: an nvlist in XDR, big-endian, version 0, with unique names.
  { name: 'zfs_member', offset: 16_384, bytes: '010100000000000000000001' },
  { name: 'crypto_LUKS', offset: 0, bytes: '4c554b53babe' },
  { name: 'swap', offset: 4_086, bytes: text('SWAPSPACE2') },
  { name: 'linux_raid_member', offset: 4_096, bytes: 'fc4e2ba9' },
  { name: 'linux_raid_member', offset: 0, bytes: 'fc4e2ba9' },
  { name: 'ceph_bluestore', offset: 0, bytes: text('bluestore block device') },
  { name: 'ntfs', offset: 3, bytes: text('NTFS    ') },
  { name: 'vfat', offset: 82, bytes: text('FAT32   ') },
  { name: 'vfat', offset: 54, bytes: text('FAT16   ') },
  { name: 'iso9660', offset: 32_769, bytes: text('CD001') },
  { name: 'squashfs', offset: 0, bytes: text('hsqs') },
  { name: 'bcache', offset: 4_120, bytes: 'c68573f64e1a45ca8265f57f48ba6d81' },
  { name: 'gpt', offset: 512, bytes: text('EFI PART') },
  { name: 'dos', offset: 510, bytes: '55aa' },
];

/** Where to read, and how much: each place once. */
export const WINDOWS: readonly { readonly offset: number; readonly length: number }[] = [
  ...Map.groupBy(SIGNATURES, ({ offset }) => offset),
].map(([offset, all]) => ({ offset, length: Math.max(...all.map(({ bytes }) => bytes.length / 2)) }));

/** The first mark that stands there. @param windows hexadecimal, by offset */
export function signatureOf(windows: ReadonlyMap<number, string>): string | undefined {
  return SIGNATURES.find(({ offset, bytes }) => windows.get(offset)?.startsWith(bytes) === true)?.name;
}
