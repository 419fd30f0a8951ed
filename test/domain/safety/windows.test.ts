import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isCron, isTimeZone, nextTime } from '../../../src/adapters/system/next-time.ts';
import { closedBecause, resolveWindows } from '../../../src/domain/safety/windows.ts';

const at = (text: string): number => Date.parse(text);
const closed = (written: Parameters<typeof resolveWindows>[0], moment: string): string | null =>
  closedBecause(resolveWindows(written), at(moment), nextTime);

/** Weekdays from 9 to 17. */
const office = { cron: '0 9 * * 1-5', duration_minutes: '8h' } as const;

describe('deployment windows', () => {
  it('are open from their time on, for their duration', () => {
    assert.equal(closed({ allow: [office] }, '2026-11-24T09:00:00Z'), null);
    assert.equal(closed({ allow: [office] }, '2026-11-24T16:59:59Z'), null);
    assert.match(closed({ allow: [office] }, '2026-11-24T17:00:00Z') ?? '', /next one opens 2026-11-25T09:00:00/);
    assert.match(closed({ allow: [office] }, '2026-11-28T12:00:00Z') ?? '', /next one opens 2026-11-30T09:00:00/);
  });

  it('go by their own time zone, through the change of clocks', () => {
    const berlin = { ...office, timezone: 'Europe/Berlin' };
    assert.equal(closed({ allow: [berlin] }, '2026-11-24T08:00:00Z'), null);
    assert.notEqual(closed({ allow: [berlin] }, '2026-11-24T16:00:00Z'), null);
    assert.equal(closed({ allow: [berlin] }, '2026-07-01T07:00:00Z'), null);
  });

  it('deny whatever others allow', () => {
    const lunch = { cron: '0 12 * * *', duration_minutes: 60 };
    assert.match(closed({ allow: [office], deny: [lunch] }, '2026-11-24T12:30:00Z') ?? '', /denies it until 2026-11-24T13:00:00/);
    assert.equal(closed({ allow: [office], deny: [lunch] }, '2026-11-24T13:00:00Z'), null);
    assert.equal(closed({ deny: [lunch] }, '2026-11-28T13:00:00Z'), null);
  });

  it('that never come are said to be so, and none at all means always', () => {
    assert.match(closed({ allow: [{ cron: '0 0 30 2 *', duration_minutes: 60 }] }, '2026-11-24T12:00:00Z') ?? '', /never again/);
    assert.equal(closed({}, '2026-11-24T12:00:00Z'), null);
  });

  it('overlap: each opening lasts as long as it says', () => {
    const hourly = { cron: '0 * * * *', duration_minutes: 90 };
    for (const moment of ['2026-11-24T10:00:00Z', '2026-11-24T10:45:00Z', '2026-11-24T11:15:00Z'])
      assert.equal(closed({ allow: [hourly] }, moment), null);
  });

  it('are written as cron expressions of five fields in known time zones', () => {
    assert.ok(isCron('*/5 9-17 * * 1-5') && !isCron('* * * * * *') && !isCron('every day') && !isCron('61 * * * *'));
    assert.ok(isTimeZone('Asia/Tokyo') && !isTimeZone('Mars/Olympus'));
  });
});
