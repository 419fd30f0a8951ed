import { it } from 'node:test';
import { holdsFor } from './many-seeds.ts';

it('no invariant breaks in 1,000 more simulated histories', () => holdsFor(1001, 1000));
