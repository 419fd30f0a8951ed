/** Who may approve, by the settings that a change came under. What the host says of people is remembered for a minute. */
import { LRUMap } from '../../base/lru.ts';
import type { Instant } from '../../base/time.ts';
import { loginIdentity, personOf, type Gates } from '../../domain/safety/gates.ts';
import type { Clock } from '../../ports/clock.ts';
import type { CodeHost } from '../../ports/code-host.ts';

export interface Rights {
  has(gates: Gates, login: string): Promise<boolean>;
}

/** Many deployments ask about the same few people, and a host allows so many requests an hour. */
const rememberedMs = 60_000;

export function createRights({ host, clock }: { readonly host: CodeHost; readonly clock: Clock }): Rights {
  const answers = new LRUMap<string, { readonly at: Instant; readonly answer: Promise<boolean> }>(5000);

  function remembered(key: string, ask: () => Promise<boolean>): Promise<boolean> {
    const known = answers.get(key);
    if (known !== undefined && clock.now() - known.at < rememberedMs) return known.answer;
    const answer = ask();
    answers.set(key, { at: clock.now(), answer });
    answer.catch(() => answers.delete(key));
    return answer;
  }

  return {
    async has({ roles, approvers, owners, teams }, login) {
      if (roles.length === 0) return remembered(`write ${login}`, () => host.mayWrite(login));
      if (personOf(approvers, loginIdentity(login)) !== null || owners.includes(login.toLowerCase())) return true;
      for (const team of teams) if (await remembered(`${team} ${login}`, () => host.isMember(team, login))) return true;
      return false;
    },
  };
}
