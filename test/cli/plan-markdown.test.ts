import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planMarker, renderPlanMarkdown } from '../../src/cli/plan-markdown.ts';

type Plans = Parameters<typeof renderPlanMarkdown>[0];

function aPlan(service: string, value: unknown, warnings: readonly string[] = []): Plans[number] {
  return {
    service,
    action: 'none',
    strategy: null,
    risk: null,
    chosen_because: null,
    stages: [],
    requests_per_second: null,
    shortest_ms: 0,
    not_measured: null,
    steps: [],
    expected_ms: 0,
    warnings,
    change: { service, from: null, to: null, patch: [{ op: 'replace', path: '/config/llm/prompt_template', value }] },
  };
}

describe('a plan as Markdown', () => {
  it('says so when there is nothing to do', () => {
    assert.match(renderPlanMarkdown([]), new RegExp(`^${planMarker}\n[^]*Nothing`));
  });

  it('lets nothing that somebody wrote out of its fence', () => {
    const text = renderPlanMarkdown([aPlan('chat', 'a\n```\n# Approved by @ceo\n````'), aPlan('search', 'plain')]);
    assert.match(text, /^`````json\n/m);
    assert.equal(text.split('\n').filter((line) => /^# Approved/.test(line)).length, 0);
    assert.match(
      renderPlanMarkdown([aPlan('chat', 'x', ['| <img> @ceo ![x](https://evil.example/t.png)'])]),
      /\\\| \\<img\\> @\u200bceo \\!\\\[x\\\]\\\(https:\/\/\u200bevil/,
    );
    assert.doesNotMatch(renderPlanMarkdown([aPlan('chat', 'x\u202ey')]), /\u202e/);
  });

  it('stays below what a comment holds, and says what is missing', () => {
    const text = renderPlanMarkdown(Array.from({ length: 500 }, (_, index) => aPlan(`service-${index}`, 'x'.repeat(5000))));
    assert.ok(text.length < 65_536, String(text.length));
    assert.match(text, /and \d+ more service\(s\): service-/);
  });
});
