/** Where GitHub keeps a file of a release. */
export const github = (repository: string, tag: string, file: string): string =>
  `https://github.com/${repository}/releases/download/${tag}/${file}`;
