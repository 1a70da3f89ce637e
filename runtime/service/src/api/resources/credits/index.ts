import type { Resource } from '../../resource.ts';
import { creditRoutes } from './routes.ts';

export { balanceOfOrg, type ClientBalance, setCredits } from './balance.ts';

export const credits: Resource = {
  name: 'credits',
  title: 'credits: what is left, what was spent, and statements',
  prefix: '/api/v1/credits',
  config: [],
  tables: [
    'credit_prices',
    'credit_transactions',
    'credit_entries',
    'credit_balances',
    'credit_spent',
    'credit_runs',
    'credit_standing',
    'credit_terms',
  ],
  routes: creditRoutes,
  audit: { 'POST /:org': 'credits.add' },
};
