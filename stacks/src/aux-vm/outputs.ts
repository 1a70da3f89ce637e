import type { AuxVmConfig } from './config.ts';
import { INDEX, WRITER } from './words.ts';

/** What other stacks and people are told of a machine. No secret is among it. */
export interface AuxVmOutputs {
  readonly url: string;
  /** Host of references of images. */
  readonly registry: string | null;
  /** For `helm repo add`, and `helm cm-push`. */
  readonly charts: string | null;
  /** For `helm push`. */
  readonly chartsOci: string | null;
  /** For `pip --index-url`. */
  readonly packages: string | null;
  /** For `twine --repository-url`. */
  readonly packagesUpload: string | null;
  readonly dns: string | null;
  /** Authorities to trust, in PEM; empty where a certificate was given. */
  readonly authorities: string;
  /** Who may write. */
  readonly user: string;
}

export function outputsOf(config: AuxVmConfig, authorities: string): AuxVmOutputs {
  const { domain, registry, charts, packages, dns } = config;
  const url = `https://${domain}`;
  const index = `${url}/pypi/${WRITER}/${INDEX}`;
  return {
    url,
    registry: registry.enabled ? domain : null,
    charts: charts.enabled ? `${url}/charts` : null,
    chartsOci: registry.enabled ? `oci://${domain}/charts` : null,
    packages: packages.enabled ? `${index}/+simple/` : null,
    packagesUpload: packages.enabled ? `${index}/` : null,
    dns: dns.enabled ? (dns.listen ?? config.address) : null,
    authorities,
    user: WRITER,
  };
}

/** What `delos.yaml` of a platform says to use the machine. @param file where the authorities lie */
export function platformSnippet({ url, registry, authorities }: AuxVmOutputs, file: string): string {
  const trusted = authorities !== '';
  return [
    ...(registry === null
      ? []
      : [
          'images:',
          '  mirrors:',
          `    - registry: "*"`,
          `      url: ${url}`,
          ...(trusted
            ? [
                '      certificateAuthority: |',
                ...authorities
                  .trimEnd()
                  .split('\n')
                  .map((line) => `        ${line}`),
              ]
            : []),
        ]),
    ...(trusted ? ['network:', '  authorities:', `    - ${file}`] : []),
    '',
  ].join('\n');
}
