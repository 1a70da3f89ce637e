import { z } from 'zod';
import { holds, type Json, merged } from '../converge.ts';
import type { KeycloakAdmin } from '../keycloak-admin.ts';
import { OPERATOR_ALIAS } from '../realm.ts';
import { type Broker, brokerForm, brokerMappers, FIRST_LOGIN_FLOW, importOf } from './broker-form.ts';

const instance = z.looseObject({ alias: z.string(), config: z.record(z.string(), z.string().nullable()).default({}) });
const mapper = z.looseObject({ id: z.string(), name: z.string() });
const flow = z.looseObject({ id: z.string(), alias: z.string() });
const execution = z.looseObject({
  id: z.string(),
  providerId: z.string().optional(),
  requirement: z.string(),
});
const config = z.record(z.string(), z.string());

/** Brokers of the realm, whoever made them, without the platform's own. */
export async function brokers(admin: KeycloakAdmin, realm: string): Promise<readonly string[]> {
  const all = await admin.get(z.array(instance), `${realm}/identity-provider/instances`);
  return all.map(({ alias }) => alias).filter((alias) => alias !== OPERATOR_ALIAS);
}

/**
 * Somebody who comes for the first time gets an account, without a form; where their name or their address is somebody's
 * already, they are refused with a page that says so. Nobody is ever linked to an account that was there.
 */
export async function convergeFirstLogin(admin: KeycloakAdmin, realm: string): Promise<readonly string[]> {
  const changes: string[] = [];
  const find = async () =>
    (await admin.get(z.array(flow), `${realm}/authentication/flows`)).find(({ alias }) => alias === FIRST_LOGIN_FLOW);
  if ((await find()) === undefined) {
    const body = {
      alias: FIRST_LOGIN_FLOW,
      description: 'An account is made; nobody is linked to another',
      providerId: 'basic-flow',
      topLevel: true,
      builtIn: false,
    };
    if (await admin.create(`${realm}/authentication/flows`, body)) changes.push('first login of a provider made');
  }
  const path = `${realm}/authentication/flows/${encodeURIComponent(FIRST_LOGIN_FLOW)}/executions`;
  const wanted = 'idp-create-user-if-unique';
  const listed = () => admin.get(z.array(execution), path);
  for (const { id, providerId } of await listed()) {
    if (providerId === wanted) continue;
    await admin.delete(`${realm}/authentication/executions/${id}`);
    changes.push(`step ${providerId ?? id} of the first login removed`);
  }
  if ((await listed()).length === 0) await admin.post(`${path}/execution`, { provider: wanted });
  for (const step of await listed()) {
    if (step.requirement === 'REQUIRED') continue;
    await admin.put(path, { ...step, requirement: 'REQUIRED' });
    changes.push('first login of a provider set right');
  }
  changes.push(...(await convergeWords(admin, realm)));
  return changes;
}

/** What the page says to whom it refuses. */
const WORDS: Readonly<Record<string, string>> = {
  federatedIdentityExistsMessage:
    'A user with this {0} ({1}) is here already, and is not linked with another account. Ask the administrator of this platform.',
};

async function convergeWords(admin: KeycloakAdmin, realm: string): Promise<readonly string[]> {
  const actual = await admin.get(config, `${realm}/localization/en`);
  if (holds(actual, WORDS)) return [];
  await admin.post(`${realm}/localization/en`, { ...actual, ...WORDS });
  return ['words of the login page changed'];
}

/**
 * Makes a broker what the configuration says.
 * @param secret of the client; Keycloak shows none, so it is written where `anew` says so or something else changes
 * @throws DelosError where the provider does not say how it is reached
 */
export async function convergeBroker(
  admin: KeycloakAdmin,
  realm: string,
  broker: Broker,
  { secret = '', anew }: { readonly secret?: string; readonly anew: boolean },
): Promise<readonly string[]> {
  const { name } = broker.settings;
  const changes: string[] = [];
  const path = `${realm}/identity-provider/instances/${name}`;
  const actual = await admin.tryGet(instance, path);
  const asked = importOf(broker);
  const said =
    asked === undefined ? {} : await admin.postFor(config, `${realm}/identity-provider/import-config`, asked);
  const desired = brokerForm(broker, said);
  const body = { ...desired, config: { ...desired.config, ...(secret === '' ? {} : { clientSecret: secret }) } };
  if (actual === undefined) {
    if (await admin.create(`${realm}/identity-provider/instances`, body)) changes.push(`provider ${name} made`);
  } else {
    const right = same(actual, desired);
    if (!right) changes.push(`provider ${name} changed`);
    if (!right || anew) await admin.put(path, merged(actual, body));
  }
  changes.push(...(await convergeMappers(admin, path, broker)));
  return changes;
}

/** What is empty may be missing. */
function same(actual: Readonly<Record<string, unknown>>, desired: ReturnType<typeof brokerForm>): boolean {
  const filled = (object: Readonly<Record<string, Json>>): Readonly<Record<string, Json>> =>
    Object.fromEntries(Object.entries(object).filter(([, value]) => value !== ''));
  return holds(actual, { ...filled({ ...desired, config: null }), config: filled(desired.config) });
}

async function convergeMappers(admin: KeycloakAdmin, path: string, broker: Broker): Promise<readonly string[]> {
  const { name: provider } = broker.settings;
  const changes: string[] = [];
  const desired = brokerMappers(broker);
  const actual = await admin.get(z.array(mapper), `${path}/mappers`);
  for (const { id, name } of actual) {
    if (desired.some((each) => each.name === name)) continue;
    await admin.delete(`${path}/mappers/${id}`);
    changes.push(`mapper ${name} of ${provider} removed`);
  }
  for (const each of desired) {
    const found = actual.find(({ name }) => name === each.name);
    const form: Readonly<Record<string, Json>> = { ...each };
    if (found !== undefined && holds(found, form)) continue;
    if (found === undefined) await admin.create(`${path}/mappers`, each);
    else await admin.put(`${path}/mappers/${found.id}`, { ...each, id: found.id });
    changes.push(`mapper ${each.name} of ${provider} ${found === undefined ? 'made' : 'changed'}`);
  }
  return changes;
}
