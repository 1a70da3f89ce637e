import {
  FILE_STORAGE_CLAIM,
  FILE_STORAGE_VOLUME,
  type FileStorageSection,
  type FileVolumeSource,
  fileStorageKind,
  joinOf,
  quantityOf,
} from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import type { DelosConfig } from '../../delos-config.ts';
import { labelsOf } from '../names.ts';
import type { Namespace } from '../namespace.ts';

/**
 * The configuration with a file storage where it names none: a folder that the cluster's nodes all see. `ha` has none so: a folder
 * of one machine goes with it. A platform elsewhere has its own.
 * @param folder of each node; undefined where they have no such folder
 */
export function withFileStorage(config: DelosConfig, folder: string | undefined): DelosConfig {
  const { storage, profile } = config;
  const isOff = ['files', 'controlApi'].some((name) => isDisabled(config.services[name]));
  if (folder === undefined || isOff || profile === 'ha' || joinOf(config) !== undefined) return config;
  if (fileStorageKind(storage) !== undefined) return config;
  return { ...config, storage: { ...storage, directory: { path: folder, shared: false } } };
}

const isDisabled = (section: unknown): boolean =>
  typeof section === 'object' && section !== null && 'enabled' in section && section.enabled === false;

/** What a volume of the file storage is, for one claim, as Kubernetes has it. */
export interface FileVolume {
  /** `spec` of the volume; undefined where a StorageClass makes it. A volume has one claim, so each claim has one of its own. */
  readonly volume: object | undefined;
  /** `spec` of the claim, of which the volume takes no other. */
  readonly claim: object;
}

/** Where a volume is for: its own name, and its claim's. */
interface Place {
  readonly volume: string;
  readonly namespace: string;
  readonly claim: string;
}

interface Specs {
  readonly volume: k8s.PersistentVolumeSpec | undefined;
  readonly claim: k8s.PersistentVolumeClaimSpec;
}

const MODES = ['ReadWriteMany'];

/**
 * The volume of the file storage for a claim of that name and namespace. All volumes of one storage lead to the same files. None
 * is deleted with its claim, but for those that a StorageClass makes.
 * @returns undefined where delos.yaml asks for no file storage
 */
export function fileVolume(storage: FileStorageSection, at: Place): FileVolume | undefined {
  const specs = specsOf(storage, at);
  if (specs === undefined) return undefined;
  return {
    volume: specs.volume === undefined ? undefined : k8s.toJson_PersistentVolumeSpec(specs.volume),
    claim: k8s.toJson_PersistentVolumeClaimSpec(specs.claim) ?? {},
  };
}

function specsOf(storage: FileStorageSection, at: Place): Specs | undefined {
  const kind = fileStorageKind(storage);
  if (kind === undefined) return undefined;
  const asked = k8s.Quantity.fromString(String(quantityOf(storage.size)));
  const claim = { accessModes: MODES, resources: { requests: { storage: asked } } };
  if (storage.claim !== undefined) {
    return { volume: undefined, claim: { ...claim, storageClassName: storage.claim.storageClass } };
  }
  return {
    volume: {
      accessModes: MODES,
      capacity: { storage: asked },
      // Nobody's files go because an object of Kubernetes went.
      persistentVolumeReclaimPolicy: 'Retain',
      // No class: no default is filled in, and no provisioner looks at it.
      storageClassName: '',
      volumeMode: 'Filesystem',
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: at.namespace, name: at.claim },
      ...sourceOf(storage),
    },
    claim: { ...claim, storageClassName: '', volumeName: at.volume },
  };
}

function sourceOf({ directory, nfs, csi }: FileStorageSection): Partial<k8s.PersistentVolumeSpec> {
  // A folder that is missing is an error of the Pod, and no empty one beside the files.
  if (directory !== undefined) return { hostPath: { path: directory.path, type: 'Directory' } };
  if (nfs !== undefined) {
    return { nfs: { server: nfs.server, path: nfs.path }, ...optionsOf(nfs.mountOptions) };
  }
  if (csi === undefined) return {};
  return {
    csi: {
      driver: csi.driver,
      volumeHandle: csi.volumeHandle,
      ...(csi.fsType === undefined ? {} : { fsType: csi.fsType }),
      ...(Object.keys(csi.attributes).length === 0 ? {} : { volumeAttributes: csi.attributes }),
      ...(csi.stageSecret === undefined ? {} : { nodeStageSecretRef: secretRef(csi.stageSecret) }),
      ...(csi.publishSecret === undefined ? {} : { nodePublishSecretRef: secretRef(csi.publishSecret) }),
    },
    ...optionsOf(csi.mountOptions),
  };
}

const secretRef = ({ name, namespace }: NonNullable<NonNullable<FileStorageSection['csi']>['stageSecret']>) => ({
  name,
  namespace,
});

const optionsOf = (mountOptions: readonly string[]): Partial<k8s.PersistentVolumeSpec> =>
  mountOptions.length === 0 ? {} : { mountOptions: [...mountOptions] };

/**
 * The source of the volumes that jobs mount. Each volume begins at the folder of one project. A CSI driver or a class gives no second
 * volume of the same files, so jobs cannot mount those.
 * @returns undefined where jobs cannot mount it
 */
export function volumeSource({ directory, nfs }: FileStorageSection): FileVolumeSource | undefined {
  if (directory !== undefined) return { kind: 'directory', path: directory.path };
  if (nfs === undefined) return undefined;
  return { kind: 'nfs', server: nfs.server, path: nfs.path, mountOptions: [...nfs.mountOptions] };
}

/** The file storage's volume and its claim in the platform's namespace. */
export class FileStorage extends Construct {
  /** Name of the claim. */
  readonly claimName = FILE_STORAGE_CLAIM;

  constructor(
    scope: Construct,
    id: string,
    props: { readonly namespace: Namespace; readonly storage: FileStorageSection },
  ) {
    super(scope, id);
    const { namespace, storage } = props;
    const names = { volume: FILE_STORAGE_VOLUME, namespace: namespace.name, claim: FILE_STORAGE_CLAIM };
    const made = specsOf(storage, names);
    if (made === undefined) return;
    const labels = labelsOf(FILE_STORAGE_CLAIM);
    const claim = new k8s.KubePersistentVolumeClaim(this, 'claim', {
      metadata: { name: FILE_STORAGE_CLAIM, namespace: namespace.name, labels },
      spec: made.claim,
    });
    if (made.volume === undefined) return;
    const volume = new k8s.KubePersistentVolume(this, 'volume', {
      metadata: { name: FILE_STORAGE_VOLUME, labels },
      spec: made.volume,
    });
    claim.node.addDependency(volume);
  }
}
