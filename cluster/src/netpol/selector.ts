import { meets } from '@delos/kube';
import type { Labels, Selector } from './facts.ts';

/** Label selector semantics of apimachinery: all terms must hold. */
export function selects(selector: Selector, labels: Labels): boolean {
  for (const [key, value] of Object.entries(selector.labels)) {
    if (labels[key] !== value) return false;
  }
  return selector.expressions.every((each) =>
    meets(each, Object.hasOwn(labels, each.key) ? labels[each.key] : undefined),
  );
}

/** The same text for selectors that say the same in another order. */
export function selectorKey(selector: Selector): string {
  const labels = Object.entries(selector.labels).sort(([a], [b]) => compare(a, b));
  const expressions = selector.expressions
    .map(({ key, operator, values }) => JSON.stringify([key, operator, [...new Set(values)].sort(compare)]))
    .sort(compare);
  return JSON.stringify([labels, expressions]);
}

/** By code unit: the same everywhere, whatever the locale. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
