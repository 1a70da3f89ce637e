import { z } from 'zod';

/*
 * Labels as Kubernetes takes them.
 * https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
 */

const VALUE = /^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/;
const NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const PREFIX = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

/** Labels of nodes that Kubernetes lets their owner set though their prefix is its own. */
const OPEN = /^((node|kubelet)\.kubernetes\.io\/|topology\.kubernetes\.io\/(region|zone)$)/;
const KUBERNETES = /(^|\.)(kubernetes|k8s)\.io$/;
const OURS = /(^|\.)delos\.dev$/;

/** Labels of nodes. What is wrong with a key is told at the key. */
export const nodeLabels = z.record(z.string(), z.string()).superRefine((labels, context) => {
  for (const [key, value] of Object.entries(labels)) {
    const ofKey = keyFault(key);
    if (ofKey !== undefined) {
      context.addIssue({ code: 'custom', path: [key], message: ofKey, params: { at: 'key' } });
    }
    if (!VALUE.test(value)) {
      const message = `expected a label’s value: at most 63 letters, digits, hyphens, underscores and dots, a letter or digit first and last, found ${JSON.stringify(value)}`;
      context.addIssue({ code: 'custom', path: [key], message });
    }
  }
});

function keyFault(key: string): string | undefined {
  const [name = '', prefix, ...rest] = key.split('/').reverse();
  if (rest.length > 0) return `\`${key}\` has more than one slash: a label’s key is [PREFIX/]NAME`;
  if (!NAME.test(name)) {
    return `expected a label’s key: at most 63 letters, digits, hyphens, underscores and dots, a letter or digit first and last, found ${JSON.stringify(name)}`;
  }
  if (prefix === undefined) return undefined;
  if (prefix.length > 253 || !PREFIX.test(prefix)) {
    return `expected a DNS name before the slash, in lower case, found ${JSON.stringify(prefix)}`;
  }
  if (OURS.test(prefix)) return `\`${prefix}/\` is for the labels of the platform itself`;
  if (KUBERNETES.test(prefix) && !OPEN.test(key)) return `\`${prefix}/\` is for the labels of Kubernetes itself`;
  return undefined;
}
