import { JOINED_PREFIX, type JoinSection } from '@delos/core';
import type { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { ConfigFiles } from '../../base/config-files.ts';
import type { Peer } from '../../base/connections.ts';
import { secretKeyOf } from '../../base/external/secret-reference.ts';
import { files } from '../../base/mount.ts';
import type { Namespace } from '../../base/namespace.ts';
import { Authorities } from '../../base/outward/authorities.ts';
import { leadOut } from '../../base/outward/way-out.ts';
import { Secret, type SecretKey } from '../../base/secret.ts';
import { env, fileOf, mounted } from '../../base/secret-folder.ts';
import type { Site } from '../../base/service.ts';
import type { Workload } from '../../base/workload.ts';
import type { AgentsEntrance } from './agents-entrance.ts';
import { canonicalJson } from './platform-settings.ts';

const OFFER_FOLDER = '/etc/delos-offer';
const OFFER_FILE = 'offer.json';

/**
 * Stands where the control API would, in a cluster that has joined a platform elsewhere. It has the secrets that this cluster's
 * agent and collectors show there, and what the cluster offers to jobs.
 */
export class JoinedPlatform extends Construct implements AgentsEntrance {
  readonly agentToken: SecretKey;
  readonly joining: NonNullable<AgentsEntrance['joining']>;
  /** Its images are pulled as any others are. */
  readonly ownRegistries: readonly string[];
  readonly #join: JoinSection;
  readonly #collectorToken: SecretKey;
  readonly #site: Pick<Site<unknown>, 'authorities' | 'namespace'>;

  constructor(scope: Construct, id: string, at: Site<unknown>, join: JoinSection) {
    super(scope, id);
    const { namespace, config } = at;
    this.#join = join;
    this.#site = at;
    this.ownRegistries = [new URL(join.platform).host];
    const secret = (name: string): SecretKey => ({
      secret: new Secret(this, name, {
        namespace,
        sources: { token: { kind: 'password', length: 48, rotation: { kind: 'overlap' } } },
      }),
      key: 'token',
    });
    this.agentToken = secret('agent-token');
    this.#collectorToken = secret('collector-token');
    const ticket = secretKeyOf(this, 'join-token', namespace, join.token);
    const offer = new ConfigFiles(this, 'offer', {
      namespace,
      files: () => ({
        [OFFER_FILE]: canonicalJson({
          pools: config.nodePools,
          presets: config.presets,
          scheduling: config.scheduling,
        }),
      }),
    });
    this.joining = {
      env: () => [
        env('DELOS_JOIN_TOKEN_FILE', fileOf(ticket)),
        env('DELOS_COLLECTOR_TOKEN_FILE', fileOf(this.#collectorToken)),
        env('DELOS_OFFER_FILE', `${OFFER_FOLDER}/${OFFER_FILE}`),
      ],
      mounts: () => [mounted(ticket.secret), mounted(this.#collectorToken.secret), files(offer, OFFER_FOLDER)],
    };
  }

  /** What collectors show, as a Secret of their namespace. */
  collectorToken(scope: Construct, namespace: Namespace): SecretKey {
    const { secret } = this.#collectorToken;
    return Secret.copy(scope, 'token', { namespace, of: this.#collectorToken, name: secret.name });
  }

  /** Variables that say where the platform is. */
  address(): readonly k8s.EnvVar[] {
    return [env('DELOS_API_URL', this.#join.platform.replace(/\/+$/, '')), env('DELOS_AGENT_PREFIX', JOINED_PREFIX)];
  }

  /** Lets a workload dial the platform, and trust it. */
  lead(workload: Workload, scope: Construct, namespace: Namespace): void {
    workload.reach(peerOf(this.#join));
    const { authorities, namespace: own } = this.#site;
    if (authorities === undefined) return;
    const there =
      namespace === own ? authorities : new Authorities(scope, 'authorities', { namespace, ...authorities.trusted });
    // By no proxy: what the agent keeps is one connection for as long as it lives.
    leadOut(workload, { trustedBy: 'NODE_EXTRA_CA_CERTS', direct: true }, { authorities: there });
  }
}

/** A NetworkPolicy knows addresses, and the platform is most likely known by a name. */
function peerOf({ platform, addresses }: JoinSection): Peer {
  const { port, protocol } = new URL(platform);
  const ports = [port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)];
  return addresses.length === 0 ? { kind: 'anyone', ports } : { kind: 'addresses', addresses, ports };
}
