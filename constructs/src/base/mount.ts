import { k8s } from 'cdk8s-plus-28';
import type { ConfigFiles } from './config-files.ts';
import type { Secret } from './secret.ts';
import { SECRET_MODE } from './security.ts';

/** A folder or file of a container, and the volume that it is on. */
export interface Mount {
  /** Name of the volume. Two mounts of one name are of one volume. */
  readonly name: string;
  readonly path: string;
  /** One file of the volume instead of the whole. */
  readonly subPath?: string;
  /** @default false */
  readonly readOnly?: boolean;
  /** The volume; undefined for a claim of the workload's own. */
  readonly volume?: Omit<k8s.Volume, 'name'>;
  /** Claim that each Pod gets for itself. Needs a StatefulSet. */
  readonly claim?: { readonly size: string; readonly storageClass: string | undefined };
  /** Files whose change rolls the Pods. */
  readonly config?: ConfigFiles;
  /** Must be there before the Pods. */
  readonly secret?: Secret;
}

/** Files of a ConfigMap as a folder, or one of them alone. */
export function files(
  config: ConfigFiles,
  path: string,
  options: { readonly name?: string; readonly only?: string } = {},
): Mount {
  return {
    name: options.name ?? config.name,
    path,
    ...(options.only === undefined ? {} : { subPath: options.only }),
    readOnly: true,
    volume: { configMap: { name: config.name } },
    config,
  };
}

/** The keys of a Secret as files of a folder, which the Pod's user alone can read. */
export function secretFiles(secret: Secret, path: string, name: string = secret.name): Mount {
  return {
    name,
    path,
    readOnly: true,
    volume: { secret: { secretName: secret.name, defaultMode: SECRET_MODE } },
    secret,
  };
}

/** An empty folder that lives as long as the Pod. `memory` counts as the container's memory. */
export function scratch(name: string, path: string, size: string, medium: 'disk' | 'memory' = 'disk'): Mount {
  const sizeLimit = k8s.Quantity.fromString(size);
  return { name, path, volume: { emptyDir: { ...(medium === 'memory' ? { medium: 'Memory' } : {}), sizeLimit } } };
}

/** A folder of the node, read-only. Needs a namespace with Pod Security `privileged`. */
export function nodeFolder(path: string): Mount {
  const name = path.replace(/^\/+/, '').replaceAll('/', '-');
  return { name, path, readOnly: true, volume: { hostPath: { path, type: 'Directory' } } };
}

/** A volume that stays when the workload goes, one for each Pod. */
export function claim(name: string, path: string, size: string, storageClass: string | undefined): Mount {
  return { name, path, claim: { size, storageClass } };
}
