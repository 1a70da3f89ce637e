import { HEADLESS_PATH } from '@delos/core';
import type { Resource } from '../../resource.ts';
import { headlessRoute } from './route.ts';

export const headless: Resource = {
  name: 'headless',
  title: 'the page of a login without a browser on the same machine',
  prefix: HEADLESS_PATH,
  config: [{ in: 'public', key: 'headless_callback_url' }],
  tables: [],
  routes: headlessRoute,
  audit: {},
};
