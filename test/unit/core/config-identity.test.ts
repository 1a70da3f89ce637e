import { parseConfig } from '@delos/constructs';
import { filterText, groupName, providersOf } from '@delos/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expectRefused, problemsOf } from '../../support/config-problems.ts';

const LDAP = 'name: corp, url: "ldaps://ldap.example.com", users: {dn: "ou=people,dc=example,dc=com"}';
const AT = 'groupsAt: {dn: "ou=groups,dc=example,dc=com"}';
const SECRET = '{secret: {name: s, key: k}}';
const OIDC = `name: id, issuer: "https://id.example.com/realm", clientId: delos, clientSecret: ${SECRET}`;
const TENANT = '72f988bf-86f1-41af-91ab-2d7cd011db47';

describe('identity providers that could not work are refused at their place in the file', () => {
  test.each([
    [
      'ldap:// in the open',
      'ldap: [{name: corp, url: ▸"ldap://h", users: {dn: "o=x"}}]',
      'ldap[0].url',
      /everybody in between reads the passwords/,
    ],
    ['no URL', 'ldap: [{name: corp, url: ▸"ldap.example.com", users: {dn: "o=x"}}]', 'ldap[0].url', /expected ldaps:/],
    ['StartTLS within TLS', `ldap: [{${LDAP}, startTls: ▸true}]`, 'ldap[0].startTls', /protected from its first byte/],
    ['a bind without a password', `ldap: [{${LDAP}, bindDn: ▸"cn=a,o=x"}]`, 'ldap[0].bindDn', /needs `bindPassword`/],
    ['a password of nobody', `ldap: [{${LDAP}, bindPassword: ▸${SECRET}}]`, 'ldap[0].bindPassword', /needs `bindDn`/],
    [
      'a password itself',
      `ldap: [{${LDAP}, bindDn: "cn=a,o=x", bindPassword: ▸hunter2}]`,
      'ldap[0].bindPassword',
      /never the secret itself/,
    ],
    [
      'a filter that does not close',
      'ldap: [{name: a, url: "ldaps://h", users: {dn: "o=x", filter: ▸"(a=b"}}]',
      'ldap[0].users.filter',
      /in parentheses/,
    ],
    [
      'two filters for one',
      'ldap: [{name: a, url: "ldaps://h", users: {dn: "o=x", filter: ▸"(a=b)(c=d)"}}]',
      'ldap[0].users.filter',
      /in parentheses/,
    ],
    [
      'groups nowhere',
      `ldap: [{${LDAP}, groups: ▸[{group: ml, organization: default}]}]`,
      'ldap[0].groups',
      /does not say where they are/,
    ],
    [
      'an unknown organization',
      `ldap: [{${LDAP}, ${AT}, groups: [{group: ml, organization: ▸defautl}]}]`,
      'ldap[0].groups[0].organization',
      /did you mean `default`/,
    ],
    [
      'an unknown project',
      `ldap: [{${LDAP}, ${AT}, groups: [{group: ml, organization: default, project: ▸one}]}]`,
      'ldap[0].groups[0].project',
      /no project of default is named `one`/,
    ],
    [
      'an unknown role',
      `ldap: [{${LDAP}, ${AT}, groups: [{group: ml, organization: default, role: ▸owner}]}]`,
      'ldap[0].groups[0].role',
      /one of admin, manager, writer, reader/,
    ],
    [
      'a group with a slash',
      `ldap: [{${LDAP}, ${AT}, groups: [{group: ▸a/b, organization: default}]}]`,
      'ldap[0].groups[0].group',
      /a slash/,
    ],
    [
      'a name that another kind has',
      `ldap: [{${LDAP}}]\n  oidc: [{${OIDC.replace('name: id', 'name: ▸corp')}}]`,
      'oidc[0].name',
      /entry 1 of identity.ldap/,
    ],
    [
      'a name of the platform’s own',
      `oidc: [{${OIDC.replace('name: id', 'name: ▸operator')}}]`,
      'oidc[0].name',
      /the platform’s own/,
    ],
    [
      'an issuer in the open',
      `oidc: [{${OIDC.replace('"https:', '▸"http:')}}]`,
      'oidc[0].issuer',
      /whoever listens could be anybody/,
    ],
    [
      'every tenant of Entra',
      `entra: [{name: e, tenant: ▸common, clientId: x, clientSecret: ${SECRET}}]`,
      'entra[0].tenant',
      /lets in everybody/,
    ],
  ])('%s', (_, text, field, says) => {
    expectRefused(`identity:\n  ${text}`, `identity.${field}`, says);
  });

  test('a user of a provider that there is not', () => {
    expectRefused(
      'users: [{name: ann, provider: ▸corp}]',
      'users[0].provider',
      /no provider is named `corp`.*there is none/,
    );
  });

  test('Entra without a tenant, and more providers than a login page can show', () => {
    expect(problemsOf(`identity: {entra: [{name: e, clientId: x, clientSecret: ${SECRET}}]}`)[0]?.message).toMatch(
      /`tenant` is missing/,
    );
    const many = Array.from({ length: 11 }, (_, nth) => `{${OIDC.replace('name: id', `name: id${nth}`)}}`);
    expect(problemsOf(`identity: {oidc: [${many.join(', ')}]}`)[0]?.message).toMatch(/at most 10 entries/);
  });
});

test('ldap:// is taken with StartTLS, or where somebody says that it is not protected', () => {
  for (const how of ['startTls', 'insecure']) {
    const { identity } = parseConfig(
      `identity: {ldap: [{${LDAP.replace('ldaps:', 'ldap:')}, ${how}: true}], entra: [{name: e, tenant: ${TENANT}, clientId: x, clientSecret: ${SECRET}}]}`,
      'f',
    );
    expect(providersOf(identity).map(({ kind }) => kind)).toEqual(['ldap', 'entra']);
  }
});

describe('names within filters and DNs', () => {
  test.each([
    ['ml', 'ml'],
    ['cn=ml,ou=groups,dc=example,dc=com', 'ml'],
    ['CN=Machine Learning\\, Europe,OU=Groups,DC=corp', 'Machine Learning, Europe'],
    ['a=b', 'a=b'],
  ])('the group %j is called %j', (given, name) => expect(groupName(given)).toBe(name));

  test('whatever a group is called, it adds nothing to a filter', () => {
    fc.assert(fc.property(fc.string(), (text) => !/[*()\0]/.test(filterText(text))));
    expect(filterText('a*)(uid=*')).toBe('a\\2a\\29\\28uid=\\2a');
  });
});
