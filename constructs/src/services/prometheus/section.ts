import { secretReference, size, webUrl } from '@delos/core';
import { z } from 'zod';

const remote = z
  .strictObject({
    url: webUrl.describe('Where samples are sent to by Prometheus’ remote write protocol'),
    user: z.string().min(1).max(253).optional().describe('Name that it is signed in to with'),
    password: secretReference.optional().describe('Where its password is'),
    token: secretReference.optional().describe('Where a token is that is sent instead (Authorization: Bearer)'),
  })
  .superRefine(({ user, password, token }, context) => {
    const fault = (key: string, message: string): void => context.addIssue({ code: 'custom', path: [key], message });
    if ((user === undefined) !== (password === undefined)) {
      if (user === undefined) fault('password', 'a password needs `user`');
      else fault('user', 'a user needs `password`, which says where the password is');
    } else if (user !== undefined && token !== undefined) {
      fault('token', 'expected a user with a password or a token, found both');
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
