import type { ServiceProcesses } from '../edge/service-processes.ts';

/** Asks the flow API of services that are processes. */
export const flowRequests =
  (services: ServiceProcesses, user = 'alice') =>
  async (method: string, path: string, body?: object) => {
    const response = await fetch(`http://127.0.0.1:${services.publicPort}/api/v1/flow/${path}`, {
      method,
      headers: { authorization: `Bearer ${await services.token(user)}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const json = (await response.json()) as { readonly id: string };
    return { status: response.status, json };
  };

/** A bake of one file, as `delos flow bake` submits it. */
export const submission = (content: string, more: object = {}): object => ({
  ...{ org_name: 'acme', project_name: 'one', flow: 'mine', batch: 'rows', workspace: '/w' },
  flow_file: { filename: '/w/rows.yml', content },
  ...more,
});
