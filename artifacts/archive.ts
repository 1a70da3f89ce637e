/** An archive from a Maven repository, pinned by its content. */
export interface MavenArtifact {
  /** `group:artifact:version[:packaging]` */
  readonly coordinates: string;
  readonly sha256: string;
}
