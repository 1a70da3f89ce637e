import { connect } from 'node:tls';
import { PLATFORM_NAMESPACE, PORTS } from '@delos/constructs';
import { CERTIFICATE_ANNOTATION, DelosError, NAME_LABEL, overlapEnd, SERVICE_NAMES } from '@delos/core';
import { z } from 'zod';
import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { expectedImages } from '../../instance/images.ts';
import { type Kube, kubeOf } from '../../instance/kube.ts';
import { lockInstance } from '../../instance/lock.ts';
import { planPlatform } from '../../instance/platform.ts';
import { readSettings, recordedConfig } from '../../instance/settings.ts';
import { interruptible } from '../../interrupt.ts';
import { openForward } from '../platform/gateway-forward.ts';
import { dayOf, shownCertificate, tryGatewayCertificate } from './gateway-certificate.ts';

const pods = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });

/** The kubelet brings a changed Secret to its Pods within a minute or two. */
const SERVED_LIMIT_MS = 180_000;
const AGAIN_MS = 500;
const HANDSHAKE_MS = 5_000;

/** Makes the gateway's certificate anew, with `authority` the one that signs as well, and waits until it is served. */
export async function run(context: CommandContext, options: { readonly authority: boolean }): Promise<void> {
  const { rotateCertificates } = await import('@delos/stacks');
  const engine = await engineOf(context);
  const unlock = await lockInstance(context.paths, 'rotate tls');
  try {
    const { progress, signal } = context;
    const handle = await engine.handle();
    const kube = await kubeOf(context, handle);
    // What is deployed, not what delos.yaml has become since.
    const config = await recordedConfig(context);
    if (config.gateway.tls?.given !== undefined) {
      throw new DelosError('ERR_CONFLICT', 'the certificate is given by `gateway.tls.given`, and not made here', {
        hint: 'put another in its place, then `delos up`',
      });
    }
    if (config.gateway.tls?.acme !== undefined && !options.authority) {
      throw new DelosError('ERR_CONFLICT', 'the certificate comes by ACME (`gateway.tls.acme`), and not from here', {
        hint: 'it is renewed when a third of its time is left; `delos logs acme` tells how that goes',
      });
    }
    if ((await tryGatewayCertificate(kube, config)) === undefined) throw notDeployed(context);
    const { file } = await readSettings(context, undefined);
    const images = await expectedImages(context, config, handle);
    const plan = await planPlatform(context, { config, file }, handle, images);
    progress.step('making the certificate anew');
    await interruptible(signal, rotateCertificates(plan.input, { authority: options.authority }));
    const after = await tryGatewayCertificate(kube, config);
    if (after === undefined) throw notDeployed(context);
    const served = await awaitServed(kube, after.leaf.fingerprint256, context);
    const [lasting, former] = after.authorities;
    const document = {
      certificate: { ...shownCertificate(after.leaf), names: after.leaf.subjectAltName ?? '' },
      authority: lasting === undefined ? null : shownCertificate(lasting),
      formerAuthority:
        lasting === undefined || former === undefined
          ? null
          : { ...shownCertificate(former), signsUntil: overlapEnd(String(lasting)).toISOString() },
      gateways: served,
    };
    context.result(document, text(document));
  } finally {
    unlock();
  }
}

const notDeployed = ({ paths }: CommandContext): DelosError =>
  new DelosError('ERR_NOT_UP', `the platform of instance ${paths.instance} is not deployed`, {
    hint: '`delos up` does it',
  });

/** Waits until each gateway shows this certificate. @returns how many do */
async function awaitServed(kube: Kube, fingerprint: string, { progress, signal }: CommandContext): Promise<number> {
  const namespace = ['--namespace', PLATFORM_NAMESPACE];
  const selector = ['--selector', `${NAME_LABEL}=${SERVICE_NAMES.gateway}`];
  const running = ['--field-selector', 'status.phase=Running'];
  const { items } = await kube.json(pods, ['get', 'pods', ...namespace, ...selector, ...running]);
  const names = items.map(({ metadata }) => metadata.name);
  // A change of a Pod has the kubelet look at its volumes at once.
  const mark = `${CERTIFICATE_ANNOTATION}=${fingerprint.replaceAll(':', '').slice(0, 16)}`;
  if (names.length > 0) await kube.text(['annotate', 'pods', ...namespace, ...names, mark, '--overwrite']);
  for (const name of names) {
    progress.step(`waiting until ${name} serves it`);
    const forward = await openForward(kube, `pod/${name}`, PORTS.https, signal);
    try {
      const end = Date.now() + SERVED_LIMIT_MS;
      while ((await tryShown(forward.port)) !== fingerprint) {
        signal.throwIfAborted();
        if (Date.now() > end) throw notServed(name);
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    } finally {
      forward.end();
    }
  }
  return names.length;
}

const notServed = (name: string): DelosError =>
  new DelosError('ERR_TIMEOUT', `${name} does not serve the new certificate after ${SERVED_LIMIT_MS / 1000} s`, {
    hint: '`delos logs gateway` tells what it makes of it; `delos status` tells when the former one ends',
  });

/** The fingerprint of what a port of loopback shows; undefined where nothing does. */
function tryShown(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, timeout: HANDSHAKE_MS }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.end();
    });
    const none = (): void => {
      resolve(undefined);
      socket.destroy();
    };
    socket.once('error', none).once('timeout', none).once('close', none);
  });
}

function text(document: {
  readonly certificate: { readonly notAfter: string; readonly names: string };
  readonly formerAuthority: { readonly signsUntil: string } | null;
  readonly gateways: number;
}): string {
  const { certificate, formerAuthority, gateways } = document;
  const lines = [
    `certificate  until ${dayOf(certificate.notAfter)}, served by ${gateways} of ${gateways} gateways`,
    `names        ${certificate.names}`,
  ];
  if (formerAuthority !== null) {
    const end = dayOf(formerAuthority.signsUntil);
    lines.push(
      `authority    a new one, which signs from ${end} on, at the first \`delos up\` then. Until that day the former one signs.`,
      '             Hand out the bundle of `delos trust` by then: it has both.',
    );
  }
  return lines.join('\n');
}
