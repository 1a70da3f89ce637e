/*
 * The program that a plain `pulumi up` runs (Pulumi.yaml). `delos up` runs the same from its own process.
 */
import pulumi from '@pulumi/pulumi';
import { PROJECT } from './driver/home.ts';
import { platformProgram } from './platform/program.ts';
import { settingsFromConfig } from './platform/settings.ts';
import { configKeeper } from './secrets/keeper.ts';

const settings = await settingsFromConfig((key) => pulumi.runtime.getConfig(`${PROJECT}:${key}`));
const keeper = configKeeper({ command: 'pulumi', cwd: pulumi.getRootDirectory(), env: process.env });
await platformProgram(settings, keeper);
