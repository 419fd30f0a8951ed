/** Whether what a commit brings is signed as settings demand: by the settings accepted before it. */
import { isAway, messageOf } from '../../base/failures.ts';
import type { Problem } from '../../base/problem.ts';
import { refusalOf, ruleFor, type Signature, type SignaturePolicy, type Signer } from '../../domain/safety/signatures.ts';
import type { Clock } from '../../ports/clock.ts';
import type { CodeHost } from '../../ports/code-host.ts';
import type { Log } from '../../ports/log.ts';
import type { ConfigurationRepository } from '../../ports/repository.ts';

export interface SigningDeps {
  readonly repository: ConfigurationRepository;
  /** Null: its own signatures can't be asked about. */
  readonly codeHost: CodeHost | null;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is wrong with the signature of the commit that brought a file; null: nothing. `policy`: null: nothing must be signed. */
export async function signatureProblem(
  deps: SigningDeps,
  policy: SignaturePolicy | null,
  commit: string,
  path: string,
): Promise<Problem | null> {
  const rule = policy === null ? null : ruleFor(policy, path);
  if (policy === null || rule === null) return null;
  // Of all that sign anything, so that a key of somebody else is told by name.
  const signers = [...new Map(policy.rules.flatMap((each) => each.signers).map((signer) => [signer.name, signer])).values()];
  const signature = await checked(deps, commit, signers);
  if (signature === null)
    return {
      code: 'unavailable',
      file: path,
      message: `The signature of ${commit.slice(0, 12)}, which brought this, can't be looked at now; the log says why.`,
    };
  const refusal = refusalOf(rule, signature);
  if (refusal === null) return null;
  const byHost = rule.allowsCodeHost ? await hostRefusal(deps, commit) : 'not-made-there';
  if (byHost === null) return null;
  const { code, message } = byHost === 'not-made-there' ? { code: 'signature' as const, message: refusal } : byHost;
  const who = [...rule.signers.map(({ name }) => name), ...(rule.allowsCodeHost ? ['the code host'] : [])];
  return {
    code,
    file: path,
    message: `Commit ${commit.slice(0, 12)}, which brought this, ${message}. Settings (signatures) want it signed by ${who.join(' or ')}; bring the change by a commit that is.`,
  };
}

/** Null: not now. */
async function checked({ repository, clock, log }: SigningDeps, commit: string, signers: readonly Signer[]): Promise<Signature | null> {
  try {
    return await repository.signature(commit, signers, clock.now());
  } catch (thrown) {
    if (!isAway(thrown)) throw thrown;
    log.warn({ commit, error: messageOf(thrown) }, 'a signature could not be looked at');
    return null;
  }
}

type HostRefusal = Pick<Problem, 'code' | 'message'>;

/** Null: the code host made and signed it. */
async function hostRefusal({ codeHost, log }: SigningDeps, commit: string): Promise<HostRefusal | 'not-made-there' | null> {
  if (codeHost === null) return 'not-made-there';
  try {
    const { isVerified, isMadeByHost, reason } = await codeHost.verification(commit);
    if (!isMadeByHost) return 'not-made-there';
    return isVerified ? null : { code: 'signature', message: `has a signature that the code host does not verify (${reason})` };
  } catch (thrown) {
    if (!isAway(thrown)) throw thrown;
    // Looked at again with each poll. Details are for the log: they would make another problem of it each time.
    log.warn({ commit, error: messageOf(thrown) }, 'a signature of the code host could not be verified');
    return { code: 'unavailable', message: "can't be verified now, the code host does not answer" };
  }
}
