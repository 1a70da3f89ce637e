import { join } from 'node:path';
import { z } from 'zod';
import type { ApoloClient } from '../../../peers/src/apolo.ts';

/** A command of the client, by whom, as words. */
export interface BatchCommand<Person extends string> {
  readonly person: Person;
  readonly words: readonly string[];
}

const results = z.array(z.object({ code: z.number(), out: z.string(), err: z.string() }));
export type BatchResult = z.infer<typeof results>[number];

/** The client is loaded once, and each command is a process of its own that is forked from there. */
const PROGRAM = `
import json, os, sys, tempfile, traceback
import apolo_sdk, asyncio, pathlib
from apolo_cli.main import main
async def add_project(folder, org, name, role):
    async with apolo_sdk.get(path=pathlib.Path(folder)) as client:
        await client._admin.create_project(
            name=name, cluster_name='default', org_name=org, default_role=apolo_sdk._ProjectUserRoleType(role))
done = []
for folder, args in json.loads(COMMANDS):
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
    pid = os.fork()
    if pid == 0:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        os.environ['APOLO_CONFIG'] = folder
        code = 0
        try:
            if args[0] == 'add-project':
                asyncio.run(add_project(folder, *args[1:]))
            else: main(['--disable-pypi-version-check', '--skip-stats', '--color=no', *args])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1 if end.code else 0
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    texts = []
    for file in (out, err):
        file.seek(0)
        texts.append(file.read().decode('utf8', 'replace'))
    done.append({'code': code, 'out': texts[0], 'err': texts[1]})
print(json.dumps(done))
`;

/**
 * Runs commands of the unmodified client one after another, each person with a configuration of their own. `add-project ORG NAME ROLE` is
 * done by the client's library: its command of that name fails before it asks anybody.
 */
export async function apoloBatch<Person extends string>(
  client: ApoloClient,
  commands: readonly BatchCommand<Person>[],
): Promise<readonly BatchResult[]> {
  const list = commands.map(({ person, words }) => [join(client.home, `.apolo-${person}`), words]);
  const { code, stdout, stderr } = await client.python(
    `COMMANDS = ${JSON.stringify(JSON.stringify(list))}\n${PROGRAM}`,
  );
  if (code !== 0) throw new Error(stderr);
  return results.parse(JSON.parse(stdout));
}
