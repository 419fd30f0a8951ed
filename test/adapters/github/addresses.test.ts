/** Where the API and the pages of a GitHub are. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { apiUrlOf, webHostUrl } from '../../../src/adapters/github/addresses.ts';

it('knows github.com, tenants of ghe.com and Enterprise servers both ways', () => {
  const known = [
    ['github.com', 'https://api.github.com', 'https://github.com'],
    ['ssh.github.com', 'https://api.github.com', 'https://github.com'],
    ['acme.ghe.com', 'https://api.acme.ghe.com', 'https://acme.ghe.com'],
    ['git.acme.example', 'https://git.acme.example/api/v3', 'https://git.acme.example'],
    ['api.acme.example', 'https://api.acme.example/api/v3', 'https://api.acme.example'],
  ] as const;
  for (const [host, api, web] of known) assert.deepEqual([apiUrlOf(host), webHostUrl(api)], [api, web]);
});
