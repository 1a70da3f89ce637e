/** A fault that no single field shows. */
export interface RuleFault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}
