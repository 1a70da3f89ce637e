import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ACME_SECRET, PLATFORM_NAMESPACE, type UpdateServer, updateDns } from '@delos/core';
import { KubeClient, kubeconfigAccess, podAccess } from '@delos/kube';
import { Counter, Gauge } from 'prom-client';
import { z } from 'zod';
import type { RunningService, Service, ServiceContext } from '../service.ts';
import { readEnv } from '../service-env.ts';
import { AcmeClient, type ChallengeRecord } from './client.ts';
import { AcmeStore, dueFor, type Pair, RENEW_SHARE } from './store.ts';

const settings = z.object({
  DELOS_ACME_DIRECTORY: z.url(),
  DELOS_ACME_EMAIL: z.string().optional(),
  /** `true`: whoever deploys accepts the server's terms of service. */
  DELOS_ACME_TERMS: z.enum(['true', 'false']).transform((text) => text === 'true'),
  /** Separated by commas. */
  DELOS_ACME_NAMES: z.string().transform((text) => text.split(',')),
  DELOS_ACME_STATE: z.string(),
  DELOS_ACME_WAIT_SECONDS: z.coerce.number().int(),
  DELOS_DNS_SERVER: z.string(),
  DELOS_DNS_PORT: z.coerce.number().int(),
  DELOS_DNS_ZONE: z.string(),
  DELOS_DNS_KEY_NAME: z.string(),
  DELOS_DNS_KEY_ALGORITHM: z.enum(['hmac-sha256', 'hmac-sha384', 'hmac-sha512']),
  /** It is read at each order, so that a changed one needs no restart. */
  DELOS_DNS_KEY_FILE: z.string(),
  POD_NAMESPACE: z.string().default(PLATFORM_NAMESPACE),
  /** What part of its life is left when a certificate is renewed. */
  DELOS_ACME_RENEW_SHARE: z.coerce.number().positive().max(1).default(RENEW_SHARE),
  /** Seconds between two looks. */
  DELOS_ACME_LOOK_SECONDS: z.coerce.number().positive().default(3600),
  /** Seconds after a first failure. Doubled each time, up to the time between two looks. */
  DELOS_ACME_AGAIN_SECONDS: z.coerce.number().positive().default(60),
});

/** Has one certificate for all names of the entrance by ACME, and renews it. The gateways take it from a Secret. */
export const acmeService: Service = { name: 'acme', start };

async function start({ env, log, metrics }: ServiceContext): Promise<RunningService> {
  const config = readEnv(settings, env);
  const store = new AcmeStore(config.DELOS_ACME_STATE);
  const access = env.DELOS_KUBECONFIG === undefined ? await podAccess(env) : kubeconfigAccess(env.DELOS_KUBECONFIG);
  const client = new KubeClient(access, { fieldManager: 'delos-acme' });
  const told = acmeMetrics(metrics);
  const stop = new AbortController();
  const { signal } = stop;
  const wanted = { directory: config.DELOS_ACME_DIRECTORY, names: config.DELOS_ACME_NAMES };

  async function server(): Promise<UpdateServer> {
    return {
      server: config.DELOS_DNS_SERVER,
      port: config.DELOS_DNS_PORT,
      zone: config.DELOS_DNS_ZONE,
      key: {
        name: config.DELOS_DNS_KEY_NAME,
        algorithm: config.DELOS_DNS_KEY_ALGORITHM,
        secret: (await readFile(config.DELOS_DNS_KEY_FILE, 'utf8')).trim(),
      },
    };
  }
  const change = async (kind: 'add-text' | 'remove-text', records: readonly ChallengeRecord[]): Promise<void> =>
    updateDns(
      await server(),
      records.map(({ name, text }) => ({ kind, name, text })),
    );

  /** Gets a certificate where one is due, and gives the gateways what there is. */
  async function look(): Promise<void> {
    let pair = await store.tryPair();
    const why = dueFor(pair, wanted, new Date(), config.DELOS_ACME_RENEW_SHARE);
    if (why !== undefined) {
      log.info({ why, names: wanted.names }, 'a certificate is ordered');
      const acme = new AcmeClient({
        directory: wanted.directory,
        accountKey: await store.accountKey(wanted.directory),
        email: config.DELOS_ACME_EMAIL,
        termsAccepted: config.DELOS_ACME_TERMS,
        publish: async (records) => {
          await change('add-text', records);
          // Secondaries of the zone have to hear of it before the server asks one of them.
          await sleep(config.DELOS_ACME_WAIT_SECONDS * 1000, undefined, { signal });
        },
        withdraw: async (records) =>
          await change('remove-text', records).catch((error: unknown) => {
            log.warn({ error }, 'records of a challenge stay in the zone');
          }),
        signal,
      });
      // What is there goes on to be served meanwhile.
      if (pair !== undefined) await hand(pair);
      pair = { ...(await acme.obtain(wanted.names)), directory: wanted.directory };
      await store.keep(pair);
      told.orders.inc();
      log.info({ until: new X509Certificate(pair.certificate).validTo }, 'there is a new certificate');
    }
    if (pair !== undefined) await hand(pair);
  }

  async function hand({ certificate, key }: Pair): Promise<void> {
    const encode = (text: string): string => Buffer.from(text).toString('base64');
    await client.patch(`/api/v1/namespaces/${config.POD_NAMESPACE}/secrets/${ACME_SECRET}`, {
      data: { 'tls.crt': encode(certificate), 'tls.key': encode(key) },
    });
    told.end.set(Date.parse(new X509Certificate(certificate).validTo) / 1000);
  }

  let problem: string | undefined = 'no certificate was looked for yet';
  const done = (async () => {
    let failures = 0;
    while (!signal.aborted) {
      try {
        await look();
        failures = 0;
        problem = undefined;
        told.failing.set(0);
      } catch (error) {
        if (signal.aborted) break;
        failures += 1;
        problem = error instanceof Error ? error.message : String(error);
        told.failing.set(1);
        told.failures.inc();
        log.error({ error, failures }, 'there is no new certificate');
      }
      const again = config.DELOS_ACME_AGAIN_SECONDS * 2 ** Math.min(failures - 1, 10);
      const seconds = failures === 0 ? config.DELOS_ACME_LOOK_SECONDS : Math.min(again, config.DELOS_ACME_LOOK_SECONDS);
      await sleep(seconds * 1000, undefined, { signal }).catch(() => undefined);
    }
  })();
  return {
    // The gateways serve what they have: nothing waits for the first certificate.
    unready: async () => undefined,
    stop: async () => {
      stop.abort();
      await done;
      if (problem !== undefined) log.warn({ problem }, 'ends without a certificate that is good');
      client.close();
    },
  };
}

function acmeMetrics(registry: ServiceContext['metrics']) {
  const registers = [registry];
  return {
    orders: new Counter({ name: 'delos_acme_certificates_total', help: 'Certificates that were had', registers }),
    failures: new Counter({ name: 'delos_acme_failures_total', help: 'Attempts that failed', registers }),
    failing: new Gauge({ name: 'delos_acme_failing', help: '1 since the last attempt failed', registers }),
    end: new Gauge({
      name: 'delos_acme_certificate_end_timestamp_seconds',
      help: 'When the certificate ends, in seconds since 1970',
      registers,
    }),
  };
}
