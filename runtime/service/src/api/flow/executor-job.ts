/*
 * `apolo-flow bake` without `--local-executor` starts a job that carries the bake out. Such a job is known by its whole
 * command, whatever its image.
 */

const OPTIONS = '(?: (?:-v|-q|--show-traceback))*';
const BAKE = 'bake-[0-9a-z]{8}(?:-[0-9a-z]{4}){3}-[0-9a-z]{12}';
const COMMAND = new RegExp(`^apolo-flow${OPTIONS} --fake-workspace execute (${BAKE})$`);

interface Asked {
  readonly command?: string | null | undefined;
  readonly entrypoint?: string | null | undefined;
}

/** The bake that a job is to carry out; undefined for every other job. */
export function bakeOfExecutor({ command, entrypoint }: Asked): string | undefined {
  return entrypoint ? undefined : COMMAND.exec(command ?? '')?.[1];
}
