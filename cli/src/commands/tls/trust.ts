import { join } from 'node:path';
import { DelosError } from '@delos/core';
import { tryReadJson, writeJson } from '@delos/host';
import { z } from 'zod';
import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { kubeOf } from '../../instance/kube.ts';
import { recordedConfig } from '../../instance/settings.ts';
import { shownCertificate, tryGatewayCertificate } from './gateway-certificate.ts';
import { trustBlock } from './trust-block.ts';
import { certifiPlace, install, remove, systemPlace, type TrustPlace, trustPlace } from './trust-places.ts';

export interface Options {
  readonly install: boolean;
  readonly remove: boolean;
  readonly system: boolean;
  readonly python?: string;
}

const record = z.object({ places: z.array(trustPlace) });

/** Prints the authorities to trust, has this machine's apolo trust them, or takes that back. */
export async function run(context: CommandContext, options: Options): Promise<void> {
  if (options.install && options.remove) throw usage('--install and --remove: one of them');
  if (!options.install && !options.remove && (options.system || options.python !== undefined)) {
    throw usage('--system and --python go with --install or --remove');
  }
  const name = await nameOf(context);
  const file = join(context.paths.state, 'trust.json');
  const known = tryReadJson(file, record)?.places ?? [];
  if (options.remove) {
    const places = unique([...known, ...(await placesOf(options, name))]);
    const changed: TrustPlace[] = [];
    for (const place of places) if (await remove(place)) changed.push(place);
    writeJson(file, { places: [] });
    context.result({ removed: changed }, changed.length === 0 ? 'Nothing was there.' : lines('removed from', changed));
    return;
  }
  const { pem, document } = await bundleOf(context);
  if (!options.install) {
    context.result({ name, ...document, pem }, printed(name, pem));
    return;
  }
  const wanted = await placesOf(options, name);
  const places = wanted.length > 0 ? wanted : [await certifiPlace(name)];
  // Known before it is there: what an interrupted run has put somewhere is found again.
  writeJson(file, { places: unique([...known, ...places]) });
  const changed: TrustPlace[] = [];
  for (const place of places) if (await install(place, pem)) changed.push(place);
  context.result(
    { name, ...document, installed: places, changed },
    `${lines('trusted by', places)}\n\`delos trust --remove\` takes it back. An update of certifi does too: then install it again.`,
  );
}

const usage = (message: string): DelosError =>
  new DelosError('ERR_USAGE', message, { hint: '`delos trust --help` shows how' });

/** Told apart from other platforms that the same file may hold. */
async function nameOf(context: CommandContext): Promise<string> {
  const { domain } = await recordedConfig(context);
  return `${context.paths.instance} ${domain}`;
}

const placesOf = async (options: Options, name: string): Promise<readonly TrustPlace[]> => [
  ...(options.python === undefined ? [] : [await certifiPlace(name, options.python)]),
  ...(options.system ? [systemPlace(name)] : []),
];

const unique = (places: readonly TrustPlace[]): readonly TrustPlace[] => [
  ...new Map(places.map((place) => [`${place.path} ${place.name}`, place])).values(),
];

async function bundleOf(context: CommandContext) {
  const kube = await kubeOf(context, await (await engineOf(context)).handle());
  const found = await tryGatewayCertificate(kube, await recordedConfig(context));
  if (found === undefined) {
    throw new DelosError('ERR_NOT_UP', `the platform of instance ${context.paths.instance} is not deployed`, {
      hint: '`delos up` does it',
    });
  }
  if (found.authorities.length === 0) {
    throw new DelosError('ERR_NOT_FOUND', 'the certificate is given, and no authority with it that had to be trusted', {
      hint: 'a public one is trusted already; else name it at `gateway.tls.given.authority`, or as ca.crt of the Secret',
    });
  }
  return {
    pem: found.authorities.map(String).join(''),
    document: { authorities: found.authorities.map(shownCertificate) },
  };
}

const lines = (what: string, places: readonly TrustPlace[]): string =>
  places.map(({ path }) => `${what} ${path}`).join('\n');

function printed(name: string, pem: string): string {
  const block = trustBlock(name, pem);
  return `# On this machine: delos trust --install
# Elsewhere: write all of this to delos.pem; then, in the Python environment that apolo is in:
#   cat delos.pem >>"$(python3 -m certifi)"
# and to take it back:
#   sed -i '/^# >>> delos trust ${name} >>>$/,/^# <<< delos trust ${name} <<<$/d' "$(python3 -m certifi)"
${block}`;
}
