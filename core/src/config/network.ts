import { z } from 'zod';
import { addressRange } from '../config-fields.ts';
import { isLoopback } from '../loopback.ts';
import { webUrl } from './notifications.ts';
import type { RuleFault } from './rule-fault.ts';
import { secretReference } from './secret-reference.ts';

/** A proxy: scheme, host and port alone. */
const proxyUrl = webUrl.superRefine((text, context) => {
  const url = URL.parse(text);
  // What is no URL of the web has been told already.
  if (url === null || !/^https?:$/.test(url.protocol)) return;
  const fault = isLoopback(url.hostname)
    ? 'Pods have a loopback of their own: name the proxy by an address that they reach'
    : url.pathname !== '/' || url.search !== ''
      ? 'leave out the path'
      : undefined;
  if (fault !== undefined) context.addIssue({ code: 'custom', message: `expected a URL of a proxy: ${fault}` });
});

/** Names and ranges as the variable NO_PROXY has them. */
const direct = z
  .string()
  .max(253)
  .regex(
    /^(\*?\.)?[a-zA-Z0-9]([a-zA-Z0-9.:-]*[a-zA-Z0-9])?(\/\d{1,3})?$/,
    'expected a host such as git.example.com, all below a domain such as .example.com, an address or a range',
  );

/** The way out of the cluster, in a network that lets nothing out directly. */
export const network = z.strictObject({
  proxy: z
    .strictObject({
      http: proxyUrl.optional().describe('Proxy for http://; left out: that for https://'),
      https: proxyUrl.optional().describe('Proxy for https://, asked by CONNECT; left out: that for http://'),
      no: z
        .array(direct)
        .max(200)
        .default([])
        .describe(
          'What is reached without it: hosts, `.example.com` for all below a domain, addresses and ranges. The cluster’s own names and ranges always are',
        ),
      credentials: secretReference.optional().describe('Where its `USER:PASSWORD` is. One Pod alone reads it'),
      addresses: z
        .array(addressRange)
        .max(50)
        .default([])
        .describe('Its IP addresses and ranges, for NetworkPolicies; left out: every address at its port'),
    })
    .optional()
    .describe('What dials out of the cluster does it by this proxy'),
  authorities: z
    .array(z.string().regex(/^\/[^\0]+$/, 'expected an absolute path'))
    .max(50)
    .default([])
    .describe(
      'Files in PEM with further certificate authorities, which are trusted beside the public ones and the platform’s own. They are read at each deployment',
    ),
  jobs: z
    .strictObject({
      proxy: z.boolean().default(false).describe('Jobs may use the proxy, and find it in their environment'),
      authorities: z
        .boolean()
        .optional()
        .describe(
          'Jobs get the authorities as a file, and find it in their environment; left out: where there are any',
        ),
    })
    .prefault({})
    .describe('What of it jobs have'),
});
/** The way out of the cluster. */
export type NetworkSection = z.infer<typeof network>;
/** The proxy of a site. */
export type SiteProxy = NonNullable<NetworkSection['proxy']>;

/** What must hold between the fields of `network`. */
export function networkFaults({ proxy, jobs }: NetworkSection, engine: string): readonly RuleFault[] {
  if (proxy === undefined) {
    return jobs.proxy ? [{ path: ['network', 'jobs', 'proxy'], message: 'there is no `network.proxy`' }] : [];
  }
  const path = ['network', 'proxy'];
  if (proxy.http === undefined && proxy.https === undefined) {
    return [{ path, message: 'expected `http`, `https` or both' }];
  }
  if (proxy.credentials === undefined || proxy.credentials.file !== undefined || engine === 'existing') return [];
  const message =
    'the nodes that Delos starts pull images by the proxy before there is a Secret: expected {file: /PATH}, or `cluster.engine: existing`';
  return [{ path: [...path, 'credentials'], message }];
}
