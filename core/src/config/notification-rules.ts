import type { Notifications } from './notifications.ts';
import type { RuleFault } from './rule-fault.ts';

/** What must hold between the fields of `notifications`. */
export function notificationFaults({ email, webhooks, slack, pagerduty }: Notifications): readonly RuleFault[] {
  return [
    ...(email === undefined ? [] : mailFaults(email)),
    ...webhooks.flatMap((webhook, index) => webhookFaults(webhook, index)),
    ...Object.entries({ webhooks, slack, pagerduty }).flatMap(([kind, all]) => twice(kind, all)),
  ];
}

function mailFaults({ user, password, tls }: NonNullable<Notifications['email']>): readonly RuleFault[] {
  const fault = (key: string, message: string): readonly RuleFault[] => [
    { path: ['notifications', 'email', key], message },
  ];
  if (user !== undefined && password === undefined) {
    return fault('user', 'a user needs `password`, which says where the password is');
  }
  if (user === undefined && password !== undefined) return fault('password', 'a password needs `user`');
  if (tls === 'off' && password !== undefined) {
    return fault('tls', 'a password is not sent over a connection that is not protected: expected `starttls` or `tls`');
  }
  return [];
}

function webhookFaults(
  { name, url, secretUrl }: Notifications['webhooks'][number],
  index: number,
): readonly RuleFault[] {
  if ((url === undefined) !== (secretUrl === undefined)) return [];
  const found = url === undefined ? 'neither' : 'both';
  const message = `webhook \`${name}\`: expected \`url\` or \`secretUrl\`, found ${found}`;
  return [{ path: ['notifications', 'webhooks', index, url === undefined ? 'name' : 'secretUrl'], message }];
}

function twice(kind: string, all: readonly { readonly name: string }[]): readonly RuleFault[] {
  return all.flatMap(({ name }, index) => {
    const first = all.findIndex((other) => other.name === name);
    if (first === index) return [];
    const message = `\`${name}\` is there already, as entry ${first + 1}: names are unique`;
    return [{ path: ['notifications', kind, index, 'name'], message }];
  });
}
