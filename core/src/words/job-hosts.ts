/*
 * What the control API, the router of jobs and the gateway must say alike about the addresses of jobs.
 */

/** Where the control API tells the router which job an address leads to. No way from outside leads there. */
export const JOB_HOSTS_PATH = '/internal/job-hosts';
/** Where a browser's login to a job begins and ends, at the platform's origin. */
export const JOB_LOGIN_PATH = '/job-login';
