import { createHash } from 'node:crypto';
import { z } from 'zod';
import { registrySettings } from '../../../runtime/service/src/api/resources/registry/settings.ts';
import { signToken } from '../../../runtime/service/src/api/resources/registry/token.ts';
import type { TestRegistry } from './server.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const ACCEPT = `${MANIFEST}, ${INDEX}`;
const named = z.object({
  config: z.object({ digest: z.string() }).optional(),
  layers: z.array(z.object({ digest: z.string() })).default([]),
  manifests: z.array(z.object({ digest: z.string() })).default([]),
});

/** What was pushed. */
export interface Pushed {
  readonly digest: string;
  readonly blobs: readonly string[];
  readonly size: number;
  readonly status: number;
}

/** A client of a registry that may do anything, one request at a time, so that a test can stop between two. */
export type RegistryClient = ReturnType<typeof client>;

export function client(registry: Pick<TestRegistry, 'url' | 'key'>) {
  const settings = registrySettings(registry.url, registry.key);
  const ask = async (method: string, name: string, path: string, init: RequestInit = {}): Promise<Response> => {
    const from = new URLSearchParams(path.split('?')[1]).get('from');
    const all = ['pull', 'push', 'delete'];
    const access = [name, ...(from === null ? [] : [from])].map((each) => ({
      type: 'repository',
      name: each,
      actions: all,
    }));
    const token = await signToken(settings, { name: 'test', id: 1 }, access, Math.floor(Date.now() / 1000));
    const url = path.startsWith('http') ? path : `${registry.url}${path}`;
    return fetch(url, { method, ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } });
  };
  const digestOf = (content: Buffer, by = 'sha256'): string => `${by}:${createHash(by).update(content).digest('hex')}`;
  /** An upload in three requests; the answer of the one that was refused, or the last. */
  const begin = async (name: string, content: Buffer, by = 'sha256'): Promise<Response> => {
    const begun = await ask('POST', name, `/v2/${name}/blobs/uploads/`);
    if (begun.status !== 202) return begun;
    const sent = await ask('PATCH', name, begun.headers.get('location') ?? '', { body: new Uint8Array(content) });
    if (sent.status !== 202) return sent;
    const location = sent.headers.get('location') ?? '';
    return ask('PUT', name, `${location}&digest=${digestOf(content, by)}`);
  };
  const upload = async (name: string, content: Buffer, by = 'sha256'): Promise<string> => {
    const end = await begin(name, content, by);
    if (end.status !== 201) throw new Error(`${name}: ${end.status} ${await end.text()}`);
    return digestOf(content, by);
  };
  const put = async (name: string, reference: string, type: string, body: object): Promise<Response> =>
    ask(
      'PUT',
      name,
      `/v2/${name}/manifests/${reference === '' ? digestOf(Buffer.from(JSON.stringify(body))) : reference}`,
      {
        headers: { 'content-type': type },
        body: JSON.stringify(body),
      },
    );
  const manifestOf = (name: string, layers: readonly Buffer[], by = 'sha256') => {
    const config = Buffer.from(JSON.stringify({ name, layers: layers.map((each) => digestOf(each)) }));
    const body = {
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(config), size: config.length },
      layers: layers.map((each) => ({
        mediaType: 'application/vnd.oci.image.layer.v1.tar',
        digest: digestOf(each, by),
        size: each.length,
      })),
    };
    return { config, body };
  };
  return {
    ask,
    begin,
    upload,
    /** Uploads the settings of an image, and its manifest, whose layers are there already. @returns the status */
    manifest: async (name: string, tag: string, layers: readonly Buffer[], by = 'sha256'): Promise<number> => {
      const { config, body } = manifestOf(name, layers, by);
      await upload(name, config);
      return (await put(name, tag, MANIFEST, body)).status;
    },
    /** @param tag empty: none, the image is known by its digest */
    push: async (name: string, tag: string, layers: readonly Buffer[]): Promise<Pushed> => {
      const { config, body } = manifestOf(name, layers);
      for (const layer of [...layers, config]) await upload(name, layer);
      const { status } = await put(name, tag, MANIFEST, body);
      const text = Buffer.from(JSON.stringify(body));
      return {
        digest: digestOf(text),
        blobs: [...layers, config].map((each) => digestOf(each)),
        size: text.length,
        status,
      };
    },
    index: async (name: string, tag: string, images: readonly Pushed[]): Promise<string> => {
      const manifests = images.map(({ digest, size }) => ({ mediaType: MANIFEST, digest, size }));
      const body = { schemaVersion: 2, mediaType: INDEX, manifests };
      const answer = await put(name, tag, INDEX, body);
      if (answer.status !== 201) throw new Error(`${name}: ${answer.status} ${await answer.text()}`);
      return digestOf(Buffer.from(JSON.stringify(body)));
    },
    /** @returns 201 where it was mounted, 202 where it has to be uploaded */
    mount: async (name: string, digest: string, from: string): Promise<number> =>
      (await ask('POST', name, `/v2/${name}/blobs/uploads/?mount=${digest}&from=${from}`)).status,
    has: async (name: string, digest: string): Promise<boolean> =>
      (await ask('HEAD', name, `/v2/${name}/blobs/${digest}`)).status === 200,
    remove: async (name: string, digest: string): Promise<void> => {
      const { status } = await ask('DELETE', name, `/v2/${name}/manifests/${digest}`);
      if (status !== 202) throw new Error(`${name}@${digest} is answered ${status} to its removal`);
    },
    /** Digests of an image or index, of all that it names, and of what these name. */
    blobsOf: async (name: string, reference: string): Promise<readonly string[]> => {
      const found = new Set<string>();
      const follow = async (each: string): Promise<void> => {
        const answer = await ask('GET', name, `/v2/${name}/manifests/${each}`, { headers: { accept: ACCEPT } });
        const { config, layers, manifests } = named.parse(await answer.json());
        found.add(answer.headers.get('docker-content-digest') ?? '');
        for (const { digest } of [...(config === undefined ? [] : [config]), ...layers]) found.add(digest);
        for (const { digest } of manifests) await follow(digest);
      };
      await follow(reference);
      return [...found];
    },
    /** Whether an image can be pulled: its manifest is there, and every blob that this names, byte for byte. */
    whole: async (name: string, reference: string): Promise<boolean> => {
      const answer = await ask('GET', name, `/v2/${name}/manifests/${reference}`, { headers: { accept: ACCEPT } });
      if (answer.status !== 200) return false;
      const { config, layers } = named.parse(await answer.json());
      for (const { digest } of [...(config === undefined ? [] : [config]), ...layers]) {
        const blob = await ask('GET', name, `/v2/${name}/blobs/${digest}`);
        const content = Buffer.from(await blob.arrayBuffer());
        if (blob.status !== 200 || digestOf(content, digest.split(':')[0]) !== digest) return false;
      }
      return true;
    },
  };
}
