/** What is wrong with an input, by its path. */
export interface Failure {
  readonly property: string;
  readonly reason: string;
}
