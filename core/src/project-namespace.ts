import { createHash } from 'node:crypto';

/*
 * A project's namespace, and the agent's rights there. What the agent makes and what the cluster lets it make are told
 * by the same names.
 */

/** On a project's namespace and on a job's Pod. */
export const ORG_LABEL = 'delos.dev/org';
/** On a project's namespace and on a job's Pod. */
export const PROJECT_LABEL = 'delos.dev/project';
/** On everything that the agent makes. */
export const MANAGED_BY = { 'app.kubernetes.io/managed-by': 'delos', 'app.kubernetes.io/part-of': 'delos' } as const;
/** Pod Security level that the API server enforces in a namespace. */
export const ENFORCE_LABEL = 'pod-security.kubernetes.io/enforce';
/** Pod Security level that the API server notes the violations of. */
export const AUDIT_LABEL = 'pod-security.kubernetes.io/audit';

/** ServiceAccount of the agent, in the platform's namespace. */
export const AGENT_ACCOUNT = 'agent';
/** ClusterRole of what the agent may do in one project's namespace. */
export const AGENT_PROJECT_ROLE = 'delos-agent-project';
/** RoleBinding by which the agent gives itself that role in a namespace. */
export const AGENT_BINDING = 'delos-agent';

/** Longest readable part: with hyphen and digest it makes a DNS label of at most 63 characters. */
export const READABLE_LENGTH = 54;

/**
 * A project's namespace: `job-ORG-PROJECT-DIGEST`. Names alone would be ambiguous (`a-b`/`c` and `a`/`b-c`) and may be
 * too long for one DNS label, so a digest of both is part of it.
 */
export function projectNamespace(org: string, project: string): string {
  const digest = createHash('sha256').update(`${org}/${project}`).digest('hex').slice(0, 8);
  const readable = `job-${org}-${project}`.slice(0, READABLE_LENGTH).replace(/-+$/, '');
  return `${readable}-${digest}`;
}
