import type { FastifyInstance } from 'fastify';
import { z } from 'zod';

const query = z.object({
  code: z.string().optional(),
  error: z.string().optional(),
  error_description: z.string().optional(),
});

/** Where `apolo config login-headless` sends the browser: a page that shows the code to paste. */
export function headlessRoute(app: FastifyInstance): void {
  app.get(
    '/headless',
    { schema: { summary: 'The page that shows the code of a headless login', tags: ['config'] } },
    async (request, reply) => {
      const { code, error, error_description: why } = query.parse(request.query);
      const body =
        code === undefined
          ? `<h1>The login failed</h1><p>${escapeHtml(why ?? error ?? 'no code was given')}</p><p>Run <code>apolo config login-headless</code> again.</p>`
          : `<h1>Paste this code into your terminal</h1><p><textarea readonly rows="4" cols="80">${escapeHtml(code)}</textarea></p>`;
      return reply
        .type('text/html; charset=utf-8')
        .headers({
          'cache-control': 'no-store',
          'content-security-policy': "default-src 'none'",
          'referrer-policy': 'no-referrer',
        })
        .send(
          `<!doctype html><html lang="en"><meta charset="utf-8"><title>Delos login</title><body>${body}</body></html>\n`,
        );
    },
  );
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
