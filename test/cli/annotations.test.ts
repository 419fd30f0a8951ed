import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renderAnnotations } from '../../src/cli/annotations.ts';

describe('an annotation', () => {
  it('names file, line and column below the root, and can begin no command of its own', () => {
    const problem = {
      code: 'schema',
      message: 'It holds 100 %\n::set-output name=x::y',
      file: 'a,b:c.yaml',
      line: 3,
      column: 5,
      path: '/x',
    } as const;
    assert.equal(
      renderAnnotations([problem], 'config/'),
      '::error file=config/a%2Cb%3Ac.yaml,line=3,col=5,title=actuator%3A schema::It holds 100 %25%0A::set-output name=x::y (/x)\n',
    );
    assert.match(renderAnnotations([{ ...problem, file: 'x.yaml' }], './conf//'), /file=conf\/x\.yaml,/);
    assert.equal(renderAnnotations([{ code: 'missing', message: 'gone' }], '.'), '::error title=actuator%3A missing::gone\n');
  });
});
