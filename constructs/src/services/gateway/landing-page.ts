import { CLIENT_ID, HEADLESS_PATH, REALM_PATH } from '@delos/core';

/**
 * Keycloak's form for a new password, after a login; it ends at the API's page for logins without a browser. The
 * challenge is nobody's: the code that comes along is of no use.
 */
export function passwordUrl(publicUrl: string): string {
  const query = new URLSearchParams({
    client_id: CLIENT_ID,
    response_type: 'code',
    scope: 'openid',
    redirect_uri: `${publicUrl}${HEADLESS_PATH}`,
    code_challenge: 'a-challenge-that-nobody-has-the-verifier-of',
    code_challenge_method: 'S256',
    kc_action: 'UPDATE_PASSWORD',
  });
  return `${publicUrl}${REALM_PATH}/protocol/openid-connect/auth?${query}`;
}

/** The page that a person sees at the public URL. */
export function landingPage(publicUrl: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Delos</title>
<style>body{font:16px/1.6 system-ui,sans-serif;max-width:42rem;margin:4rem auto;padding:0 1rem}code{background:#8882;padding:.1em .3em}</style>
<h1>Delos</h1>
<p>This is a Delos platform. Work with it by the command line client:</p>
<pre><code>pip install apolo-cli
apolo config login ${publicUrl}/api/v1
apolo run ubuntu -- echo hello</code></pre>
<p><a href="${passwordUrl(publicUrl).replaceAll('&', '&amp;')}">Change your password</a></p>
</html>
`;
}
