import { z } from 'zod';
import { bytes, coresTogether, count, dnsLabel, keepDays, logLimit } from '../config-fields.ts';
import { ORG_ROLES, PROJECT_ROLES } from '../words/roles.ts';
import { budget } from './credits/index.ts';

/* Who shares the platform, and how much each may take. */

const amounts = (leftOut: string) =>
  z.strictObject({
    runningJobs: count.optional().describe(`Jobs that run at once; left out: ${leftOut}`),
    cpu: coresTogether.optional().describe('Cores at once'),
    memory: bytes.optional().describe('Memory at once'),
    gpu: count.optional().describe('GPUs at once, of any make'),
  });
const most = amounts('no limit');
const quota = most.extend({
  disks: bytes.optional().describe('Size of all disks together; left out: no limit'),
  files: bytes
    .optional()
    .describe(
      'Files of the file storage together; left out: no limit. Clients are held to it, jobs that mount the storage are not',
    ),
});

/** How an organization, a project or a user in it stands beside others of its level. */
const share = {
  weight: z
    .number()
    .min(0.000_001)
    .max(1_000_000)
    .default(1)
    .describe('Its part of what there is to share: with 2 it gets twice as much as one with 1'),
  guarantee: amounts('nothing is guaranteed')
    .prefault({})
    .describe(
      'What it gets back at once from preemptible jobs of others when it asks for it; what it leaves idle is lent. Where anything is guaranteed, jobs that are not preemptible run within guarantees and what these leave',
    ),
  limit: most.prefault({}).describe('The most that its jobs may hold with what it was lent'),
};

const member = z.strictObject({
  user: z.string().describe('Name of the admin or of one of `users`'),
  role: z.enum(PROJECT_ROLES).default('writer').describe('A reader only looks'),
  ...share,
});

const project = z.strictObject({
  name: dnsLabel.describe('Project name'),
  quota: quota.prefault({}).describe('What its jobs may take together, its disks and its files'),
  ...share,
  budget: budget.optional().describe('The most credits that its jobs may spend; left out: no limit'),
  privileged: z.boolean().default(false).describe('Its jobs may be privileged: root on the node, in effect'),
  logs: z
    .strictObject({
      limit: logLimit.optional().describe('All logs of this project; left out: `logs.projectLimit`'),
      keepDays: keepDays
        .optional()
        .describe('Days for which a log of this project is kept after its job has ended; left out: `logs.keepDays`'),
    })
    .prefault({})
    .describe('What is kept of the logs of its jobs'),
  images: z
    .strictObject({
      limit: bytes.optional().describe('All its images in the registry; left out: `services.registry.projectLimit`'),
    })
    .prefault({})
    .describe('Its images'),
  members: z.array(member).default([]).describe('Who may work in it, beside the admin'),
});

const orgMember = z.strictObject({
  user: z.string().describe('Name of one of `users`'),
  role: z
    .enum(ORG_ROLES)
    .default('user')
    .describe(
      'An admin has all rights in each project, a manager adds projects and people, a user has what projects give',
    ),
  quota: z
    .strictObject({ runningJobs: count.describe('Jobs that run at once in all projects of the organization') })
    .optional()
    .describe('What the jobs of this person may take together; left out: no limit but what administrators say'),
});

export const organization = z.strictObject({
  name: dnsLabel.describe('Organization name'),
  quota: quota.prefault({}).describe('What all its projects’ jobs may take together, their disks and their files'),
  ...share,
  budget: budget.optional().describe('The most credits that all its projects’ jobs may spend; left out: no limit'),
  members: z.array(orgMember).default([]).describe('Who has a role in the organization itself'),
  projects: z
    .array(project)
    .min(1)
    .describe(
      'Its projects, in the order in which they are listed. After a login the client stands in the first by alphabet',
    ),
});

export const adopt = z
  .array(z.string().min(1).max(200))
  .max(1_000)
  .default([])
  .describe(
    'What administrators made while the platform ran and this file takes over as it says: `organization NAME`, `project ORG/NAME`, `member ORG/PROJECT USER`, `member ORG USER`, `quota ORG USER`, `preset NAME`. Needed only where both say something else, which `delos up` tells',
  );

export type Quota = z.infer<typeof quota>;
export type Member = z.infer<typeof member>;
export type Share = Pick<Member, keyof typeof share>;

/** Of all that is said of an organization, a project or a member, how it stands beside others. */
export const shareOf = ({ weight, guarantee, limit }: Share): Share => ({ weight, guarantee, limit });

/** The share of an organization, a project or a member for which the file says nothing. */
export const PLAIN_SHARE: Share = { weight: 1, guarantee: {}, limit: {} };
