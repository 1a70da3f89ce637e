import { stringify } from 'yaml';

/**
 * One YAML document of plain data, lines never folded, no aliases. Text that YAML 1.1 would read as something else (`no`, `on`) is
 * quoted: kubectl reads it so.
 */
export function yamlText(data: unknown): string {
  return stringify(data, { lineWidth: 0, aliasDuplicateObjects: false, compat: 'yaml-1.1' });
}
