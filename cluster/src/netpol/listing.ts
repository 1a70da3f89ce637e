import type { Chain, NftSet, Table } from './table.ts';

/** `nft -s list table inet NAME`, as it prints it, back to data. Rules come out as the text that made them. */
export function parseListing(text: string): Table {
  const lines = text.split('\n').map((line) => line.trim());
  const name = /^table inet (\S+) \{/.exec(lines[0] ?? '')?.[1] ?? '';
  const sets = new Map<string, NftSet>();
  const maps = new Map<string, ReadonlyMap<string, string>>();
  const chains = new Map<string, Chain>();
  let at = 1;
  while (at < lines.length) {
    const opened = /^(set|map|chain) (\S+) \{$/.exec(lines[at] ?? '');
    at++;
    if (opened === null) continue;
    const [, kind, object = ''] = opened;
    const close = lines.indexOf('}', at);
    const body = lines.slice(at, close === -1 ? undefined : close).filter((line) => line !== '');
    at += body.length;
    if (kind === 'chain') chains.set(object, chain(body));
    else if (kind === 'set') sets.set(object, { type: type(body), elements: new Set(elements(body)) });
    else maps.set(object, new Map(elements(body).map(pair)));
  }
  return { name, sets, maps, chains };
}

function chain(body: readonly string[]): Chain {
  const hook = body.find((line) => line.startsWith('type '));
  const comment = body.map((line) => /^comment "(.*)"$/.exec(line)?.[1]).find((found) => found !== undefined);
  const rules = body.filter((line) => line !== hook && !line.startsWith('comment '));
  return { ...(hook === undefined ? {} : { hook }), ...(comment === undefined ? {} : { comment }), rules };
}

function type(body: readonly string[]): string {
  return (body.find((line) => line.startsWith('type ')) ?? '').replace('type ', '');
}

/** Long lists go over several lines. */
function elements(body: readonly string[]): readonly string[] {
  const list = /elements = \{ ?(.*?) ?\}/.exec(body.join(' '))?.[1] ?? '';
  return list.split(/,\s*/).filter((element) => element !== '');
}

function pair(element: string): readonly [string, string] {
  const [key = '', verdict = ''] = element.split(' : ');
  return [key, verdict];
}
