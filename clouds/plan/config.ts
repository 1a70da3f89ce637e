import { z } from 'zod';

const network = z.string().regex(/^(\d{1,3}\.){3}\d{1,3}\/\d{1,2}$/, 'expected a network, as 10.40.0.0/16');
const zone = z.string().regex(/^[a-z0-9-]{3,40}$/, 'expected the name of a zone');
const region = z.string().regex(/^[a-z0-9-]{3,40}$/, 'expected the name of a region, as the provider has it');

/** What every cluster is told, whoever runs it. */
const base = {
  name: z
    .string()
    .regex(/^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$/, 'expected 1 to 30 lower-case letters, digits or hyphens')
    .describe('Name of the cluster, and of all that is made for it'),
  platform: z
    .string()
    .min(1)
    .default('delos.yaml')
    .describe('The delos.yaml whose nodePools and storageClasses the cluster shall have; relative to this file'),
  version: z
    .string()
    .regex(/^1\.(3\d|[4-9]\d)$/, 'expected a minor version of Kubernetes of 1.30 or later, as "1.34"')
    .optional()
    .describe('Kubernetes; left out: the one that the provider gives by itself'),
  endpoint: z
    .strictObject({
      private: z
        .boolean()
        .default(false)
        .describe(
          'The API server has an address in the private network alone: whoever runs `delos up` must reach that',
        ),
      from: z.array(network).max(50).default([]).describe('Networks that may ask a public API server. Default: all'),
    })
    .prefault({})
    .describe('Where the API server answers'),
  system: z
    .strictObject({
      size: z.number().int().min(1).max(50).default(2).describe('How many'),
      cpu: z.number().positive().max(192).default(4).describe('Cores of one'),
      memory: z.number().positive().max(2048).default(16).describe('Memory of one, GiB'),
    })
    .prefault({})
    .describe('Nodes of the platform itself, on which no job runs'),
  instanceTypes: z
    .record(
      z.string(),
      z.string().regex(/^[A-Za-z0-9._-]{2,60}$/, 'expected a type of machine, as the provider has it'),
    )
    .default({})
    .describe(
      'Name of a pool → type of its machines, in place of the one that follows from its size. `system`: the platform’s',
    ),
  diskSize: z.number().int().min(20).max(16_000).default(100).describe('Disk of a node, GiB, where its pool says none'),
};

/** A private endpoint is asked by no public network. */
const consistent = <T extends { readonly endpoint: { readonly private: boolean; readonly from: readonly string[] } }>(
  schema: z.ZodType<T>,
): z.ZodType<T> =>
  schema.refine(({ endpoint }) => !endpoint.private || endpoint.from.length === 0, {
    path: ['endpoint', 'from'],
    message:
      'a private API server is asked from the private network alone: leave this out, or set endpoint.private: false',
  });

/** The file of a cluster at Amazon. */
export const eksConfig = consistent(
  z.strictObject({
    ...base,
    region: region.describe('Region, as eu-central-1'),
    zones: z.array(zone).min(2).max(6).describe('Zones that it lies in, two at least'),
    network: network.default('10.40.0.0/16').describe('Its own network, of 16 bits; each zone gets two parts of it'),
  }),
);
export type EksConfig = z.infer<typeof eksConfig>;

/** The file of a cluster at Google. */
export const gkeConfig = consistent(
  z.strictObject({
    ...base,
    project: z
      .string()
      .regex(/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/, 'expected the id of a project')
      .describe('Project'),
    location: region.describe('A zone, as europe-west4-a, or a region, which has a control plane in several zones'),
    zones: z.array(zone).max(6).default([]).describe('Zones of its nodes. Default: as the location has them'),
    network: network.default('10.40.0.0/20').describe('Addresses of nodes'),
    pods: network.default('10.44.0.0/14').describe('Addresses of Pods'),
    services: network.default('10.48.0.0/20').describe('Addresses of Services'),
    controlPlane: network.default('172.16.0.0/28').describe('Addresses of the control plane, of 28 bits'),
  }),
);
export type GkeConfig = z.infer<typeof gkeConfig>;

/** The file of a cluster at Azure. */
export const aksConfig = consistent(
  z.strictObject({
    ...base,
    location: region.describe('Region, as westeurope'),
    zones: z
      .array(z.enum(['1', '2', '3']))
      .max(3)
      .default([])
      .describe('Zones of its nodes. Default: none is named'),
    resourceGroup: z
      .string()
      .regex(/^[A-Za-z0-9_.()-]{1,89}[A-Za-z0-9_()-]$/, 'expected the name of a resource group')
      .optional()
      .describe('A resource group that is there. Default: one is made'),
  }),
);
export type AksConfig = z.infer<typeof aksConfig>;
