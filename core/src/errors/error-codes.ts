/** What is known of a code before it happens. Exit codes: 1 unexpected, 2 usage, 3 bad input, 4 the machine or cluster
 * is not ready, 5 a deployment or job failed, 6 a wait ended, 7 not found, 8 refused, 130 interrupted. */
interface ErrorCodeInfo {
  readonly title: string;
  readonly exitCode: number;
}

/** Every stable error code. Each has a page docs/errors/CODE.md; codes are never renamed or reused. */
export const ERROR_CODES = {
  ERR_INTERNAL: { title: 'Something failed that should not have', exitCode: 1 },
  ERR_USAGE: { title: 'The command line is not understood', exitCode: 2 },
  ERR_INTERRUPTED: { title: 'Interrupted; the same command goes on', exitCode: 130 },

  ERR_CONFIG_SYNTAX: { title: 'A file is not valid YAML', exitCode: 3 },
  ERR_CONFIG_KEY: { title: 'A configuration key is not known', exitCode: 3 },
  ERR_CONFIG_VALUE: { title: 'A configuration value is not accepted', exitCode: 3 },
  ERR_CSV: { title: 'A CSV file is not as expected', exitCode: 3 },
  ERR_BACKUP: { title: 'A backup could not be written or read whole', exitCode: 5 },
  ERR_BUNDLE: { title: 'A bundle cannot be believed, or is not whole', exitCode: 8 },
  ERR_BUNDLE_CONTENT: { title: 'What a bundle shall have is not pinned, not found, or unsafe', exitCode: 3 },
  ERR_BUNDLE_IMPORT: { title: 'A bundle was not imported to its end', exitCode: 5 },
  ERR_UPGRADE_REFUSED: { title: 'An upgrade is not safe, and was not begun', exitCode: 8 },
  ERR_UPGRADE_FAILED: { title: 'An upgrade failed, and was undone', exitCode: 5 },
  ERR_CONFIG_NOT_FOUND: { title: 'The configuration file is not there', exitCode: 3 },

  ERR_PREFLIGHT: { title: 'The machine is not ready', exitCode: 4 },
  ERR_NOT_ROOT: { title: 'The embedded engine needs root', exitCode: 4 },
  ERR_PORT_TAKEN: { title: 'A needed port is taken', exitCode: 4 },
  ERR_DISK_SPACE: { title: 'Not enough disk space', exitCode: 4 },
  ERR_TOOL_UNAVAILABLE: { title: 'A pinned tool could be neither found, fetched nor built', exitCode: 4 },
  ERR_TOOL_CHECKSUM: { title: 'A fetched file does not have the pinned checksum', exitCode: 4 },
  ERR_CLUSTER_UNREACHABLE: { title: 'The Kubernetes API server does not answer', exitCode: 4 },
  ERR_CLUSTER_CONTEXT: { title: 'A cluster that is not local needs an explicit choice', exitCode: 4 },
  ERR_CLUSTER_START: { title: 'The cluster did not start', exitCode: 5 },
  ERR_IMAGE_BUILD: { title: 'An image could not be built', exitCode: 5 },
  ERR_IMAGE_UNKNOWN: { title: 'An image is not in the catalogue', exitCode: 7 },

  ERR_DEPLOY: { title: 'The deployment failed', exitCode: 5 },
  ERR_DNS: { title: 'A DNS server did not take records', exitCode: 5 },
  ERR_NOT_READY: { title: 'An object did not become ready in time', exitCode: 6 },
  ERR_LOCKED: { title: 'Another run holds this instance', exitCode: 8 },
  ERR_NOT_UP: { title: 'This instance is not up', exitCode: 7 },
  ERR_NOT_FOUND: { title: 'No such thing', exitCode: 7 },
  ERR_TIMEOUT: { title: 'A wait reached its limit', exitCode: 6 },

  ERR_UNAUTHENTICATED: { title: 'The token is missing, expired or not valid', exitCode: 8 },
  ERR_FORBIDDEN: { title: 'Not permitted', exitCode: 8 },
  ERR_REQUEST: { title: 'The request is not valid', exitCode: 3 },
  ERR_UNKNOWN_JOB: { title: 'No such job', exitCode: 7 },
  ERR_UNKNOWN_PRESET: { title: 'No such preset', exitCode: 3 },
  ERR_QUOTA_EXCEEDED: { title: 'The quota does not allow it', exitCode: 8 },
  ERR_BUSY: { title: 'Too much at once', exitCode: 8 },
  ERR_TOO_MANY_REQUESTS: { title: 'Asked too often', exitCode: 8 },
  ERR_CONFLICT: { title: 'It conflicts with what is there', exitCode: 8 },
  ERR_NOT_IMPLEMENTED: { title: 'This service is not part of this release', exitCode: 8 },
} as const satisfies Record<string, ErrorCodeInfo>;

export type ErrorCode = keyof typeof ERROR_CODES;
