import { Moment } from '../python/value.ts';
import type { ScalarValue } from './node.ts';

/*
 * How PyYAML reads a plain scalar (YAML 1.1, https://yaml.org/type/, with PyYAML's own departures: `1e3` is text,
 * since a float needs a point, and a signed exponent).
 */

const BOOL = /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/;
const NULL = /^(?:~|null|Null|NULL|)$/;
const INT =
  /^(?:[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$/;
const FLOAT =
  /^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const DATE =
  /^(\d{4})-(\d\d?)-(\d\d?)(?:(?:[Tt]|[ \t]+)(\d\d?):(\d\d):(\d\d)(?:\.(\d*))?(?:[ \t]*(Z|[-+]\d\d?(?::\d\d)?))?)?$/;

/** A plain scalar that looks like something and is not; the message says why. */
export class ScalarFault extends Error {}

/** @throws ScalarFault */
export function resolvePlain(text: string): ScalarValue {
  if (NULL.test(text)) return null;
  if (BOOL.test(text)) return /^(?:y|t|on)/i.test(text);
  // Most plain scalars are words: one look at the first sign spares the rest.
  if (!/^[-+.0-9<=]/.test(text)) return text;
  if (INT.test(text)) return int(text);
  if (FLOAT.test(text)) return float(text);
  if (text === '<<') throw new ScalarFault('the merge key `<<` is not accepted: write the keys themselves');
  if (text === '=') throw new ScalarFault('a lone `=` is not accepted: put it in quotes');
  const date = DATE.exec(text);
  if (date !== null && (date[4] !== undefined || /^\d{4}-\d\d-\d\d$/.test(text))) return moment(text, date);
  return text;
}

function int(text: string): bigint {
  const sign = text.startsWith('-') ? -1n : 1n;
  const digits = text.replace(/^[-+]/, '').replaceAll('_', '');
  if (digits === '0b' || digits === '0x') throw new ScalarFault(`\`${text}\` has no digits`);
  if (/^0[bx]/.test(digits)) return sign * BigInt(digits);
  if (digits.includes(':')) {
    return sign * digits.split(':').reduce((sum, part) => sum * 60n + BigInt(part), 0n);
  }
  if (digits.length > 4300) throw new ScalarFault('a number of more than 4300 digits');
  return sign * (digits.startsWith('0') && digits !== '0' ? BigInt(`0o${digits.slice(1)}`) : BigInt(digits));
}

function float(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1;
  const digits = text.replace(/^[-+]/, '').replaceAll('_', '').toLowerCase();
  if (digits === '.inf') return sign * Number.POSITIVE_INFINITY;
  if (digits === '.nan') return Number.NaN;
  if (!digits.includes(':')) return sign * Number(digits);
  return sign * digits.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
}

/** The text that Python prints for a date or a time. */
function moment(text: string, match: RegExpExecArray): Moment {
  const [, year = '', month = '', day = '', hour, minute = '', second = '', fraction, zone] = match;
  const two = (digits: string): string => digits.padStart(2, '0');
  const date = `${year}-${two(month)}-${two(day)}`;
  const last = new Date(Date.UTC(2000, Number(month), 0));
  last.setUTCFullYear(Number(year), Number(month), 0);
  const valid =
    Number(year) > 0 &&
    Number(month) >= 1 &&
    Number(month) <= 12 &&
    Number(day) >= 1 &&
    Number(day) <= last.getUTCDate();
  if (!valid) throw new ScalarFault(`\`${text}\` is not a day of the calendar: put it in quotes if it is text`);
  if (hour === undefined) return new Moment(date, 'date');
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) {
    throw new ScalarFault(`\`${text}\` is not a time of the day: put it in quotes if it is text`);
  }
  const micro = fraction === undefined || /^0*$/.test(fraction) ? '' : `.${fraction.slice(0, 6).padEnd(6, '0')}`;
  return new Moment(`${date} ${two(hour)}:${minute}:${second}${micro}${offset(zone)}`, 'datetime');
}

function offset(zone: string | undefined): string {
  if (zone === undefined) return '';
  if (zone === 'Z') return '+00:00';
  const [hours = '0', minutes = '00'] = zone.slice(1).split(':');
  const none = Number(hours) === 0 && Number(minutes) === 0;
  return `${none ? '+' : zone[0]}${hours.padStart(2, '0')}:${minutes}`;
}
