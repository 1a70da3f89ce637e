/** How many arguments a function takes, and what it does; `max` undefined: any number. */
export interface Signature {
  readonly min: number;
  readonly max: number | undefined;
  readonly usage: string;
  readonly summary: string;
}

/** Every function of the language. */
export const SIGNATURES: Readonly<Record<string, Signature>> = {
  len: { min: 1, max: 1, usage: 'len(x)', summary: 'length of a text, list, mapping or set' },
  int: { min: 1, max: 1, usage: 'int(x)', summary: 'whole number from a text or number' },
  str: { min: 1, max: 1, usage: 'str(x)', summary: 'text form' },
  lower: { min: 1, max: 1, usage: 'lower(text)', summary: 'in lower case' },
  upper: { min: 1, max: 1, usage: 'upper(text)', summary: 'in upper case' },
  replace: { min: 3, max: 3, usage: 'replace(text, old, new)', summary: 'every `old` becomes `new`' },
  join: { min: 2, max: 3, usage: 'join(separator, items[, to_str])', summary: 'items in one text' },
  fmt: { min: 1, max: undefined, usage: 'fmt(format, …)', summary: "Python's str.format with positional arguments" },
  keys: { min: 1, max: 1, usage: 'keys(mapping)', summary: 'list of the keys' },
  values: { min: 1, max: 1, usage: 'values(mapping)', summary: 'list of the values' },
  range: {
    min: 1,
    max: 3,
    usage: 'range(stop) or range(start, stop[, step])',
    summary: 'list of whole numbers; a second or third argument of 0 counts as absent',
  },
  to_json: { min: 1, max: 1, usage: 'to_json(x)', summary: 'JSON text' },
  from_json: { min: 1, max: 1, usage: 'from_json(text)', summary: 'value of a JSON text' },
  hash_files: {
    min: 0,
    max: undefined,
    usage: 'hash_files(pattern, …)',
    summary: 'SHA-256 over files of the workspace',
  },
  hash_files_relative: {
    min: 1,
    max: undefined,
    usage: 'hash_files_relative(folder, pattern, …)',
    summary: 'SHA-256 over files of a folder, which is given as a path',
  },
  success: {
    min: 0,
    max: undefined,
    usage: 'success([id, …])',
    summary: 'all needed tasks, or those named, succeeded',
  },
  failure: { min: 0, max: undefined, usage: 'failure([id, …])', summary: 'any needed task, or of those named, failed' },
  always: {
    min: 0,
    max: undefined,
    usage: 'always()',
    summary: 'run whatever came before, and when the bake is cancelled',
  },
  upload: {
    min: 1,
    max: 1,
    usage: 'upload(volume)',
    summary: "copies the volume's local folder to storage; gives the volume",
  },
  parse_volume: { min: 1, max: 1, usage: 'parse_volume(text)', summary: 'volume from `storage:path:/mount[:ro|rw]`' },
  inspect_job: { min: 1, max: 2, usage: 'inspect_job(name[, suffix])', summary: 'a running job of this live flow' },
  nothing: { min: 0, max: 0, usage: 'nothing()', summary: 'None' },
};
