import { isDeepStrictEqual } from 'node:util';
import { expandFlow, formatFlow, isFlow, parseFlowFile } from '@delos/flow';
import { worldOf } from '../../flow/cases.ts';
import { CORPUS } from '../../flow/corpus.ts';
import { bothForms } from '../../flow/yaml-form.ts';
import type { Target } from '../engine.ts';

const cases = Object.values(CORPUS);
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const others = Object.assign({}, ...cases.map(({ files }) => files)) as Readonly<Record<string, string>>;

/** Whole files: whatever is read, the answer is a verdict whose places lie in the file; both readers agree. */
export const target: Target = {
  seeds: cases.map(({ files, path }) => encode(files[path] as string)),
  run: (input) => {
    const text = decoder.decode(input);
    const { quick, slow } = bothForms(text) ?? {};
    if (!isDeepStrictEqual(quick, slow)) throw new Error('the quick reader and the full one differ');
    const file = parseFlowFile('flow.yml', text);
    if (file.kind !== undefined && isFlow(file.kind)) expandFlow(file, 'flow', worldOf(others));
    const lines = text.split(/\r\n?|\n/).length;
    for (const { line, column, code } of file.report.diagnostics())
      if (line < 1 || line > lines || column < 1) throw new Error(`${code} lies at ${line}:${column}`);
    const formatted = formatFlow(text, file.kind);
    if (formatted !== undefined && formatFlow(formatted, file.kind) !== formatted)
      throw new Error('formatting a second time changes something');
  },
};
