/** Largest body of a request, in bytes: the same at the gateway and at the control API behind it. */
export const MAX_BODY_BYTES = 2 ** 20;

/**
 * Most bytes of all texts of one job together: command, environment, tags and so on. A Pod's manifest, which holds them, is
 * at most 1.5 MiB, and a container's arguments and environment together a few hundred KiB.
 */
export const MAX_JOB_TEXT_BYTES = 256 * 1024;

/** Most bytes of one argument, or of one variable with its name: Linux's MAX_ARG_STRLEN, less the final NUL. */
export const MAX_ARGUMENT_BYTES = 128 * 1024 - 1;

/** What is said of a larger one, with status 413 (RFC 9110, 15.5.14). */
export const BODY_TOO_LARGE = `the request is larger than ${MAX_BODY_BYTES / 2 ** 20} MiB, the most that the API takes; put data into an image or fetch it from within the job`;
