/** Version of this release of Delos. */
export const RELEASE = '0.1.0';
