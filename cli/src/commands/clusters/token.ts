import { readFile } from 'node:fs/promises';
import { DelosError, isLoopback, joinText, madeJoinToken } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { kubeOf } from '../../instance/kube.ts';
import { operator } from '../../instance/runtime-command.ts';
import { recordedConfig } from '../../instance/settings.ts';
import { secondsOf } from '../platform/token.ts';
import { certificatesIn, tryGatewayCertificate } from '../tls/gateway-certificate.ts';
import { askClusters } from './ask.ts';

/** Makes a token by which one cluster may join. Only the token itself goes to stdout. */
export async function run(
  context: CommandContext,
  cluster: string,
  options: { readonly ttl: string; readonly url?: string; readonly authority?: string },
): Promise<void> {
  const ttlSeconds = secondsOf(options.ttl);
  // Read before anything is made.
  const given = options.authority === undefined ? undefined : await readFile(options.authority, 'utf8');
  if (given !== undefined && certificatesIn(given).length === 0) {
    throw new DelosError('ERR_USAGE', `--authority: ${options.authority} has no certificate in PEM`, {
      hint: 'for example: delos clusters token hall-b --url https://ai.example.com --authority /etc/ssl/site.pem',
    });
  }
  const answer = await askClusters(context, { action: 'token', cluster, ttlSeconds, by: operator() });
  const { secret, url: own, expiresAt } = madeJoinToken.parse(answer);
  const url = options.url ?? own;
  const parsed = URL.parse(url);
  if (parsed === null || isLoopback(parsed.hostname)) {
    // Nobody has seen it: it is good for nothing.
    await askClusters(context, { action: 'revoke', cluster, by: operator() });
    throw new DelosError(
      'ERR_CONFLICT',
      `the platform is reached at ${url}, which leads nowhere from another machine`,
      {
        hint: 'set `domain` in delos.yaml to a name that leads here, or say by --url where the other cluster reaches it',
      },
    );
  }
  const authority = url.startsWith('https:') ? (given ?? (await authorityOf(context))) : undefined;
  const token = joinText({ url, cluster, secret, ...(authority === undefined ? {} : { authority }) });
  context.result({ cluster, url, expiresAt, token }, token);
}

/** Undefined where it is a public one. */
async function authorityOf(context: CommandContext): Promise<string | undefined> {
  const kube = await kubeOf(context, await (await engineOf(context)).handle());
  const found = await tryGatewayCertificate(kube, await recordedConfig(context));
  return found === undefined || found.authorities.length === 0 ? undefined : found.authorities.map(String).join('');
}
