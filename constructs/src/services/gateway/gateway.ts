import { isIPv4 } from 'node:net';
import { PUBLISHED_CADDY } from '@delos/artifacts';
import { type GivenCertificate, isLoopback, jobsDomain } from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { ConfigFiles } from '../../base/config-files.ts';
import { DNS } from '../../base/connections.ts';
import { files, type Mount, scratch, secretFiles } from '../../base/mount.ts';
import { hostOf, labelsOf, PORTS } from '../../base/names.ts';
import type { Namespace } from '../../base/namespace.ts';
import type { Resources } from '../../base/pod.ts';
import { OWN_PROBES } from '../../base/probes.ts';
import type { Route, RouteTarget } from '../../base/route.ts';
import { Secret, type SecretHandle, type SecretProps } from '../../base/secret.ts';
import { goMemoryLimit } from '../../base/sections/resources-section.ts';
import { SECRET_MODE } from '../../base/security.ts';
import { Workload } from '../../base/workload.ts';
import type { Exposure } from '../../entrance.ts';
import { CONFIG_FOLDER, caddyfile, LATER_FOLDER, SERVED_FOLDER, TLS_FOLDER, type Upstream } from './caddyfile.ts';
import type { Http2Below } from './http2.ts';
import { landingPage } from './landing-page.ts';
import { leafNames } from './leaf-names.ts';
import {
  CERTIFICATE_CADDYFILE,
  CHECK_CADDYFILE,
  certificateCaddyfile,
  checkCaddyfile,
  START_SCRIPT,
  startScript,
} from './start-script.ts';

/** What a {@link Gateway} is made of. */
export interface GatewayProps {
  /** The namespace that it runs in. */
  readonly namespace: Namespace;
  /** Reference of the image. @default the published one of this release */
  readonly image?: string;
  /**
   * Whether its Caddy is the platform's own, which gives a service up that is gone without a word, and hands HTTP/2 over to the
   * router of jobs. A published one waits for its answer, and speaks HTTP/1.1 alone. @default false
   */
  readonly watched?: boolean;
  /** User and group that it runs as. @default the platform's number for the gateway */
  readonly user?: number;
  /** Processor and memory. @default 0.02 core, 64Mi, at most 256Mi */
  readonly resources?: Resources;
  /** How many run. @default 1 */
  readonly replicas?: number;
  /** Where users reach it, no trailing slash: `https://ai.example.com`. */
  readonly publicUrl: string;
  /** The public host name or address alone. Its certificate is for it, and for the names of jobs and apps below it. */
  readonly domain: string;
  /** A certificate that is there already. @default one of the instance's own authority */
  readonly certificate?: GivenCertificate;
  /**
   * Name of a Secret whose tls.crt and tls.key are served as soon as it has them, in place of the other. It may be filled
   * in later. @default none
   */
  readonly later?: string;
  /** What answers on the plain http port. `none`: nothing listens. @default redirect */
  readonly http?: 'serve' | 'redirect' | 'none';
  /** How its Service is reached from outside. @default by a load balancer */
  readonly exposure?: Exposure;
  /** Whether the nodes have user namespaces for Pods. @default false */
  readonly userNamespaces?: boolean;
  /** Port of plain http that answers outside. @default 80 */
  readonly httpPort?: number;
  /** Port of TLS that answers outside. @default 443 */
  readonly httpsPort?: number;
  /** Annotations of its Service, for what watches Services. @default none */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** User and group that it runs as. */
export const GATEWAY_USER = 60602;
/** Processor and memory where the props say none. */
export const GATEWAY_RESOURCES: Resources = { cpu: '20m', memory: '64Mi', memoryLimit: '256Mi' };

/** Of its memory, kept by its own collection of garbage. */
const HEAP = 200 / 256;
const LOAD_BALANCER: Exposure = { kind: 'load-balancer' };

/** The props with their defaults. */
const whole = (props: GatewayProps) => ({
  ...props,
  image: props.image ?? PUBLISHED_CADDY,
  watched: props.watched ?? false,
  user: props.user ?? GATEWAY_USER,
  resources: props.resources ?? GATEWAY_RESOURCES,
  replicas: props.replicas ?? 1,
  http: props.http ?? ('redirect' as const),
  exposure: props.exposure ?? LOAD_BALANCER,
  userNamespaces: props.userNamespaces ?? false,
  httpPort: props.httpPort ?? 80,
  httpsPort: props.httpsPort ?? 443,
});
type Whole = ReturnType<typeof whole>;

const SERVICE_TYPE = {
  'node-port': { type: 'NodePort', externalTrafficPolicy: 'Cluster' },
  // A load balancer can keep the client's address.
  'load-balancer': { type: 'LoadBalancer', externalTrafficPolicy: 'Local' },
  'cluster-ip': { type: 'ClusterIP' },
} as const;

/**
 * The one way in: TLS with a leaf of the instance's own CA, and plain http where that is wanted.
 * @example
 * const gateway = new Gateway(chart, 'gateway', {
 *   namespace,
 *   publicUrl: 'https://ai.example.com',
 *   domain: 'ai.example.com',
 * });
 * const api = new Workload(chart, 'api', {
 *   namespace,
 *   image: 'registry.example/api:1.0',
 *   command: ['/api'],
 *   user: 61000,
 *   ports: { http: 8080 },
 *   runs: { kind: 'deployment', replicas: 2 },
 *   resources: { cpu: '100m', memory: '128Mi', memoryLimit: '256Mi' },
 * });
 * gateway.route({ paths: ['/reports/*'], port: 'http' }, api);
 * @see https://caddyserver.com/docs/
 */
export class Gateway extends Construct {
  /** Its Pods, Service and connections. */
  readonly workload: Workload;
  readonly #upstreams: Upstream[] = [];
  #http2: Http2Below | undefined;
  readonly #domain: string;
  readonly #watched: boolean;

  constructor(scope: Construct, id: string, given: GatewayProps) {
    super(scope, id);
    const props = whole(given);
    const { namespace } = props;
    this.#domain = props.domain;
    this.#watched = props.watched;
    const config = new ConfigFiles(this, 'config', {
      namespace,
      name: id,
      labels: labelsOf(id),
      files: () => ({
        Caddyfile: caddyfile({
          http: props.http,
          domain: props.domain,
          watched: props.watched,
          upstreams: this.#upstreams,
          ...(this.#http2 === undefined ? {} : { http2: this.#http2 }),
        }),
        'index.html': landingPage(props.publicUrl),
        [START_SCRIPT]: startScript(),
        [CERTIFICATE_CADDYFILE]: certificateCaddyfile(),
        [CHECK_CADDYFILE]: checkCaddyfile(),
      }),
    });
    const leaf = { leaf: id, ...leafNames(props.domain, props.publicUrl, hostOf(id, namespace.name)) };
    const tls = this.#certificate(namespace, `${id}-tls`, props.certificate, {
      'tls.crt': { kind: 'certificate', ...leaf },
      'tls.key': { kind: 'certificate-key', ...leaf },
      'ca.crt': { kind: 'ca-certificate' },
    });
    const plain = props.http === 'none' ? {} : { http: PORTS.http };
    const open = { ...plain, https: PORTS.https };
    this.workload = new Workload(this, 'workload', {
      namespace,
      name: id,
      runs: { kind: 'deployment', replicas: props.replicas },
      image: props.image,
      user: props.user,
      userNamespace: props.userNamespaces,
      resources: props.resources,
      command: ['/bin/sh', `${CONFIG_FOLDER}/${START_SCRIPT}`],
      env: () => [
        { name: 'XDG_DATA_HOME', value: '/tmp' },
        { name: 'XDG_CONFIG_HOME', value: '/tmp' },
        goMemoryLimit(props.resources, HEAP),
      ],
      ports: { ...open, internal: PORTS.internal },
      probes: OWN_PROBES,
      mounts: () => [
        scratch('tmp', '/tmp', '64Mi'),
        scratch('certificate', SERVED_FOLDER, '1Mi', 'memory'),
        files(config, CONFIG_FOLDER),
        secretFiles(tls, TLS_FOLDER),
        ...(props.later === undefined ? [] : [laterFiles(props.later)]),
      ],
      serviceAnnotations: props.annotations ?? {},
      service: {
        ...SERVICE_TYPE[props.exposure.kind],
        ports: entrancePorts(props),
        // Not a name that DNS could answer: within the cluster the address itself leads to the gateway.
        ...(props.exposure.kind === 'node-port' && isIPv4(props.domain) && !isLoopback(props.domain)
          ? { externalIPs: [props.domain] }
          : {}),
      },
    });
    this.workload.admit({ kind: 'anyone', ports: Object.values(open) });
    this.workload.reach(DNS);
  }

  #certificate(
    namespace: Namespace,
    name: string,
    given: GivenCertificate | undefined,
    own: SecretProps['sources'],
  ): SecretHandle {
    if (given?.secret !== undefined) return Secret.external({ namespace, name: given.secret });
    const { certificate = '', key = '', authority } = given ?? {};
    const files: SecretProps['sources'] = {
      'tls.crt': { kind: 'file', path: certificate },
      'tls.key': { kind: 'file', path: key },
      ...(authority === undefined ? {} : { 'ca.crt': { kind: 'file', path: authority } }),
    };
    const sources = given === undefined ? own : files;
    return new Secret(this, 'tls', { namespace, name, type: 'kubernetes.io/tls', sources });
  }

  /**
   * Sends these paths to a service. The first route that matches wins.
   * @param asked whom the route asks first
   */
  route({ port, asks, hosts, http2Port, ...requests }: Route, to: RouteTarget, asked?: Workload): void {
    const jobs = jobsDomain(this.#domain);
    if (hosts === 'jobs' && jobs === undefined) return;
    const nth = this.#upstreams.filter(({ host }) => host === to.host).length + 1;
    const name = nth === 1 ? to.name : `${to.name}-${nth}`;
    const first = asks === undefined || asked === undefined ? undefined : { ...asks, workload: asked };
    this.#upstreams.push({
      ...requests,
      ...(hosts === undefined || jobs === undefined ? {} : { below: jobs }),
      name,
      host: to.host,
      port: to.portOf(port),
      ...(first === undefined
        ? {}
        : { asks: { host: first.workload.host, port: first.workload.portOf(first.port), path: first.path } }),
    });
    this.workload.reach(to.peer(port), ...(first === undefined ? [] : [first.workload.peer(first.port)]));
    // A published Caddy hands nothing over.
    if (http2Port === undefined || hosts === undefined || jobs === undefined || !this.#watched) return;
    this.#http2 = { below: jobs, host: to.host, port: to.portOf(http2Port) };
    this.workload.reach(to.peer(http2Port));
  }
}

/** Files that may come later: a Pod does not wait for them. */
const laterFiles = (name: string): Mount => ({
  name: 'later',
  path: LATER_FOLDER,
  readOnly: true,
  volume: { secret: { secretName: name, optional: true, defaultMode: SECRET_MODE } },
});

function entrancePorts(props: Whole): k8s.ServicePort[] {
  const { exposure } = props;
  const port = (name: 'http' | 'https', outside: number): k8s.ServicePort => ({
    name,
    port: outside,
    targetPort: k8s.IntOrString.fromString(name),
    ...(exposure.kind === 'node-port' ? { nodePort: exposure[name] } : {}),
  });
  const { http, https } = servicePorts(props);
  return [...(props.http === 'none' ? [] : [port('http', http)]), port('https', https)];
}

/**
 * Ports of the Service. Cluster DNS answers a public name with the Service, so that they are those of the public URL.
 * A platform on loopback has no such name, and its Service keeps the usual ports.
 */
function servicePorts(props: Whole): { readonly http: number; readonly https: number } {
  if (isLoopback(props.domain)) return { http: PORTS.http, https: PORTS.https };
  const url = new URL(props.publicUrl);
  const { httpPort: http, httpsPort: https } = props;
  // Where the configuration leaves the port to the machine, only the URL tells which one was found free.
  return url.protocol === 'http:' ? { http: Number(url.port || 80), https } : { http, https: Number(url.port || 443) };
}
