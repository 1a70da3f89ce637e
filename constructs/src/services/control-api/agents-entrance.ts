import type { k8s } from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import type { Mount } from '../../base/mount.ts';
import type { Namespace } from '../../base/namespace.ts';
import type { SecretKey } from '../../base/secret.ts';
import type { ServiceConstruct } from '../../base/service.ts';
import type { Workload } from '../../base/workload.ts';

/** What the agent and the collectors see of the control API, be it in their own cluster or elsewhere. */
export interface AgentsEntrance extends ServiceConstruct {
  /** What the agent shows. */
  readonly agentToken: SecretKey;
  /** `HOST[:PORT]` of the platform's own registry. Asked for when manifests are written. */
  readonly ownRegistries: readonly string[];
  /** What collectors show, as a Secret of their namespace. */
  collectorToken(scope: Construct, namespace: Namespace): SecretKey;
  /** Variables that say where it is. Asked for when manifests are written. */
  address(): readonly k8s.EnvVar[];
  /** Lets a workload reach it, and trust it. @param scope for objects that this takes in the workload's namespace */
  lead(workload: Workload, scope: Construct, namespace: Namespace): void;
  /** What the agent joins it by. @default it is the agent's own platform */
  readonly joining?: { env(): readonly k8s.EnvVar[]; mounts(): readonly Mount[] };
}
