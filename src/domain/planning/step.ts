/** What every strategy is made of. The rollout engine knows these kinds of steps, and no strategies. */

export interface Step {
  /**
   * `analyse`: left when its time is over and the judge lets it pass. `mirror`: the same, on copies of stable's requests whose answers
   * nobody gets. `hold`: left when its time is over, unless the judge finds it bad. `pause`: left when a person says so. `compare`: several
   * arms against each other and against stable; left when one of them has won.
   */
  readonly kind: 'analyse' | 'mirror' | 'hold' | 'pause' | 'compare';
  /** Percent of the users' traffic on the canary, 0 to 100. */
  readonly weight: number;
  /** Least time; 0 for a pause. */
  readonly holdMs: number;
  /** Percent of stable's requests that are copied to the canary; 0 unless the kind is `mirror`. */
  readonly mirror: number;
  /** US dollars that copies may cost in this step; null: no cap. */
  readonly maxCostUsd: number | null;
  /** Percent of the gateways that serve the canary, and nothing else; null: each serves by the weights. */
  readonly fleet: number | null;
}

export function analyse(weight: number, holdMs: number): Step {
  return { kind: 'analyse', weight, holdMs, mirror: 0, maxCostUsd: null, fleet: null };
}

export function mirror(percent: number, holdMs: number, maxCostUsd: number | null): Step {
  return { kind: 'mirror', weight: 0, holdMs, mirror: percent, maxCostUsd, fleet: null };
}

export function hold(weight: number, holdMs: number): Step {
  return { kind: 'hold', weight, holdMs, mirror: 0, maxCostUsd: null, fleet: null };
}

export function pause(weight: number): Step {
  return { kind: 'pause', weight, holdMs: 0, mirror: 0, maxCostUsd: null, fleet: null };
}

/** Arms that share `weight`, until one is proven to be the best or the time is over. */
export function compare(weight: number, holdMs: number): Step {
  return { ...analyse(weight, holdMs), kind: 'compare' };
}

/** A part of the gateways, wholly. */
export function batch(percent: number, holdMs: number): Step {
  return { ...analyse(percent, holdMs), fleet: percent };
}

/** From one weight to 100 within `durationMs`, evenly, a second at a time or in as many as 20 parts. Without a duration: at once. */
export function shift(from: number, durationMs: number): readonly Step[] {
  const parts = Math.min(20, Math.floor(durationMs / 1000));
  return Array.from({ length: Math.max(0, parts - 1) }, (_, index) =>
    hold(from + ((100 - from) * (index + 1)) / parts, durationMs / parts),
  );
}

/** Percent of the traffic that the canary is tried on: given to it, or copied to it. */
export function trialShare({ weight, mirror: copied }: Step): number {
  return copied > 0 ? copied : weight;
}

/** In a few words, for people. */
export function describeStep(step: Step): string {
  switch (step.kind) {
    case 'mirror':
      return `copies of ${step.mirror} %`;
    case 'pause':
      return `pause at ${step.weight} %`;
    case 'compare':
      return `A/B test at ${round(step.weight)} %`;
    case 'hold':
    case 'analyse':
      return step.fleet === null ? `${round(step.weight)} %` : `${round(step.fleet)} % of the gateways`;
  }
}

function round(percent: number): number {
  return Math.round(percent * 100) / 100;
}
