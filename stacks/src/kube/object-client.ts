import {
  isNotFound,
  isObject,
  type JsonObject,
  KubeClient,
  type KubeconfigChoice,
  KubeError,
  libraryAccess,
  listAt,
  text,
} from '@delos/kube';
import { Schemas } from './schema.ts';

/** Which object: its kind, name and, where the kind has one, namespace. */
export interface ObjectRef {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string | undefined;
}

interface ApplyOptions {
  readonly fieldManager: string;
  readonly force?: boolean;
  readonly dryRun?: boolean;
}

export interface ResourceType {
  readonly plural: string;
  readonly namespaced: boolean;
}

/** Who owns fields where a call names nobody. */
const FIELD_MANAGER = 'delos';
const ATTEMPTS = 4;

/**
 * The cluster that a kubeconfig names.
 * @throws DelosError ERR_CLUSTER_UNREACHABLE when the kubeconfig cannot be read or has no such context
 */
export async function connect(cluster: KubeconfigChoice): Promise<ObjectClient> {
  return new ObjectClient(
    new KubeClient(await libraryAccess(cluster), { fieldManager: FIELD_MANAGER, attempts: ATTEMPTS }),
  );
}

/** Objects of any kind, by kind and name: the server is asked for a kind's path and for the types of its fields. */
export class ObjectClient {
  readonly api: KubeClient;
  readonly #types = new Map<string, Promise<ReadonlyMap<string, ResourceType>>>();
  /** What the server says of the types of fields. */
  readonly schemas = new Schemas((path) => this.api.get(path));

  constructor(api: KubeClient) {
    this.api = api;
  }

  /** The server's word on a kind; undefined for one that it does not serve (yet). */
  async tryType(apiVersion: string, kind: string, signal?: AbortSignal): Promise<ResourceType | undefined> {
    const known = (await this.#discover(apiVersion, false, signal)).get(kind);
    // A definition may have been added since.
    return known ?? (await this.#discover(apiVersion, true, signal)).get(kind);
  }

  #discover(apiVersion: string, fresh: boolean, signal?: AbortSignal): Promise<ReadonlyMap<string, ResourceType>> {
    const cached = this.#types.get(apiVersion);
    if (cached !== undefined && !fresh) return cached;
    const found = this.api.get(groupPath(apiVersion), {}, { signal }).then(
      (list) =>
        new Map(
          listAt(list, 'resources')
            .filter((item) => !text(item, 'name').includes('/'))
            .map((item) => [
              text(item, 'kind'),
              { plural: text(item, 'name'), namespaced: isObject(item) && item.namespaced === true },
            ]),
        ),
      (error: unknown) => {
        this.#types.delete(apiVersion);
        if (isNotFound(error)) return new Map<string, ResourceType>();
        throw error;
      },
    );
    this.#types.set(apiVersion, found);
    return found;
  }

  async #path(ref: ObjectRef, signal?: AbortSignal): Promise<string> {
    const type = await this.tryType(ref.apiVersion, ref.kind, signal);
    if (type === undefined) {
      throw new KubeError(404, `the server does not serve ${ref.apiVersion} ${ref.kind}`);
    }
    const scope = type.namespaced
      ? `/namespaces/${encodeURIComponent(ref.namespace ?? this.api.access.namespace)}`
      : '';
    return `${groupPath(ref.apiVersion)}${scope}/${type.plural}/${encodeURIComponent(ref.name)}`;
  }

  async tryGet(ref: ObjectRef, signal?: AbortSignal): Promise<JsonObject | undefined> {
    try {
      return await this.api.tryGet(await this.#path(ref, signal), { signal });
    } catch (error) {
      // The server does not serve its kind.
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Server-side apply. Creates what is not there. */
  async apply(ref: ObjectRef, object: JsonObject, options: ApplyOptions, signal?: AbortSignal): Promise<JsonObject> {
    return this.api.apply(await this.#path(ref, signal), object, { force: false, ...options, signal });
  }

  /** Replaces an object's managed fields. @throws KubeError 409 where the object has changed since it was read. */
  async setManagedFields(
    ref: ObjectRef,
    fields: readonly JsonObject[],
    options: { readonly resourceVersion: string; readonly fieldManager: string },
    signal?: AbortSignal,
  ): Promise<void> {
    await this.api.request('PATCH', await this.#path(ref, signal), {
      body: [
        { op: 'replace', path: '/metadata/managedFields', value: fields },
        { op: 'replace', path: '/metadata/resourceVersion', value: options.resourceVersion },
      ],
      contentType: 'application/json-patch+json',
      query: { fieldManager: options.fieldManager },
      signal,
    });
  }

  /** Answers false where nothing was there. */
  async delete(ref: ObjectRef, propagationPolicy: string, signal?: AbortSignal): Promise<boolean> {
    try {
      const body = { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy };
      await this.api.delete(await this.#path(ref, signal), body, { signal });
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  /** Objects of a kind in one namespace. */
  async list(
    type: { readonly apiVersion: string; readonly plural: string; readonly namespace: string },
    query: Readonly<Record<string, string>> = {},
    signal?: AbortSignal,
  ): Promise<readonly JsonObject[]> {
    const path = `${groupPath(type.apiVersion)}/namespaces/${encodeURIComponent(type.namespace)}/${type.plural}`;
    return listAt(await this.api.get(path, query, { signal }), 'items').filter(isObject);
  }

  /** The last lines a container wrote, '' where there are none to be had. */
  async logTail(
    pod: { readonly namespace: string; readonly name: string; readonly container: string; readonly previous: boolean },
    signal?: AbortSignal,
  ): Promise<string> {
    const path = `/api/v1/namespaces/${encodeURIComponent(pod.namespace)}/pods/${encodeURIComponent(pod.name)}/log`;
    const query = { container: pod.container, tailLines: '3', limitBytes: '4096', previous: String(pod.previous) };
    const answer = await this.api.get(path, query, { signal, accept: '*/*' });
    return typeof answer === 'string' ? answer : JSON.stringify(answer);
  }
}

function groupPath(apiVersion: string): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}
