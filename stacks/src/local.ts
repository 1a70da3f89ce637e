/*
 * The program that a plain `pulumi up` runs in the folder stacks/local: a cluster on this machine, whose outputs other stacks take.
 */
import { DEFAULT_INSTANCE } from '@delos/core';
import pulumi from '@pulumi/pulumi';
import { PROJECT } from './driver/home.ts';
import { LocalCluster } from './local/resource.ts';
import { localInputs } from './local/settings.ts';

const inputs = await localInputs((key) => pulumi.runtime.getConfig(`${PROJECT}:${key}`), {
  instance: process.env.DELOS_INSTANCE || DEFAULT_INSTANCE,
  root: pulumi.getRootDirectory(),
});

// The same as those of the stacks in the folder clouds.
export const { cluster, context, kubeconfig, server } = new LocalCluster('cluster', inputs);
