import { readFileSync } from 'node:fs';
import { PLATFORM_NAMESPACE } from '@delos/constructs';
import {
  DelosError,
  type EntranceRecord,
  entranceNames,
  entranceRecords,
  type PlatformConfig,
  type SecretReference,
  updateDns,
} from '@delos/core';
import { z } from 'zod';
import type { Kube } from '../../instance/kube.ts';
import { entranceAddresses } from './addresses.ts';

/** Writes the platform's records to the server of `dns.update`. @returns them @throws DelosError ERR_DNS, ERR_NOT_FOUND */
export async function writeRecords(
  config: PlatformConfig,
  kube: () => Promise<Kube>,
): Promise<readonly EntranceRecord[]> {
  const { update } = config.dns;
  if (update === undefined) {
    throw new DelosError('ERR_CONFIG_VALUE', 'delos.yaml names no server that takes records', {
      where: { field: 'dns.update' },
      hint: 'name one, or write the records of `delos dns records` by hand',
    });
  }
  const addresses = await entranceAddresses(config, kube);
  const secret = await secretOf(update.key.secret, kube);
  const records = entranceRecords(config.domain, config.dns, addresses);
  const { server, port, zone, key } = update;
  await updateDns(
    { server, port, zone, key: { name: key.name, algorithm: key.algorithm, secret } },
    entranceNames(config.domain).map((name) => ({
      kind: 'replace' as const,
      name,
      records: records.filter((record) => record.name === name),
    })),
  );
  return records;
}

const secretShape = z.object({ data: z.record(z.string(), z.base64()).default({}) });

async function secretOf({ file, secret }: SecretReference, kube: () => Promise<Kube>): Promise<string> {
  const refuse = (what: string): never => {
    throw new DelosError('ERR_DNS', `the key of \`dns.update\` ${what}`, {
      where: { field: 'dns.update.key.secret' },
      hint: 'write the base64 text of the key there, as `tsig-keygen` prints it',
    });
  };
  if (file !== undefined) {
    try {
      return readFileSync(file, 'utf8').trim();
    } catch (error) {
      return refuse(`cannot be read from ${file} (${error instanceof Error ? error.message : String(error)})`);
    }
  }
  // What External Secrets fetches has the name that the service which mounts it gives it; the command reads Secrets alone.
  if (secret === undefined)
    return refuse('is in a store that this command does not read: give {secret: …} or {file: …}');
  const where = ['--namespace', PLATFORM_NAMESPACE, '--ignore-not-found', '-o', 'json'];
  const text = await (await kube()).text(['get', 'secret', secret.name, ...where]);
  const value = text.trim() === '' ? undefined : secretShape.parse(JSON.parse(text)).data[secret.key];
  return value === undefined
    ? refuse(`is not there: the Secret ${PLATFORM_NAMESPACE}/${secret.name} has no ${secret.key}`)
    : Buffer.from(value, 'base64').toString().trim();
}
