// The platform as a Pulumi program: `pulumi up` deploys it, `pulumi destroy` takes it away.
import { ClusterProvider, deploy } from '@delos/stacks/program';
import pulumi from '@pulumi/pulumi';
import { customPlatform } from './platform.ts';

const image = new pulumi.Config().require('image');
await deploy(await customPlatform(image), { provider: new ClusterProvider('cluster') });
