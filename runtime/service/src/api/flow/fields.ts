import { flowTaskStatus } from '@delos/core';
import { z } from 'zod';

/* What fields of requests about flows have in common. */

const LONGEST_NAME = 512;
/** Actions lie in each other: each adds its name. */
const LONGEST_FULL_ID = 4_096;
const MOST_TAGS = 256;
const MOST_STATUSES = 64;
const MOST_TEXTS = 10_000;

export const objectId = z.string().min(1).max(128);
export const byId = z.object({ id: objectId });
export const shortText = z.string().max(LONGEST_NAME);
export const name = shortText.min(1);
/** `a.b.c`; empty: the batch itself. */
export const prefix = z.string().max(LONGEST_FULL_ID);
export const fullId = prefix.min(1);
export const longText = z.string().max(LONGEST_FULL_ID);
export const tags = z.array(z.string().max(256)).max(MOST_TAGS);

/** `{name: text}`, of at most ten thousand. */
export const texts = z
  .record(z.string().max(LONGEST_FULL_ID), z.string())
  .refine((map) => Object.keys(map).length <= MOST_TEXTS, `expected at most ${MOST_TEXTS} of them`);

export const time = z.iso.datetime({
  offset: true,
  message: 'expected a time with its offset, such as 2026-01-31T12:00:00+00:00',
});

export const statuses = z
  .array(z.object({ created_at: time, status: flowTaskStatus }))
  .min(1)
  .max(MOST_STATUSES);
