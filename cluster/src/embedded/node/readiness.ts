import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createConnection } from 'node:net';
import type { Readiness } from './parts.ts';

const LIMIT = 2000;

/** Undefined when it serves; else what it said. */
export function probe(readiness: Readiness, ca: Buffer): Promise<string | undefined> {
  switch (readiness.kind) {
    case 'running':
      return Promise.resolve(undefined);
    case 'socket':
      return dial({ path: readiness.path });
    case 'tcp':
      return dial({ host: readiness.host, port: readiness.port });
    case 'http':
      return get(readiness.url, ca);
  }
}

function dial(target: { path: string } | { host: string; port: number }): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection(target);
    const end = (outcome: string | undefined) => {
      socket.destroy();
      resolve(outcome);
    };
    socket.setTimeout(LIMIT, () => end('no answer'));
    socket.on('connect', () => end(undefined));
    socket.on('error', (error) => end(error.message));
  });
}

function get(url: string, ca: Buffer): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { timeout: LIMIT, ca, agent: false };
    const send = url.startsWith('https:') ? httpsRequest : httpRequest;
    const outgoing = send(url, options, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        if (body.length < 2000) body += chunk.toString();
      });
      response.on('error', () => resolve('connection broken'));
      response.on('end', () => {
        if (response.statusCode === 200) return resolve(undefined);
        // Of a readyz page only the checks that fail are of interest.
        const failing = body.split('\n').filter((line) => line.startsWith('[-]'));
        resolve(`${response.statusCode} ${failing.join(', ') || body.slice(0, 200).trim()}`);
      });
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer')));
    outgoing.on('error', (error) => resolve(error.message));
    outgoing.end();
  });
}
