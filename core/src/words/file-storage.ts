/*
 * The file storage, as its program (artifacts/go/files) has it.
 */

/** Path of the platform's one origin below which it is: `/ORG/PROJECT/PATH` follows. */
export const FILE_STORAGE_PATH = '/api/v1/storage';
/** Where the control API says what a caller may do in projects. The gateway leads nobody there. */
export const FILE_STORAGE_RIGHTS = '/rights';

/** Volumes and claims of a project's files in a namespace of jobs begin so; the agent makes no other volume. */
export const PROJECT_FILES_PREFIX = 'delos-files-';
