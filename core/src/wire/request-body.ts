/** Largest body of a request, in bytes: the same at the gateway and at the control API behind it. */
export const MAX_BODY_BYTES = 2 ** 20;

/** What is said of a larger one, with status 413 (RFC 9110, 15.5.14). */
export const BODY_TOO_LARGE = `the request is larger than ${MAX_BODY_BYTES / 2 ** 20} MiB, the most that the API takes; put data into an image or fetch it from within the job`;
