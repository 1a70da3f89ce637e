import { gzipSync } from 'node:zlib';
import type { Facts } from '../machine/facts.ts';
import { word } from '../machine/facts.ts';
import type { Part } from '../machine/part.ts';
import { planOf, type Step } from '../machine/plan.ts';
import { applyScript } from '../machine/script.ts';
import { DEVPI, EXECUTABLES } from './programs.ts';

/** Where a machine finds the archive of programs: an https address, or a path of its own. */
export interface ProgramsArchive {
  readonly from: string;
  readonly sha256: string;
}

const FOLDER = '/var/lib/delos-first';
const NOTHING: Facts = {
  files: new Map(),
  trees: new Map(),
  units: new Map(),
  recorded: [],
  lacking: [],
};

/**
 * A document of user data that makes the machine at its first start what `up` makes it: by the same plan, as for a machine that
 * has nothing, and the same scripts. Programs are too large for it and are fetched, and checked. It holds secrets.
 * @see https://cloudinit.readthedocs.io/en/latest/reference/modules.html
 */
export function userData(parts: readonly Part[], archive: ProgramsArchive): string {
  const files: { path: string; text: string }[] = [];
  const scripts: string[] = [];
  for (const part of parts) {
    const { steps } = planOf(part, NOTHING);
    const folder = `${FOLDER}/${part.name}`;
    const place = (step: Step): string => {
      if (step.do === 'unpack') return `${FOLDER}/programs/${DEVPI}.tar`;
      if (step.do !== 'put') return '';
      if ('source' in step.content) return `${FOLDER}/programs/${executableOf(step.content.source)}`;
      return `${folder}/${steps.indexOf(step)}`;
    };
    for (const [nth, step] of steps.entries()) {
      if (step.do === 'put' && 'text' in step.content)
        files.push({ path: `${folder}/${nth}`, text: step.content.text });
    }
    // Nobody is connected whom the firewall could lock out.
    files.push({ path: `${folder}/apply`, text: applyScript(part.name, steps, place, { guarded: false }) });
    scripts.push(`sh ${folder}/apply ${folder}`);
  }
  files.push({ path: `${FOLDER}/run`, text: runScript(archive, scripts) });
  const entries = files.map(({ path, text }) =>
    [
      `  - path: ${path}`,
      "    permissions: '0600'",
      '    encoding: gz+b64',
      `    content: ${gzipSync(text, { level: 9 }).toString('base64')}`,
    ].join('\n'),
  );
  return `#cloud-config\nwrite_files:\n${entries.join('\n')}\nruncmd:\n  - [sh, ${FOLDER}/run]\n`;
}

const runScript = ({ from, sha256 }: ProgramsArchive, scripts: readonly string[]): string => `set -eu
cd ${FOLDER}
mkdir -p programs
archive=programs.tar
case ${word(from)} in
  /*) cp ${word(from)} $archive ;;
  *) python3 -c 'import sys, urllib.request; urllib.request.urlretrieve(sys.argv[1], sys.argv[2])' ${word(from)} $archive ;;
esac
echo ${word(`${sha256}  programs.tar`)} | sha256sum --check --quiet -
tar -xf $archive -C programs --no-same-owner
rm $archive
tar -C programs/${DEVPI} -cf programs/${DEVPI}.tar .
${scripts.join('\n')}
cd /
rm -rf ${FOLDER}
`;

function executableOf(source: string): string {
  const found = EXECUTABLES.find((name) => source.endsWith(`/${name}`));
  if (found === undefined) throw new Error(`${source} is none of the programs`);
  return found;
}
