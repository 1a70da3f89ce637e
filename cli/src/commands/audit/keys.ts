import { auditKeyRecords } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { askAudit } from './ask.ts';

/** The public keys that have signed checkpoints, PEM: to be kept where the platform's operators cannot change them. */
export async function run(context: CommandContext): Promise<void> {
  const keys = auditKeyRecords.parse(await askAudit(context, { action: 'keys' }));
  context.result({ keys }, keys.map(({ publicKey }) => publicKey.trim()).join('\n'));
}
