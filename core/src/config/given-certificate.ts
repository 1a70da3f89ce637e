import { z } from 'zod';
import { dnsSubdomain } from '../config-fields.ts';

const path = z.string().regex(/^\/[^\0]+$/, 'expected an absolute path');
const FORMS = '{certificate: /PATH, key: /PATH} or {secret: NAME}';

/** A certificate for the gateway that is there already. The key never stands in delos.yaml. */
export const givenCertificate = z
  .strictObject({
    certificate: path
      .optional()
      .describe('File of the certificate, PEM: its own first, then each that signed the one before it'),
    key: path.optional().describe('File of its private key, PEM, without a passphrase'),
    authority: path
      .optional()
      .describe('File of the authority that clients have to trust, PEM; left out: a public one'),
    secret: dnsSubdomain
      .optional()
      .describe('In place of files: a Secret of the namespace `delos` with tls.crt, tls.key and, if need be, ca.crt'),
  })
  .superRefine(({ certificate, key, authority, secret }, context) => {
    const files = certificate !== undefined && key !== undefined;
    const any = certificate !== undefined || key !== undefined || authority !== undefined;
    if (secret === undefined ? files : !any) return;
    context.addIssue({ code: 'custom', message: `expected exactly one of ${FORMS}` });
  });
/** A certificate for the gateway that is there already. */
export type GivenCertificate = z.infer<typeof givenCertificate>;
