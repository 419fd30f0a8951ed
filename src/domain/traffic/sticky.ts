/** Which key was served what: keeps a conversation on the variant that began it. Bounded; the longest idle go first. */
export interface StickyPins {
  /** The variant that the key was served by, unless it was idle for too long. */
  get(key: number, now: number): string | undefined;
  set(key: number, variant: string, now: number): void;
  clear(): void;
  readonly size: () => number;
}

interface Pin {
  readonly variant: string;
  readonly until: number;
}

export function stickyPins(durationMs: number, most: number): StickyPins {
  // A Map keeps the order of insertion: whatever is used goes to the end, so the first is the longest idle.
  const pins = new Map<number, Pin>();
  return {
    get(key, now) {
      const pin = pins.get(key);
      if (pin === undefined) return undefined;
      if (pin.until > now) return pin.variant;
      pins.delete(key);
      return undefined;
    },
    set(key, variant, now) {
      pins.delete(key);
      pins.set(key, { variant, until: now + durationMs });
      for (const [oldest, { until }] of pins) {
        if (pins.size <= most && until > now) break;
        pins.delete(oldest);
      }
    },
    clear: () => pins.clear(),
    size: () => pins.size,
  };
}
