/** Asks an endpoint whether it is well. */
export interface HealthProbe {
  /** The HTTP status; null when none came within the time. Never rejects. */
  status(url: string, timeoutMs: number): Promise<number | null>;
}
