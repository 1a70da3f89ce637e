import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

/*
 * What a job serves that means no good: it shows all that it gets, and answers with all that could reach beyond its own host. Run
 * as a process of its own: `node web-job.ts PORT`.
 */

const EVIL_COOKIES = [
  'plain=1; Path=/; HttpOnly',
  'whole=1; Domain=jobs.localhost; Path=/',
  'spaced=1;  dOmAiN = .localhost ;Path=/',
  'delos-job=planted; Path=/',
  '__Host-delos-job=planted; Path=/; Secure',
  '__host-DELOS-job-login=planted; Path=/; Secure',
  'delos-job=planted',
];

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://job');
  if (pathname === '/sse') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    let nth = 0;
    const timer = setInterval(() => response.write(`data: ${nth++}\n\n`), 50);
    response.on('close', () => clearInterval(timer));
    return;
  }
  if (pathname === '/evil') {
    response.writeEarlyHints({ link: '</x.css>; rel=preload', 'set-cookie': 'early=1; Domain=localhost' });
    response.writeHead(200, {
      'set-cookie': EVIL_COOKIES,
      'clear-site-data': '"cookies"',
      'alt-svc': 'h2="evil.example:443"',
      'access-control-allow-origin': '*',
    });
    response.end('evil');
    return;
  }
  if (pathname === '/break-off') {
    request.socket.destroy();
    return;
  }
  const hash = createHash('sha256');
  let size = 0;
  request.on('data', (part: Buffer) => {
    size += part.length;
    hash.update(part);
  });
  request.on('end', () => {
    const headers: [string, string][] = [];
    for (let at = 0; at < request.rawHeaders.length; at += 2)
      headers.push([request.rawHeaders[at]?.toLowerCase() ?? '', request.rawHeaders[at + 1] ?? '']);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({ method: request.method, url: request.url, headers, size, digest: hash.digest('hex') }),
    );
  });
});
const sockets = new WebSocketServer({ server });
sockets.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
server.listen(Number(process.argv[2]), '127.0.0.1');
