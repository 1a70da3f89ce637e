import { type FileVolumeSource, MANAGED_BY, PROJECT_FILES_PREFIX } from '@delos/core';

/* Admission's rules for volumes of projects' files, in CEL. Variables are those of policy.ts. */

const text = (value: string): string => JSON.stringify(value);
const NAME = text(`^${PROJECT_FILES_PREFIX}[0-9a-f]{16}$`);
/** Organization and project. */
const FOLDERS = '/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';

/** Whether an object is the claim of such a volume, which has its name and is reserved for it. */
export const FILES_CLAIM = [
  'variables.isClaim && !variables.changes',
  `object.metadata.name.matches(${NAME})`,
  'object.spec.all(key, key in ["accessModes", "resources", "storageClassName", "volumeMode", "volumeName"])',
  'has(object.spec.volumeName) && object.spec.volumeName == object.metadata.name',
  'has(object.spec.storageClassName) && object.spec.storageClassName == ""',
  'object.spec.accessModes == ["ReadWriteMany"]',
].join(' && ');

/** The agent makes volumes of folders of projects, for claims in namespaces of jobs, and takes away those alone. */
export function volumeRules(source: FileVolumeSource | undefined): readonly { expression: string; message: string }[] {
  if (source === undefined) {
    return [{ expression: '!variables.isVolume', message: 'there is no file storage that jobs could mount' }];
  }
  const escaped = source.path.replace(/[^A-Za-z0-9/_-]/g, (sign) => `\\${sign}`);
  const folder = text(`^${escaped}${FOLDERS}$`);
  const [key, from] =
    source.kind === 'directory'
      ? ['hostPath', `object.spec.hostPath.path.matches(${folder}) && object.spec.hostPath.type == "Directory"`]
      : ['nfs', `object.spec.nfs.server == ${text(source.server)} && object.spec.nfs.path.matches(${folder})`];
  const keys = [
    ...['accessModes', 'capacity', 'claimRef', 'mountOptions', 'persistentVolumeReclaimPolicy', 'storageClassName'],
    ...['volumeMode', key],
  ];
  const made = [
    `object.metadata.name.matches(${NAME})`,
    `has(object.metadata.labels) && object.metadata.labels == ${JSON.stringify(MANAGED_BY)}`,
    `object.spec.all(key, key in ${JSON.stringify(keys)})`,
    `has(object.spec.${key}) && ${from}`,
    ...(source.kind === 'directory' ? ['!has(object.spec.mountOptions)'] : []),
    'object.spec.persistentVolumeReclaimPolicy == "Retain"',
    'object.spec.claimRef.namespace.matches("^job-[a-z0-9-]+-[0-9a-f]{8}$")',
    'object.spec.claimRef.name == object.metadata.name',
  ].join(' && ');
  const gone = `oldObject.metadata.name.matches(${NAME}) && oldObject.spec.persistentVolumeReclaimPolicy == "Retain"`;
  return [
    {
      expression: `!variables.isVolume || request.operation == "CREATE" && ${made} || request.operation == "DELETE" && oldObject != null && ${gone}`,
      message: 'the agent makes and removes volumes of projects’ folders of the file storage, for jobs, and no others',
    },
  ];
}
