import { LogCommands } from '@delos/flow';
import type { Target } from '../engine.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

function read(chunks: readonly Uint8Array[]): string {
  const reader = new LogCommands();
  const shown = Buffer.concat([...chunks.map((chunk) => reader.push(chunk)), reader.end()]);
  return JSON.stringify([shown.toString('latin1'), [...reader.outputs], [...reader.states], reader.unknown]);
}

/** Logs: what is read does not depend on how they are cut. The first byte says where. */
export const target: Target = {
  seeds: [
    '\x03::set-output name=a::1\ntext\r\n::save-state name=b::x y\n',
    '\x05  ::stop-commands::T\n::c\n::T::\n::x\r::set-output name=c::\xe9',
    ' : :\n::\n:',
  ].map(encode),
  words: [
    '::set-output name=a::',
    '::save-state name=s::',
    '::stop-commands::T',
    '::T::',
    '\r\n',
    '\n',
    '\r',
    '::',
    '\t',
  ],
  run: (input) => {
    const step = 1 + ((input[0] ?? 0) % 13);
    const log = input.subarray(1);
    const chunks = Array.from({ length: Math.ceil(log.length / step) }, (_, at) =>
      log.subarray(at * step, (at + 1) * step),
    );
    const [whole, cut] = [read([log]), read(chunks)];
    if (whole !== cut) throw new Error(`whole: ${whole}\ncut by ${step}: ${cut}`);
    const shown = (JSON.parse(whole) as [string])[0];
    if (shown.length > log.length) throw new Error('more is shown than was written');
  },
};
