/*
 * Keys of labels and annotations: our own, and those of Kubernetes that we write or look for.
 */

/** Prefix of every key of our own. */
export const OWN_PREFIX = 'delos.dev/';

/** On a node: the pool of `delos.yaml` that it belongs to. */
export const POOL_LABEL = `${OWN_PREFIX}pool`;
/** Kubernetes' own: on nodes that the control plane runs on. */
export const CONTROL_PLANE_LABEL = 'node-role.kubernetes.io/control-plane';
/** On a project's namespace and on a job's Pod. */
export const ORG_LABEL = `${OWN_PREFIX}org`;
/** On a project's namespace and on a job's Pod. */
export const PROJECT_LABEL = `${OWN_PREFIX}project`;
/** On a job's Pod: the job's id, which is also the Pod's name. */
export const JOB_LABEL = `${OWN_PREFIX}job`;
/** On a disk's claim: the disk's id, which is also the claim's name. */
export const DISK_LABEL = `${OWN_PREFIX}disk`;
/** On a disk's volume on the embedded node: bytes that its files take. */
export const USED_BYTES = `${OWN_PREFIX}used-bytes`;
/** On a job's Pod: which of the job's runs it is, from 0. */
export const RUN_LABEL = `${OWN_PREFIX}run`;
/** On a job's Pod and a disk's claim: the cluster whose agent made it. */
export const CLUSTER_LABEL = `${OWN_PREFIX}cluster`;
/** On a job's Pod. */
export const PRESET_LABEL = `${OWN_PREFIX}preset`;
/** On a job's Pod: the port on which the router of jobs may reach it. */
export const HTTP_PORT_LABEL = `${OWN_PREFIX}http-port`;
/** On a job's Pod: who the job belongs to (any text, hence no label). */
export const OWNER_ANNOTATION = `${OWN_PREFIX}owner`;
/** On a job's Pod: the secret of its project by which its image is pulled. */
export const REGISTRY_SECRET_ANNOTATION = `${OWN_PREFIX}registry-secret`;
/** On a Pod template: changes with the configuration that it reads, so that exactly its readers are rolled. */
export const CHECKSUM_ANNOTATION = `${OWN_PREFIX}config-checksum`;
/** On a Pod of the gateway: the certificate that it shall show. A change of a Pod has the kubelet look at its Secrets. */
export const CERTIFICATE_ANNOTATION = `${OWN_PREFIX}certificate`;
/** On an object of a stack: the Pulumi resource that it is. */
export const RESOURCE_MARK = `${OWN_PREFIX}pulumi-urn`;
/** On the embedded node: its resources without a device behind them, so that those no longer asked for are taken back. */
export const FAKE_RESOURCES_ANNOTATION = `${OWN_PREFIX}fake-resources`;

/** Kubernetes: which part of the application a Pod is. */
export const NAME_LABEL = 'app.kubernetes.io/name';
/** On every object that Delos makes. */
export const PART_OF = { 'app.kubernetes.io/part-of': 'delos' } as const;
/** On what is made by no stack, but by a running part: the agent, the embedded engine. */
export const MANAGED = { 'app.kubernetes.io/managed-by': 'delos' } as const;
/** On everything that the agent makes. */
export const MANAGED_BY = { ...MANAGED, ...PART_OF } as const;

/** Kubernetes: a namespace's own name, to select it by. */
export const NAMESPACE_NAME_LABEL = 'kubernetes.io/metadata.name';
/** Pod Security level that the API server enforces in a namespace. */
export const ENFORCE_LABEL = 'pod-security.kubernetes.io/enforce';
/** Pod Security level that the API server warns of. */
export const WARN_LABEL = 'pod-security.kubernetes.io/warn';
/** Pod Security level that the API server notes the violations of. */
export const AUDIT_LABEL = 'pod-security.kubernetes.io/audit';

/** Kubernetes: on an EndpointSlice, the Service that it belongs to. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
/** Kubernetes: `true` on the StorageClass that volumes get who name none. */
export const DEFAULT_CLASS_ANNOTATION = 'storageclass.kubernetes.io/is-default-class';
/** On the cluster's own parts: which one it is. */
export const SYSTEM_APP_LABEL = 'k8s-app';
/** What selects the Pods, and the Services, of cluster DNS. */
export const CLUSTER_DNS = { [SYSTEM_APP_LABEL]: 'kube-dns' } as const;
export const CLUSTER_DNS_SELECTOR = `${SYSTEM_APP_LABEL}=${CLUSTER_DNS[SYSTEM_APP_LABEL]}`;

/** Annotation of a workload whose containers read their secrets' files anew for each use: a changed one restarts nothing. */
export const REREADS_ANNOTATION = `${OWN_PREFIX}rereads-secrets`;

/** On all that a check of storage makes: the run of it. Nothing of it stays. */
export const STORAGE_CHECK_LABEL = `${OWN_PREFIX}storage-check`;
