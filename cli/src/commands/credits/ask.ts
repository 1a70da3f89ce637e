import { type CreditsRequest, creditsRequest, DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { askRuntime } from '../../instance/runtime-command.ts';

/** Asks the control API's Pod. @throws DelosError ERR_USAGE, ERR_NOT_UP, and what it answers */
export async function askCredits(context: CommandContext, wanted: CreditsRequest): Promise<unknown> {
  const parsed = creditsRequest.safeParse(wanted);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new DelosError('ERR_USAGE', `${String(issue?.path[0] ?? '')}: ${issue?.message ?? 'not accepted'}`, {
      hint: 'for example: delos credits add lab 500 --why "contract of 2027"',
    });
  }
  return await askRuntime(context, {
    service: 'control-api',
    program: 'credits',
    request: parsed.data,
    what: 'credits',
  });
}

/** `lab`, or `lab/vision`. @throws DelosError ERR_USAGE */
export function holderOf(text: string): { readonly org: string; readonly project?: string } {
  const [org = '', project, ...more] = text.split('/');
  if (org === '' || project === '' || more.length > 0) {
    throw new DelosError('ERR_USAGE', `${JSON.stringify(text)} is neither an organization nor ORGANIZATION/PROJECT`, {
      hint: 'for example: lab, or lab/vision',
    });
  }
  return project === undefined ? { org } : { org, project };
}
