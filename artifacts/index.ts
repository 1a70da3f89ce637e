export type { MavenArtifact } from './archive.ts';
export type { BuildableImage, CatalogueImage, ImageBuild, ImageWheel } from './image.ts';
export { PUBLISHED_CADDY } from './images/caddy/image.ts';
export { CATALOGUE } from './images/index.ts';
export { MIRROR_HOST, STAND_IN_FOR_LABEL, STAND_IN_LABEL } from './mirror.ts';
export type * from './tools/tool.ts';
export { KUBE_COMPONENTS, TOOLS } from './tools/tools.ts';
export { CLIENTS, type PinnedWheel, SCHEMATHESIS, UPLOADERS } from './wheels.ts';
