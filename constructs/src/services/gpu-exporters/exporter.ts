import { type GpuField, POOL_LABEL } from '@delos/core';
import { JsonPatch } from 'cdk8s';
import type { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { ConfigFiles } from '../../base/config-files.ts';
import { files, type Mount } from '../../base/mount.ts';
import { labelsOf } from '../../base/names.ts';
import type { Probes } from '../../base/pod.ts';
import { httpGet } from '../../base/probes.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import { Workload } from '../../base/workload.ts';

/** What tells of the GPUs of one make. */
export interface ExporterProps<Config> {
  readonly descriptor: ServiceDescriptor<Config, GpuExporter>;
  readonly at: Site<Config>;
  /** Field of pools that says how many such GPUs a node has. */
  readonly gpu: GpuField;
  /** Label, and its value, that the maker's own parts give a node that has one. */
  readonly present: readonly [key: string, value: string];
  readonly command: readonly string[];
  readonly port: number;
  readonly probes: Probes;
  readonly env: readonly k8s.EnvVar[];
  readonly mounts: () => readonly Mount[];
  /** Settings that it reads: a folder, and its files by name. @default none */
  readonly settings?: { readonly folder: string; readonly files: Readonly<Record<string, string>> };
  /** Runs as root with all rights over the node, since it opens devices that no device plugin gave it. @default false */
  readonly opensDevices?: boolean;
  /** Name of the RuntimeClass by which a container sees the GPUs. @default the node's usual one */
  readonly runtimeClass?: string | undefined;
}

/** How long an exporter may take to answer. */
interface Patience {
  /** Seconds between two questions while it starts. */
  readonly startSeconds: number;
  /** Questions that it may leave unanswered while it starts. */
  readonly startTries: number;
  /** Seconds between two questions afterwards. */
  readonly readySeconds: number;
  /** Seconds that it may take for such an answer. */
  readonly readyTimeout: number;
}

/** Probes that ask an exporter for this path. */
export function probesAt(path: string, patience: Patience): Probes {
  const probe = (periodSeconds: number, timeoutSeconds: number, failureThreshold: number) => ({
    httpGet: httpGet(path, 'http'),
    periodSeconds,
    timeoutSeconds,
    failureThreshold,
  });
  return {
    startupProbe: probe(patience.startSeconds, 5, patience.startTries),
    readinessProbe: probe(patience.readySeconds, patience.readyTimeout, 3),
    livenessProbe: probe(20, 10, 6),
  };
}

/** The Pods of one maker's exporter, on the nodes that have its GPUs. */
export class GpuExporter extends Construct {
  readonly workload: Workload;

  constructor(scope: Construct, id: string, props: ExporterProps<unknown>) {
    super(scope, id);
    const { descriptor, at, gpu, present, port, settings, opensDevices, runtimeClass } = props;
    const { name } = descriptor;
    const config =
      settings === undefined
        ? []
        : [
            files(
              new ConfigFiles(this, 'config', {
                ...{ namespace: at.namespace, name, labels: labelsOf(name) },
                files: () => settings.files,
              }),
              settings.folder,
              { name: 'config' },
            ),
          ];
    this.workload = new Workload(this, 'workload', {
      namespace: at.namespace,
      name,
      runs: { kind: 'daemon-set' },
      image: at.image,
      user: descriptor.user,
      userNamespace: at.userNamespaces && opensDevices !== true,
      resources: at.resources,
      command: props.command,
      env: () => [{ name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }, ...props.env],
      ports: { http: port },
      probes: props.probes,
      mounts: () => [...config, ...props.mounts()],
    });
    const pools = at.config.nodePools.filter((pool) => pool[gpu] !== undefined && !pool.fakeGpus);
    const { object } = this.workload;
    object.addJsonPatch(
      JsonPatch.add(
        '/spec/template/spec/affinity',
        onNodesWith(
          pools.map(({ name }) => name),
          present,
        ),
      ),
    );
    if (opensDevices === true) {
      object.addJsonPatch(JsonPatch.replace('/spec/template/spec/containers/0/securityContext', DEVICES));
    }
    if (runtimeClass !== undefined) {
      object.addJsonPatch(JsonPatch.add('/spec/template/spec/runtimeClassName', runtimeClass));
    }
  }
}

/** A container is let at a device by its plugin, which gives it to nobody else then, or by all rights. */
const DEVICES: k8s.SecurityContext = {
  privileged: true,
  runAsNonRoot: false,
  runAsUser: 0,
  runAsGroup: 0,
  readOnlyRootFilesystem: true,
};

/** Nodes of these pools, and those that the maker's parts have found a GPU in. */
function onNodesWith(pools: readonly string[], [key, value]: readonly [string, string]): k8s.Affinity {
  const has = (label: string, values: readonly string[]): k8s.NodeSelectorTerm => ({
    matchExpressions: [{ key: label, operator: 'In', values: [...values] }],
  });
  return {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [...(pools.length === 0 ? [] : [has(POOL_LABEL, pools)]), has(key, [value])],
      },
    },
  };
}
