/*
 * What the agent writes on objects, and what it finds them by.
 */

/** On a job's Pod: the job's id, which is also the Pod's name. */
export const JOB_LABEL = 'delos.dev/job';
/** On a disk's claim: the disk's id, which is also the claim's name. */
export const DISK_LABEL = 'delos.dev/disk';
/** On a job's Pod: which of the job's runs it is, from 0. */
export const RUN_LABEL = 'delos.dev/run';
/** On a job's Pod and a disk's claim: the cluster whose agent made it. */
export const CLUSTER_LABEL = 'delos.dev/cluster';
export const PRESET_LABEL = 'delos.dev/preset';
/** On a job's Pod: the port on which the gateway may reach it. */
export const HTTP_PORT_LABEL = 'delos.dev/http-port';
/** On a node. */
export const POOL_LABEL = 'delos.dev/pool';
/** On a job's Pod: who the job belongs to (any text, hence no label). */
export const OWNER_ANNOTATION = 'delos.dev/owner';

/** The container of a job's Pod. */
export const CONTAINER = 'main';
