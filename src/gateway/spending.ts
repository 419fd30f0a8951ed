/**
 * What services have spent today, as far as this gateway can know: the fleet's sum as the control plane last told it, and what went
 * through here since. Gateways know of each other's spending within about two seconds, so a budget can be overshot by what the
 * fleet spends in two seconds, and by the requests that were under way.
 */
export interface SpendingLedger {
  /** US dollars that the service has spent in the UTC day of `now`. */
  spentToday(service: string, now: number): number;
  /** A request of ours has cost this. */
  spent(service: string, costUsd: number, now: number): void;
  /** Everything spent up to here is on its way to the control plane; the returned function says that it arrived. */
  ship(): () => void;
  /** The control plane's sum, over all gateways. */
  learn(report: SpendingReport): void;
  readonly reports: () => readonly SpendingReport[];
}

export interface SpendingReport {
  readonly service: string;
  /** UTC day, as 2026-11-23. */
  readonly day: string;
  readonly spent_usd: number;
}

interface Portion {
  readonly day: string;
  usd: number;
  state: 'open' | 'shipped' | 'arrived';
}

let known = { number: -1, text: '' };

/** The day changes once a day, and is asked for at each request. */
function dayOf(now: number): string {
  const number = Math.floor(now / 86_400_000);
  if (number !== known.number) known = { number, text: new Date(now).toISOString().slice(0, 10) };
  return known.text;
}

export function createSpendingLedger(): SpendingLedger {
  const reports = new Map<string, SpendingReport>();
  const own = new Map<string, Portion[]>();

  return {
    spentToday(service, now) {
      const portions = own.get(service);
      const report = reports.get(service);
      if (portions === undefined && report === undefined) return 0;
      const day = dayOf(now);
      const told = report?.day === day ? report.spent_usd : 0;
      return (portions ?? []).reduce((sum, portion) => (portion.day === day ? sum + portion.usd : sum), told);
    },
    spent(service, costUsd, now) {
      const day = dayOf(now);
      const portions = own.get(service) ?? [];
      own.set(service, portions);
      const open = portions.find((portion) => portion.state === 'open' && portion.day === day);
      if (open === undefined) portions.push({ day, usd: costUsd, state: 'open' });
      else open.usd += costUsd;
    },
    ship() {
      const shipped = [...own.values()].flat().filter((portion) => portion.state === 'open');
      for (const portion of shipped) portion.state = 'shipped';
      return () => {
        for (const portion of shipped) portion.state = 'arrived';
      };
    },
    learn(report) {
      reports.set(report.service, report);
      // What had arrived before this sum was made is part of it.
      const left = (own.get(report.service) ?? []).filter((portion) => portion.state !== 'arrived');
      if (left.length === 0) own.delete(report.service);
      else own.set(report.service, left);
    },
    reports: () => [...reports.values()],
  };
}
