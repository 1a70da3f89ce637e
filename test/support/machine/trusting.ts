import { request } from 'node:https';
import { buffer } from 'node:stream/consumers';

export interface Answered {
  readonly status: number;
  readonly body: Buffer;
}

/** A client that trusts one authority. */
export const trusting =
  (origin: string, ca: string) =>
  (
    path: string,
    options: { readonly method?: string; readonly body?: Buffer; readonly login?: string; readonly type?: string } = {},
  ): Promise<Answered> =>
    new Promise((resolve, reject) => {
      const { method = 'GET', body, login, type = 'application/octet-stream' } = options;
      const headers = {
        ...(body === undefined ? {} : { 'content-type': type, 'content-length': body.length }),
        ...(login === undefined ? {} : { authorization: `Basic ${Buffer.from(login).toString('base64')}` }),
      };
      const asked = request(new URL(path, origin), { method, headers, ca, agent: false, timeout: 30_000 }, (answer) => {
        buffer(answer).then((read) => resolve({ status: answer.statusCode ?? 0, body: read }), reject);
      });
      asked.once('timeout', () => asked.destroy(new Error(`${path}: no answer within 30 s`)));
      asked.once('error', reject);
      asked.end(body);
    });
