/*
 * The program that a plain `pulumi up` runs in the folder stacks/aux-vm. `delos aux-vm up` runs the same from its own process.
 */
import { DEFAULT_INSTANCE, DelosError, instancePaths } from '@delos/core';
import pulumi from '@pulumi/pulumi';
import { addressOf, loadAuxVm, planAuxVm } from './aux-vm/deploy.ts';
import { auxVmProgram } from './aux-vm/program.ts';
import { PROJECT } from './driver/home.ts';

const setting = (key: string): string => {
  const value = pulumi.runtime.getConfig(`${PROJECT}:${key}`);
  if (value !== undefined) return value;
  throw new DelosError('ERR_NOT_UP', `the stack's configuration has no ${PROJECT}:${key}`, {
    hint: 'run `./delos aux-vm up` once, which writes it',
  });
};
const config = await loadAuxVm(setting('auxVm'));
const paths = instancePaths(setting('auxVmInstance') || DEFAULT_INSTANCE, process.env);
const vm = await planAuxVm(paths, config, setting('auxVmPrograms'), !pulumi.runtime.isDryRun());
auxVmProgram(addressOf(config), vm.parts);

// The same as those of `delos aux-vm up`.
export const { url, registry, charts, chartsOci, packages, packagesUpload, dns, authorities, user } = vm.outputs;
