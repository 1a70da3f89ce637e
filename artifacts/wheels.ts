/** A Python package from an index, in one version. */
export interface PinnedWheel {
  readonly project: string;
  readonly version: string;
}

/** The official clients of the platform's API, as users install them. */
export const CLIENTS = {
  cli: { project: 'apolo-cli', version: '26.9.0' },
  sdk: { project: 'apolo-sdk', version: '26.9.0' },
  extras: { project: 'apolo-extras', version: '26.8.0' },
  flow: { project: 'apolo-flow', version: '26.7.2' },
} as const satisfies Readonly<Record<string, PinnedWheel>>;

/** What asks an API all that its own description allows, and more. */
export const SCHEMATHESIS = { project: 'schemathesis', version: '4.32.5' } as const satisfies PinnedWheel;

/** The tools that people upload packages with. */
export const UPLOADERS = {
  devpi: { project: 'devpi-client', version: '7.3.0' },
  twine: { project: 'twine', version: '7.0.0' },
} as const satisfies Readonly<Record<string, PinnedWheel>>;
