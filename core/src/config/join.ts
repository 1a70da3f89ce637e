import { z } from 'zod';
import { addressRange, dnsLabel } from '../config-fields.ts';
import { isLoopback } from '../loopback.ts';
import { webUrl } from './notifications.ts';
import { secretReference } from './secret-reference.ts';

/** A platform's public URL: scheme, host and port alone. */
const platformUrl = webUrl.superRefine((text, context) => {
  const url = URL.parse(text);
  // What is no URL of the web has been told already.
  if (url === null || !/^https?:$/.test(url.protocol)) return;
  const fault = isLoopback(url.hostname)
    ? 'Pods have a loopback of their own: the platform needs a name or address that they reach'
    : url.pathname !== '/' || url.search !== ''
      ? 'leave out the path'
      : undefined;
  if (fault !== undefined) context.addIssue({ code: 'custom', message: `expected the URL of a platform: ${fault}` });
});

/** Whether, and how, this cluster runs the jobs of a platform elsewhere. */
export const join = z
  .strictObject({
    platform: platformUrl
      .optional()
      .describe('Public URL of the platform. Its agent and collectors dial there; nothing dials in'),
    cluster: dnsLabel.optional().describe('The name that this cluster has there'),
    token: secretReference
      .optional()
      .describe(
        'Where the join token is that `delos clusters token` printed there. It is used once, and good for nothing afterwards',
      ),
    authority: z
      .string()
      .regex(/^\/[^\0]+$/, 'expected an absolute path')
      .optional()
      .describe('File in PEM with the certificate authority of the platform; left out: a public one'),
    addresses: z
      .array(addressRange)
      .max(50)
      .default([])
      .describe('IP addresses and ranges of the platform, for NetworkPolicies; left out: every address at its port'),
  })
  .superRefine((given, context) => {
    const lacking = (['platform', 'cluster', 'token'] as const).filter((key) => given[key] === undefined);
    if (lacking.length === 0 || (lacking.length === 3 && given.authority === undefined)) return;
    context.addIssue({ code: 'custom', message: `\`${lacking.join('` and `')}\` is missing` });
  });
/** The section `join`. */
export type Join = z.infer<typeof join>;
