/**
 * The shape of a value that comes later: one value without parts, an object with fields, or a mapping. The keys of a
 * mapping may be known too. Undefined where nothing is known.
 */
export type LaterShape =
  | { readonly is: 'one' }
  | { readonly is: 'object'; readonly fields: Readonly<Record<string, LaterShape | undefined>> }
  | { readonly is: 'mapping'; readonly keys?: ReadonlySet<string>; readonly of?: LaterShape };
