/** Where GitHub's API and its pages are: github.com, a tenant of ghe.com, or an Enterprise server. */

/** `host`: of the repository's address. */
export function apiUrlOf(host: string): string {
  if (host === 'github.com' || host === 'ssh.github.com') return 'https://api.github.com';
  return host.endsWith('.ghe.com') ? `https://api.${host}` : `https://${host}/api/v3`;
}

/** What people open in a browser. */
export function webHostUrl(apiUrl: string): string {
  const { protocol, host } = new URL(apiUrl);
  const isApart = host === 'api.github.com' || (host.startsWith('api.') && host.endsWith('.ghe.com'));
  return `${protocol}//${isApart ? host.slice('api.'.length) : host}`;
}
