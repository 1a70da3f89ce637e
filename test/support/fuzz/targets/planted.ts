import type { Target } from '../engine.ts';

/** A fault behind five bytes, which only those find who are led by what they reach on the way. */
export const target: Target = {
  seeds: [new Uint8Array(5)],
  run: (input) => {
    if (input[0] !== 0x66) return;
    if (input[1] !== 0x75) return;
    if (input[2] !== 0x7a) return;
    if (input[3] !== 0x11) return;
    if (input[4] !== 0xf7) return;
    throw new Error('found');
  },
};
