import { createHash } from 'node:crypto';
import { OWN_PREFIX } from '@delos/core';
import { canonicalBytes, type Json } from '../format/canonical.ts';
import type { Digest } from '../format/digest.ts';
import { purlOf, type SoftwarePackage } from './package.ts';

/** An image, and the software in it. */
export interface ImageSoftware {
  readonly reference: string;
  readonly digest: Digest;
  /** SPDX expression, of the image's own label. */
  readonly licence: string | undefined;
  /** When the image was made, ISO 8601: the document of an image is the same whenever it is written. */
  readonly createdAt: string;
  readonly packages: readonly SoftwarePackage[];
}

const NO_WORD = 'NOASSERTION';
/** Names of licences that packages write as SPDX has them; any other text is told as it is. https://spdx.org/licenses/ */
const KNOWN = new Set(
  'MIT MIT-0 Apache-2.0 BSD-2-Clause BSD-3-Clause 0BSD ISC MPL-2.0 Unlicense CC0-1.0 Zlib Python-2.0 PSF-2.0 BlueOak-1.0.0 Artistic-2.0 GPL-2.0-only GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later AGPL-3.0-only PostgreSQL OpenSSL'.split(
    ' ',
  ),
);
const isExpression = (text: string): boolean =>
  text
    .replaceAll(/[()]/g, ' ')
    .trim()
    .split(/\s+/)
    .every((word, nth) => (nth % 2 === 0 ? KNOWN.has(word) : ['AND', 'OR'].includes(word)));

/** CycloneDX 1.6: https://cyclonedx.org/docs/1.6/json/ */
export function cycloneDx(image: ImageSoftware): Buffer {
  return canonicalBytes({
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    serialNumber: `urn:uuid:${uuidOf(image.digest)}`,
    metadata: {
      timestamp: image.createdAt,
      component: {
        type: 'container',
        'bom-ref': image.digest,
        name: nameOf(image.reference),
        version: image.digest,
        ...licencesOf(image.licence),
      },
    },
    components: image.packages.map((each) => ({
      type: 'library',
      'bom-ref': purlOf(each),
      name: each.name,
      version: each.version,
      purl: purlOf(each),
      ...licencesOf(each.licence),
    })),
  } satisfies Json);
}

function licencesOf(licence: string | undefined): { licenses?: Json[] } {
  if (licence === undefined) return {};
  return { licenses: [isExpression(licence) ? { expression: licence } : { license: { name: licence } }] };
}

/** SPDX 2.3: https://spdx.github.io/spdx-spec/v2.3/ */
export function spdx(image: ImageSoftware): Buffer {
  const ROOT = 'SPDXRef-Image';
  const declared = (licence: string | undefined): string =>
    licence !== undefined && isExpression(licence) ? licence : NO_WORD;
  const shared = { downloadLocation: NO_WORD, filesAnalyzed: false, copyrightText: NO_WORD, licenseConcluded: NO_WORD };
  const idOf = (nth: number): string => `SPDXRef-Package-${nth}`;
  return canonicalBytes({
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: nameOf(image.reference),
    documentNamespace: `https://${OWN_PREFIX}sbom/${image.digest.slice('sha256:'.length)}`,
    creationInfo: { created: image.createdAt.replace(/\.\d+Z$/, 'Z'), creators: ['Tool: delos'] },
    packages: [
      {
        ...shared,
        SPDXID: ROOT,
        name: nameOf(image.reference),
        versionInfo: image.digest,
        licenseDeclared: declared(image.licence),
      },
      ...image.packages.map((each, nth) => ({
        ...shared,
        SPDXID: idOf(nth),
        name: each.name,
        versionInfo: each.version,
        licenseDeclared: declared(each.licence),
        externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purlOf(each) }],
      })),
    ],
    relationships: [
      { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: ROOT },
      ...image.packages.map((_, nth) => ({
        spdxElementId: ROOT,
        relationshipType: 'CONTAINS',
        relatedSpdxElement: idOf(nth),
      })),
    ],
  } satisfies Json);
}

const nameOf = (reference: string): string => reference.replace(/(:[\w.-]+)?(@sha256:[0-9a-f]{64})?$/, '');

/** A UUID of version 8 (RFC 9562) that follows from the digest. */
function uuidOf(digest: string): string {
  const hex = createHash('sha256').update(`sbom ${digest}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
