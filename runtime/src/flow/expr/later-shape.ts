/**
 * What is known of a value before it is there: one value without parts, an object with fields, or a mapping, of which
 * the keys may be known too. Undefined where nothing is known.
 */
export type LaterShape =
  | { readonly is: 'one' }
  | { readonly is: 'object'; readonly fields: Readonly<Record<string, LaterShape | undefined>> }
  | { readonly is: 'mapping'; readonly keys?: ReadonlySet<string>; readonly of?: LaterShape };
