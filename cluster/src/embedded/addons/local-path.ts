import { DEFAULT_CLASS_ANNOTATION, MANAGED, SYSTEM_NAMESPACE } from '@delos/core';
import {
  type Addon,
  addon,
  binding,
  clusterRole,
  RESTRICTED,
  role,
  serviceAccount,
  systemDeployment,
} from './object.ts';

/** Where volumes lie on the node; the instance's state keeps it. */
export const VOLUMES = '/var/lib/delos-volumes';
export const STORAGE_CLASS = 'local-path';
const NAME = 'local-path-provisioner';
const LABELS = { app: NAME };

/**
 * The default StorageClass with dynamic volumes. Volumes are made world-writable, as hostPath volumes take no fsGroup;
 * the folder above them can be entered by root alone.
 */
export function localPath(image: string): readonly Addon[] {
  const helper = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'helper-pod' },
    spec: {
      priorityClassName: 'system-node-critical',
      automountServiceAccountToken: false,
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          name: 'helper-pod',
          image,
          imagePullPolicy: 'IfNotPresent',
          // Root, to make and remove folders of any user on the node, without any other capability of root.
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            runAsUser: 0,
            runAsGroup: 0,
            capabilities: { drop: ['ALL'], add: ['DAC_OVERRIDE', 'FOWNER'] },
            seccompProfile: { type: 'RuntimeDefault' },
          },
        },
      ],
    },
  };
  return [
    serviceAccount(NAME),
    role(NAME, SYSTEM_NAMESPACE, [
      {
        groups: [''],
        resources: ['pods'],
        verbs: ['get', 'list', 'watch', 'create', 'patch', 'update', 'delete'],
      },
      // It reads its own configuration through the API as well, to take a change over.
      { groups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch'] },
      { groups: [''], resources: ['pods/log'], verbs: ['get'] },
      {
        groups: [''],
        resources: ['endpoints'],
        verbs: ['get', 'list', 'watch', 'create', 'patch', 'update'],
      },
      { groups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create', 'update', 'patch'] },
    ]),
    clusterRole(NAME, [
      { groups: [''], resources: ['nodes', 'persistentvolumeclaims', 'pods'], verbs: ['get', 'list', 'watch'] },
      {
        groups: [''],
        resources: ['persistentvolumes'],
        verbs: ['get', 'list', 'watch', 'create', 'patch', 'update', 'delete'],
      },
      { groups: [''], resources: ['events'], verbs: ['create', 'patch'] },
      { groups: ['storage.k8s.io'], resources: ['storageclasses'], verbs: ['get', 'list', 'watch'] },
    ]),
    binding(NAME, NAME, { serviceAccount: NAME }, SYSTEM_NAMESPACE, 'Role'),
    binding(NAME, NAME, { serviceAccount: NAME }),
    addon(
      'storage.k8s.io/v1',
      'StorageClass',
      { name: STORAGE_CLASS },
      {
        provisioner: 'rancher.io/local-path',
        volumeBindingMode: 'WaitForFirstConsumer',
        reclaimPolicy: 'Delete',
      },
    ),
    addon(
      'v1',
      'ConfigMap',
      { name: NAME, namespace: SYSTEM_NAMESPACE },
      {
        data: {
          'config.json': JSON.stringify({
            nodePathMap: [{ node: 'DEFAULT_PATH_FOR_NON_LISTED_NODES', paths: [VOLUMES] }],
          }),
          setup: '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\nchmod 0777 "$VOL_DIR"\n',
          teardown: '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n',
          'helperPod.yaml': JSON.stringify(helper),
        },
      },
    ),
    systemDeployment({
      name: NAME,
      labels: LABELS,
      strategy: { type: 'Recreate' },
      pod: {
        containers: [
          {
            name: NAME,
            image,
            imagePullPolicy: 'IfNotPresent',
            command: [NAME, 'start', '--config', '/etc/config/config.json'],
            args: ['--configmap-name', NAME, '--service-account-name', NAME, '--helper-image', image],
            env: [
              { name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
              { name: 'CONFIG_MOUNT_PATH', value: '/etc/config/' },
            ],
            resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '128Mi' } },
            securityContext: RESTRICTED,
            volumeMounts: [{ name: 'config', mountPath: '/etc/config/', readOnly: true }],
          },
        ],
        volumes: [{ name: 'config', configMap: { name: NAME } }],
      },
    }),
  ].map((each) => (each.path.includes('/storageclasses/') ? asDefault(each) : each));
}

function asDefault(each: Addon): Addon {
  const metadata = {
    name: STORAGE_CLASS,
    labels: { ...MANAGED },
    annotations: { [DEFAULT_CLASS_ANNOTATION]: 'true' },
  };
  return { path: each.path, object: { ...each.object, metadata } };
}
