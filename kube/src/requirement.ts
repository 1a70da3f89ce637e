/** Of label selectors and of node selectors. */
export const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'] as const;
export type Operator = (typeof OPERATORS)[number];

/** What is asked of one label or field. `Gt` and `Lt` take one whole number, and are for nodes alone. */
export interface Requirement {
  readonly operator: Operator;
  readonly values: readonly string[];
}

/**
 * Whether a value meets a requirement, as apimachinery and the scheduler judge it: `NotIn` and `DoesNotExist` hold where
 * there is none.
 * @see https://pkg.go.dev/k8s.io/apimachinery/pkg/labels#Requirement.Matches
 */
export function meets({ operator, values }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return Number(value) > Number(values[0]);
    case 'Lt':
      return Number(value) < Number(values[0]);
  }
}
