import { readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { z } from 'zod';
import type { ControlPlane } from './control-plane.ts';

/** The way to a test's API server, on which an answer can be held back: what was asked has happened, nobody learns it. */
export interface HoldingProxy {
  /** A kubeconfig whose server is the proxy; its context is the control plane's. */
  readonly kubeconfig: string;
  /** Resolves once the server has carried out a request that matches `METHOD path`; its answer is never given. */
  holdAnswer(request: RegExp): Promise<void>;
  stop(): Promise<void>;
}

const kubeconfigFile = z.looseObject({
  clusters: z.tuple([z.looseObject({ cluster: z.looseObject({ server: z.string() }) })]),
});

export async function startHoldingProxy(plane: ControlPlane): Promise<HoldingProxy> {
  let hold: { readonly request: RegExp; readonly done: () => void } | undefined;
  const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false });
  const server = http.createServer((request, response) => {
    const { method = 'GET', url = '/', headers } = request;
    const onward = https.request(new URL(url, plane.server), { method, headers, agent }, (answer) => {
      const held = hold;
      if (held?.request.test(`${method} ${url}`) === true) {
        hold = undefined;
        answer.resume().once('end', held.done);
        return;
      }
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.once('error', () => response.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  const file = kubeconfigFile.parse(JSON.parse(await readFile(plane.kubeconfig, 'utf8')));
  file.clusters[0].cluster.server = `http://127.0.0.1:${address.port}`;
  const kubeconfig = `${plane.kubeconfig}.held`;
  await writeFile(kubeconfig, JSON.stringify(file), { mode: 0o600 });
  return {
    kubeconfig,
    holdAnswer: (request) =>
      new Promise((done) => {
        hold = { request, done };
      }),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      agent.destroy();
    },
  };
}
