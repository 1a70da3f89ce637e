export * from './addon-users.ts';
export { OVERLAP_DAYS, overlapEnd, SKEW_MS } from './certificate-times.ts';
export type { AcmeSection } from './config/acme.ts';
export type { BundleSection } from './config/bundle/index.ts';
export type { DnsSection, DnsServer } from './config/dns.ts';
export type { GivenCertificate } from './config/given-certificate.ts';
export type { EntraProvider, OidcProvider, SamlProvider } from './config/identity/broker.ts';
export { type DirectoryProvider, filterText, groupName } from './config/identity/directory.ts';
export type { GroupMapping } from './config/identity/fields.ts';
export type { IdentityProviders } from './config/identity/index.ts';
export { ANY_REGISTRY, type ImageMirror, imageMirror, mirrorsOf } from './config/image-mirrors.ts';
export * from './config/index.ts';
export * from './config/load.ts';
export type { NetworkSection, SiteProxy } from './config/network.ts';
export { type Notifications, webUrl } from './config/notifications.ts';
export { type Member, PLAIN_SHARE, type Quota, type Share, shareOf } from './config/organizations.ts';
export * from './config/reference.ts';
export { JOB_DISK, LEAST_JOB_DISK, preset, type SecurityProfile, securityProfile } from './config/resources.ts';
export type { RuleFault } from './config/rule-fault.ts';
export { type SecretReference, secretReference } from './config/secret-reference.ts';
export * from './config/shape.ts';
export {
  FILE_STORAGE_KINDS,
  type FileStorageKind,
  type FileStorageSection,
  fileStorageKind,
} from './config/storage/file-storage.ts';
export type { ClassData, Device, StorageClassSections } from './config/storage/storage-classes.ts';
export * from './config/template.ts';
export {
  addressRange,
  bytes,
  cores,
  count,
  dnsLabel,
  dnsSubdomain,
  host,
  plainText,
  SMALLEST_LOG_LIMIT,
  serverPort,
  size,
} from './config-fields.ts';
export * from './dns/entrance-names.ts';
export type { TsigKey } from './dns/tsig.ts';
export * from './dns/update.ts';
export * from './dns/zone.ts';
export * from './errors/error-codes.ts';
export * from './errors/errors.ts';
export * from './errors/nearest.ts';
export * from './identity-providers.ts';
export { splitReference } from './image-reference.ts';
export * from './image-registry.ts';
export * from './instance.ts';
export * from './job-hosts.ts';
export { type JoinSection, joinOf } from './join-section.ts';
export * from './key-set.ts';
export * from './loopback.ts';
export * from './progress.ts';
export * from './project-namespace.ts';
export * from './public-address.ts';
export * from './quantity.ts';
export * from './registry-settings.ts';
export { compareReleases, RELEASE } from './release.ts';
export * from './site-network.ts';
export { type MadeThings, madeRequest, madeThings } from './tenancy/made-things.ts';
export * from './user-email.ts';
export * from './wire/bucket-credential.ts';
export * from './wire/connection.ts';
export * from './wire/disk.ts';
export * from './wire/disk-desire.ts';
export * from './wire/disk-observation.ts';
export * from './wire/file-mount.ts';
export * from './wire/identity.ts';
export * from './wire/job.ts';
export * from './wire/job-desire.ts';
export * from './wire/job-observation.ts';
export * from './wire/job-secret.ts';
export * from './wire/join.ts';
export * from './wire/kinds.ts';
export * from './wire/log.ts';
export * from './wire/log-query.ts';
export * from './wire/node-report.ts';
export * from './wire/offer.ts';
export * from './wire/request-body.ts';
export * from './wire/stand-in.ts';
export * from './wire/stream.ts';
export * from './wire/token-request.ts';
export * from './wire/usage-report.ts';
export * from './words/cluster-names.ts';
export * from './words/file-storage.ts';
export * from './words/flow-words.ts';
export * from './words/gpu-kinds.ts';
export * from './words/identity-names.ts';
export * from './words/job-hosts.ts';
export * from './words/job-words.ts';
export * from './words/labels.ts';
export * from './words/metrics-names.ts';
export * from './words/object-storage.ts';
export * from './words/ports.ts';
export * from './words/registry-names.ts';
export * from './words/registry-secrets.ts';
export * from './words/roles.ts';
export * from './words/shared-kinds.ts';
export * from './yaml/document.ts';
export { faultsOf } from './yaml/faults.ts';
export * from './yaml/read.ts';
export * from './yaml/schema.ts';
export * from './yaml/write.ts';
