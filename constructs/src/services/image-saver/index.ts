import { IMAGE_SAVER, IMAGE_SAVER_PORT, isLoopback } from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { z } from 'zod';
import { DNS } from '../../base/connections.ts';
import { nodeFolder, scratch } from '../../base/mount.ts';
import { Secret } from '../../base/secret.ts';
import { env, fileOf, mounted } from '../../base/secret-folder.ts';
import { goMemoryLimit } from '../../base/sections/resources-section.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import { Workload } from '../../base/workload.ts';
import { isEnabled } from '../../service-sections.ts';
import { portOfUrl } from '../../url-port.ts';
import { agent } from '../agent/index.ts';
import { gateway } from '../gateway/index.ts';
import { registry } from '../registry/index.ts';

const config = z.strictObject({}).prefault({});
type Config = z.infer<typeof config>;

/** Where containerd has them by itself. */
const CONTENT = '/var/lib/containerd/io.containerd.content.v1.content';
const SNAPSHOTS = '/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs';
const TASKS = '/run/containerd/io.containerd.runtime.v2.task/k8s.io';
const SCRATCH = '/scratch';

const answers = { httpGet: { path: '/healthz', port: k8s.IntOrString.fromString('http') }, timeoutSeconds: 5 };

/**
 * Makes images of jobs' containers, on the node where each runs. It reads the folders of containerd that hold layers, and does not
 * speak to containerd, which would let it do everything on the node: it is a user of its own with one right, to read files of others. It has no
 * Kubernetes token and cannot write to a folder of the node. The agent alone may ask it.
 */
export class ImageSaver extends Construct {
  readonly workload: Workload;

  constructor(scope: Construct, id: string, at: Site<Config>) {
    super(scope, id);
    const { namespace, image, resources } = at;
    const asking = at.get(agent);
    const token = Secret.copy(this, 'token', { namespace, of: asking.saverToken, name: `${IMAGE_SAVER}-token` });
    this.workload = new Workload(this, 'workload', {
      namespace,
      name: imageSaver.name,
      runs: { kind: 'daemon-set' },
      image,
      user: imageSaver.user,
      readsAllFiles: true,
      rereadsSecrets: true,
      resources,
      command: ['/bin/image-saver'],
      ports: { http: IMAGE_SAVER_PORT },
      probes: {
        startupProbe: { ...answers, periodSeconds: 1, failureThreshold: 60 },
        readinessProbe: { ...answers, periodSeconds: 10, failureThreshold: 3 },
        livenessProbe: { ...answers, periodSeconds: 10, failureThreshold: 6 },
      },
      mounts: () => [
        { ...nodeFolder(CONTENT), name: 'content' },
        { ...nodeFolder(SNAPSHOTS), name: 'snapshots' },
        // What is mounted there later, as containers start, is seen too.
        { ...nodeFolder(TASKS), name: 'tasks', follows: true },
        scratch('scratch', SCRATCH, '10Gi'),
        mounted(token.secret),
      ],
      env: () => [
        env('DELOS_SAVER_USER', String(imageSaver.user)),
        env('DELOS_SAVER_CONTENT', CONTENT),
        env('DELOS_SAVER_TASKS', TASKS),
        env('DELOS_SAVER_SCRATCH', SCRATCH),
        env('DELOS_SAVER_TOKEN_FILE', fileOf(token)),
        goMemoryLimit(resources),
      ],
    });
    // Both policies: of the agent, and of this.
    asking.workload.reach(this.workload.peer('http'));
    this.workload.reach(DNS, at.get(gateway).workload.peer('http', 'https'));
    const { hostname } = new URL(at.publicUrl);
    if (!isLoopback(hostname)) this.workload.reach({ kind: 'anyone', ports: [portOfUrl(at.publicUrl)] });
  }
}

/** The service that makes images of containers. */
export const imageSaver: ServiceDescriptor<Config, ImageSaver> = {
  name: IMAGE_SAVER,
  idea: 'the saver of images: makes an image of a job’s container on its node',
  image: 'image-saver',
  config,
  user: 60646,
  onNodes: true,
  resources: { cpu: '10m', memory: '16Mi', memoryLimit: '256Mi' },
  needs: [agent, registry],
  optional: true,
  late: true,
  wanted: (given) => isEnabled(given, registry),
  build: (scope, at) => new ImageSaver(scope, IMAGE_SAVER, at),
};
