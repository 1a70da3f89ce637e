import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { OpenBundle } from '../read/open.ts';
import { type Span, spansOf } from '../site/import-plan.ts';
import { PackFiles } from '../site/pack-files.ts';
import { Routes } from './routes.ts';

/** A bundle that is served. */
export interface Serving {
  /** `http://HOST:PORT` */
  readonly url: string;
  close(): Promise<void>;
}

/** How many requests are answered at once; others wait. */
const MOST_CONNECTIONS = 256;

/**
 * Serves a bundle from its packs, read only, as a registry of images, an index of Python packages, and files. Nothing is unpacked.
 * @param port 0: any that is free
 */
export async function serveBundle(bundle: OpenBundle, host: string, port: number): Promise<Serving> {
  const packs = new PackFiles(bundle.folder);
  const spans = spansOf(bundle.index);
  const sizes = new Map(bundle.index.blobs.map(({ digest, size }) => [digest as string, size]));
  const routes = new Routes(bundle.index);
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.maxConnections = MOST_CONNECTIONS;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('docker-distribution-api-version', 'registry/2.0');
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return refuse(response, 405, 'UNSUPPORTED', 'a bundle is read only');
    const path = tryDecode((request.url ?? '/').split('?', 1)[0] ?? '/');
    const route = path === undefined ? undefined : routes.find(path);
    if (route?.kind === 'text') {
      response.writeHead(200, { 'content-type': route.mediaType, 'content-length': Buffer.byteLength(route.text) });
      return void response.end(request.method === 'HEAD' ? undefined : route.text);
    }
    const size = route === undefined ? undefined : sizes.get(route.digest);
    const own: readonly Span[] | undefined = route === undefined ? undefined : spans.get(route.digest);
    if (route === undefined || size === undefined || own === undefined) {
      return refuse(response, 404, 'NAME_UNKNOWN', 'this bundle does not have it');
    }
    const range = rangeOf(request.headers.range, size);
    if (range === undefined) {
      response.setHeader('content-range', `bytes */${size}`);
      return refuse(response, 416, 'SIZE_INVALID', 'no such range');
    }
    const [start, length] = range;
    response.writeHead(length === size ? 200 : 206, {
      'content-type': route.mediaType,
      'content-length': length,
      'docker-content-digest': route.digest,
      'accept-ranges': 'bytes',
      ...(length === size ? {} : { 'content-range': `bytes ${start}-${start + length - 1}/${size}` }),
    });
    if (request.method === 'HEAD') return void response.end();
    await pipeline(packs.read(own, start, length), response);
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return { url: urlOf(server, host), close: () => closed(server, packs) };
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  const text = JSON.stringify({ errors: [{ code, message }] });
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

/** First byte and length; undefined for a range that is none of this content. */
function rangeOf(header: string | undefined, size: number): readonly [number, number] | undefined {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(header ?? '') ?? [];
  if (from === undefined) return [0, size];
  const start = Number(from);
  const end = to === undefined || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  return start > end ? undefined : [start, end - start + 1];
}

function tryDecode(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

function urlOf(server: Server, host: string): string {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

async function closed(server: Server, packs: PackFiles): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await packs.close();
}
