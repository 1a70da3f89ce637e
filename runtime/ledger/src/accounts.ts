/*
 * Where credits are. An account is a text, which says what it is of: its kind, a colon, and a name. What one account has
 * less, others have more: all of them together are always zero.
 */

export type Account = string;

/** Where all credits come from: what was handed out, negative. */
export const GRANTS: Account = 'platform:grants';
/** What was charged, less what was given back. */
export const REVENUE: Account = 'platform:revenue';

/** What an organization has left. */
export const organizationAccount = (organization: string): Account => `organization:${organization}`;

/** What was set aside for one project. */
export const projectAccount = (organization: string, project: string): Account => `project:${organization}/${project}`;

/** What one run of a job has set aside. */
export const holdAccount = (job: string, run: number): Account => `hold:${job}/${run}`;

/** Whether nobody may be in debt there: credits are taken from it only while it has some. */
export const isHold = (account: Account): boolean => account.startsWith('hold:');
