/** Which commits must be signed, and by whom. */
import type { Problem } from '../../base/problem.ts';
import { suggestion } from '../../base/text.ts';
import type { SectionsSshKey, WrittenSettings } from '../../generated/types.ts';
import { matchesPath } from './code-owners.ts';

export interface Signer {
  readonly name: string;
  /** Lower case; a commit under another address is not believed. Empty: any. */
  readonly emails: readonly string[];
  readonly sshKeys: readonly SshKey[];
  /** In ASCII armour. */
  readonly gpgKeys: readonly string[];
}

export interface SshKey {
  /** Kind and key, as in a .pub file. */
  readonly key: string;
  /** `2027-01-31`: from that day on nothing new is believed; null: for ever. */
  readonly validBefore: string | null;
  readonly revoked: boolean;
}

export interface SignatureRule {
  readonly paths: readonly string[];
  readonly signers: readonly Signer[];
  /** What the code host made and signed itself counts as well. */
  readonly allowsCodeHost: boolean;
}

export interface SignaturePolicy {
  readonly rules: readonly SignatureRule[];
}

/** What git finds. */
export interface Signature {
  /** `unknown`: by a key that is not listed, or not for that time. */
  readonly state: 'good' | 'none' | 'unknown' | 'expired' | 'revoked' | 'bad' | 'unverifiable';
  /** Name of the signer whose key it is; null: nobody's. */
  readonly signer: string | null;
  /** Of the key; empty: there is none. */
  readonly fingerprint: string;
  readonly committerEmail: string;
}

/** In the place of a person's name. */
const codeHost = 'code-host';

type Written = Pick<WrittenSettings, 'signatures' | 'people'>;

/** Null: nothing must be signed. */
export function resolveSignatures({ signatures, people = [] }: Written): SignaturePolicy | null {
  if (signatures === undefined) return null;
  const rules = signatures.rules.map(({ paths, signers }) => ({
    paths,
    signers: people
      .filter(({ name }) => signers.includes(name))
      .map(({ name, emails = [], ssh_keys: ssh = [], gpg_keys: gpgKeys = [] }) => ({
        name,
        emails: emails.map((email) => email.toLowerCase()),
        sshKeys: ssh.map(meantKey),
        gpgKeys,
      })),
    allowsCodeHost: signers.includes(codeHost),
  }));
  return { rules };
}

function meantKey(written: SectionsSshKey): SshKey {
  const { key, valid_before: validBefore, revoked } = typeof written === 'string' ? { key: written } : written;
  return { key: key.split(/\s+/).slice(0, 2).join(' '), validBefore: validBefore ?? null, revoked: revoked ?? false };
}

/** Signers that there are not, or that could sign nothing: nobody could change such a file any more. */
export function signatureProblems({ signatures, people = [] }: Written): readonly Problem[] {
  const named = (signatures?.rules ?? []).flatMap(({ signers }, rule) => signers.map((name, index) => ({ name, rule, index })));
  return named.flatMap(({ name, rule, index }): readonly Problem[] => {
    if (name === codeHost) return [];
    const person = people.find((candidate) => candidate.name === name);
    const path = `/signatures/rules/${rule}/signers/${index}`;
    if (person === undefined) {
      const hint = suggestion(name, [...people.map((each) => each.name), codeHost]);
      return [{ code: 'plan', path, message: `Settings name no person "${name}" under people.${hint}` }];
    }
    if ((person.ssh_keys ?? []).length + (person.gpg_keys ?? []).length > 0) return [];
    return [{ code: 'plan', path, message: `"${name}" has neither ssh_keys nor gpg_keys under people, and could sign nothing.` }];
  });
}

/** The last rule that matches; null: the path needs no signature. */
export function ruleFor({ rules }: SignaturePolicy, path: string): SignatureRule | null {
  return rules.findLast(({ paths }) => paths.some((pattern) => matchesPath(pattern, path))) ?? null;
}

/** Why a commit is not believed; null: it is. */
export function refusalOf({ signers }: SignatureRule, signature: Signature): string | null {
  const { state, signer, fingerprint, committerEmail } = signature;
  const by = fingerprint === '' ? '' : ` (${fingerprint})`;
  switch (state) {
    case 'none':
      return 'is not signed';
    case 'unknown':
      return `is signed by a key that settings do not list, or not for that day${by}`;
    case 'expired':
      return `is signed by a key that has expired${by}`;
    case 'revoked':
      return `is signed by a key that was revoked${by}`;
    case 'bad':
      return 'has a signature that does not fit it';
    case 'unverifiable':
      return `has a signature that can't be verified here${by}`;
    case 'good': {
      const person = signers.find(({ name }) => name === signer);
      if (person === undefined) return `is signed by ${signer ?? 'somebody'}${by}, who must not sign this`;
      if (person.emails.length === 0 || person.emails.includes(committerEmail.toLowerCase())) return null;
      return `is signed by ${person.name}${by} and says to be committed by ${committerEmail}, which is none of their addresses`;
    }
  }
}
