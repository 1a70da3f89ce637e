import { delosConfig, type Entrance, wayIn } from '@delos/constructs';
import { expect, test } from 'vitest';

const LOCAL: Entrance = {
  kind: 'node-port',
  http: 30080,
  https: 30443,
  hostPorts: { httpPort: 18080, httpsPort: 18443 },
};
const ELSEWHERE: Entrance = { kind: 'service' };
const FORWARDED: Entrance = { kind: 'service', hostPorts: { httpPort: 18080, httpsPort: 18443 } };

test.each([
  ['localhost', LOCAL, 'node-port', 'http://127.0.0.1:18080'],
  ['ai.example.com', LOCAL, 'node-port', 'https://ai.example.com:18443'],
  ['localhost', FORWARDED, 'cluster-ip', 'http://127.0.0.1:18080'],
  ['localhost', ELSEWHERE, 'cluster-ip', 'http://127.0.0.1:81'],
  ['ai.example.com', ELSEWHERE, 'load-balancer', 'https://ai.example.com:444'],
  // Ports that had been forwarded for a loopback name are no load balancer's.
  ['ai.example.com', FORWARDED, 'load-balancer', 'https://ai.example.com:444'],
] as const)('%s by %j is reached by %s at %s', (domain, entrance, kind, publicUrl) => {
  const config = delosConfig.parse({ domain, gateway: { httpPort: 81, httpsPort: 444 } });
  expect(wayIn(config, entrance)).toMatchObject({ publicUrl, exposure: { kind } });
});
