/** How each part of the adapter asks: about one repository, with failures in our words. */
import type { Octokit } from '@octokit/rest';
import { StalledError } from '../../base/failures.ts';
import type { GithubClient } from './client.ts';
import { classifyGithubFailure, isStatus } from './failures.ts';

export interface Asking {
  readonly at: { readonly owner: string; readonly repo: string };
  /** `doing`: what it is about, for people. */
  readonly ask: <T>(doing: string, work: (octokit: Octokit) => Promise<T>) => Promise<T>;
  /** Null where GitHub has no such thing. */
  readonly askFor: <T>(doing: string, work: (octokit: Octokit) => Promise<T>) => Promise<T | null>;
  /** Our own. */
  readonly login: () => Promise<string>;
}

export function createAsking(client: GithubClient, at: Asking['at']): Asking {
  async function ask<T>(doing: string, work: (octokit: Octokit) => Promise<T>): Promise<T> {
    try {
      return await client.ask(work);
    } catch (thrown) {
      if (isStatus(thrown, 404)) await refuseUnknownRepository(client, at, thrown);
      throw classifyGithubFailure(thrown, doing);
    }
  }
  return {
    at,
    ask,
    askFor: (doing, work) =>
      ask(doing, async (octokit) => {
        try {
          return await work(octokit);
        } catch (thrown) {
          if (isStatus(thrown, 404, 410)) return null;
          throw thrown;
        }
      }),
    async login() {
      try {
        return await client.login();
      } catch (thrown) {
        throw classifyGithubFailure(thrown, 'who we are');
      }
    },
  };
}

/** What is not there may only be out of our sight: then a person must act, and nothing may be given up for it. */
async function refuseUnknownRepository(client: GithubClient, at: Asking['at'], cause: unknown): Promise<void> {
  try {
    await client.ask((octokit) => octokit.rest.repos.get(at));
  } catch (thrown) {
    if (!isStatus(thrown, 404)) throw classifyGithubFailure(thrown, 'the repository');
    throw new StalledError(
      `GitHub shows us no repository ${at.owner}/${at.repo}: it was renamed (then change --repo and --github-repository), or the app or token has lost its access.`,
      { cause },
    );
  }
}
