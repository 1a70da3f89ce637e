import { registerHooks } from 'node:module';

/** What the SDK loads to serialize functions (a compiler, npm's dependency solver), which nothing here does. */
const UNUSED = new Set(['typescript', '@npmcli/arborist']);
const EMPTY = 'node:delos-unused';

/** The Automation API without what would take half the time of loading it. */
export async function loadAutomation(): Promise<typeof import('@pulumi/pulumi/automation/index.js')> {
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      UNUSED.has(specifier) && context.parentURL?.includes('/@pulumi/pulumi/') === true
        ? { url: EMPTY, format: 'commonjs', shortCircuit: true }
        : next(specifier, context),
    load: (url, context, next) =>
      url === EMPTY ? { format: 'commonjs', source: 'module.exports = {};', shortCircuit: true } : next(url, context),
  });
  try {
    return await import('@pulumi/pulumi/automation/index.js');
  } finally {
    hooks.deregister();
  }
}
