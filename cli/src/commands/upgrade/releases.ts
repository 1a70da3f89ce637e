import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DelosError } from '@delos/core';
import { parse } from 'yaml';
import { z } from 'zod';

const version = z.string().regex(/^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/);
const document = z.looseObject({ upgradesFrom: z.array(version) });

/** The releases that this version takes over. @throws DelosError ERR_INTERNAL for a checkout without the list */
export function upgradesFrom(root: string): readonly string[] {
  const file = join(root, 'docs/releases.yaml');
  try {
    return document.parse(parse(readFileSync(file, 'utf8'))).upgradesFrom;
  } catch (cause) {
    throw new DelosError('ERR_INTERNAL', `${file} does not say which releases are taken over`, {
      hint: 'take a whole checkout of Delos',
      cause,
    });
  }
}
