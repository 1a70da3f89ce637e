import { z } from 'zod';
import { plainText } from '../config-fields.ts';
import { secretReference } from './secret-reference.ts';

/** Stores of one's own that lines of logs are sent to. */
export const logSinks = z
  .array(
    z
      .strictObject({
        kind: z
          .enum(['loki', 'elasticsearch'])
          .describe('loki: Loki’s push API; elasticsearch: the bulk API of Elasticsearch and OpenSearch'),
        url: z
          .string()
          .refine(
            (text) => /^https?:\/\/[^\s@#]+$/.test(text) && URL.canParse(text),
            'expected http://… or https://…, without a user',
          )
          .describe('Where it is; `/loki/api/v1/push` or `/_bulk` is appended to its path'),
        user: plainText.optional().describe('Name that it is signed in to with'),
        secret: secretReference
          .optional()
          .describe('Where its password is, or without `user` a token that is sent as `Bearer`'),
        index: z
          .string()
          .regex(/^[a-z0-9][a-z0-9._-]{0,99}$/, 'expected small letters, digits, dots and hyphens')
          .optional()
          .describe('Of Elasticsearch: name of the index or data stream; left out: delos-logs'),
      })
      .superRefine(({ kind, user, secret, index }, context) => {
        const fault = (key: string, message: string): void =>
          context.addIssue({ code: 'custom', path: [key], message });
        if (user !== undefined && secret === undefined)
          fault('user', 'a user needs `secret`, which says where the password is');
        if (secret?.secret !== undefined) {
          fault(
            'secret',
            'expected {file: /PATH} or {externalSecret: {store, key}}: collectors are not in the namespace of Secrets of yours',
          );
        }
        if (index !== undefined && kind !== 'elasticsearch') fault('index', 'Loki has no index');
      }),
  )
  .max(5)
  .default([])
  .describe('Stores of your own that all lines of platform and jobs are also sent to, to be searched there');
