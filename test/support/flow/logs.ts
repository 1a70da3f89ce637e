import { LogCommands } from '@delos/flow';

type Random = () => number;

const LINES = [
  'text',
  '',
  '   ',
  '::set-output name=a::1',
  '  ::  set-output   name = b  :: two words  ',
  '::set-output name=a::',
  '::set-output name=1a::x',
  '::set-output  name=c::\xe9\xff x::y\t',
  '::set-output\xa0name=d::1',
  '\xa0::set-output name=e::1',
  '::save-state name=s::v',
  '::SAVE-STATE name=s::w',
  '\x0b\x0c::save-state name=t::\xc3\xa9',
  '::stop-commands::T',
  ' :: stop-commands ::T T ',
  '::T::',
  '::T T::',
  '::nonsense',
  '::',
  ':',
  ': :set-output name=f::1',
  'x ::set-output name=g::1',
];
const ENDS = ['\n', '\n', '\n', '\r\n', '\r'];

/** A log in Latin-1 text, cut anywhere. Its last line ends at LF: what the authority does without is another matter. */
export function madeLog(random: Random): readonly string[] {
  const one = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const lines = Array.from({ length: Math.floor(random() * 10) }, () => `${one(LINES)}${one(ENDS)}`);
  const log = `${lines.join('')}${one(LINES)}\n`;
  const chunks: string[] = [];
  for (let at = 0; at < log.length; ) {
    const next = at + 1 + Math.floor(random() * (random() < 0.5 ? 4 : 60));
    chunks.push(log.slice(at, next));
    at = next;
  }
  return chunks;
}

export interface ReadLog {
  /** Latin-1. */
  readonly shown: string;
  readonly outputs: Readonly<Record<string, string>>;
  readonly states: Readonly<Record<string, string>>;
}

export function readLog(chunks: readonly string[]): ReadLog {
  const reader = new LogCommands();
  const shown = chunks.map((chunk) => reader.push(Buffer.from(chunk, 'latin1')));
  return {
    shown: Buffer.concat([...shown, reader.end()]).toString('latin1'),
    outputs: Object.fromEntries(reader.outputs),
    states: Object.fromEntries(reader.states),
  };
}
