import { AUTHORITIES_KEY, AUTHORITIES_NAME, joinOf, type PlatformConfig, trustsMore } from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import type { Mount } from '../mount.ts';
import { PART_OF } from '../names.ts';
import type { Namespace } from '../namespace.ts';
import { setSecretSources } from '../secret.ts';

const FOLDER = '/etc/delos-authorities';

/** What {@link Authorities} are made of. */
export interface AuthoritiesProps {
  /** The namespace of the Pods that mount them. */
  readonly namespace: Namespace;
  /** Files of the machine that deploys, in PEM. @default none */
  readonly files?: readonly string[];
  /** Whether the platform's own authority is among them. @default true */
  readonly own?: boolean;
}

/**
 * All certificate authorities that Pods trust, as one file: the public ones, further ones, and the platform's own. A Pod that
 * mounts it needs no other list. Who deploys fills it in; no manifest has it.
 * @example
 * const authorities = new Authorities(chart, 'authorities', { namespace, files: ['/etc/ssl/site.pem'] });
 * const mount = authorities.mount();
 */
export class Authorities extends k8s.KubeConfigMap {
  /** The file, where {@link Authorities.mount} puts it. */
  readonly file = `${FOLDER}/${AUTHORITIES_KEY}`;

  /** What it is filled with. */
  readonly trusted: Required<Pick<AuthoritiesProps, 'files' | 'own'>>;

  constructor(scope: Construct, id: string, { namespace, files = [], own = true }: AuthoritiesProps) {
    super(scope, id, { metadata: { name: AUTHORITIES_NAME, namespace: namespace.name, labels: { ...PART_OF } } });
    this.trusted = { files, own };
    this.node.addDependency(namespace);
    setSecretSources(this, { [AUTHORITIES_KEY]: { kind: 'authorities', files: [...files], own } });
  }

  /** The folder that has the file. */
  mount(): Mount {
    return { name: 'authorities', path: FOLDER, readOnly: true, volume: { configMap: { name: AUTHORITIES_NAME } } };
  }
}

/** Those that a configuration asks for; undefined where images' own lists are enough. */
export function authoritiesOf(scope: Construct, namespace: Namespace, config: PlatformConfig): Authorities | undefined {
  const { network } = config;
  const join = joinOf(config);
  if (!trustsMore(network) && join?.authority === undefined) return undefined;
  const given = config.gateway.tls?.given;
  const further = [given?.authority, join?.authority].filter((file) => file !== undefined);
  return new Authorities(scope, AUTHORITIES_NAME, {
    namespace,
    files: [...network.authorities, ...further],
    // A cluster that has joined serves nothing by a certificate of its own.
    own: given === undefined && join === undefined,
  });
}
