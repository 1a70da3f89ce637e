import { type AuxVmAccess, platformSnippet } from '@delos/stacks';

/** How a machine is used, for people. */
export function shown({ outputs, authoritiesFile }: AuxVmAccess): string {
  const rows: readonly (readonly [string, string | null])[] = [
    ['Registry', outputs.registry],
    ['Charts', outputs.charts],
    ['Charts (OCI)', outputs.chartsOci],
    ['Packages', outputs.packages],
    ['Upload', outputs.packagesUpload],
    ['Name server', outputs.dns],
    ['Writer', `${outputs.user}; the password: ./delos aux-vm show --show-password`],
    ['Authority', outputs.authorities === '' ? null : authoritiesFile],
  ];
  const lines = rows.flatMap(([name, value]) => (value === null ? [] : [`${name.padEnd(14)}${value}`]));
  const snippet = platformSnippet(outputs, authoritiesFile);
  return [...lines, ...(snippet.trim() === '' ? [] : ['', 'For the delos.yaml of a platform:', '', snippet])].join(
    '\n',
  );
}
