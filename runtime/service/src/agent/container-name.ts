/** The container of a job's Pod. */
export const CONTAINER = 'main';
