import { secretReference } from '@delos/core';
import type { Construct } from 'constructs';
import { z } from 'zod';
import type { Namespace } from '../namespace.ts';
import type { SecretKey } from '../secret.ts';
import { secretKeyOf } from './secret-reference.ts';

/** `tls` of a server that is there already, in its section of delos.yaml. */
export const tlsSection = z
  .strictObject({
    authority: secretReference.optional().describe('Where its certificate authority is, PEM; left out: a public one'),
  })
  .optional()
  .describe('Protects connections; left out: plain TCP');

/**
 * What the section says, with a Secret for the authority.
 * @param id of the Secret, where one is made
 */
export function tlsOf(
  scope: Construct,
  id: string,
  namespace: Namespace,
  given: z.infer<typeof tlsSection>,
): { readonly authority?: SecretKey } | undefined {
  if (given === undefined) return undefined;
  return given.authority === undefined ? {} : { authority: secretKeyOf(scope, id, namespace, given.authority) };
}
