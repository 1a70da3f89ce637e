// Temporary: `node cluster/src/embedded/cli-dev.ts up|down|status --instance NAME` until the command line has its verbs.
import { parseArgs } from 'node:util';
import { instancePaths, isDelosError, platformConfig } from '@delos/core';
import { defaultParts } from './default-parts.ts';
import { embeddedEngine } from './engine.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { instance: { type: 'string', default: 'delos' }, 'delete-data': { type: 'boolean', default: false } },
});
const paths = instancePaths(values.instance, process.env);
const engine = embeddedEngine(paths, defaultParts(paths));
const progress = {
  phase: () => () => undefined,
  step: (text: string) => console.error(`${(performance.now() / 1000).toFixed(1)} ${text}`),
  warn: (text: string) => console.error(`warning: ${text}`),
};
try {
  if (positionals[0] === 'up') console.log(await engine.up(platformConfig.parse({}), progress));
  else if (positionals[0] === 'down') await engine.down({ deleteData: values['delete-data'] }, progress);
  else console.log(await engine.status());
  console.error(`${(performance.now() / 1000).toFixed(1)} done`);
} catch (error) {
  console.error(isDelosError(error) ? error.render() : error);
  process.exitCode = 1;
}
