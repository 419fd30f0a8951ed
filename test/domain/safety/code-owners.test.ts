/** Who owns a file, as GitHub reads CODEOWNERS. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ownersOf } from '../../../src/domain/safety/code-owners.ts';

const file = 'services/chat/config.yaml';

describe('CODEOWNERS', () => {
  for (const [text, owners] of [
    ['* @ada', ['ada']],
    ['* @ada\n/services/ @acme/prompts @bob # people\n', ['acme/prompts', 'bob']],
    ['/services/ @ada\n/services/chat/', []],
    ['services/chat/*.yaml @ada', ['ada']],
    ['/services/*/config.yaml @ada', ['ada']],
    ['/services/** @ada', ['ada']],
    ['services/search/ @ada', []],
    ['# * @ada\n\n   \n', []],
    ['* mail@example.com', ['mail@example.com']],
    ['!services/ @ada', []],
    ['**/config.yaml @ada', ['ada']],
    ['* @ada\r\n/models.yaml @bob\r\n', ['ada']],
    ['/services/ @sre\nservices/* @interns', ['sre']],
    ['services/chat/* @ada', ['ada']],
    ['/SERVICES/ @ada', []],
    ['', []],
  ] as const)
    it(JSON.stringify(text), () => assert.deepEqual(ownersOf(text, file), owners));
});
