import { certificateAuthority } from '../../../stacks/src/secrets/certificates.ts';
import { kubectl } from '../instance.ts';
import { LOGIN, OUTSIDE } from './site.ts';

/*
 * The same site inside the cluster, as Pods see it: a Pod in a namespace of its own, which is a proxy that asks for a login, and
 * the server outside behind it. Pods of the cluster have no other way to anything outside.
 */

/** Name of the proxy. On the machine it leads nowhere. */
export const SITE_PROXY = 'http://proxy.site.svc.cluster.local:3128';

const SCRIPT = `
const http = require('node:http'), https = require('node:https'), net = require('node:net'), fs = require('node:fs');
const expected = 'Basic ' + Buffer.from(${JSON.stringify(LOGIN)}).toString('base64');
const say = (what) => console.log(JSON.stringify(what));
const proxy = http.createServer((_request, response) => response.writeHead(405).end());
proxy.on('connect', (request, client, head) => {
  client.on('error', () => client.destroy());
  const known = request.url === '${OUTSIDE}:443';
  const status = request.headers['proxy-authorization'] !== expected ? 407 : known ? 200 : 502;
  say({ connect: request.url, status });
  if (status !== 200) return client.end('HTTP/1.1 ' + status + ' No\\r\\n\\r\\n');
  const upstream = net.connect(8443, '127.0.0.1', () => {
    client.write('HTTP/1.1 200 OK\\r\\n\\r\\n');
    upstream.write(head);
    client.pipe(upstream).pipe(client);
  });
  upstream.on('error', () => client.destroy());
});
proxy.listen(3128);
https.createServer({ cert: fs.readFileSync('/site/tls.crt'), key: fs.readFileSync('/site/tls.key') }, (request, response) => {
  let body = '';
  request.on('data', (piece) => (body += piece)).on('end', () => {
    say({ heard: request.url, body: body.slice(0, 2000) });
    response.end('hello from outside\\n');
  });
}).listen(8443);
say({ ready: true });
`;

/** Starts it. @returns the authority of the server outside, PEM */
export async function deploySite(): Promise<string> {
  const now = new Date();
  const ca = await certificateAuthority.createCa(now);
  const leaf = await certificateAuthority.createLeaf(ca, { dnsNames: [OUTSIDE], ipAddresses: [] }, now);
  const image = await kubectl([
    ...['get', 'deployment', 'control-api', '--namespace', 'delos'],
    ...['--output', 'jsonpath={.spec.template.spec.containers[0].image}'],
  ]);
  const labels = { app: 'proxy' };
  const objects = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'site' } },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'site', namespace: 'site' },
      stringData: { 'site.js': SCRIPT, 'tls.crt': leaf.certificate, 'tls.key': leaf.key },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'proxy', namespace: 'site' },
      spec: { selector: labels, ports: [{ port: 3128 }] },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'proxy', namespace: 'site', labels },
      spec: {
        containers: [
          {
            ...{ name: 'proxy', image, command: ['node', '/site/site.js'] },
            readinessProbe: { tcpSocket: { port: 3128 }, periodSeconds: 1 },
            volumeMounts: [{ name: 'site', mountPath: '/site' }],
          },
        ],
        volumes: [{ name: 'site', secret: { secretName: 'site' } }],
      },
    },
  ];
  await kubectl(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }) });
  await kubectl(['wait', 'pod/proxy', '--namespace', 'site', '--for=condition=Ready', '--timeout=60s']);
  return ca.certificate;
}

/** What the site has seen so far, a line each. */
export const seenBySite = (): Promise<string> => kubectl(['logs', 'proxy', '--namespace', 'site']);
