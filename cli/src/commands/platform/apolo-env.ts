import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDelosError, type PlatformConfig } from '@delos/core';
import { tryReadJson, writeJson } from '@delos/host';
import { z } from 'zod';
import type { CommandContext } from '../../context.ts';
import { platformUrls } from '../../platform-urls.ts';
import { issue } from './tokens.ts';
import { platformRecord } from './up-record.ts';

const HOUR = 3600;
const TTL = 12 * HOUR;
const keptToken = z.object({ token: z.string(), expiresAt: z.string(), apiUrl: z.string() });

/**
 * Points a plain `apolo` to this instance: by a configuration folder of its own, and by a passed configuration with
 * which the client logs in as the admin at its first command. Empty where the platform is not up.
 */
export async function apoloVariables(
  context: CommandContext,
  config: PlatformConfig,
): Promise<Readonly<Record<string, string>>> {
  const { state } = context.paths;
  const record = tryReadJson(join(state, 'platform.json'), platformRecord);
  if (record?.entrance === undefined) return {};
  const { apiUrl } = platformUrls(config, record.entrance);
  const folder = join(state, 'apolo');
  const file = join(state, 'apolo-token.json');
  let kept = tryReadJson(file, keptToken);
  const left = kept === undefined ? 0 : Date.parse(kept.expiresAt) - Date.now();
  if (kept === undefined || kept.apiUrl !== apiUrl || left < HOUR * 1000) {
    try {
      const { token, expiresAt } = await issue(context, { user: config.admin.user, ttlSeconds: TTL });
      kept = { token, expiresAt, apiUrl };
    } catch (error) {
      if (!isDelosError(error)) throw error;
      context.progress.warn(`apolo is left out: ${error.message}`);
      return {};
    }
    // The client prefers the token that it has stored, and that one expires.
    await rm(folder, { recursive: true, force: true });
    writeJson(file, kept);
  }
  const organization = config.organizations[0];
  const passed = {
    token: kept.token,
    cluster: config.cluster.name,
    url: apiUrl,
    org_name: organization?.name,
    project_name: organization?.projects[0]?.name,
  };
  return {
    APOLO_CONFIG: folder,
    APOLO_PASSED_CONFIG: Buffer.from(JSON.stringify(passed)).toString('base64'),
  };
}
