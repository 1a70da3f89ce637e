import { type Chained, FIELDS, type Field } from './event.ts';

/*
 * A record in the words of others. What was erased is left out.
 */

/** Of RFC 5424: `log audit`. */
const FACILITY = 13;
const SEVERITY = { done: 6, refused: 4, failed: 3 } as const;
/** RFC 5612 gives this number to examples: we have none of our own. */
const ENTERPRISE = 32473;

/**
 * One line of syslog (RFC 5424), without the break at its end.
 * @param host the platform's name
 */
export function syslogLine(chain: Chained, host: string): string {
  const { record, seq, hash } = chain;
  const elements = [
    ['seq', String(seq)],
    ['hash', hash],
    ['outcome', record.outcome],
    ['status', String(record.status)],
    ['source', record.source],
    ['request', record.request],
    ...FIELDS.flatMap((field) => {
      const value = textOf(chain, field);
      return value === undefined ? [] : [[field, value]];
    }),
  ].map(([name, value]) => `${name}="${escaped(value ?? '')}"`);
  const priority = FACILITY * 8 + SEVERITY[record.outcome];
  const name = printable(host).slice(0, 255) || '-';
  const id = printable(record.act).slice(0, 32) || '-';
  const text = [textOf(chain, 'actor') ?? 'somebody', record.act, textOf(chain, 'object') ?? '', record.outcome].join(
    ' ',
  );
  return `<${priority}>1 ${timeOf(record.at)} ${name} delos-audit - ${id} [audit@${ENTERPRISE} ${elements.join(' ')}] ${oneLine(text)}`;
}

/** RFC 5424, 6.3.3: these three are escaped in a value. A break would end the line for most readers. */
const escaped = (value: string): string => oneLine(value).replace(/["\\\]]/g, String.raw`\$&`);
const oneLine = (value: string): string => value.replace(/\s+/g, ' ').trim();
const printable = (text: string): string => text.replace(/[^\x21-\x7e]/g, '_');
const timeOf = (at: number): string => new Date(at).toISOString();

const API_ACTIVITY = 6003;
const APPLICATION_ACTIVITY = 6;
/** What an act does, by the verb's last word. */
const ACTIVITIES: readonly (readonly [RegExp, number])[] = [
  [/(^|\.)(create|make|add|give|run|join|import)$/, 1],
  [/(^|\.)(read|show|list)$/, 2],
  [/(^|\.)(change|update|set|extend|replace|rotate)$/, 3],
  [/(^|\.)(delete|remove|kill|take|revoke|leave)$/, 4],
];
const OTHER_ACTIVITY = 99;

/** An event of OCSF (Open Cybersecurity Schema Framework) 1.3.0, class API Activity (6003). */
export function ocsfEvent(chain: Chained): Record<string, unknown> {
  const { record, seq, hash } = chain;
  const activity = ACTIVITIES.find(([verb]) => verb.test(record.act))?.[1] ?? OTHER_ACTIVITY;
  const done = record.outcome === 'done';
  const [address, object, reason] = (['address', 'object', 'reason'] as const).map((field) => textOf(chain, field));
  return {
    class_uid: API_ACTIVITY,
    category_uid: APPLICATION_ACTIVITY,
    type_uid: API_ACTIVITY * 100 + activity,
    activity_id: activity,
    ...(activity === OTHER_ACTIVITY ? { activity_name: record.act } : {}),
    time: record.at,
    severity_id: done ? 1 : 2,
    status_id: done ? 1 : 2,
    ...(record.status === 0 ? {} : { status_code: String(record.status) }),
    ...(reason === undefined ? {} : { status_detail: reason }),
    metadata: {
      version: '1.3.0',
      product: { name: 'Delos', vendor_name: 'Delos' },
      uid: hash,
      sequence: seq,
      log_name: `audit/${record.source}`,
    },
    actor: { user: { name: textOf(chain, 'actor') ?? 'erased' } },
    src_endpoint: address === undefined ? { name: 'unknown' } : { ip: address },
    api: { operation: record.act, request: { uid: record.request } },
    ...(object === undefined ? {} : { resources: [{ name: object }] }),
    unmapped: { outcome: record.outcome, before: textOf(chain, 'before'), after: textOf(chain, 'after') },
  };
}

function textOf({ opened }: Chained, field: Field): string | undefined {
  return opened[field]?.value;
}
