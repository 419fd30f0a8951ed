/** The two long-running programs, as the command line starts them. Boot settings come from flags and environment, never from Git. */
export interface GithubFlags {
  /** owner/name, as GitHub says it; null: read off the repository's address. */
  readonly repository: string | null;
  /** Of the API; null: by the repository's address. */
  readonly url: string | null;
  readonly tokenFile: string | null;
  readonly appId: string | null;
  readonly appKeyFile: string | null;
  /** Null: looked up by the repository. */
  readonly installation: number | null;
  /** GitHub makes and signs our commits on the configuration branch and on branches for pull requests. */
  readonly signsCommits: boolean;
}

export interface ServeOptions {
  readonly repository: string;
  readonly branch: string;
  readonly dataDirectory: string;
  readonly host: string;
  readonly port: number;
  /** Null: no gateway of our own. */
  readonly gatewayPort: number | null;
  /** Of the clients of our own gateway; null: none are asked for. */
  readonly clientKeysFile: string | null;
  readonly pollSeconds: number;
  /** Secrets of the code host's webhook, the one in use first; null: no webhooks are taken. */
  readonly webhookSecretFile: string | null;
  readonly github: GithubFlags;
  /** Where people see what we do; null: nowhere. */
  readonly publicUrl: string | null;
  /** Private SSH key that signs our commits; null: they are not signed. */
  readonly signingKeyFile: string | null;
  readonly allowLocalRemote: boolean;
  readonly takeOver: boolean;
  readonly gitToken: string | null;
  readonly gitName: string;
  readonly gitEmail: string;
  readonly logLevel: string;
}

export interface GatewayOptions {
  readonly name: string;
  readonly controlPlane: string;
  readonly key: string;
  readonly host: string;
  readonly port: number;
  /** Where the last assignments are kept. */
  readonly dataDirectory: string;
  /** Hashed keys of the clients; null: none are asked for, which is allowed on loopback only. */
  readonly clientKeysFile: string | null;
  /** Processes that share the port. */
  readonly workers: number;
  readonly logLevel: string;
}

export interface Running {
  readonly url: string;
  /** Ends in good order: open requests are answered first. */
  stop(): Promise<void>;
}
