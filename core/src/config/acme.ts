import { z } from 'zod';
import { email } from '../config-fields.ts';
import { webUrl } from './notifications.ts';

/** A certificate by ACME (RFC 8555), confirmed by records in DNS. */
export const acme = z.strictObject({
  directory: webUrl
    .refine((url) => url.startsWith('https:'), 'expected an address that begins with https://')
    .default('https://acme-v02.api.letsencrypt.org/directory')
    .describe('Directory of the ACME server'),
  email: email.optional().describe('Whom the server may write to'),
  acceptTerms: z.literal(true).describe('You accept the terms of service of that server: true'),
  waitSeconds: z
    .number()
    .int()
    .min(0)
    .max(600)
    .default(15)
    .describe('How long the servers of the zone may take to hear of a record, in seconds'),
});
/** A certificate by ACME. */
export type AcmeSection = z.infer<typeof acme>;
