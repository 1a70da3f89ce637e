export { type Content, joined } from './content/content.ts';
export { type Gathered, type GatherOptions, gather, PARTS, type Part } from './content/gather.ts';
export { type BlobFolder, type ImageItem, imageContent, ociLayout } from './content/images.ts';
export { difference } from './delta/diff.ts';
export { inventoryBytes, inventoryOf, type Since, sinceIndex, sinceInventory } from './delta/inventory.ts';
export { readSince } from './delta/since-file.ts';
export { type Digest, digestOf, hexOf } from './format/digest.ts';
export { bundleError, type Fault, FaultFound } from './format/fault.ts';
export {
  type BundleIndex,
  bundleIndex,
  INDEX_FILE,
  ITEM_KINDS,
  type Item,
  type ItemKind,
  SIGNATURE_FILE,
} from './format/index-schema.ts';
export { DEFAULT_PACK_BYTES, LEAST_PACK_BYTES, MOST_PACK_BYTES } from './format/plan.ts';
export { type Placed, placeBundle } from './machine/place.ts';
export { lackingIn } from './machine/wanted.ts';
export { type OpenBundle, openBundle, readIndexUnsigned, type TrustInput } from './read/open.ts';
export { verifyPacks } from './read/verify.ts';
export { Registry } from './registry/client.ts';
export {
  type Component,
  imageNamed,
  tryComponents,
  tryDocument,
  type VersionChange,
  versionChanges,
} from './sbom/read.ts';
export { serveBundle } from './serve/server.ts';
export { journalOf, verifyOnce } from './site/bring.ts';
export { type Imported, importBundle } from './site/import.ts';
export { type ImportPlan, planImport } from './site/import-plan.ts';
export { Journal } from './site/journal.ts';
export { type Preflight, preflight } from './site/preflight.ts';
export { planPrune, prune } from './site/prune.ts';
export { recordVersion, repositoriesOf, versionsOf } from './site/record.ts';
export { type SiteService, sendCharts, sendWheels } from './site/services.ts';
export type { CarriedList } from './trust/chain.ts';
export { readCarriedList, readKeyList, readPrivateKey, readPublicKey } from './trust/files.ts';
export {
  KEYS_FORMAT,
  type KeyList,
  keyList,
  keyListBytes,
  keyListFile,
  keySignatureFile,
} from './trust/key-list.ts';
export { keyIdOf, newKeyPair } from './trust/keys.ts';
export { newKeyList, signKeyList } from './trust/new-list.ts';
export { type CreateInput, createBundle, planBundle } from './write/create.ts';
export { Pace } from './write/pace.ts';
export { signBundle } from './write/sign.ts';
