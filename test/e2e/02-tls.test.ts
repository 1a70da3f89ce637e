import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { shownCertificate } from '../support/edge/raw-connection.ts';
import { delos, delosJson, testPlatform, token } from '../support/instance.ts';
import { IMAGE } from '../support/service/api.ts';
import { httpsPort, type TrustingClient, trustingClient } from '../support/trusting-client.ts';

/* The platform over https, as the official client takes it, and a certificate that is made anew meanwhile. */

const rotated = z.object({
  certificate: z.object({ fingerprint: z.string(), names: z.string() }),
  authority: z.object({ fingerprint: z.string() }),
  formerAuthority: z.object({ signsUntil: z.iso.datetime() }).nullable(),
  gateways: z.literal(1),
});

let person: TrustingClient;
let port: number;
let url: string;

beforeAll(async () => {
  await testPlatform();
  person = await trustingClient();
  port = await httpsPort();
  url = `https://127.0.0.1:${port}/api/v1`;
});
afterAll(() => person?.client.close());

const login = async () =>
  person.client.run(['config', 'login-with-token', await token('ann'), url], { env: person.env });

test('the official client logs in and runs a job once it trusts the platform, and no more when that is taken back', async () => {
  const { authorities, client, env, trust } = person;
  const before = await authorities();
  const refused = await login();
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toMatch(/certificate/i);
  await trust('--install');
  const with_ = await authorities();
  await trust('--install');
  expect((await authorities()).equals(with_)).toBe(true);
  const { code, stderr } = await login();
  expect(code, stderr).toBe(0);
  await client.ok(['config', 'switch-project', 'default'], { env });
  expect(await client.ok(['run', '-s', 'tiny', IMAGE, '--', 'echo', 'over https'], { env })).toContain('over https');
  await trust('--remove');
  expect((await authorities()).equals(before)).toBe(true);
  expect((await client.run(['ps'], { env })).code).not.toBe(0);
});

test('a certificate and its authority are made anew: who trusted the former one still does, and no handshake fails', async () => {
  await person.trust('--install');
  const shown = new Set<string>();
  const failed: unknown[] = [];
  let done = false;
  const caller = (async () => {
    while (!done) {
      await shownCertificate(port).then(
        (one) => shown.add(one),
        (error: unknown) => failed.push(error),
      );
      await sleep(50);
    }
  })();
  const { certificate, formerAuthority } = await delosJson(rotated, ['rotate', 'tls', '--authority']);
  done = true;
  await caller;
  expect(failed).toEqual([]);
  expect([...shown].at(-1)).toBe(certificate.fingerprint);
  for (const name of ['localhost', '*.jobs.localhost', '*.apps.localhost']) {
    expect(certificate.names).toContain(`DNS:${name}`);
  }
  expect(Date.parse(formerAuthority?.signsUntil ?? '')).toBeGreaterThan(Date.now());
  // Its bundle is the one from before.
  expect(await person.client.ok(['config', 'show'], { env: person.env })).toContain('ann');
  const bundle = await delos(['trust']);
  expect(bundle.stdout.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  await person.trust('--remove');
});
