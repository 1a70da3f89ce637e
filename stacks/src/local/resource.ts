import pulumi from '@pulumi/pulumi';
import type { LocalInputs } from './settings.ts';

/** A cluster on this machine. */
export class LocalCluster extends pulumi.CustomResource {
  /** Name of the instance that it is. */
  declare readonly cluster: pulumi.Output<string>;
  /** Name of the context in {@link kubeconfig}. */
  declare readonly context: pulumi.Output<string>;
  /** Text of a kubeconfig of its administrator. A secret. */
  declare readonly kubeconfig: pulumi.Output<string>;
  declare readonly server: pulumi.Output<string>;

  constructor(name: string, inputs: LocalInputs) {
    const made = { cluster: undefined, context: undefined, kubeconfig: undefined, server: undefined };
    super(
      'delos-local:index:Cluster',
      name,
      { ...inputs, ...made },
      { version: '0.1.0', additionalSecretOutputs: ['kubeconfig'], customTimeouts: { create: '60m', update: '60m' } },
    );
  }
}
