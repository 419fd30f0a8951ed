/** Whether what a commit brings is signed as settings demand: by the settings accepted before it. */
import { messageOf, StalledError, TransientError } from '../../base/failures.ts';
import type { Problem } from '../../base/problem.ts';
import { refusalOf, ruleFor, type SignaturePolicy, type SignatureRule } from '../../domain/safety/signatures.ts';
import type { CodeHost } from '../../ports/code-host.ts';
import type { ConfigurationRepository } from '../../ports/repository.ts';

export interface SigningDeps {
  readonly repository: ConfigurationRepository;
  /** Null: its own signatures can't be asked about. */
  readonly codeHost: CodeHost | null;
}

/** The address of commits that the code host makes itself. */
const codeHostEmail = 'noreply@github.com';

/** What is wrong with the commit that brought the file as it stands in `tip`; null: nothing. `policy`: null: nothing must be signed. */
export async function signatureProblem(
  deps: SigningDeps,
  policy: SignaturePolicy | null,
  tip: string,
  path: string,
): Promise<Problem | null> {
  const rule = policy === null ? null : ruleFor(policy, path);
  if (policy === null || rule === null) return null;
  const commit = await deps.repository.lastChangeOf(tip, path);
  if (commit === null) return null;
  // Of all that sign anything, so that a key of somebody else is told by name.
  const signers = [...new Map(policy.rules.flatMap((each) => each.signers).map((signer) => [signer.name, signer])).values()];
  const signature = await deps.repository.signature(commit, signers);
  const refusal = refusalOf(rule, signature);
  if (refusal === null) return null;
  const byHost = await hostRefusal(deps, rule, commit, signature.committerEmail);
  if (byHost === null) return null;
  const { code, message } = byHost === 'not-asked' ? { code: 'signature' as const, message: refusal } : byHost;
  const who = [...rule.signers.map(({ name }) => name), ...(rule.allowsCodeHost ? ['the code host'] : [])];
  return {
    code,
    file: path,
    message: `Commit ${commit.slice(0, 12)}, which brought this, ${message}. Settings (signatures) want it signed by ${who.join(' or ')}; bring the change by a commit that is.`,
  };
}

type HostRefusal = Pick<Problem, 'code' | 'message'>;

/** Null: the code host made and signed it. */
async function hostRefusal(
  { codeHost }: SigningDeps,
  { allowsCodeHost }: SignatureRule,
  commit: string,
  committerEmail: string,
): Promise<HostRefusal | 'not-asked' | null> {
  if (!allowsCodeHost || committerEmail !== codeHostEmail) return 'not-asked';
  if (codeHost === null) return { code: 'signature', message: 'was made by a code host, and none is connected that could verify it' };
  try {
    const { isVerified, reason } = await codeHost.verification(commit);
    return isVerified ? null : { code: 'signature', message: `has a signature that the code host does not verify (${reason})` };
  } catch (thrown) {
    if (!(thrown instanceof TransientError) && !(thrown instanceof StalledError)) throw thrown;
    // Looked at again with each poll.
    return { code: 'unavailable', message: `can't be verified now (${messageOf(thrown)})` };
  }
}
