import { stringify } from 'yaml';

/** One YAML document of plain data, lines never folded, no aliases. */
export function yamlText(data: unknown): string {
  return stringify(data, { lineWidth: 0, aliasDuplicateObjects: false });
}
