/** What each service has spent today (UTC), over all gateways: kept in the store, told to the gateways, and to people at a threshold. */
import { toIso, type Instant } from '../../base/time.ts';
import { totalOf } from '../../domain/analysis/histogram.ts';
import type { AssignmentCostControls, Bucket } from '../../generated/types.ts';
import type { Notifier } from '../../ports/notifier.ts';
import type { Store } from '../../ports/store.ts';

export interface SpendingReport {
  readonly service: string;
  readonly day: string;
  readonly spent_usd: number;
}

export interface Spending {
  load(services: readonly string[]): Promise<void>;
  /** Buckets of one service that were not taken in before. */
  take(service: string, buckets: readonly Bucket[], at: Instant): Promise<void>;
  /** Of services with a budget: those whose sum has changed since the last call. */
  changed(): readonly SpendingReport[];
  /** All of today that gateways need to know. */
  reports(at: Instant): readonly SpendingReport[];
  spentToday(service: string, at: Instant): number;
}

export interface SpendingDeps {
  readonly store: Store;
  readonly notifier: Notifier;
  /** Of the revision in force; null before there is one. */
  readonly limitsOf: (service: string) => Promise<AssignmentCostControls | null>;
}

interface Account {
  readonly day: string;
  readonly usd: number;
}

export function createSpending({ store, notifier, limitsOf }: SpendingDeps): Spending {
  const accounts = new Map<string, Account>();
  const limited = new Set<string>();
  const changed = new Set<string>();

  const key = (service: string): string => `spending/${service}`;
  const dayOf = (at: Instant): string => toIso(at).slice(0, 10);
  const report = (service: string, { day, usd }: Account): SpendingReport => ({ service, day, spent_usd: usd });

  return {
    async load(services) {
      for (const service of services) {
        const saved = await store.get(key(service));
        if (saved === null) continue;
        accounts.set(service, JSON.parse(saved) as Account);
        limited.add(service);
      }
    },
    async take(service, buckets, at) {
      // What applications report by feedback was not spent here, and must not be able to end anybody's budget.
      const own = buckets.filter(({ generation }) => generation !== null);
      const usd = own.reduce((sum, { cost_usd: cost, excluded_cost_usd: more }) => sum + totalOf(cost) + more, 0);
      if (usd <= 0) return;
      const day = dayOf(at);
      const known = accounts.get(service);
      const before = known?.day === day ? known.usd : 0;
      const account = { day, usd: before + usd };
      accounts.set(service, account);
      const limits = await limitsOf(service);
      if (limits === null || (limits.daily_budget_usd === null && limits.alert_threshold_usd === null)) {
        limited.delete(service);
        return;
      }
      limited.add(service);
      changed.add(service);
      await store.put(key(service), JSON.stringify(account));
      await tell(notifier, report(service, account), before, limits);
    },
    changed() {
      const reports = [...changed].flatMap((service) => {
        const account = accounts.get(service);
        return account === undefined ? [] : [report(service, account)];
      });
      changed.clear();
      return reports;
    },
    reports: (at) =>
      [...limited].flatMap((service) => {
        const account = accounts.get(service);
        return account?.day === dayOf(at) ? [report(service, account)] : [];
      }),
    spentToday(service, at) {
      const account = accounts.get(service);
      return account?.day === dayOf(at) ? account.usd : 0;
    },
  };
}

/** Each once a day: the key tells a channel that it has said so before. */
async function tell(notifier: Notifier, after: SpendingReport, before: number, limits: AssignmentCostControls): Promise<void> {
  const { alert_threshold_usd: alert, daily_budget_usd: budget } = limits;
  const { service, day, spent_usd: usd } = after;
  const spent = `${usd.toFixed(2)} US dollars on ${day} (UTC)`;
  if (alert !== null && before < alert && usd >= alert) {
    const message = `${service}: has spent ${spent}, beyond its alert threshold of ${alert}`;
    await notifier.notify({ key: `spending/${service}/${day}/alert`, severity: 'warning', message });
  }
  if (budget !== null && before < budget && usd >= budget) {
    const message = `${service}: has spent ${spent}; its budget of ${budget} is exhausted, and requests are refused until midnight UTC`;
    await notifier.notify({ key: `spending/${service}/${day}/exhausted`, severity: 'critical', message });
  }
}
