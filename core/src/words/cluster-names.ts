/*
 * Names of objects in the cluster that one room makes and another finds.
 */

/** Where the platform's own services run; Pod Security `restricted`. */
export const PLATFORM_NAMESPACE = 'delos';
/** Where services run that read a node's disk; Pod Security `privileged`. */
export const NODE_NAMESPACE = 'delos-node';
/** Name of the part that makes images of containers, one Pod on each node there. */
export const IMAGE_SAVER = 'image-saver';
/** Where it is asked. */
export const IMAGE_SAVER_PORT = 8080;
/** Where the cluster's own parts run. */
export const SYSTEM_NAMESPACE = 'kube-system';

/** Domain of the cluster's DNS. */
export const CLUSTER_DOMAIN = 'cluster.local';

/** DNS name of a Service inside the cluster. */
export function hostOf(service: string, namespace: string): string {
  return `${service}.${namespace}.svc.${CLUSTER_DOMAIN}`;
}

/** Services of the platform that more than their own folder names. */
export const SERVICE_NAMES = {
  gateway: 'gateway',
  controlApi: 'control-api',
  egress: 'egress',
  jobRouter: 'job-router',
} as const;

/** The gateway's Service, as cluster DNS names it. */
export const GATEWAY_HOST = hostOf(SERVICE_NAMES.gateway, PLATFORM_NAMESPACE);

/** Names of the PriorityClasses: the platform's own, and one for each priority of a job. */
export const PRIORITY_CLASSES = {
  /** The platform's own Pods. */
  platform: 'delos-platform',
  low: 'delos-job-low',
  normal: 'delos-job-normal',
  high: 'delos-job-high',
} as const;

/** ServiceAccount of the agent, in the platform's namespace. */
export const AGENT_ACCOUNT = 'agent';
/** ClusterRole of what the agent may do everywhere, its binding, and the admission policy that limits it. */
export const AGENT_ROLE = 'delos-agent';
/** ClusterRole of what the agent may do in one project's namespace. */
export const AGENT_PROJECT_ROLE = 'delos-agent-project';
/** Secrets with what nodes show to pull images of the platform's own registry begin so; the agent makes no other. */
export const PULL_SECRET_PREFIX = 'delos-image-pull-';
/** Secrets of one run of a job have such names; its Pod owns them, and they go with it. */
export const JOB_SECRET_PATTERN = '^job-[0-9a-f-]{36}-r[0-9]+-([0-9]+|pull)$';
/** The one key of such a Secret; of one by which the job’s image is pulled it is `.dockerconfigjson`. */
export const JOB_SECRET_KEY = 'value';
/** RoleBinding by which the agent gives itself that role in a namespace. */
export const AGENT_BINDING = AGENT_ROLE;

/** ConfigMap in the platform's namespace that says, under `version`, which release is installed; made when all else is ready. */
export const INSTALLED_CONFIG_MAP = 'installed';

/** ConfigMap with the certificate authorities that are trusted, in the platform's namespace and in each project's. */
export const AUTHORITIES_NAME = 'delos-authorities';
/** Its one key: certificates in PEM, the public authorities among them. */
export const AUTHORITIES_KEY = 'ca.pem';

/** Secret that the certificate by ACME is in, in the platform's namespace; empty until there is one. */
export const ACME_SECRET = 'gateway-acme';

/** The claim of the file storage, in the platform's namespace. */
export const FILE_STORAGE_CLAIM = 'file-storage';
/** Its volume, which has no namespace. */
export const FILE_STORAGE_VOLUME = 'delos-file-storage';
