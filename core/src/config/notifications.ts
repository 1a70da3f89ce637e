import { z } from 'zod';
import { dnsLabel, email, plainText } from '../config-fields.ts';
import { secretReference } from './secret-reference.ts';

/*
 * The people and services that the platform tells about faults. This section holds no secret, only where each one is.
 */

/** An address of http that holds no secret in its user or password. */
export const webUrl = z
  .string()
  .max(2000)
  .superRefine((text, context) => {
    const fault = urlFault(text);
    if (fault === undefined) return;
    context.addIssue({ code: 'custom', message: `expected a URL such as https://hooks.example.com/alerts: ${fault}` });
  });

function urlFault(text: string): string | undefined {
  if (!URL.canParse(text)) return 'that is no URL';
  const { protocol, username, password, hash } = new URL(text);
  if (protocol !== 'https:' && protocol !== 'http:') return `it begins with ${protocol}, not with https: or http:`;
  if (username !== '' || password !== '') return 'it has a user or a password in it, which a Secret has to hold';
  return hash === '' ? undefined : 'leave out what is behind #, which is never sent';
}

/** `host:port` of a mail server. */
const smtpServer = z.string().superRefine((text, context) => {
  const [, host = '', port = ''] = /^([^:]+):(\d{1,5})$/.exec(text) ?? [];
  const good = /^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$/.test(host) && Number(port) >= 1 && Number(port) <= 65_535;
  if (!good) context.addIssue({ code: 'custom', message: 'expected HOST:PORT, such as mail.example.com:587' });
});

const least = z
  .enum(['warning', 'critical'])
  .default('warning')
  .describe('Least severity that is told. critical: only what somebody has to look at now');
const name = dnsLabel.describe('A name for it, different from the others of its kind');

const mail = z.strictObject({
  server: smtpServer.describe('HOST:PORT of the mail server'),
  from: email.describe('Address that mails come from'),
  to: z.array(email).min(1).max(50).describe('Addresses that mails go to'),
  user: plainText.optional().describe('Name that the server is signed in to with'),
  password: secretReference.optional().describe('Where its password is'),
  tls: z
    .enum(['starttls', 'tls', 'off'])
    .default('starttls')
    .describe('How the connection is protected. off: not at all, and without a password'),
  severity: least,
});

const webhook = z.strictObject({
  name,
  url: webUrl.optional().describe('Where alerts are posted to, in Alertmanager’s JSON'),
  secretUrl: secretReference.optional().describe('Where that address is, if it is a secret itself'),
  token: secretReference.optional().describe('Where a token is that is sent along (Authorization: Bearer)'),
  severity: least,
});

const slack = z.strictObject({
  name,
  channel: z
    .string()
    .regex(/^[#@]\S{1,80}$/, 'expected a channel such as "#alerts", in quotes, or a person such as "@ann"')
    .describe('Channel, in quotes'),
  url: secretReference.describe('Where the address of Slack’s incoming webhook is'),
  severity: least,
});

const pagerduty = z.strictObject({
  name,
  routingKey: secretReference.describe('Where the integration key (Events API v2) is'),
  severity: least,
});

const MOST = 20;

/** Whom the platform tells. */
export const notifications = z.strictObject({
  email: mail.optional().describe('Mails'),
  webhooks: z.array(webhook).max(MOST).default([]).describe('HTTP services'),
  slack: z.array(slack).max(MOST).default([]).describe('Slack channels'),
  pagerduty: z.array(pagerduty).max(MOST).default([]).describe('PagerDuty services'),
  repeatHours: z
    .number()
    .int()
    .min(1)
    .max(168)
    .default(4)
    .describe('What is still wrong after so many hours is told again'),
});
export type Notifications = z.infer<typeof notifications>;
