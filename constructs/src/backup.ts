import { CATALOGUE } from '@delos/artifacts';
import { FILE_STORAGE_CLAIM, NAME_LABEL } from '@delos/core';
import { z } from 'zod';
import { type Backup, namespaceOf } from './base/service.ts';
import type { DelosConfig } from './delos-config.ts';
import { membersOf, ownServices } from './service-list.ts';
import { files, SAVE_FILES } from './services/files/index.ts';
import { SERVICES } from './services.ts';
import type { Manifest, Synthesis } from './synthesis.ts';
import { objectOf } from './synthesize.ts';

/** A service whose volume goes into a backup. */
export interface SavedService {
  /** Its name, which is that of its workload. */
  readonly name: string;
  /** The namespace that it runs in. */
  readonly namespace: string;
  /** Names of its Pods, each of which has all. The first is the one whose volume is filled by a restore. */
  readonly pods: readonly [string, ...string[]];
  /** Of what its image runs; empty where the image is not of the catalogue. */
  readonly version: string;
  /** How it is saved and brought back. */
  readonly backup: Backup;
}

/** Services that run as ours and keep what a backup must hold, in the order of the list. */
export const savedServices = (config: DelosConfig): readonly SavedService[] =>
  ownServices(config, SERVICES).flatMap((service) =>
    service.backup === undefined
      ? []
      : [
          {
            name: service.name,
            namespace: namespaceOf(service),
            pods: [
              `${service.name}-0`,
              ...Array.from({ length: membersOf(config, service) - 1 }, (_, at) => `${service.name}-${at + 1}`),
            ],
            version: CATALOGUE.find(({ name }) => name === service.image)?.version ?? '',
            backup: service.backup,
          },
        ],
  );

/** How the files of projects are saved, by a Pod of the service that has them. */
export interface SavedFiles {
  /** Name of the service, and of its part of a backup. */
  readonly name: string;
  /** The namespace that it runs in. */
  readonly namespace: string;
  /** Labels of its Pods, whose names are not known before. */
  readonly labels: Readonly<Record<string, string>>;
  /** Of what its image runs. */
  readonly version: string;
  /** Command that writes one tar of all files to stdout. What it cannot read it names on stderr, and leaves out. */
  readonly save: readonly string[];
}

/** Whether a platform has them is for its cluster to say. */
export const SAVED_FILES: SavedFiles = {
  name: files.name,
  namespace: namespaceOf(files),
  labels: { [NAME_LABEL]: files.name },
  version: CATALOGUE.find(({ name }) => name === files.image)?.version ?? '',
  save: ['/bin/sh', '-c', SAVE_FILES],
};

/** What brings a service's volume back. */
export interface VolumeRestore {
  /** The claim that the service will find: of the first of its Pods. The others copy from that one. */
  readonly claim: Manifest;
  /** Names of the claims of all its Pods. */
  readonly claims: readonly string[];
  /** Has the volume, and waits: whoever restores unpacks into it. */
  readonly pod: Manifest;
}

/** Where the Pod has the volume. */
export const RESTORE_FOLDER = '/volume';

const container = z.looseObject({ image: z.string(), securityContext: z.unknown(), resources: z.unknown() });
const workload = z.looseObject({
  spec: z.looseObject({
    selector: z.looseObject({ matchLabels: z.record(z.string(), z.string()) }),
    template: z.looseObject({ spec: z.looseObject({ containers: z.array(container).min(1) }) }),
  }),
});
type PodTemplate = z.infer<typeof workload>['spec']['template']['spec'];
const claimed = z.looseObject({
  spec: z.looseObject({
    volumeClaimTemplates: z.array(
      z.looseObject({ metadata: z.looseObject({ name: z.string() }), spec: z.record(z.string(), z.unknown()) }),
    ),
  }),
});

/** Of a Pod's specification: what makes it the same user on the same nodes. */
const KEPT = [
  'affinity',
  'hostUsers',
  'imagePullSecrets',
  'nodeSelector',
  'priorityClassName',
  'securityContext',
  'tolerations',
] as const;

/** Ends at once when it is told. */
const WAIT = 'trap "exit 0" TERM; while :; do sleep 3600 & wait $!; done';

/**
 * What a service's volume is restored by, before the service is there: its own image, user, nodes and claim.
 * @throws DelosError ERR_INTERNAL for a service that the synthesis lacks
 */
export function volumeRestore(synthesis: Synthesis, { name, namespace, pods, backup }: SavedService): VolumeRestore {
  const { manifest } = objectOf(synthesis, 'StatefulSet', name, namespace);
  const { template, selector } = workload.parse(manifest).spec;
  const { volumeClaimTemplates } = claimed.parse(manifest).spec;
  const claim = volumeClaimTemplates.find(({ metadata }) => metadata.name === backup.claim);
  const claimName = `${backup.claim}-${pods[0]}`;
  return {
    claims: pods.map((each) => `${backup.claim}-${each}`),
    claim: {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: claimName, namespace, labels: selector.matchLabels },
      spec: claim?.spec ?? {},
    },
    pod: restorePod({ name, namespace, claimName }, template.spec),
  };
}

/**
 * The manifests that a restore of the file storage needs: its claim, and a Pod like its service's. The claim is applied with the ground,
 * before any service.
 * @returns undefined where the platform has no file storage
 */
export function filesRestore(synthesis: Synthesis): VolumeRestore | undefined {
  const found = (kind: string, name: string): Manifest | undefined =>
    synthesis.objects.find(({ manifest }) => manifest.kind === kind && manifest.metadata.name === name)?.manifest;
  const claim = found('PersistentVolumeClaim', FILE_STORAGE_CLAIM);
  const served = found('Deployment', files.name);
  if (claim === undefined || served === undefined) return undefined;
  const { template } = workload.parse(served).spec;
  const filled = { name: files.name, namespace: namespaceOf(files), claimName: FILE_STORAGE_CLAIM };
  return { claims: [FILE_STORAGE_CLAIM], claim, pod: restorePod(filled, template.spec) };
}

interface Filled {
  readonly name: string;
  readonly namespace: string;
  readonly claimName: string;
}

function restorePod({ name, namespace, claimName }: Filled, template: PodTemplate): Manifest {
  const [first] = template.containers;
  const kept = Object.fromEntries(KEPT.flatMap((key) => (key in template ? [[key, template[key]]] : [])));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `restore-${name}`, namespace, labels: { [NAME_LABEL]: `restore-${name}` } },
    spec: {
      ...kept,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 5,
      containers: [
        {
          name: 'restore',
          image: first?.image,
          command: ['/bin/sh', '-c', WAIT],
          securityContext: first?.securityContext,
          resources: first?.resources,
          volumeMounts: [{ name: 'volume', mountPath: RESTORE_FOLDER }],
        },
      ],
      volumes: [{ name: 'volume', persistentVolumeClaim: { claimName } }],
    },
  };
}
