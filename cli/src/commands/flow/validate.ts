import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DelosError } from '@delos/core';
import { type Diagnostic, expandFlow, type FlowFile, isFlow, verdict } from '@delos/flow';
import type { CommandContext } from '../../context.ts';
import { type FlowOptions, flowName, readFlow, renderAll, worldOf } from './world.ts';

/**
 * Checks files, and says everything that is wrong with them at once. Exit code 1 where there is an error or, with
 * `--strict`, a warning.
 */
export async function run(
  context: CommandContext,
  paths: readonly string[],
  options: FlowOptions & { readonly strict?: boolean },
): Promise<void> {
  const given = paths.flatMap((path) => filesOf(path).map((file) => ({ file, named: file === path })));
  const all: Diagnostic[] = [];
  let checked = 0;
  for (const { file, named } of given) {
    const parsed = readFlow(file);
    // A folder may have other YAML files too.
    if (!named && isForeign(parsed)) continue;
    checked += 1;
    all.push(...check(parsed, file, options));
  }
  if (checked === 0) {
    throw new DelosError('ERR_NOT_FOUND', `there is no flow in ${paths.join(', ')}`, {
      hint: 'flows are .yml or .yaml files with `kind:`',
    });
  }
  const diagnostics = [
    ...new Map(all.map((one) => [`${one.file}:${one.line}:${one.column}:${one.code}:${one.message}`, one])).values(),
  ];
  const errors = diagnostics.filter(({ severity }) => severity === 'error').length;
  const summary = `${checked} ${checked === 1 ? 'file' : 'files'}: ${errors} ${errors === 1 ? 'error' : 'errors'}, ${diagnostics.length - errors} warnings`;
  const ok = errors === 0 && (options.strict !== true || diagnostics.length === 0);
  context.result(
    { ok, diagnostics: diagnostics.map(shown) },
    [renderAll(diagnostics), summary].filter((text) => text !== '').join('\n\n'),
  );
  process.exitCode = ok ? 0 : 1;
}

function check(parsed: FlowFile, file: string, options: FlowOptions): readonly Diagnostic[] {
  if (parsed.kind === undefined || !isFlow(parsed.kind)) return verdict([parsed]).diagnostics;
  return expandFlow(parsed, flowName(file), { ...worldOf(file, options), openParams: true }).diagnostics;
}

/** What the document of `--json` holds of a diagnostic. */
export const shown = ({ file, line, column, severity, code, message, hint }: Diagnostic): object => ({
  file,
  line,
  column,
  severity,
  code,
  message,
  ...(hint === undefined ? {} : { hint }),
});

const isForeign = ({ block, report }: FlowFile): boolean =>
  block === undefined &&
  report
    .diagnostics()
    .some(({ code, message }) => code === 'FLOW_KIND' || (code === 'FLOW_KEY_MISSING' && message.includes('`kind`')));

function filesOf(path: string): readonly string[] {
  if (!existsSync(path))
    throw new DelosError('ERR_NOT_FOUND', `there is no file or folder ${path}`, {
      hint: 'name a flow or a folder with flows',
    });
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const inner = join(path, entry.name);
      if (entry.isDirectory()) return ['node_modules', '.git'].includes(entry.name) ? [] : filesOf(inner);
      return /\.ya?ml$/.test(entry.name) ? [inner] : [];
    });
}
