import { DelosError } from '@delos/core';
import { Construct } from 'constructs';
import { DNS } from '../../base/connections.ts';
import { PORTS } from '../../base/names.ts';
import { OWN_PROBES } from '../../base/probes.ts';
import { env } from '../../base/secret-folder.ts';
import { goMemoryLimit } from '../../base/sections/resources-section.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import { Workload } from '../../base/workload.ts';
import { controlApi } from '../control-api/index.ts';

const DATA = '/files';

/**
 * One tar of all files, with their lists of access. They are written while it is made: each file is as it was when its turn came. What a job
 * keeps to itself cannot be read, and is named on stderr. Holes of a file take no room.
 */
export const SAVE_FILES = `cd ${DATA}
find . -mindepth 1 -maxdepth 1 ! -name lost+found ! -name '.delos*' -print0 |
  tar --create --file=- --sparse --acls --xattrs --xattrs-include='user.*' --ignore-failed-read --warning=no-file-changed \\
    --null --files-from=- || [ $? -eq 1 ]`;
/** Of its memory, kept by its own collection of garbage. */
const HEAP = 0.8;

/**
 * Files of projects on the file storage's volume, and nothing else of the cluster. It has no users and no secrets: who may do what,
 * it asks the control API with the caller's own token.
 */
export class Files extends Construct {
  readonly workload: Workload;

  constructor(
    scope: Construct,
    id: string,
    { descriptor, at }: { readonly descriptor: ServiceDescriptor<unknown, Files>; readonly at: Site<unknown> },
  ) {
    super(scope, id);
    const { fileStorage } = at;
    if (fileStorage === undefined) throw new DelosError('ERR_INTERNAL', 'there is no file storage to serve');
    const api = at.get(controlApi);
    this.workload = new Workload(this, 'workload', {
      name: descriptor.name,
      namespace: at.namespace,
      // Half an upload that another process had begun is removed at the start: there is but one at a time.
      runs: { kind: 'deployment', replicas: 1, recreate: true },
      image: at.image,
      user: descriptor.user,
      resources: at.resources,
      command: ['/bin/files'],
      ports: { http: PORTS.http, internal: PORTS.internal },
      podPorts: ['internal'],
      probes: OWN_PROBES,
      mounts: () => [
        { name: 'files', path: DATA, volume: { persistentVolumeClaim: { claimName: fileStorage.claimName } } },
      ],
      env: () => [
        env('DELOS_API_URL', api.workload.url('http')),
        env('DELOS_FILES_DATA', DATA),
        env('DELOS_FILES_PORT', String(PORTS.http)),
        env('DELOS_FILES_INTERNAL_PORT', String(PORTS.internal)),
        goMemoryLimit(at.resources, HEAP),
      ],
    });
    this.workload.reach(api.workload.peer('http'), DNS);
    this.workload.after(fileStorage);
    api.hasFilesAt(this.workload);
  }
}
