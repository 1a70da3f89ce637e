import { secretRef, size, webUrl } from '@delos/core';
import { z } from 'zod';

const remote = z
  .strictObject({
    url: webUrl.describe('Where samples are sent to by Prometheus’ remote write protocol'),
    user: z.string().min(1).max(253).optional().describe('Name that it is signed in to with'),
    passwordFrom: secretRef.optional().describe('Where its password lies'),
    tokenFrom: secretRef.optional().describe('Where a token lies that is sent instead (Authorization: Bearer)'),
  })
  .superRefine(({ user, passwordFrom, tokenFrom }, context) => {
    const fault = (key: string, message: string): void => context.addIssue({ code: 'custom', path: [key], message });
    if ((user === undefined) !== (passwordFrom === undefined)) {
      if (user === undefined) fault('passwordFrom', 'a password needs `user`');
      else fault('user', 'a user needs `passwordFrom`, which says where the password lies');
    } else if (user !== undefined && tokenFrom !== undefined) {
      fault('tokenFrom', 'expected a user with a password or a token, found both');
    }
  });

/** Where samples are also sent to. */
export type RemoteWrite = z.infer<typeof remote>;

/** Section of Prometheus in delos.yaml. */
export const prometheusSection = z
  .strictObject({
    storage: size.prefault('4Gi').describe('Size of its volume, when that is made. A fifth of it is left free'),
    keepDays: z
      .number()
      .int()
      .min(1)
      .max(3_650)
      .default(15)
      .describe('Days for which metrics are kept, as far as the volume has room: the oldest go first'),
    everySeconds: z
      .number()
      .int()
      .min(5)
      .max(300)
      .default(30)
      .describe('Seconds between two looks at a part, and between two judgements of rules'),
    remoteWrite: z
      .array(remote)
      .max(5)
      .default([])
      .describe('Prometheus, Mimir, Thanos or another store that all samples are also sent to, for longer'),
  })
  .prefault({});
/** Section of Prometheus in delos.yaml. */
export type PrometheusSection = z.infer<typeof prometheusSection>;
