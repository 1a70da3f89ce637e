import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ApoloClient, apoloClient, expectOk } from '@delos/peers';
import { z } from 'zod';

/** The official client's library, logged in to a platform whose storage is at an address. */
export interface StorageClient {
  readonly home: string;
  /** Copies a file or folder to the storage, or from it. @returns seconds, without Python's start */
  readonly copy: (from: string, to: string) => Promise<number>;
  readonly close: () => Promise<void>;
}

const COPY = `
import asyncio, os, stat, time
from pathlib import Path
import apolo_sdk
from yarl import URL

async def main(source, target):
    async with apolo_sdk.get() as client:
        storage = client.storage
        began = time.perf_counter()
        if source.startswith("storage:"):
            found = await storage.stat(URL(source))
            copy = storage.download_dir if found.is_dir() else storage.download_file
            await copy(URL(source), URL(Path(target).as_uri()))
        else:
            copy = storage.upload_dir if Path(source).is_dir() else storage.upload_file
            await copy(URL(Path(source).as_uri()), URL(target))
        print(time.perf_counter() - began)
`;

/**
 * @param config what the platform answers for its configuration
 * @param storage address of the storage's origin
 */
export async function storageClient(config: unknown, token: string, storage: string): Promise<StorageClient> {
  const answer = JSON.stringify(withStorage(config, `${storage}/api/v1/storage`));
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1`;
  const client: ApoloClient = await apoloClient();
  await client.ok(['config', 'login-with-token', token, url]);
  return {
    home: client.home,
    copy: async (from, to) => {
      const call = `asyncio.run(main(${JSON.stringify(from)}, ${JSON.stringify(to)}))`;
      return z.coerce.number().parse(await expectOk(client.python(`${COPY}\n${call}`, { timeout: 900 })));
    },
    close: async () => {
      server.close();
      await client.close();
    },
  };
}

const configShape = z.looseObject({ clusters: z.array(z.looseObject({ storage_url: z.string() })) });

function withStorage(config: unknown, url: string): unknown {
  const { clusters, ...rest } = configShape.parse(config);
  return { ...rest, clusters: clusters.map((cluster) => ({ ...cluster, storage_url: url })) };
}
