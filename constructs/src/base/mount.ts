import { k8s } from 'cdk8s-plus-28';
import type { ConfigFiles } from './config-files.ts';
import type { SecretHandle } from './secret.ts';
import { SECRET_MODE } from './security.ts';

/** A folder or file of a container, and the volume that it is on. */
export interface Mount {
  /** Name of the volume. Two mounts of one name are of one volume. */
  readonly name: string;
  /** Absolute path in the container. */
  readonly path: string;
  /** One file of the volume instead of the whole. @default the whole */
  readonly subPath?: string;
  /** What is mounted below it on the node later is seen in the container too. @default false */
  readonly follows?: boolean;
  /** The container cannot write to it. @default false */
  readonly readOnly?: boolean;
  /** The volume. @default the claim below */
  readonly volume?: Omit<k8s.Volume, 'name'>;
  /** Claim that each Pod gets for itself. Needs a StatefulSet. @default none */
  readonly claim?: ClaimSpec;
  /** Files whose change rolls the Pods. @default none */
  readonly config?: ConfigFiles;
  /** Must be there before the Pods. @default none */
  readonly secret?: SecretHandle;
}

/** Size and kind of a volume that stays. */
export interface ClaimSpec {
  /** As Kubernetes writes it: `10Gi`. */
  readonly size: string;
  /** Name of the StorageClass; undefined for the cluster's default. */
  readonly storageClass: string | undefined;
}

/** How {@link files} mounts. */
export interface FilesOptions {
  /** Name of the volume. @default the ConfigMap's */
  readonly name?: string;
  /** Name of the one file to mount; the path is then this file's. @default all files, as a folder */
  readonly only?: string;
}

/** Files of a ConfigMap as a folder, or one of them alone. */
export function files(config: ConfigFiles, path: string, options: FilesOptions = {}): Mount {
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
export function secretFiles(secret: SecretHandle, path: string, name: string = secret.name): Mount {
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
export function claim(name: string, path: string, size: string, storageClass?: string): Mount {
  return { name, path, claim: { size, storageClass } };
}
