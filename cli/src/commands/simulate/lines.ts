import { createReadStream } from 'node:fs';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { DelosError, isDelosError } from '@delos/core';
import { unreadable } from './scheduling-document.ts';

/**
 * The lines of a text file, compressed where its name ends in .gz, without holding all of it.
 * @throws DelosError ERR_CONFIG_NOT_FOUND where it cannot be read, ERR_CONFIG_SYNTAX where the archive is broken
 */
export async function eachLine(file: string, take: (line: string) => void): Promise<void> {
  const unpacked = file.endsWith('.gz') ? createGunzip() : new PassThrough();
  try {
    await pipeline(createReadStream(file), unpacked, async (chunks: AsyncIterable<Buffer>) => {
      const decoder = new TextDecoder();
      let rest = '';
      for await (const chunk of chunks) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) take(line);
      }
      take(rest + decoder.decode());
    });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (isDelosError(cause) || code === undefined) throw cause;
    if (!code.startsWith('Z_')) throw unreadable(file, cause);
    throw new DelosError('ERR_CONFIG_SYNTAX', `the archive is broken: ${(cause as Error).message}`, {
      where: { file },
      hint: 'fetch it again; `gzip -t FILE` tells whether it is whole',
      cause,
    });
  }
}
