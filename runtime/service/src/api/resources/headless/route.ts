import type { FastifyInstance } from 'fastify';
import { z } from 'zod';

/** A key that is given twice counts once. */
const text = z.preprocess((value) => [value].flat()[0], z.string().optional());
const query = z.object({
  code: text,
  error: text,
  error_description: text,
  /** Of a change of password, which ends here as well. */
  kc_action_status: text,
});

/**
 * Where `apolo config login-headless` sends the browser: a page that shows the code to paste. A change of password, for
 * which the landing page has a link, ends here too.
 */
export function headlessRoute(app: FastifyInstance): void {
  app.get(
    '',
    { schema: { summary: 'The page that shows the code of a headless login', tags: ['config'] } },
    async (request, reply) => {
      const { code, error, error_description: why, kc_action_status: changed } = query.parse(request.query);
      const body =
        changed !== undefined
          ? `<h1>${changed === 'success' ? 'Your password is changed' : 'Your password is as it was'}</h1>`
          : code === undefined
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
