/*
 * The object storage, as its program (artifacts/go/objects) has it.
 */

/** Path of the platform's one origin under which buckets are. */
export const OBJECT_PATH = '/s3';
/** The region that requests to it are signed for: what clients take where nobody names one. */
export const OBJECT_REGION = 'us-east-1';
