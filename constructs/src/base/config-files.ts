import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { checksum } from './checksum.ts';
import { lazy } from './lazy.ts';
import { PART_OF } from './names.ts';
import type { Namespace } from './namespace.ts';

/** What {@link ConfigFiles} are made of. */
export interface ConfigFilesProps {
  /** The namespace of the ConfigMap. */
  readonly namespace: Namespace;
  /** Name of the ConfigMap. @default the construct's id */
  readonly name?: string;
  /** Labels of the ConfigMap. @default those of every object of Delos */
  readonly labels?: Readonly<Record<string, string>>;
  /** File name → content. Asked for when manifests are written. */
  files(): Readonly<Record<string, string>>;
}

/**
 * Files that a workload mounts, in a ConfigMap. A changed file rolls the Pods that mount it.
 * @example
 * const config = new ConfigFiles(chart, 'settings', { namespace, files: () => ({ 'settings.json': '{}' }) });
 * const mount = files(config, '/etc/settings');
 */
export class ConfigFiles extends Construct {
  /** Name of the ConfigMap. */
  readonly name: string;
  /** The ConfigMap itself. */
  readonly object: k8s.KubeConfigMap;
  readonly #files: ConfigFilesProps['files'];

  constructor(scope: Construct, id: string, props: ConfigFilesProps) {
    super(scope, id);
    this.name = props.name ?? id;
    this.node.addDependency(props.namespace);
    this.#files = props.files;
    this.object = new k8s.KubeConfigMap(this, 'config-map', {
      metadata: { name: this.name, namespace: props.namespace.name, labels: { ...(props.labels ?? PART_OF) } },
      data: lazy(() => ({ ...props.files() })),
    });
  }

  /** Names and contents of all files. */
  get files(): Readonly<Record<string, string>> {
    return this.#files();
  }
}

/** One checksum over several sets of files. */
export const checksumOf = (all: readonly ConfigFiles[]): string => checksum(...all.map(({ files }) => files));
