import { DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { allChecks } from '../../instance/preflight.ts';
import { readSettings } from '../../instance/settings.ts';
import { checkStorage } from '../../instance/storage-checks.ts';
import { table } from '../../table.ts';

/**
 * Lists every check. Changes nothing, not even the instance's own state; with `--storage` it makes volumes in the cluster, and takes
 * them away again.
 */
export async function run(
  context: CommandContext,
  options: { readonly config?: string; readonly context?: string; readonly storage?: boolean },
): Promise<void> {
  const { config, file } = await readSettings(context, options.config);
  const machine = await allChecks(context, config, options.context);
  // Where there is no cluster, all has been said.
  const reachable = machine.every(({ id, ok }) => ok || id !== 'cluster.reachable');
  const storage = options.storage === true && reachable ? await checkStorage(context, config, options.context) : [];
  const checks = [...machine, ...storage];
  const failed = checks.filter(({ ok, fatal }) => !ok && fatal);
  const rows = checks.map(({ id, ok, fatal, measured, needed, fix }) => [
    ok ? 'ok' : fatal ? 'FAILED' : 'warning',
    id,
    measured,
    needed,
    ok ? '' : fix,
  ]);
  context.result(
    { ok: failed.length === 0, config: file ?? null, checks },
    table(['', 'CHECK', 'MEASURED', 'NEEDED', 'WHAT TO DO'], rows),
  );
  if (failed.length === 0) return;
  const ids = failed.map(({ id }) => id).join(', ');
  const error = new DelosError('ERR_PREFLIGHT', `${failed.length} of ${checks.length} checks failed: ${ids}`, {
    hint: 'the last column says what to do',
  });
  // The document is printed already. The error adds its words and the exit code.
  process.stderr.write(`${error.render()}\n`);
  process.exitCode = error.exitCode;
}
