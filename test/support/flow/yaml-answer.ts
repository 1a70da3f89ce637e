import { composeYaml, Moment, type YamlNode } from '@delos/flow';

/** The authority's answer for a text: `root` is its nodes. */
export interface TheirYaml {
  readonly root?: unknown;
  readonly refused?: string;
}

/** How the readings of a text differ, or undefined where they agree. */
export function yamlDiffers(text: string, theirs: TheirYaml): string | undefined {
  const { root, faults } = composeYaml(text);
  // Tags beyond the plain types are refused on purpose.
  if (faults.some(({ kind }) => kind === 'tag')) return undefined;
  const [fault] = faults;
  if (theirs.refused !== undefined)
    return fault === undefined && root !== undefined ? `read here; there: ${theirs.refused}` : undefined;
  if (fault !== undefined) {
    if (/^(?:the file is empty|nested more than|aliases stand for)/.test(fault.message)) return undefined;
    return `refused here: ${fault.message} at ${fault.start}; there: ${JSON.stringify(theirs.root)}`;
  }
  const marks = !/[&!]/.test(text);
  const our = JSON.stringify(root === undefined ? null : formOf(root, text, marks));
  const their = JSON.stringify(marks ? theirs.root : withoutMarks(theirs.root));
  return our === their ? undefined : `${our} | ${their}`;
}

function formOf(node: YamlNode, text: string, marks: boolean): unknown {
  if (node.kind === 'sequence') return ['seq', node.items.map((item) => formOf(item, text, marks))];
  if (node.kind === 'mapping')
    return ['map', node.entries.map((pair) => pair.map((part) => formOf(part, text, marks)))];
  const empty = node.start === node.end;
  const at = marks && !empty ? [[...text.slice(0, node.start)].length] : [];
  return [typeOf(node.value), node.text, ...at];
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (value instanceof Moment) return 'timestamp';
  return { boolean: 'bool', bigint: 'int', number: 'float', string: 'str' }[typeof value as 'string'] as string;
}

/** Nodes without their places: those of nodes with an anchor or a tag begin there, and empty ones where another begins. */
export function withoutMarks(form: unknown): unknown {
  if (!Array.isArray(form)) return form;
  if (typeof form[0] === 'string' && form.length === 3) return form.slice(0, 2);
  return form.map(withoutMarks);
}
