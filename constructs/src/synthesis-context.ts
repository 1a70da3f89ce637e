import { loadConfigBy, type StandIn, standIn } from '@delos/core';
import { z } from 'zod';
import { type Entrance, entranceSchema } from './entrance.ts';

/**
 * What the platform's manifests depend on beside the configuration; all of it known before anything is deployed. It is
 * kept between runs while the configuration is read anew, so nothing that follows from the configuration is in it.
 */
export interface SynthesisContext {
  /** Catalogue name → the reference that the nodes pull. */
  readonly images: Readonly<Record<string, string>>;
  /** Addresses and port where Pods reach the Kubernetes API server, behind its Service. */
  readonly apiServer: { readonly addresses: readonly string[]; readonly port: number };
  /**
   * Addresses at which Pods ask for names beside the Pods of cluster DNS: with a DNS cache on each node, a query never
   * reaches one of those. @default none
   */
  readonly dnsAddresses?: readonly string[] | undefined;
  /** Ranges of the cluster's own addresses, as far as they are known: no proxy is asked for these. @default none */
  readonly networks?: readonly string[] | undefined;
  /** Stand-ins that answer on this cluster: jobs that run on one say so. @default none */
  readonly standIns?: readonly StandIn[] | undefined;
  /** StorageClass of disks where the configuration names none. @default the cluster's default */
  readonly diskClass?: string | undefined;
  /** Folder of the file storage, which all nodes see, where the configuration names none. @default they see none */
  readonly fileFolder?: string | undefined;
  /** Whether every node runs Pods in user namespaces of their own (`hostUsers: false`). @default false */
  readonly userNamespaces?: boolean | undefined;
  /** Where the nodes are, and which ports lead to the gateway. */
  readonly entrance: Entrance;
}

/** A {@link SynthesisContext} as it is kept in files. */
export const synthesisContext: z.ZodType<SynthesisContext> = z.object({
  images: z.record(z.string(), z.string()),
  apiServer: z.object({ addresses: z.array(z.string()), port: z.number().int() }),
  dnsAddresses: z.array(z.string()).optional(),
  networks: z.array(z.string()).optional(),
  diskClass: z.string().optional(),
  fileFolder: z.string().optional(),
  standIns: z.array(standIn).optional(),
  userNamespaces: z.boolean().optional(),
  entrance: entranceSchema,
});

/**
 * The context of a cluster, from a file that `delos cluster context` wrote or that you wrote yourself, in JSON or YAML.
 * @throws DelosError ERR_CONFIG_NOT_FOUND; ERR_CONFIG_SYNTAX, ERR_CONFIG_VALUE with file, line, column and field
 */
export const loadContext = (file: string): Promise<SynthesisContext> =>
  loadConfigBy(synthesisContext, file, '`delos cluster context > FILE` writes one');
