import type { FileHandle } from 'node:fs/promises';
import type { Gunzip } from 'node:zlib';
import type { Head, LogFile } from './log-files.ts';

/** A file that is being read. */
export interface Source {
  readonly file: LogFile;
  /** Of a plain file: stays readable when it is renamed or deleted. */
  readonly handle: FileHandle | undefined;
  readonly unpacked: AsyncIterator<Buffer> | undefined;
  readonly stream: Gunzip | undefined;
  readonly inode: number;
  /** Bytes of the uncompressed file that were read. */
  offset: number;
  head: Head | undefined;
  /** Since when a newer file is there and nothing more came. */
  supersededAt: number | undefined;
  /** Digest of the file that followed it when that was first seen. */
  follower: string | undefined;
}
