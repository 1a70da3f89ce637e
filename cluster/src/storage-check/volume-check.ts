import { parseQuantity, quantityOf, wholeUnits } from '@delos/core';
import { text } from '@delos/kube';
import { type Check, check } from '../preflight/check.ts';
import type { ClassBook } from './classes.ts';
import { type CheckPod, claimObject, namespaceOf, podObject, type Run, volumeObject } from './objects.ts';
import { MEASURER, READER, SHARED_READER, SHARED_WRITER, WRITER } from './scripts.ts';
import { StorageFault, type WantedVolume } from './wanted.ts';
import { boundVolume, grownClaim, podEnd, podGone, type Waiting } from './watch.ts';

const GIB = 2 ** 30;
/** The least that clouds make. */
const FIRST_BYTES = GIB;
const GROWN_BYTES = 2 * GIB;
/** A file system keeps some of its device for itself, and some round up: twice the size is not held to it. */
const HELD = 2 * FIRST_BYTES;
/** Nodes on which file storage is read. */
const MOST_NODES = 20;

/** What a check of one kind of volumes needs. */
export interface VolumeCheck {
  readonly run: Run;
  readonly classes: ClassBook;
  readonly waiting: Omit<Waiting, 'wanted'>;
  /** Nodes that take Pods. */
  readonly nodes: readonly string[];
}

const bytesOf = (quantity: string): number => {
  const amount = parseQuantity(quantity === '' ? '0' : quantity);
  return amount === undefined ? 0 : Number(wholeUnits(amount));
};

/** Really binds, writes, reads back by another Pod, and makes larger where that is promised. */
export async function checkVolume(wanted: WantedVolume, at: VolumeCheck): Promise<Check> {
  const needed =
    wanted.source.kind === 'class'
      ? `volumes of ${wanted.what}: bound, written, read by another Pod`
      : 'one volume that every node can write to, and sees what others write';
  try {
    const { measured, warning } = await (wanted.source.kind === 'class'
      ? checkClass(wanted, wanted.source.name, at)
      : checkShared(wanted, at));
    if (warning === undefined) return check(wanted.id, true, { measured, needed, fix: '' });
    return check(wanted.id, false, {
      fatal: false,
      measured: `${measured}; ${warning.message}`,
      needed,
      fix: warning.fix,
    });
  } catch (error) {
    if (!(error instanceof StorageFault)) throw error;
    return check(wanted.id, false, { measured: error.message, needed, fix: error.fix });
  }
}

interface Found {
  readonly measured: string;
  readonly warning?: StorageFault;
}

const nameOf = ({ id }: WantedVolume): string =>
  id
    .replace(/[^a-z0-9]+/gi, '-')
    .toLowerCase()
    .slice(0, 40);

async function make(at: VolumeCheck, plural: string, object: { readonly metadata: { readonly name: string } }) {
  const { client, namespace } = at.waiting;
  const base = plural === 'persistentvolumes' ? '/api/v1' : `/api/v1/namespaces/${namespace}`;
  await client.apply(`${base}/${plural}/${object.metadata.name}`, object);
}

async function checkClass(wanted: WantedVolume, className: string, at: VolumeCheck): Promise<Found> {
  const waiting = { ...at.waiting, wanted };
  const used = await at.classes.use(wanted, className);
  const claim = nameOf(wanted);
  const env = { FILE: `/v/.delos-check-${at.run.id}`, TOKEN: at.run.id };
  const run = async (name: string, script: string) => {
    const pod: CheckPod = { name: `${claim}-${name}`, claim, script, env };
    await make(at, 'pods', podObject(at.run, pod));
    const end = await podEnd(waiting, claim, pod.name);
    await podGone(waiting, claim, pod.name);
    return end;
  };
  await make(
    at,
    'persistentvolumeclaims',
    claimObject(at.run, claim, {
      accessModes: ['ReadWriteOnce'],
      storageClassName: used.name,
      resources: { requests: { storage: quantityOf(FIRST_BYTES) } },
    }),
  );
  if (!used.waitsForPod) await boundVolume(waiting, claim);
  const written = await run('write', WRITER);
  await deletedWithClaim(waiting, await boundVolume(waiting, claim));
  const read = await run('read', READER);
  const steps = ['bound', `written on ${written.node}`, `read by another Pod on ${read.node}`];
  const held = read.bytes <= HELD;
  if (held) steps.push(`holds a volume to its size`);
  if (used.expands) {
    const spec = { spec: { resources: { requests: { storage: quantityOf(GROWN_BYTES) } } } };
    await waiting.client.patch(`/api/v1/namespaces/${namespaceOf(at.run)}/persistentvolumeclaims/${claim}`, spec);
    await grownClaim(waiting, claim, bytesOf, GROWN_BYTES);
    const grown = await run('measure', MEASURER);
    if (grown.bytes <= read.bytes) {
      throw new StorageFault(
        `its class says that volumes grow, and one of ${quantityOf(FIRST_BYTES)} was not larger as one of ${quantityOf(GROWN_BYTES)}`,
        'set allowVolumeExpansion: false on the class, or see what its csi-resizer says: kubectl logs',
      );
    }
    steps.push('made larger');
  } else steps.push('cannot be made larger');
  const measured = `StorageClass ${className}: ${steps.join(', ')}`;
  if (held) return { measured };
  return {
    measured,
    warning: new StorageFault(
      'it holds no volume to its size, so that one may fill the disk of all',
      'use a class of real volumes where that matters (OpenEBS LVM, TopoLVM); of folders, watch the free disk of nodes',
    ),
  };
}

/** What the check has made goes, also where a class would keep it. */
async function deletedWithClaim({ client }: Waiting, volume: Parameters<typeof text>[0]): Promise<void> {
  if (text(volume, 'spec', 'persistentVolumeReclaimPolicy') !== 'Retain') return;
  const path = `/api/v1/persistentvolumes/${text(volume, 'metadata', 'name')}`;
  await client.patch(path, { spec: { persistentVolumeReclaimPolicy: 'Delete' } });
}

async function checkShared(wanted: WantedVolume, at: VolumeCheck): Promise<Found> {
  if (wanted.source.kind !== 'volume') throw new Error('unreachable');
  const { source } = wanted;
  const waiting = { ...at.waiting, wanted };
  const claim = nameOf(wanted);
  const volume = `${namespaceOf(at.run)}-${claim}`;
  const made = source.make({ volume, namespace: namespaceOf(at.run), claim });
  const used = source.className === undefined ? undefined : await at.classes.use(wanted, source.className);
  if (made.volume !== undefined) await make(at, 'persistentvolumes', volumeObject(at.run, volume, made.volume));
  const spec = used === undefined ? made.claim : { ...made.claim, storageClassName: used.name };
  await make(at, 'persistentvolumeclaims', claimObject(at.run, claim, spec));
  const nodes = at.nodes.slice(0, MOST_NODES);
  const file = `/v/.delos-check-${at.run.id}`;
  const pods: readonly CheckPod[] = [
    {
      name: `${claim}-write`,
      claim,
      script: SHARED_WRITER,
      shared: 'owner',
      env: { FILE: file, TOKEN: at.run.id, NODES: nodes.join(' ') },
    },
    ...nodes.map((node, index) => ({
      name: `${claim}-read-${index + 1}`,
      claim,
      script: SHARED_READER,
      shared: 'other' as const,
      node,
      env: { FILE: file, TOKEN: at.run.id, NODE: node },
    })),
  ];
  for (const pod of pods) await make(at, 'pods', podObject(at.run, pod));
  // The first that fails says why; those that wait for it would only say that they have waited.
  const [written] = await Promise.all(pods.map(({ name }) => podEnd(waiting, claim, name)));
  if (used !== undefined) await deletedWithClaim(waiting, await boundVolume(waiting, claim));
  return {
    measured: `${source.where}: bound, written on ${written?.node ?? ''}, read and answered on ${nodes.join(', ')}`,
  };
}
