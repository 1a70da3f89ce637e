/** Where the client finds a service. */
export interface ServiceAddress {
  /** One word; a folder's name where there is one. */
  readonly name: string;
  /** In words, for people: `disks`. */
  readonly title: string;
  /** All paths of it begin so. Without a trailing slash. */
  readonly prefix: string;
  /** Keys of GET /config that say where it is. The client finds a service by them. @default none */
  readonly config?: readonly ConfigKey[];
}

export interface ConfigKey {
  /** Told to everybody, to whoever is logged in, or as a part of the cluster. */
  readonly in: 'public' | 'platform' | 'cluster';
  readonly key: string;
  /** Where the client adds the rest of the path itself. @default the prefix */
  readonly path?: string;
}
