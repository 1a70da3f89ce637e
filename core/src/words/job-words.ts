/*
 * States of a job: those that its user sees, those that the platform keeps, and those that the agent reports of its Pod.
 */

/**
 * States as the official client names them. pending → running → succeeded | failed | cancelled; `suspended` is a job
 * that ran and waits again (preemptible work). A job may fail or be cancelled while pending.
 */
export const LIVE_STATUSES = ['pending', 'suspended', 'running'] as const;
/** States that end a job against its will. */
export const UNWANTED_ENDS = ['failed', 'cancelled'] as const;
export const TERMINAL_STATUSES = ['succeeded', ...UNWANTED_ENDS] as const;
export const JOB_STATUSES = [...LIVE_STATUSES, ...TERMINAL_STATUSES] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];
/** How a job ends that is told to. */
export type UnwantedEnd = (typeof UNWANTED_ENDS)[number];
export const TERMINAL: ReadonlySet<string> = new Set(TERMINAL_STATUSES);

/** Steps that a job takes with us, in their order. `queued` may come again after `archived`. */
export const JOB_PHASES = ['queued', 'admitted', 'running', 'stopping', 'ended', 'archived', 'gone'] as const;
export type JobPhase = (typeof JOB_PHASES)[number];
/** Phases in which a job holds resources of a node, or is about to. */
export const ACTIVE_PHASES: readonly JobPhase[] = ['admitted', 'running', 'stopping'];
/** Phases in which a container of the job runs. */
export const RUNNING_PHASES: readonly JobPhase[] = ['running', 'stopping'];
/** Phases in which there is something to decide of a job, or to wait for. */
export const OPEN_PHASES: readonly JobPhase[] = ['queued', ...ACTIVE_PHASES, 'ended'];
/** Phases in which a job has no Pod. */
export const PHASES_WITHOUT_POD: readonly JobPhase[] = ['queued', 'gone'];

/** What an agent sees of a job's Pod. `absent`: no such Pod though one had been seen, or none at a `stop`. */
export const POD_PHASES = ['pending', 'running', 'succeeded', 'failed', 'absent'] as const;

export const RESTART_POLICIES = ['never', 'on-failure', 'always'] as const;
export const JOB_PRIORITIES = ['low', 'normal', 'high'] as const;
/** Levels of Pod Security. */
export const SECURITY_LEVELS = ['baseline', 'restricted', 'privileged'] as const;
