import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execute, expectOk } from '../../../peers/src/command.ts';

/**
 * A chart as `helm package` makes it: its archive.
 * @param description of its Chart.yaml. @default what name and version say
 */
export async function makeChart(
  folder: string,
  name: string,
  version: string,
  description = `apiVersion: v2\nname: ${name}\nversion: ${version}\ndescription: a test\ntype: application\n`,
): Promise<Buffer> {
  const chart = join(folder, name);
  await mkdir(join(chart, 'templates'), { recursive: true });
  await writeFile(join(chart, 'Chart.yaml'), description);
  await writeFile(join(chart, 'templates/map.yaml'), 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map}\n');
  const archive = join(folder, `${name}-${version}.tgz`);
  await expectOk(execute(['tar', '-C', folder, '-czf', archive, name]));
  return await readFile(archive);
}
