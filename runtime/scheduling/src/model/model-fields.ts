import { z } from 'zod';

/* Fields that every part of the model is made of. */

export const count = z.number().int().min(0);
export const positive = z.number().int().positive();
/** Memory in MiB; bytes that are no whole number of them are a binary fraction, whose sums are exact as well. */
export const mebibytes = z.number().min(0);
export const name = z.string().min(1).max(300);
export const labels = z.record(z.string(), z.string());
