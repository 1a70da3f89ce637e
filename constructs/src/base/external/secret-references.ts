import type { SecretReference } from '@delos/core';
import type { Construct } from 'constructs';
import { type Mount, secretFiles } from '../mount.ts';
import type { Namespace } from '../namespace.ts';
import type { SecretKey } from '../secret.ts';
import { secretKeyOf } from './secret-reference.ts';

/** What a {@link SecretFolder} is made of. */
interface SecretFolderProps {
  readonly namespace: Namespace;
  /** Beginning of the names of Secrets that are made. */
  readonly prefix: string;
  /** Where it is in the container. */
  readonly folder: string;
  /** Name of a secret → where it is. */
  readonly references: readonly (readonly [name: string, reference: SecretReference])[];
}

/** Secrets that a configuration refers to, as files of a Pod: a folder for each Secret, whoever makes it. */
export class SecretFolder {
  readonly #folder: string;
  readonly #keys: ReadonlyMap<string, SecretKey>;

  constructor(scope: Construct, { namespace, prefix, folder, references }: SecretFolderProps) {
    this.#folder = folder;
    this.#keys = new Map(
      references.map(([name, reference]) => [name, secretKeyOf(scope, `${prefix}-${name}`, namespace, reference)]),
    );
  }

  /** The file that a secret is in; empty for a name that is not there. */
  fileOf(name: string): string {
    const found = this.#keys.get(name);
    return found === undefined ? '' : `${this.#folder}/${found.secret.name}/${found.key}`;
  }

  /** Each Secret once. */
  mounts(): readonly Mount[] {
    const secrets = new Map([...this.#keys.values()].map(({ secret }) => [secret.name, secret]));
    return [...secrets].map(([name, secret], nth) => secretFiles(secret, `${this.#folder}/${name}`, `secret-${nth}`));
  }
}
