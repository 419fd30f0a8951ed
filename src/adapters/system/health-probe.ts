/** GET without following redirects, so that an endpoint can't send us to another host. */
import type { HealthProbe } from '../../ports/health-probe.ts';

export const httpProbe: HealthProbe = {
  async status(url, timeoutMs) {
    try {
      const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) });
      await response.body?.cancel();
      return response.status;
    } catch {
      return null;
    }
  },
};
