import assert from 'node:assert/strict';
import { it } from 'node:test';
import { seededRng } from '../../../src/base/random.ts';
import { weightedRandom } from '../../../src/domain/traffic/split.ts';

it('gives each variant its share', () => {
  const rng = seededRng(1);
  for (const weight of [0.5, 5, 50, 100]) {
    let canary = 0;
    for (let i = 0; i < 100_000; i++)
      if (
        weightedRandom(
          [
            { name: 'canary', weight },
            { name: 'stable', weight: 100 - weight },
          ],
          rng,
        ).name === 'canary'
      )
        canary++;
    const sigma = Math.sqrt(100_000 * (weight / 100) * (1 - weight / 100));
    assert.ok(Math.abs(canary - weight * 1000) <= 4 * sigma, `${canary} at ${weight} %`);
  }
});

it('never picks a variant of weight 0', () => {
  const variants: [{ name: string; weight: number }, ...{ name: string; weight: number }[]] = [
    { name: 'canary', weight: 0 },
    { name: 'stable', weight: 100 },
  ];
  assert.equal(weightedRandom(variants, () => 0).name, 'stable');
  assert.equal(weightedRandom(variants, () => 0.999999999).name, 'stable');
});
