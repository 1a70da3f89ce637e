import { type AuditRequest, auditRequest, DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { askRuntime } from '../../instance/runtime-command.ts';

/** Asks the control API's Pod. @throws DelosError ERR_USAGE, ERR_NOT_UP, and what it answers */
export async function askAudit(context: CommandContext, wanted: AuditRequest): Promise<unknown> {
  const parsed = auditRequest.safeParse(wanted);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new DelosError('ERR_USAGE', `--${String(issue?.path[0] ?? '')}: ${issue?.message ?? 'not accepted'}`, {
      hint: 'for example: delos audit ls --actor ann --from 2027-01-01T00:00:00Z',
    });
  }
  return await askRuntime(context, { service: 'control-api', program: 'audit', request: parsed.data, what: 'records' });
}
