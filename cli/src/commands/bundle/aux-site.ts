import type { SiteService } from '@delos/airgap';
import type { CommandContext } from '../../context.ts';
import { withMachine } from '../aux-vm/machine.ts';

/** An auxiliary machine as the services that take a bundle. */
export interface AuxSite {
  readonly registry: SiteService;
  readonly packages: SiteService | undefined;
  readonly charts: SiteService | undefined;
}

/** What the file of an auxiliary machine says of them. Reached by its address: its name may lead nowhere yet. */
export async function auxSite(context: CommandContext, file: string): Promise<AuxSite> {
  return withMachine(context, { config: file }, 'show', async (config) => {
    const { auxVmAccess } = await import('@delos/stacks');
    const { outputs, password } = await auxVmAccess(context.paths, config);
    const login = { user: outputs.user, password };
    const authority = outputs.authorities === '' ? {} : { authority: outputs.authorities };
    const at = (url: string): SiteService => ({ url: reached(url, config.address), login, ...authority });
    return {
      registry: at(outputs.url),
      packages: outputs.packagesUpload === null ? undefined : at(outputs.packagesUpload),
      charts: outputs.charts === null ? undefined : at(`${outputs.charts}/`),
    };
  });
}

/** The same place by the machine's address, for which its certificate is good as well. */
function reached(url: string, address: string): string {
  const there = new URL(url);
  there.hostname = address.includes(':') ? `[${address}]` : address;
  return there.href;
}
