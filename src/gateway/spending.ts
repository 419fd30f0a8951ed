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

/** Of one service in one day: not yet shipped, on its way, and arrived but not yet in a report. */
interface Account {
  readonly day: string;
  open: number;
  shipped: number;
  arrived: number;
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
  const accounts = new Map<string, Account>();

  function accountOf(service: string, now: number): Account {
    const day = dayOf(now);
    const known = accounts.get(service);
    if (known?.day === day) return known;
    const created = { day, open: 0, shipped: 0, arrived: 0 };
    accounts.set(service, created);
    return created;
  }

  return {
    spentToday(service, now) {
      const report = reports.get(service);
      const account = accounts.get(service);
      if (report === undefined && account === undefined) return 0;
      const day = dayOf(now);
      const told = report?.day === day ? report.spent_usd : 0;
      return account?.day === day ? told + account.open + account.shipped + account.arrived : told;
    },
    spent(service, costUsd, now) {
      accountOf(service, now).open += costUsd;
    },
    ship() {
      const shipped: (readonly [Account, number])[] = [];
      for (const account of accounts.values()) {
        if (account.open === 0) continue;
        shipped.push([account, account.open]);
        account.shipped += account.open;
        account.open = 0;
      }
      return () => {
        for (const [account, usd] of shipped) {
          account.shipped -= usd;
          account.arrived += usd;
        }
      };
    },
    learn(report) {
      reports.set(report.service, report);
      // What had arrived before this sum was made is part of it.
      const account = accounts.get(report.service);
      if (account !== undefined) account.arrived = 0;
    },
    reports: () => [...reports.values()],
  };
}
