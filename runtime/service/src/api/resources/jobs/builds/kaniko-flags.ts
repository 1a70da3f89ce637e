/*
 * Flags of Kaniko's executor that the platform's builder has (artifacts/go/image-builder, flags.go). A job with another one is no
 * build that the platform carries out: it runs as it is.
 */

/** Flags that have a value. @see https://github.com/GoogleContainerTools/kaniko?tab=readme-ov-file#additional-flags */
export const VALUE_FLAGS: readonly string[] = [
  'context',
  'context-sub-path',
  'dockerfile',
  'destination',
  'cache-repo',
  'cache-ttl',
  'build-arg',
  'label',
  'ignore-path',
  'target',
  'custom-platform',
  'verbosity',
  'log-format',
  'push-retry',
  'image-download-retry',
  'image-fs-extract-retry',
  'digest-file',
  'image-name-with-digest-file',
  'snapshot-mode',
];

/** Flags that are true or false, and true where they say nothing. */
export const SWITCHES: readonly string[] = [
  'no-push',
  'cache',
  'cache-copy-layers',
  'cache-run-layers',
  'log-timestamp',
  'single-snapshot',
  'use-new-run',
  'cleanup',
  'force',
  'compressed-caching',
  'skip-unused-stages',
  'ignore-var-run',
];

/** Flags by their letters. */
export const LETTERS: Readonly<Record<string, string>> = {
  c: 'context',
  f: 'dockerfile',
  d: 'destination',
  v: 'verbosity',
};

export interface Flag {
  readonly name: string;
  readonly value: string;
}

/**
 * Reads words as pflag does. https://pkg.go.dev/github.com/spf13/pflag#hdr-Command_line_flag_syntax
 * @returns undefined where a word is no flag of these
 */
export function readFlags(words: readonly string[]): readonly Flag[] | undefined {
  const flags: Flag[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const [, dashes, given, , said] = /^(--?)([a-z][a-z-]*)(=([\s\S]*))?$/.exec(words[at] ?? '') ?? [];
    const name = dashes === '-' ? LETTERS[given ?? ''] : given;
    if (name === undefined) return undefined;
    if (SWITCHES.includes(name)) {
      if (said !== undefined && !/^(true|false|1|0|t|f)$/i.test(said)) return undefined;
      flags.push({ name, value: said ?? 'true' });
      continue;
    }
    if (!VALUE_FLAGS.includes(name)) return undefined;
    const value = said ?? words[++at];
    if (value === undefined) return undefined;
    flags.push({ name, value });
  }
  return flags;
}

/** As one word each, whatever form they came in. */
export const wordsOfFlags = (flags: readonly Flag[]): string[] => flags.map(({ name, value }) => `--${name}=${value}`);
