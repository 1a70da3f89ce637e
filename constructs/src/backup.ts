import { CATALOGUE } from '@delos/artifacts';
import { NAME_LABEL } from '@delos/core';
import { z } from 'zod';
import { type Backup, namespaceOf } from './base/service.ts';
import type { DelosConfig } from './delos-config.ts';
import { membersOf, ownServices } from './service-list.ts';
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
const statefulSet = z.looseObject({
  spec: z.looseObject({
    selector: z.looseObject({ matchLabels: z.record(z.string(), z.string()) }),
    template: z.looseObject({ spec: z.looseObject({ containers: z.array(container).min(1) }) }),
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
  const { spec } = statefulSet.parse(objectOf(synthesis, 'StatefulSet', name, namespace).manifest);
  const { template, selector, volumeClaimTemplates } = spec;
  const [first] = template.spec.containers;
  const claimed = volumeClaimTemplates.find(({ metadata }) => metadata.name === backup.claim);
  const claimName = `${backup.claim}-${pods[0]}`;
  const kept = Object.fromEntries(KEPT.flatMap((key) => (key in template.spec ? [[key, template.spec[key]]] : [])));
  return {
    claims: pods.map((each) => `${backup.claim}-${each}`),
    claim: {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: claimName, namespace, labels: selector.matchLabels },
      spec: claimed?.spec ?? {},
    },
    pod: {
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
            volumeMounts: [{ name: backup.claim, mountPath: RESTORE_FOLDER }],
          },
        ],
        volumes: [{ name: backup.claim, persistentVolumeClaim: { claimName } }],
      },
    },
  };
}
