/**
 * A browser without a screen: follows redirects, keeps cookies and submits the one form of a page, as a person would who
 * types a name and a password.
 */
export class Browser {
  readonly #via: Via;
  readonly #cookies = new Map<string, Map<string, string>>();

  constructor(via: Via = {}) {
    this.#via = via;
  }

  /**
   * Opens a page and follows redirects until one leads to `stopAt` or a page comes.
   *
   * @param stopAt prefix of a URL that is not fetched but returned
   */
  async open(url: string, stopAt?: string): Promise<Page> {
    return await this.#follow(url, { method: 'GET' }, stopAt);
  }

  /** Fills in and sends the form of a page. */
  async submit(page: Page, fields: Readonly<Record<string, string>>, stopAt?: string): Promise<Page> {
    const action = /<form[^>]*\saction="([^"]+)"/i.exec(page.body)?.[1];
    if (action === undefined) throw new Error(`no form on ${page.url}:\n${page.body.slice(0, 2000)}`);
    const target = new URL(plain(action), page.url).href;
    const hidden = [...page.body.matchAll(/<input[^>]*type="hidden"[^>]*>/gi)].map(([tag]) => [
      /name="([^"]*)"/i.exec(tag)?.[1] ?? '',
      plain(/value="([^"]*)"/i.exec(tag)?.[1] ?? ''),
    ]);
    const body = new URLSearchParams({ ...Object.fromEntries(hidden), ...fields });
    return await this.#follow(
      target,
      { method: 'POST', body: body.toString(), headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      stopAt,
    );
  }

  async #follow(url: string, first: RequestInit, stopAt: string | undefined): Promise<Page> {
    let next = url;
    let request = first;
    for (let hops = 0; hops < 20; hops += 1) {
      if (stopAt !== undefined && next.startsWith(stopAt)) return { url: next, status: 0, body: '' };
      const { host } = new URL(next);
      const jar = this.#cookies.get(host) ?? new Map<string, string>();
      this.#cookies.set(host, jar);
      const { through, headers } = this.#via;
      const posted =
        through === undefined || request.method === 'GET' ? next : next.replace(new URL(next).origin, through);
      const response = await fetch(posted, {
        ...request,
        redirect: 'manual',
        headers: {
          ...headers,
          ...Object.fromEntries(new Headers(request.headers)),
          cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; '),
        },
        signal: AbortSignal.timeout(30_000),
      });
      for (const cookie of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
        if (/max-age=0|expires=thu, 01.jan.1970/i.test(cookie)) jar.delete(name);
        else jar.set(name, value);
      }
      const location = response.headers.get('location');
      if (response.status < 300 || response.status >= 400 || location === null) {
        return { url: next, status: response.status, body: await response.text() };
      }
      await response.body?.cancel();
      next = new URL(location, next).href;
      request = { method: 'GET' };
    }
    throw new Error(`more than 20 redirects from ${url}`);
  }
}

export interface Via {
  /** Origin that forms are sent to instead of their own. */
  readonly through?: string;
  /** Of every request. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Page {
  readonly url: string;
  /** 0 for a page that was not fetched. */
  readonly status: number;
  readonly body: string;
}

function plain(html: string): string {
  return html
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}
