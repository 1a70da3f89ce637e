import { describe, expect, test } from 'vitest';
import { expectRefused, problemsOf } from '../../support/config-problems.ts';

const MAIL = 'server: "mail.example.com:587", from: a@example.com, to: [b@example.com]';

describe('notifications that could not be sent are refused at their place in the file', () => {
  test.each([
    [
      'a URL of another kind',
      'webhooks: [{name: a, url: ▸"ftp://example.com/a"}]',
      'webhooks[0].url',
      /begins with ftp:/,
    ],
    ['no URL at all', 'webhooks: [{name: a, url: ▸"hooks.example.com"}]', 'webhooks[0].url', /that is no URL/],
    [
      'a password in a URL',
      'webhooks: [{name: a, url: ▸"https://u:p@example.com/"}]',
      'webhooks[0].url',
      /which a Secret has to hold/,
    ],
    [
      'neither a URL nor where it lies',
      'webhooks: [{name: ▸a}]',
      'webhooks[0].name',
      /expected `url` or `secretUrl`, found neither/,
    ],
    [
      'both a URL and where it lies',
      'webhooks: [{name: a, url: "https://example.com/", secretUrl: ▸{secret: {name: s, key: k}}}]',
      'webhooks[0].secretUrl',
      /found both/,
    ],
    [
      'a name that another has',
      'webhooks: [{name: a, url: "https://example.com/"}, {name: ▸a, url: "https://example.com/"}]',
      'webhooks[1].name',
      /`a` is there already, as entry 1/,
    ],
    [
      'a mail server without a port',
      'email: {server: ▸mail.example.com, from: a@example.com, to: [b@example.com]}',
      'email.server',
      /expected HOST:PORT/,
    ],
    [
      'a mail server with a port that there is not',
      'email: {server: ▸"m.example.com:99999", from: a@example.com, to: [b@example.com]}',
      'email.server',
      /expected HOST:PORT/,
    ],
    [
      'nobody to write to',
      'email: {server: "m.example.com:25", from: a@example.com, to: ▸[]}',
      'email.to',
      /at least 1|>=1|1 item/,
    ],
    ['a user without a password', `email: {${MAIL}, user: ▸u}`, 'email.user', /a user needs `password`/],
    [
      'a password without a user',
      `email: {${MAIL}, password: ▸{secret: {name: s, key: k}}}`,
      'email.password',
      /needs `user`/,
    ],
    [
      'a password over a connection that is not protected',
      `email: {${MAIL}, user: u, password: {secret: {name: s, key: k}}, tls: ▸off}`,
      'email.tls',
      /not protected: expected `starttls` or `tls`/,
    ],
    [
      'a channel without its sign',
      'slack: [{name: a, channel: ▸ops, url: {secret: {name: s, key: k}}}]',
      'slack[0].channel',
      /expected a channel such as "#alerts"/,
    ],
    [
      'a Secret that cannot be named so',
      'slack: [{name: a, channel: "#ops", url: {secret: {name: ▸Slack, key: k}}}]',
      'slack[0].url.secret.name',
      /lower-case letters/,
    ],
    [
      'a key that no Secret has',
      'pagerduty: [{name: a, routingKey: {secret: {name: s, key: ▸"a b"}}}]',
      'pagerduty[0].routingKey.secret.key',
      /expected letters, digits/,
    ],
    [
      'a value where its place is asked for',
      'pagerduty: [{name: a, routingKey: ▸R0UT1NG}]',
      'pagerduty[0].routingKey',
      /expected/,
    ],
    ['no time to tell again', 'repeatHours: ▸0', 'repeatHours', />=1|at least 1/],
  ])('%s', (_, entry, field, says) => {
    expectRefused(`notifications: {${entry}}\n`, `notifications.${field}`, says);
  });

  test('a field that is missing is named, with where it should be', () => {
    const [problem, ...more] = problemsOf('notifications:\n  slack:\n    - {name: a, channel: "#ops"}\n');
    expect(more).toEqual([]);
    expect(problem?.where).toMatchObject({ line: 3, field: 'notifications.slack[0].url' });
  });

  test('a name of its own is asked for among those of one kind alone', () => {
    const text =
      'notifications: {webhooks: [{name: a, url: "https://example.com/"}], slack: [{name: a, channel: "#a", url: {secret: {name: s, key: k}}}]}';
    expect(problemsOf(text)).toEqual([]);
  });
});
