import { expect, test } from 'vitest';
import { z } from 'zod';
import { kindOf, platformOf } from './synthesized.ts';

const service = z.object({
  spec: z.object({
    type: z.string(),
    externalIPs: z.array(z.string()).optional(),
    ports: z.array(z.object({ name: z.string(), port: z.number() })),
  }),
});

/** The gateway's Service of the platform that a delos.yaml asks for. */
function gatewayOf(yaml: string, profile: string) {
  const found = kindOf(platformOf(yaml, profile), 'Service').find(
    ({ manifest }) => manifest.metadata.name === 'gateway',
  );
  const { type, ports, externalIPs } = service.parse(found?.manifest).spec;
  return { type, externalIPs, ports: Object.fromEntries(ports.map(({ name, port }) => [name, port])) };
}

test.each([
  ['a platform on loopback keeps the usual ports', '', 'embedded', { http: 8080, https: 8443 }],
  [
    'a platform on loopback keeps them whatever the ports of the machine are',
    'gateway: { httpPort: 81, httpsPort: 444 }',
    'embedded',
    { http: 8080, https: 8443 },
  ],
  [
    'a public name is answered at the ports of the public URL',
    'domain: ai.example.com\ngateway: { httpPort: 80, httpsPort: 443 }',
    'embedded',
    { http: 80, https: 443 },
  ],
  [
    'so is one that serves plain http',
    'domain: ai.example.com\ngateway: { http: "on", httpPort: 81, httpsPort: 444 }',
    'embedded',
    { http: 81, https: 444 },
  ],
  [
    'a load balancer has the ports of the public URL',
    'domain: ai.example.com\ngateway: { httpPort: 80, httpsPort: 443 }',
    'existing',
    { http: 80, https: 443 },
  ],
] as const)('%s', (_name, yaml, profile, ports) => {
  expect(gatewayOf(yaml, profile).ports).toEqual(ports);
});

test('an address as the domain leads to the gateway within the embedded cluster; a name needs no such thing', () => {
  expect(gatewayOf('domain: 198.51.100.7', 'embedded').externalIPs).toEqual(['198.51.100.7']);
  expect(gatewayOf('domain: 198.51.100.7', 'existing').externalIPs).toBeUndefined();
  expect(gatewayOf('domain: ai.example.com', 'embedded').externalIPs).toBeUndefined();
  expect(gatewayOf('', 'embedded').externalIPs).toBeUndefined();
});
