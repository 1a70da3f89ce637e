import { z } from 'zod';
import type { Page } from '../browser.ts';
import type { TestKeycloak } from '../service/keycloak.ts';
import { beginLogin, codeOf, type LoginOptions } from './login.ts';

/*
 * Another organization's identity provider: a second realm of the same Keycloak, which says that it is at another host
 * name. Its keys, users, sessions and cookies are its own; to the platform's realm it is any provider of OIDC and SAML.
 */

const REALM = 'partner';
export const CLIENT_SECRET = 'secret-of-the-platform-at-the-partner';
export const passwordOf = (user: string): string => `password-of-${user}-there`;

export interface Partner {
  /** Its issuer. */
  readonly issuer: string;
  readonly metadataUrl: string;
  /** Somebody joins a group, or leaves it. */
  setGroup(user: string, group: string, joined: boolean): Promise<void>;
}

const PEOPLE: readonly { readonly name: string; readonly email: string; readonly groups: readonly string[] }[] = [
  { name: 'olga', email: 'olga@partner.example.com', groups: ['ml'] },
  { name: 'pia', email: 'pia@partner.example.com', groups: ['ml'] },
  // Have the name and the address of a user of the platform.
  { name: 'ruth', email: 'ruth@partner.example.com', groups: ['ml'] },
  { name: 'eve', email: 'ruth@example.com', groups: ['ml'] },
];

export async function makePartner({ admin, url }: TestKeycloak): Promise<Partner> {
  const elsewhere = url.replace('127.0.0.1', 'localhost');
  const broker = (alias: string): string => `${url}/realms/delos/broker/${alias}/endpoint`;
  const groupMapper = (protocol: string, protocolMapper: string, config: object) => ({
    name: 'groups',
    protocol,
    protocolMapper,
    config: { 'full.path': 'false', ...config },
  });
  await admin.create('/realms', {
    realm: REALM,
    enabled: true,
    sslRequired: 'none',
    attributes: { frontendUrl: elsewhere },
    groups: [{ name: 'ml' }],
    users: PEOPLE.map(({ name, email, groups }) => ({
      username: name,
      email,
      emailVerified: true,
      firstName: name,
      lastName: name,
      enabled: true,
      groups: groups.map((group) => `/${group}`),
      credentials: [{ type: 'password', value: passwordOf(name), temporary: false }],
    })),
    clients: [
      {
        clientId: 'delos',
        protocol: 'openid-connect',
        secret: CLIENT_SECRET,
        redirectUris: [broker('partner')],
        attributes: { 'pkce.code.challenge.method': 'S256' },
        protocolMappers: [
          groupMapper('openid-connect', 'oidc-group-membership-mapper', {
            'claim.name': 'groups',
            'id.token.claim': 'true',
            'access.token.claim': 'true',
          }),
        ],
      },
      {
        clientId: `${url}/realms/delos`,
        protocol: 'saml',
        redirectUris: [broker('partner-saml')],
        attributes: {
          'saml.assertion.signature': 'true',
          'saml.server.signature': 'true',
          'saml.client.signature': 'false',
          'saml.force.post.binding': 'true',
          saml_name_id_format: 'username',
          saml_force_name_id_format: 'true',
        },
        protocolMappers: [
          groupMapper('saml', 'saml-group-membership-mapper', {
            'attribute.name': 'groups',
            'attribute.nameformat': 'Basic',
            single: 'true',
          }),
          {
            name: 'email',
            protocol: 'saml',
            protocolMapper: 'saml-user-property-mapper',
            config: { 'user.attribute': 'email', 'attribute.name': 'email', 'attribute.nameformat': 'Basic' },
          },
        ],
      },
    ],
  });
  const named = z.array(z.looseObject({ id: z.string(), name: z.string().optional() }));
  return {
    issuer: `${elsewhere}/realms/${REALM}`,
    metadataUrl: `${elsewhere}/realms/${REALM}/protocol/saml/descriptor`,
    setGroup: async (user, group, joined) => {
      const [found] = await admin.get(named, `/realms/${REALM}/users?exact=true&username=${user}`);
      const groups = await admin.get(named, `/realms/${REALM}/groups?max=100`);
      const id = groups.find(({ name }) => name === group)?.id;
      const path = `/realms/${REALM}/users/${found?.id}/groups/${id}`;
      await (joined ? admin.put(path) : admin.delete(path));
    },
  };
}

/** A login by the button of a provider, and at the provider's own page. `code` is empty where nobody was let in. */
export async function loginBy(provider: string, realmUrl: string, user: string, options: LoginOptions = {}) {
  const { browser, page, verifier, redirect } = await beginLogin(realmUrl, options);
  const link = [...page.body.matchAll(/href="([^"]+)"/g)]
    .map(([, href = '']) => href.replaceAll('&amp;', '&'))
    .find((href) => href.includes(`/broker/${provider}/login`));
  if (link === undefined) throw new Error(`the login page has no button of ${provider}:\n${page.body.slice(0, 3000)}`);
  const posted = async (from: Page): Promise<Page> => {
    let here = from;
    // A SAML message travels in a form that a browser's script sends.
    while (/name="SAML(Request|Response)"/.test(here.body)) here = await browser.submit(here, {}, redirect);
    return here;
  };
  const form = await posted(await browser.open(new URL(link, page.url).href, redirect));
  const after = await posted(await browser.submit(form, { username: user, password: passwordOf(user) }, redirect));
  return { form, after, code: codeOf(after), verifier };
}
