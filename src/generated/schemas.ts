/* Generated from schemas/ by `npm run generate`. Do not edit. */
export const schemas: Readonly<Record<string, object>> = {
  'ab-test-promotion': {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'ab-test-promotion',
    title: 'AbTestPromotion',
    description: 'POST /api/v1/actuator/ab-tests/:id/promote: ends an A/B test by promoting one of its arms.',
    type: 'object',
    additionalProperties: false,
    required: ['winner'],
    properties: {
      winner: {
        type: 'string',
        minLength: 1,
        maxLength: 40,
        description: 'Name of an arm, or auto: the one that is proven to be the best.',
      },
      reason: { type: 'string', maxLength: 500, description: 'Why.' },
    },
  },
  'ab-test-request': {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'ab-test-request',
    title: 'AbTestRequest',
    description: "POST /api/v1/actuator/ab-tests: commits variants and how they are compared to one service's configuration.",
    type: 'object',
    additionalProperties: false,
    required: ['config'],
    properties: {
      service: { type: 'string', description: 'Service; where left out, metadata.service of the configuration, or the only service.' },
      config: {
        type: 'string',
        maxLength: 262144,
        description: "YAML with variants and ab_test, merged (RFC 7396) onto the service's config.yaml.",
      },
      strategy: { enum: ['fixed', 'thompson-sampling'], description: 'Written as ab_test.strategy.' },
      reason: { type: 'string', maxLength: 500, description: 'Why, for the commit message.' },
    },
  },
  acknowledgement: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'acknowledgement',
    title: 'Acknowledgement',
    description: "A gateway's answer to an assignment: it serves it, or says why it can't.",
    type: 'object',
    additionalProperties: false,
    required: ['gateway', 'service', 'term', 'generation', 'applied', 'problems'],
    properties: {
      gateway: { type: 'string', maxLength: 128, description: 'Name of the gateway.' },
      service: { type: 'string', description: 'Service.' },
      term: { type: 'integer', description: 'Term of the assignment.' },
      generation: { type: 'integer', description: 'Generation of the assignment.' },
      applied: { type: 'boolean', description: 'true: new requests are served by it. false: refused, the one before stays in force.' },
      problems: { type: 'array', maxItems: 50, items: { type: 'string', maxLength: 1000 }, description: 'Why it was refused.' },
    },
  },
  'approval-request': {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'approval-request',
    title: 'ApprovalRequest',
    description: 'POST /api/v1/actuator/approve and /reject.',
    type: 'object',
    additionalProperties: false,
    properties: {
      service: { type: 'string', description: 'Service; where left out, that of the deployment, or the only one that is active.' },
      deployment_id: { type: 'string', maxLength: 100, description: 'Deployment; refused when another one is in force.' },
      approver: {
        type: 'string',
        maxLength: 200,
        description: 'Name or address of the approver; must be the one that the API key belongs to.',
      },
      comment: { type: 'string', minLength: 1, maxLength: 500, description: 'approve: what the approver has to say.' },
      reason: { type: 'string', minLength: 1, maxLength: 500, description: 'reject: why. approve: the same as comment.' },
      digest: {
        type: 'string',
        pattern: '^sha256:[0-9a-f]{64}$',
        description: 'approve: what was reviewed; refused when something else waits by now.',
      },
      pull_request: {
        type: 'integer',
        minimum: 1,
        description:
          'Number of an open pull request, in the place of a deployment: what its head holds is approved, and a review says so there.',
      },
    },
  },
  assignment: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'assignment',
    title: 'Assignment',
    description: 'What a gateway must serve for one service. Of two assignments the one with the higher (term, generation) holds.',
    type: 'object',
    additionalProperties: false,
    required: ['service', 'term', 'generation', 'deployment_id', 'split', 'variants'],
    properties: {
      service: { type: 'string', description: "Service; also the value of the request's `model` field." },
      term: { type: 'integer', minimum: 0, description: 'Term of the leader that assigned.' },
      generation: { type: 'integer', minimum: 0, description: 'Rises with each change of this service.' },
      deployment_id: { anyOf: [{ type: 'string' }, { type: 'null' }], description: 'Deployment on trial.' },
      split: { $ref: '#/$defs/split', description: 'How requests are divided between the variants.' },
      variants: {
        type: 'array',
        minItems: 1,
        maxItems: 11,
        description: 'Canary first, stable last; weights add up to 100. In an A/B test there are several canaries, one for each arm.',
        items: { $ref: '#/$defs/variant' },
      },
      mirror: {
        anyOf: [{ type: 'number', exclusiveMinimum: 0, maximum: 100 }, { type: 'null' }],
        description:
          "Percent of stable's requests that are copied to the canary; the answers are measured and thrown away. Null or absent: none.",
      },
      canary_gateways: {
        anyOf: [{ type: 'array', items: { type: 'string' }, maxItems: 10000 }, { type: 'null' }],
        description:
          'Gateways that serve the canary and nothing else, whatever the weights say, while all others serve stable. Null or absent: each serves by the weights.',
      },
    },
    $defs: {
      variant: {
        type: 'object',
        description: 'One variant.',
        additionalProperties: false,
        required: ['name', 'weight', 'commit', 'digest', 'serving'],
        properties: {
          name: { enum: ['canary', 'stable'], description: 'Variant.' },
          arm: { type: 'string', description: 'Name of the arm of an A/B test; absent outside one.' },
          weight: { type: 'number', minimum: 0, maximum: 100, description: 'Percent of requests.' },
          commit: { type: 'string', description: 'Commit that brought the configuration.' },
          digest: { type: 'string', description: 'Digest of the configuration.' },
          serving: { $ref: '#/$defs/serving', description: 'The configuration, resolved.' },
        },
      },
      serving: {
        type: 'object',
        description: 'A configuration with defaults and catalogue entries filled in.',
        additionalProperties: false,
        required: [
          'default_model',
          'prompt_template',
          'parameters',
          'timeout_ms',
          'rules',
          'models',
          'aliases',
          'client_overrides',
          'retry',
          'max_concurrent_requests',
          'cost_controls',
          'quality_sample_rate',
          'quality_judge',
          'min_quality_score',
        ],
        properties: {
          default_model: { type: 'string', description: 'Model where no rule matches.' },
          prompt_template: { anyOf: [{ type: 'string' }, { type: 'null' }], description: 'Template of the system message.' },
          parameters: { type: 'object', additionalProperties: true, description: 'Parameters set on every request.' },
          timeout_ms: { type: 'integer', minimum: 1, description: 'Upstream time-out, in milliseconds.' },
          rules: {
            type: 'array',
            description: 'Routing rules.',
            items: {
              type: 'object',
              additionalProperties: false,
              required: ['condition', 'model', 'parameters'],
              properties: {
                condition: { type: 'string', description: 'CEL.' },
                model: { type: 'string', description: 'Model of the rule.' },
                parameters: { type: 'object', additionalProperties: true, description: 'Parameters of the rule.' },
              },
            },
          },
          models: {
            type: 'object',
            description: "The catalogue's entries for each model it can reach.",
            additionalProperties: { $ref: '#/$defs/servedModel' },
          },
          aliases: { type: 'array', items: { type: 'string' }, description: 'Further names of the service.' },
          client_overrides: { type: 'array', items: { type: 'string' }, description: "Parameters for which the client's value wins." },
          retry: { $ref: '#/$defs/retry', description: 'Retries towards the provider.' },
          max_concurrent_requests: {
            anyOf: [{ type: 'integer', minimum: 1 }, { type: 'null' }],
            description: 'Most requests of the service in flight in one gateway; null: no limit.',
          },
          cost_controls: { $ref: '#/$defs/costControls', description: 'Spending limits, in US dollars.' },
          quality_sample_rate: { type: 'number', minimum: 0, maximum: 1, description: 'Share of answers that the judge model scores.' },
          quality_judge: {
            anyOf: [{ type: 'null' }, { $ref: '#/$defs/qualityJudge' }],
            description:
              'Model that scores sampled answers; null: none. The first variant that has one decides for all, so that scores can be compared.',
          },
          min_quality_score: {
            anyOf: [{ type: 'number', minimum: 0, maximum: 1 }, { type: 'null' }],
            description: 'Mean quality score below which people are told; null: none.',
          },
        },
      },
      servedModel: {
        type: 'object',
        description: 'A model as a gateway calls it.',
        additionalProperties: false,
        required: [
          'provider',
          'base_url',
          'api_key_env',
          'upstream_model',
          'limits',
          'prices',
          'auth_header',
          'headers',
          'query',
          'token_limit_parameter',
        ],
        properties: {
          provider: { type: 'string', description: 'Provider.' },
          base_url: { type: 'string', description: 'Base URL.' },
          api_key_env: {
            anyOf: [{ type: 'string' }, { type: 'null' }],
            description: "Variable of the gateway's environment that holds the key.",
          },
          upstream_model: { type: 'string', description: 'Name at the provider.' },
          limits: { type: 'object', additionalProperties: true, description: 'Limits of the catalogue.' },
          prices: { anyOf: [{ type: 'null' }, { $ref: '#/$defs/prices' }], description: 'Prices; null when unknown.' },
          auth_header: {
            anyOf: [{ type: 'string' }, { type: 'null' }],
            description: 'Header that carries the bare key; null: Authorization: Bearer.',
          },
          headers: { type: 'object', additionalProperties: { type: 'string' }, description: 'Further headers of each request.' },
          query: { type: 'object', additionalProperties: { type: 'string' }, description: 'Query parameters of each request.' },
          token_limit_parameter: {
            enum: ['max_tokens', 'max_completion_tokens'],
            description: "What the model calls the limit on a chat completion's tokens.",
          },
        },
      },
      qualityJudge: {
        type: 'object',
        description: 'Model that scores sampled answers.',
        additionalProperties: false,
        required: ['name', 'model', 'max_per_minute', 'instructions'],
        properties: {
          name: { type: 'string', description: 'Model of the catalogue.' },
          model: { $ref: '#/$defs/servedModel', description: 'How it is called.' },
          max_per_minute: { type: 'number', exclusiveMinimum: 0, description: 'Most answers scored in a minute by one gateway.' },
          instructions: { anyOf: [{ type: 'string' }, { type: 'null' }], description: 'What a good answer is; null: the built-in text.' },
        },
      },
      split: {
        type: 'object',
        description: 'How requests are divided between the variants.',
        additionalProperties: false,
        required: ['method', 'hash_key', 'salt', 'sticky_ms'],
        properties: {
          method: {
            enum: ['weighted_random', 'consistent_hash', 'round_robin'],
            description:
              'weighted_random: each request is drawn by itself. consistent_hash: by the hash of its key. round_robin: evenly spaced.',
          },
          hash_key: {
            type: 'string',
            description:
              'Where the key of a request comes from: user_id, session_id, request_id, client_key, header:<name> or metadata.<field>.',
          },
          salt: { type: 'string', description: 'Put before the key when it is hashed, so that each deployment divides anew.' },
          sticky_ms: {
            anyOf: [{ type: 'integer', minimum: 1 }, { type: 'null' }],
            description: 'How long after its last request a key keeps its variant, in milliseconds; null: not sticky.',
          },
        },
      },
      costControls: {
        type: 'object',
        description: 'Spending limits, in US dollars.',
        additionalProperties: false,
        required: ['daily_budget_usd', 'per_request_limit_usd', 'alert_threshold_usd'],
        properties: {
          daily_budget_usd: {
            anyOf: [{ type: 'number', exclusiveMinimum: 0 }, { type: 'null' }],
            description: 'Most that may be spent in a UTC day by the whole service; null: no limit.',
          },
          per_request_limit_usd: {
            anyOf: [{ type: 'number', exclusiveMinimum: 0 }, { type: 'null' }],
            description: 'Most that one request may cost; null: no limit.',
          },
          alert_threshold_usd: {
            anyOf: [{ type: 'number', exclusiveMinimum: 0 }, { type: 'null' }],
            description: 'Spending of a day that raises an alert; null: none.',
          },
        },
      },
      retry: {
        type: 'object',
        description: 'Retries towards the provider.',
        additionalProperties: false,
        required: ['max_retries', 'delay_ms'],
        properties: {
          max_retries: { type: 'integer', minimum: 0, maximum: 10, description: 'Further attempts.' },
          delay_ms: {
            type: 'integer',
            minimum: 0,
            description: 'Pause before the first retry, doubled for each further one, in milliseconds.',
          },
        },
      },
      prices: {
        type: 'object',
        additionalProperties: false,
        required: ['input_per_million_usd', 'output_per_million_usd'],
        properties: {
          input_per_million_usd: { type: 'number', description: 'US dollars per million prompt tokens.' },
          output_per_million_usd: { type: 'number', description: 'US dollars per million completion tokens.' },
        },
        description: 'Prices in US dollars.',
      },
    },
  },
  'bucket-batch': {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'bucket-batch',
    title: 'BucketBatch',
    description: 'What a gateway ships each second. (gateway, epoch, seq) names a batch: a repeated one is ignored.',
    type: 'object',
    additionalProperties: false,
    required: ['gateway', 'epoch', 'seq', 'buckets', 'comments'],
    properties: {
      gateway: { type: 'string', maxLength: 128, description: 'Name of the gateway.' },
      epoch: { type: 'string', maxLength: 64, description: 'Random for each start of the gateway process.' },
      seq: { type: 'integer', minimum: 1, description: '1, 2, 3 ... within the epoch.' },
      buckets: { type: 'array', maxItems: 10000, items: { $ref: 'bucket' }, description: 'One for each key that saw a request.' },
      comments: { type: 'array', maxItems: 200, description: 'What people wrote about answers.', items: { $ref: '#/$defs/comment' } },
    },
    $defs: {
      comment: {
        description: 'A comment on an answer.',
        type: 'object',
        additionalProperties: false,
        required: ['service', 'variant', 'deployment_id', 'request_id', 'text'],
        properties: {
          service: { type: 'string', description: 'Service.' },
          variant: { enum: ['stable', 'canary'], description: 'Variant that answered.' },
          deployment_id: { anyOf: [{ type: 'string' }, { type: 'null' }], description: 'Deployment on trial then.' },
          request_id: { type: 'string', maxLength: 600, description: 'The request that was answered.' },
          text: { type: 'string', maxLength: 2000, description: 'The comment.' },
        },
      },
    },
  },
  bucket: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'bucket',
    title: 'Bucket',
    description:
      'What one gateway measured in one interval for one service, variant, revision, model and route. Buckets of one key can be added.',
    type: 'object',
    additionalProperties: false,
    required: [
      'service',
      'variant',
      'digest',
      'deployment_id',
      'generation',
      'model',
      'route',
      'requests',
      'errors',
      'excluded',
      'latency_ms',
      'first_token_ms',
      'cost_usd',
      'unpriced',
      'input_tokens',
      'output_tokens',
      'recovered',
      'retries',
      'unkeyed',
      'new_keys',
      'shards',
      'scores',
      'scoring_cost_usd',
      'scoring_failures',
      'excluded_cost_usd',
    ],
    properties: {
      service: { type: 'string', description: 'Service.' },
      variant: { enum: ['stable', 'canary'], description: 'Variant that served.' },
      digest: { type: 'string', description: 'Digest of the configuration that served.' },
      deployment_id: {
        anyOf: [{ type: 'string' }, { type: 'null' }],
        description: 'Deployment on trial when the request arrived; null when none was.',
      },
      model: { type: 'string', description: 'Model of the catalogue that answered.' },
      route: { type: 'string', description: '`rule-N`, counted from 1, or `default`.' },
      requests: {
        type: 'integer',
        minimum: 0,
        description: 'Requests that count: finished, and neither refused by us nor abandoned by the client.',
      },
      errors: {
        type: 'object',
        additionalProperties: { type: 'integer', minimum: 0 },
        description: 'Requests whose first attempt failed, by class, also those that a retry saved.',
      },
      excluded: {
        type: 'object',
        additionalProperties: { type: 'integer', minimum: 0 },
        description: 'Requests outside `requests`, by reason.',
      },
      latency_ms: { $ref: '#/$defs/histogram', description: 'Time to the last byte, in milliseconds.' },
      first_token_ms: { $ref: '#/$defs/histogram', description: 'Time to the first byte of a streamed answer, in milliseconds.' },
      cost_usd: { $ref: '#/$defs/moments', description: 'Cost per priced request, in US dollars.' },
      unpriced: { type: 'integer', minimum: 0, description: 'Answered requests whose cost is unknown.' },
      input_tokens: { $ref: '#/$defs/moments', description: 'Prompt tokens per request that reported usage.' },
      output_tokens: { $ref: '#/$defs/moments', description: 'Completion tokens per request that reported usage.' },
      recovered: {
        type: 'integer',
        minimum: 0,
        description: 'Requests counted in `errors` that a retry saved: their first attempt failed, and the client had a complete answer.',
      },
      retries: { type: 'integer', minimum: 0, description: 'Attempts beyond the first.' },
      unkeyed: { type: 'integer', minimum: 0, description: 'Requests without the key that the split asks for; they were drawn at random.' },
      new_keys: {
        type: 'array',
        items: { type: 'integer', minimum: 0, maximum: 4294967295 },
        description: "Hashes of keys that entered this gateway's sample of distinct keys (the smallest ones); their union counts users.",
      },
      shards: {
        type: 'array',
        items: { type: 'number' },
        description:
          'Sums for each of 64 shards of the keys: shard, requests, errors, latency_ms, cost_usd, priced, tokens, shard ... Where routing is sticky, requests of one key are no independent sample.',
      },
      scores: {
        type: 'object',
        additionalProperties: { $ref: '#/$defs/moments' },
        description: 'Feedback by metric: quality_score (people and applications), judged_quality (the judge model), and custom ones.',
      },
      scoring_cost_usd: {
        $ref: '#/$defs/moments',
        description: 'Cost of each scoring by the judge model, in US dollars. No part of `cost_usd`.',
      },
      scoring_failures: { type: 'integer', minimum: 0, description: 'Scorings by the judge model that gave no score.' },
      generation: {
        anyOf: [{ type: 'integer', minimum: 0 }, { type: 'null' }],
        description: 'Of the assignment that the requests were served under; null for feedback, which comes later.',
      },
      excluded_cost_usd: {
        type: 'number',
        minimum: 0,
        description:
          "What requests outside `requests` have cost, partly estimated: a client that leaves before the end is answered all the same. Part of the day's spending only.",
      },
      cost_micro_usd: {
        $ref: '#/$defs/histogram',
        description: 'Cost per priced request, in millionths of a US dollar. Left out by older gateways.',
      },
      tokens: {
        $ref: '#/$defs/moments',
        description: 'Prompt and completion tokens together, per request that reported usage. Left out by older gateways.',
      },
      tokens_histogram: { $ref: '#/$defs/histogram', description: 'The same as a histogram. Left out by older gateways.' },
      score_histograms: {
        type: 'object',
        additionalProperties: { $ref: '#/$defs/histogram' },
        description:
          'quality_score and judged_quality on a hundred equal bins: bin i holds scores in ((i - 1)/100, i/100], 0 is `zero`. Left out by older gateways.',
      },
      mirrored: { type: 'boolean', description: "true: copies of stable's requests, whose answers nobody got." },
    },
    $defs: {
      histogram: {
        type: 'object',
        description: 'Logarithmic histogram: bin i holds values in (gamma^(i-1), gamma^i], gamma 1.02; values up to 0.001 are in `zero`.',
        additionalProperties: false,
        required: ['zero', 'bins'],
        properties: {
          zero: { type: 'integer', minimum: 0, description: 'Values up to 0.001.' },
          bins: { type: 'array', items: { type: 'integer' }, description: 'Pairs: bin, count, bin, count ... in rising order.' },
        },
      },
      moments: {
        type: 'object',
        description: 'Count, sum and sum of squares about a pivot, which keeps the digits that plain sums lose.',
        additionalProperties: false,
        required: ['n', 'pivot', 'sum', 'sum_squares'],
        properties: {
          n: { type: 'integer', minimum: 0, description: 'Values.' },
          pivot: { type: 'number', description: 'The first value.' },
          sum: { type: 'number', description: 'Sum of value - pivot.' },
          sum_squares: { type: 'number', minimum: 0, description: 'Sum of (value - pivot) squared.' },
        },
      },
    },
  },
  'deploy-request': {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'deploy-request',
    title: 'DeployRequest',
    description: "POST /api/v1/actuator/deploy: commits a change of one service's configuration to the branch.",
    type: 'object',
    additionalProperties: false,
    required: ['config'],
    properties: {
      service: { type: 'string', description: 'Service; where left out, metadata.service of the configuration, or the only service.' },
      config: { type: 'string', maxLength: 262144, description: "YAML that is merged (RFC 7396) onto the service's config.yaml." },
      strategy: { $ref: 'llm-config#/$defs/deployment_strategy', description: 'One-off overrides, written as deployment_strategy.' },
      reason: { type: 'string', maxLength: 500, description: 'Why, for the commit message.' },
      incident_reference: { type: 'string', maxLength: 100, pattern: '^[A-Za-z0-9._/#-]+$', description: 'Incident that this answers.' },
    },
  },
  feedback: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'feedback',
    title: 'Feedback',
    description: 'POST /v1/feedback of a gateway: what an application or a person says about one answer.',
    type: 'object',
    additionalProperties: false,
    required: ['request_id'],
    properties: {
      request_id: {
        type: 'string',
        maxLength: 1200,
        description: "The answer's x-actuator-request-id, or `request_id` in the metadata of an OFREP evaluation.",
      },
      metric_name: {
        type: 'string',
        pattern: '^[a-z][a-z0-9_.]{0,63}$',
        description:
          'quality_score where left out (0 to 1, or a thumb: true, false); `error` (a boolean) counts a request that the application made itself after an OFREP evaluation; any other name is a custom metric.',
      },
      value: {
        anyOf: [{ type: 'boolean' }, { type: 'number', minimum: -1000000000, maximum: 1000000000 }],
        description: 'true and false count as 1 and 0.',
      },
      comment: { type: 'string', minLength: 1, maxLength: 2000, description: 'What a person wrote, kept for people to read.' },
      latency_ms: {
        type: 'number',
        minimum: 0,
        maximum: 86400000,
        description: "With `error`: how long the application's request took, in milliseconds.",
      },
      input_tokens: { type: 'integer', minimum: 0, maximum: 10000000, description: 'With `error`: prompt tokens of that request.' },
      output_tokens: { type: 'integer', minimum: 0, maximum: 10000000, description: 'With `error`: completion tokens of that request.' },
    },
  },
  'github-push': {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'github-push',
    title: 'GithubPush',
    description: "Of GitHub's webhook event `push`, what we read.",
    type: 'object',
    additionalProperties: true,
    required: ['ref', 'after', 'repository'],
    properties: {
      ref: { type: 'string', maxLength: 500, pattern: '^refs/', description: 'Full name of what was pushed to.' },
      after: {
        type: 'string',
        pattern: '^([0-9a-f]{40}|[0-9a-f]{64})$',
        description: 'Commit that it points to now; zeros when it was deleted.',
      },
      repository: {
        type: 'object',
        required: ['full_name'],
        additionalProperties: true,
        description: 'Repository that the event is about.',
        properties: { full_name: { type: 'string', maxLength: 200, pattern: '^[^/\\s]+/[^/\\s]+$', description: 'owner/name.' } },
      },
    },
  },
  'github-review': {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'github-review',
    title: 'GithubReview',
    description: "Of GitHub's webhook event `pull_request_review`, what we read.",
    type: 'object',
    additionalProperties: true,
    required: ['action', 'pull_request', 'repository'],
    properties: {
      action: { type: 'string', maxLength: 100, description: 'submitted, edited or dismissed.' },
      pull_request: {
        type: 'object',
        additionalProperties: true,
        required: ['number', 'base'],
        description: 'Pull request that was reviewed.',
        properties: {
          number: { type: 'integer', minimum: 1, description: 'Its number.' },
          base: {
            type: 'object',
            additionalProperties: true,
            required: ['ref'],
            description: 'Where it is merged to.',
            properties: { ref: { type: 'string', maxLength: 500, description: 'Branch.' } },
          },
        },
      },
      repository: {
        type: 'object',
        required: ['full_name'],
        additionalProperties: true,
        description: 'Repository that the event is about.',
        properties: { full_name: { type: 'string', maxLength: 200, pattern: '^[^/\\s]+/[^/\\s]+$', description: 'owner/name.' } },
      },
    },
  },
  'journal-event': {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'journal-event',
    title: 'PublishedEvent',
    description: 'One line of deployments/<yyyy>/<mm>/<id>/events.jsonl: one transition, with all that a replay needs.',
    type: 'object',
    additionalProperties: false,
    required: ['position', 'seq', 'at', 'service', 'deployment_id', 'actor', 'message', 'phase', 'weight', 'event'],
    properties: {
      position: { type: 'integer', minimum: 1, description: 'Order over all services.' },
      seq: { type: 'integer', minimum: 1, description: 'Order within the service.' },
      at: { type: 'string', format: 'date-time', description: 'When it was decided.' },
      service: { type: 'string', description: 'Service.' },
      deployment_id: { type: 'string', pattern: '^deploy-[0-9]{8}-[0-9]{3,}$', description: 'Deployment.' },
      actor: { type: 'string', description: 'Who or what caused it.' },
      message: { type: 'string', description: 'The transition in one sentence.' },
      phase: { type: 'string', description: 'Phase after it.' },
      weight: { type: 'number', minimum: 0, maximum: 100, description: 'Percent of traffic on the canary after it.' },
      event: {
        type: 'object',
        additionalProperties: true,
        required: ['type'],
        description: 'The event that the reducer took.',
        properties: {
          type: {
            enum: [
              'adopted',
              'revision-seen',
              'revision-rejected',
              'service-removed',
              'slot-granted',
              'applied',
              'gateway-refused',
              'judged',
              'watch-failed',
              'woken',
              'paused',
              'resumed',
              'rollback-requested',
              'revert-settled',
              'catalogue-changed',
              'gates-checked',
              'held-up',
              'released',
              'mirror-exhausted',
              'recovery-judged',
              'promotion-requested',
              'cutover-requested',
              'traffic-set',
              'phase-extended',
              'auto-rollback-paused',
              'auto-rollback-armed',
              'rebalanced',
              'monitoring-restarted',
              'approved',
              'turned-down',
              'retried',
              'frozen',
              'unfrozen',
              'arms-allocated',
              'winner-chosen',
            ],
            description: 'Kind of event.',
          },
        },
      },
    },
  },
  'key-request': {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'key-request',
    title: 'KeyRequest',
    description: 'POST /api/v1/actuator/keys: a new API key.',
    type: 'object',
    additionalProperties: false,
    required: ['name', 'role'],
    properties: {
      name: {
        type: 'string',
        pattern: '^[A-Za-z0-9][A-Za-z0-9@._-]{0,99}$',
        description: 'Whose it is; the journal names it, and `people` in actuator.yaml.',
      },
      role: { enum: ['viewer', 'operator', 'approver', 'admin', 'gateway'], description: 'What it may do.' },
    },
  },
  'llm-config': {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'llm-config',
    title: 'LlmConfig',
    description:
      'services/<name>/config.yaml: the LLM configuration of one service, as a person writes it. Templates and the files given to `deploy --config` have the same shape.',
    type: 'object',
    additionalProperties: false,
    properties: {
      version: { type: 'string', const: '1.0', description: 'Version of this file format.' },
      metadata: {
        type: 'object',
        description: 'Tells people what this is. Never serves a request, so it is no part of the digest.',
        additionalProperties: false,
        properties: {
          name: { type: 'string', maxLength: 200, description: 'Name of this configuration.' },
          service: { $ref: '#/$defs/serviceName', description: "Service that `deploy --config` writes to; must equal the folder's name." },
          description: { type: 'string', maxLength: 2000, description: 'What the configuration is for.' },
          created_at: { type: 'string', format: 'date-time', description: 'When it was written.' },
          created_by: { type: 'string', maxLength: 200, description: 'Who or what wrote it.' },
          tags: { type: 'array', items: { type: 'string', maxLength: 100 }, description: 'Free words to find it by.' },
          template: { type: 'string', maxLength: 200, description: 'Name of the template it was copied from.' },
          use_case: { type: 'string', maxLength: 500, description: 'What the template is good for.' },
        },
      },
      llm: {
        type: 'object',
        description: 'The model and how it is asked.',
        additionalProperties: false,
        properties: {
          model: { $ref: '#/$defs/modelName', description: 'Model of the catalogue (models.yaml) that answers.' },
          provider: {
            type: 'string',
            maxLength: 100,
            description: 'Provider of the catalogue; must be the one the catalogue gives for the model.',
          },
          prompt_template: {
            type: 'string',
            maxLength: 65536,
            description:
              "With `{question}` (the last user message) it takes the place of that message's text; otherwise it is the system message. `{context}`, `{language}` and any other `{metadata.<field>}` come from the request's `template_variables` or `metadata`; `{user_id}` and `{session_id}` from where the split finds them; `{date}` is today in UTC. `{{` is a brace.",
          },
          parameters: { $ref: '#/$defs/parameters', description: 'Generation parameters set on every request.' },
          retry_config: {
            type: 'object',
            description: 'Retries and time-out towards the provider.',
            additionalProperties: false,
            properties: {
              max_retries: {
                type: 'integer',
                minimum: 0,
                maximum: 10,
                description:
                  "Further attempts after a failed one, before anything of an answer was sent. All attempts stay within the variant, and the first one's failure counts against it.",
              },
              retry_delay_ms: {
                type: 'integer',
                minimum: 0,
                maximum: 60000,
                description:
                  "Pause before the first retry, in milliseconds; doubled for each further one (at most 30 s), with jitter. A provider's Retry-After goes before. 1000 where left out.",
              },
              timeout_ms: {
                type: 'integer',
                minimum: 1,
                maximum: 600000,
                description:
                  "Longest wait of one attempt for the provider's first byte, and between two chunks of a stream, in milliseconds. A whole answer may take twenty times as long.",
              },
            },
          },
          client_overrides: {
            type: 'array',
            uniqueItems: true,
            items: { enum: ['temperature', 'top_p', 'max_tokens', 'frequency_penalty', 'presence_penalty', 'seed', 'stop'] },
            description:
              "Parameters for which the client's value wins over this file's, where the client sends one. For all others this file wins.",
          },
        },
      },
      routing: {
        type: 'object',
        description: 'Which model answers which request.',
        additionalProperties: false,
        properties: {
          default_model: {
            $ref: '#/$defs/modelName',
            description: 'Model for requests that no rule matches; `llm.model` where it is left out.',
          },
          rules: {
            type: 'array',
            maxItems: 100,
            description: 'Tried in order; the first whose condition is true decides.',
            items: {
              type: 'object',
              additionalProperties: false,
              required: ['condition', 'model'],
              properties: {
                condition: {
                  type: 'string',
                  minLength: 1,
                  maxLength: 2000,
                  description: 'CEL over task, request, user and cost_budget; must give a bool. A missing field means no match.',
                },
                model: { $ref: '#/$defs/modelName', description: 'Model for the requests of this rule.' },
                parameters: { $ref: '#/$defs/parameters', description: 'Parameters of this rule, over those of `llm.parameters`.' },
              },
            },
          },
        },
      },
      cost_controls: {
        type: 'object',
        description: 'Spending limits of the service. Every model it can reach needs prices in models.yaml.',
        additionalProperties: false,
        properties: {
          daily_budget_usd: {
            type: 'number',
            exclusiveMinimum: 0,
            description:
              'Most that may be spent in a UTC day over all gateways, in US dollars. Beyond it requests are refused with 429 budget_exhausted.',
          },
          per_request_limit_usd: {
            type: 'number',
            exclusiveMinimum: 0,
            description:
              "Most that one request may cost, in US dollars. The answer's token limit is lowered so that it holds; a request whose prompt alone goes beyond it is refused.",
          },
          alert_threshold_usd: {
            type: 'number',
            exclusiveMinimum: 0,
            description: 'Spending of a UTC day that tells people, once, in US dollars.',
          },
        },
      },
      quality_controls: {
        type: 'object',
        description: 'Quality of answers.',
        additionalProperties: false,
        properties: {
          min_quality_score: {
            type: 'number',
            minimum: 0,
            maximum: 1,
            description: 'Mean quality score over five minutes (30 scores or more) below which people are told. From 0 to 1.',
          },
          enable_quality_monitoring: {
            type: 'boolean',
            description: 'Have a sample of the answers scored by the model under quality_judge in models.yaml.',
          },
          quality_check_sample_rate: {
            type: 'number',
            minimum: 0,
            maximum: 1,
            description: 'Share of answers that is scored; 0.1 where left out. Needs enable_quality_monitoring.',
          },
        },
      },
      performance: {
        type: 'object',
        description: 'Performance limits.',
        additionalProperties: false,
        properties: {
          target_latency_p95_ms: {
            type: 'number',
            exclusiveMinimum: 0,
            description:
              'Target for the 95th percentile of latency, in milliseconds: a canary of this revision is not promoted above it while stable keeps it. Beside absolute_max_latency of settings, the stricter one holds.',
          },
          target_latency_p99_ms: {
            type: 'number',
            exclusiveMinimum: 0,
            description:
              'Target for the 99th percentile of latency, in milliseconds: a canary of this revision is not promoted above it while stable keeps it. Beside absolute_max_latency of settings, the stricter one holds.',
          },
          max_concurrent_requests: {
            type: 'integer',
            minimum: 1,
            description:
              'Most requests of the service in flight in one gateway; beyond it requests are refused with 429 concurrency_limit, which counts as an error of the variant.',
          },
        },
      },
      deployment_strategy: {
        $ref: '#/$defs/deployment_strategy',
        description: 'One-off overrides of how this revision is rolled out. No part of the digest.',
      },
      variants: {
        type: 'array',
        minItems: 2,
        maxItems: 10,
        description:
          'Variants of this configuration that are tested against each other. Needs ab_test. The winner takes the place of `llm`, and these keys leave the file.',
        items: {
          type: 'object',
          additionalProperties: false,
          required: ['name'],
          properties: {
            name: {
              type: 'string',
              pattern: '^[a-z0-9][a-z0-9._-]{0,39}$',
              not: { enum: ['stable', 'canary', 'auto'] },
              description: 'Name of the variant, as it stands in results, headers and metrics; not stable, canary or auto.',
            },
            description: { type: 'string', maxLength: 500, description: 'What is tried; for people.' },
            model: { $ref: '#/$defs/modelName', description: 'Model.' },
            parameters: { $ref: '#/$defs/parameters', description: 'Parameters.' },
            prompt_template: { type: 'string', description: 'Prompt template.', maxLength: 65536 },
            weight: {
              type: 'number',
              maximum: 1,
              description:
                "Share of the test's traffic. All variants have one, and they add up to 1; without any all get the same. With `strategy: thompson-sampling` shares move with the evidence.",
              minimum: 0.01,
            },
          },
        },
      },
      ab_test: {
        type: 'object',
        additionalProperties: false,
        required: ['metric'],
        description: 'How the variants are compared. Needs variants.',
        properties: {
          metric: {
            type: 'string',
            minLength: 1,
            maxLength: 100,
            description:
              "What decides: error_rate, latency_p50, latency_p95, latency_p99, first_token_p95 (less is better; quantiles are compared by the share of requests that take longer than stable's), cost_per_request, tokens_per_request (less is better), quality_score, judged_quality, or a custom metric of the feedback (more is better).",
            pattern: '^[a-z][a-z0-9_.]{0,63}$',
          },
          min_sample_size: {
            type: 'integer',
            minimum: 1,
            maximum: 100000000,
            description: 'Values of the metric that each variant needs before a winner may be named. 1000 where left out.',
          },
          significance_level: {
            type: 'number',
            minimum: 0.0001,
            maximum: 0.2,
            description:
              'Chance, over the whole test and however often one looks, that a variant which is not the best is named the winner. 0.05 where left out.',
          },
          max_duration_hours: {
            anyOf: [
              { type: 'number', exclusiveMinimum: 0, maximum: 2160 },
              { type: 'string', pattern: '^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$' },
            ],
            description: 'When it ends without a winner, in hours or as text with a unit. 48 where left out.',
          },
          strategy: {
            enum: ['fixed', 'thompson-sampling'],
            description:
              'fixed: shares stay as written. thompson-sampling: more of the traffic goes to those that may be the best. fixed where left out.',
          },
          traffic_percentage: {
            type: 'number',
            minimum: 1,
            maximum: 99,
            description:
              'Percent of the traffic that takes part; the rest is the control group, on stable. 95, or what control_group_size leaves, where left out.',
          },
          auto_promote: {
            type: 'boolean',
            description: 'Promote the winner as soon as it is proven; otherwise the test waits for `ab-test-promote`. True where left out.',
          },
        },
      },
      aliases: {
        type: 'array',
        maxItems: 20,
        items: { $ref: '#/$defs/serviceName' },
        description: "Further values of the request's `model` field that mean this service.",
      },
    },
    $defs: {
      deployment_strategy: {
        type: 'object',
        description: 'One-off overrides of how this revision is rolled out. No part of the digest.',
        additionalProperties: false,
        properties: {
          type: { type: 'string', description: 'Strategy: canary, blue-green, rolling, shadow, immediate or auto.' },
          initial_percentage: { $ref: 'settings#/$defs/percentage', description: 'Weight of the first step, in percent.' },
          steps: { $ref: 'settings#/$defs/steps', description: 'Steps of this rollout.' },
          rollout_duration_minutes: { $ref: 'settings#/$defs/minutes', description: 'Holds are scaled so that they add up to this.' },
          auto_rollback: { type: 'boolean', description: 'Roll back by itself when the verdict is fail; false pauses and alerts.' },
          success_criteria: { $ref: 'settings#/$defs/success_criteria', description: 'Criteria of this rollout.' },
          blue: {
            type: 'object',
            description: 'What is in force, for people; refused when it is not.',
            additionalProperties: false,
            properties: {
              model: { $ref: '#/$defs/modelName', description: 'Model.' },
              parameters: { $ref: '#/$defs/parameters', description: 'Parameters.' },
              prompt_template: { type: 'string', description: 'Prompt template.', maxLength: 65536 },
            },
          },
          green: {
            type: 'object',
            description: 'What takes its place: merged onto `llm`.',
            additionalProperties: false,
            properties: {
              model: { $ref: '#/$defs/modelName', description: 'Model.' },
              parameters: { $ref: '#/$defs/parameters', description: 'Parameters.' },
              prompt_template: { type: 'string', description: 'Prompt template.', maxLength: 65536 },
            },
          },
          cutover: { $ref: 'settings#/$defs/cutover', description: 'From blue to green.' },
          keep_blue_duration: { $ref: 'settings#/$defs/minutes', description: 'How long blue is kept ready.' },
          expected_improvement: {
            type: 'object',
            description: 'What the author expects of the change, for safety checks.',
            additionalProperties: false,
            properties: {
              cost_reduction: {
                type: 'number',
                description: 'Fraction by which cost falls; negative: it rises.',
                minimum: -100,
                maximum: 1,
              },
              quality_change: { type: 'number', description: 'Change of the quality score as a fraction.', minimum: -1, maximum: 100 },
              latency_change: { type: 'number', description: 'Change of latency as a fraction.', minimum: -1, maximum: 100 },
            },
          },
        },
      },
      serviceName: {
        type: 'string',
        pattern: '^[a-z0-9][a-z0-9._-]{0,127}$',
        description: 'Lower-case letters, digits, dots, dashes and underscores.',
      },
      modelName: { type: 'string', minLength: 1, maxLength: 200, description: 'A key of `models` in models.yaml.' },
      parameters: {
        type: 'object',
        description:
          'Generation parameters. This file wins over what the client sends, save for those under `llm.client_overrides`. An endpoint gets those that it knows.',
        additionalProperties: false,
        properties: {
          temperature: { type: 'number', minimum: 0, maximum: 2, description: 'Sampling temperature.' },
          top_p: { type: 'number', exclusiveMinimum: 0, maximum: 1, description: 'Nucleus sampling mass.' },
          max_tokens: { type: 'integer', minimum: 1, description: 'Most tokens in the answer.' },
          frequency_penalty: { type: 'number', minimum: -2, maximum: 2, description: 'Penalty for frequent tokens.' },
          presence_penalty: { type: 'number', minimum: -2, maximum: 2, description: 'Penalty for tokens already present.' },
          seed: { type: 'integer', description: 'Seed for repeatable sampling where the provider has it.' },
          stop: { type: 'array', items: { type: 'string' }, maxItems: 4, description: 'Sequences that end the answer.' },
          timeout_ms: {
            type: 'integer',
            minimum: 1,
            maximum: 600000,
            description: 'Same as `retry_config.timeout_ms`, which it overrides; never sent to the provider.',
          },
        },
      },
    },
  },
  models: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'models',
    title: 'ModelCatalogue',
    description: 'models.yaml: the models that configurations may name, with provider, limits and prices.',
    type: 'object',
    additionalProperties: false,
    required: ['providers', 'models'],
    properties: {
      providers: {
        type: 'object',
        description: 'Providers by name.',
        propertyNames: { pattern: '^[a-z0-9][a-z0-9._-]{0,63}$' },
        additionalProperties: {
          type: 'object',
          additionalProperties: false,
          required: ['base_url'],
          properties: {
            base_url: {
              type: 'string',
              pattern: '^https?://[^\\s@?#]+$',
              description:
                'OpenAI-compatible base URL, without credentials; plain http only on loopback. Anthropic: https://api.anthropic.com/v1. Azure: https://<resource>.openai.azure.com/openai/v1.',
            },
            api_key: {
              type: 'string',
              pattern: '^\\$\\{(?!ACTUATOR_)[A-Z_][A-Z0-9_]*\\}$',
              'x-secret': true,
              description: "Reference to the gateway's environment, such as ${OPENAI_API_KEY}. Never the key itself.",
            },
            auth_header: {
              type: 'string',
              pattern: '^(api-key|x-api-key|x-goog-api-key)$',
              description: 'Header that carries the bare key, such as api-key for Azure; Authorization: Bearer where left out.',
            },
            headers: {
              type: 'object',
              propertyNames: {
                pattern:
                  '^(?!(?:host|authorization|api-key|x-api-key|x-goog-api-key|cookie|connection|content-length|content-type|content-encoding|transfer-encoding|te|trailer|upgrade|keep-alive|expect|accept|user-agent|proxy-.*)$)[a-z][a-z0-9-]{0,63}$',
              },
              additionalProperties: { type: 'string', pattern: '^[ -~]{0,500}$' },
              maxProperties: 20,
              description: 'Further headers of each request, such as anthropic-version. Never a key.',
            },
            query: {
              type: 'object',
              propertyNames: { pattern: '^[A-Za-z][A-Za-z0-9_.-]{0,63}$' },
              additionalProperties: { type: 'string', maxLength: 200 },
              maxProperties: 10,
              description: 'Query parameters of each request, such as api-version for Azure. Never a key.',
            },
          },
        },
      },
      models: {
        type: 'object',
        description: 'Models by the name that configurations use.',
        propertyNames: { minLength: 1, maxLength: 200 },
        additionalProperties: {
          type: 'object',
          additionalProperties: false,
          required: ['provider'],
          properties: {
            provider: { type: 'string', description: 'A key of `providers`.' },
            upstream_model: {
              type: 'string',
              minLength: 1,
              maxLength: 200,
              description: 'Name the provider knows it by; the key where left out.',
            },
            context_tokens: { type: 'integer', minimum: 1, description: 'Size of the context window, in tokens.' },
            max_output_tokens: { type: 'integer', minimum: 1, description: 'Most tokens of one answer; `max_tokens` may not be larger.' },
            parameters: {
              type: 'object',
              description: 'Ranges that the model takes, narrower than the general ones.',
              propertyNames: { enum: ['temperature', 'top_p', 'frequency_penalty', 'presence_penalty'] },
              additionalProperties: {
                type: 'object',
                additionalProperties: false,
                required: ['min', 'max'],
                properties: {
                  min: { type: 'number', description: 'Least value.' },
                  max: { type: 'number', description: 'Greatest value.' },
                },
              },
            },
            prices: {
              type: 'object',
              description: 'Prices in US dollars per million tokens. Left out: cost is unknown, which is counted and never taken for free.',
              additionalProperties: false,
              required: ['input_per_million_usd', 'output_per_million_usd'],
              properties: {
                input_per_million_usd: { type: 'number', minimum: 0, description: 'A million prompt tokens.' },
                output_per_million_usd: { type: 'number', minimum: 0, description: 'A million completion tokens.' },
              },
            },
            token_limit_parameter: {
              enum: ['max_tokens', 'max_completion_tokens'],
              description:
                'What the model calls the limit on the tokens of a chat completion; max_tokens where left out. Reasoning models of OpenAI take max_completion_tokens only.',
            },
          },
        },
      },
      quality_judge: {
        type: 'object',
        description:
          'The model that scores sampled answers of services with quality_controls.enable_quality_monitoring. One for all variants, so that their scores can be compared.',
        additionalProperties: false,
        required: ['model'],
        properties: {
          model: { type: 'string', description: 'A key of `models`.' },
          max_per_minute: {
            type: 'number',
            exclusiveMinimum: 0,
            maximum: 6000,
            description: 'Most answers of one service that a gateway has scored in a minute; 30 where left out.',
          },
          instructions: { type: 'string', maxLength: 4000, description: 'What a good answer is, told to the judge model.' },
        },
      },
    },
  },
  'operator-command': {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'operator-command',
    title: 'OperatorCommand',
    description:
      'Orders of operators: POST /api/v1/actuator/{pause, resume, abort, promote, cutover, adjust-traffic, reduce-traffic, extend-phase, pause-auto-rollback, arm-auto-rollback, rebalance, restart-monitoring, retry, freeze, unfreeze}. Each takes the fields that it needs, and refuses the others.',
    type: 'object',
    additionalProperties: false,
    properties: {
      service: { type: 'string', description: 'Service; where left out, that of the deployment, or the only one that is active.' },
      deployment_id: { type: 'string', maxLength: 100, description: 'Deployment; refused when another one is in force.' },
      reason: { type: 'string', minLength: 1, maxLength: 500, description: 'Why, for the journal.' },
      percentage: { $ref: 'settings#/$defs/percentage', description: 'adjust-traffic, reduce-traffic: weight of the canary.' },
      additional_minutes: { $ref: 'settings#/$defs/minutes', description: 'extend-phase: time that is added.' },
      duration_minutes: { $ref: 'settings#/$defs/minutes', description: 'pause-auto-rollback: how long.' },
      full: { type: 'boolean', description: 'promote: to the end, not only to the next step.' },
      digest: {
        type: 'string',
        pattern: '^(sha256:)?[0-9a-f]{7,64}$',
        description: 'retry: content whose quarantine is lifted; what the branch holds where left out.',
      },
    },
  },
  'rollback-file': {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'rollback-file',
    title: 'RollbackFile',
    description: 'A file for `actuator rollback --config`.',
    type: 'object',
    additionalProperties: false,
    required: ['reason'],
    properties: {
      service: { type: 'string', description: 'Service; where left out, that of the deployment, or the only one that is active.' },
      deployment_id: { type: 'string', maxLength: 100, description: 'Deployment; refused when another one is in force.' },
      reason: { type: 'string', minLength: 1, maxLength: 500, description: 'Why. Goes into the revert commit.' },
      to_version: {
        type: 'string',
        minLength: 7,
        maxLength: 100,
        description: 'Commit, digest or deployment that was in force, to go back to; the one before where left out.',
      },
      options: {
        type: 'object',
        additionalProperties: false,
        description: 'How.',
        properties: {
          immediate: { type: 'boolean', description: 'true, the default: all traffic at once.' },
          gradual: {
            type: 'boolean',
            description: 'true: traffic goes back in ten parts over `duration_minutes`, and at once if the judge finds it bad.',
          },
          duration_minutes: { $ref: 'settings#/$defs/minutes', description: 'Of a gradual rollback; 30 minutes where left out.' },
          scope: { enum: ['all', 'canary'], description: 'all, the default; canary refuses to undo what was promoted already.' },
          notify_channels: {
            type: 'array',
            maxItems: 10,
            items: { type: 'string', pattern: '^[A-Za-z0-9_.-]{1,64}$' },
            description: 'Who is told besides the usual.',
          },
          approval_required: { type: 'boolean', description: 'true: only somebody with the role approver or admin may send it.' },
        },
      },
    },
  },
  'rollback-request': {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'rollback-request',
    title: 'RollbackRequest',
    description: 'POST /api/v1/actuator/rollback: back to the stable configuration, to the one before it, or to a named version.',
    type: 'object',
    additionalProperties: false,
    required: ['reason'],
    properties: {
      service: { type: 'string', description: 'Service; where left out, that of the deployment, or the only one that is active.' },
      deployment_id: { type: 'string', maxLength: 100, description: 'Deployment; refused when another one is in force.' },
      reason: { type: 'string', minLength: 1, maxLength: 500, description: 'Why. Goes into the revert commit.' },
      to_version: {
        type: 'string',
        minLength: 7,
        maxLength: 100,
        description: 'Commit, digest or deployment that was in force, to go back to; the one before where left out.',
      },
      immediate: { type: 'boolean', description: 'true, the default: all traffic at once.' },
      gradual: {
        type: 'boolean',
        description: 'true: traffic goes back in ten parts over `duration_minutes`, and at once if the judge finds it bad.',
      },
      duration_minutes: { $ref: 'settings#/$defs/minutes', description: 'Of a gradual rollback; 30 minutes where left out.' },
      scope: { enum: ['all', 'canary'], description: 'all, the default; canary refuses to undo what was promoted already.' },
      notify_channels: {
        type: 'array',
        maxItems: 10,
        items: { type: 'string', pattern: '^[A-Za-z0-9_.-]{1,64}$' },
        description: 'Who is told besides the usual.',
      },
      approval_required: { type: 'boolean', description: 'true: only somebody with the role approver or admin may send it.' },
    },
  },
  'settings-sections': {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'settings-sections',
    title: 'Sections',
    description: 'Sections of settings files. Those marked as not yet in effect are checked and reported, and change nothing.',
    type: 'object',
    additionalProperties: false,
    properties: {},
    $defs: {
      versioning: {
        type: 'object',
        description: 'Versions and who must agree to them.',
        additionalProperties: false,
        properties: {
          require_change_reason: {
            type: 'boolean',
            description: 'true: a change needs a reason: a body below the subject of its commit message, or a `Change-Reason:` trailer.',
          },
          require_approver: {
            type: 'boolean',
            description: 'true: a deployment starts when enough people other than its author have approved its digest.',
          },
          approval_roles: {
            type: 'array',
            description:
              'Roles of which an approver needs one: by `people`, by `code_host.role_teams`, or, for the role code-owner, by CODEOWNERS. Any person with the right to approve where left out.',
            maxItems: 20,
            items: { type: 'string', pattern: '^[A-Za-z0-9_.-]{1,64}$' },
          },
          min_approvals: {
            type: 'integer',
            description: 'Approvals needed with `require_approver`; 1 where left out.',
            minimum: 1,
            maximum: 20,
          },
          direct_pushes: {
            enum: ['refuse', 'hold', 'allow'],
            description:
              'What becomes of a commit that no pull request brought: refuse it, hold it for an approval, or allow it. refuse where left out and a code host is connected. Ways back to what was promoted lately, and commits that `deploy` pushes for somebody, are exempt.',
          },
          auto_version: { type: 'boolean', description: 'Versions are commits; there is nothing to turn on.', 'x-not-in-effect': true },
          version_scheme: { enum: ['semantic', 'timestamp', 'sequential'], description: 'Name of a version.', 'x-not-in-effect': true },
          track_diffs: { type: 'boolean', description: 'Every change is kept as a JSON Patch with its commit.', 'x-not-in-effect': true },
          diff_format: { enum: ['json_patch', 'yaml_diff', 'full_snapshot'], description: 'Form of differences.', 'x-not-in-effect': true },
          storage_backend: {
            enum: ['postgresql', 's3', 'git'],
            description: 'Where versions are kept: always Git.',
            'x-not-in-effect': true,
          },
          retention_policy: {
            type: 'object',
            description: 'How long versions are kept; Git keeps them all.',
            additionalProperties: false,
            properties: {
              max_versions: { type: 'integer', description: 'Versions.', minimum: 1, maximum: 1000000 },
              retention_days: { type: 'integer', description: 'Days.', minimum: 1, maximum: 1000000 },
              compress_old_versions: { type: 'boolean', description: 'Compress older ones.' },
            },
            'x-not-in-effect': true,
          },
        },
      },
      version_control: {
        type: 'object',
        description: 'Names and retention of versions.',
        additionalProperties: false,
        properties: {
          max_versions: { type: 'integer', description: 'Versions kept.', minimum: 1, maximum: 1000000 },
          retention_days: { type: 'integer', description: 'Days.', minimum: 1, maximum: 1000000 },
          auto_tag: { type: 'boolean', description: 'Tag each promoted version.' },
          tag_format: { type: 'string', description: 'Name of the tags.' },
          include_metadata: { type: 'boolean', description: 'Keep metadata with the tag.' },
          metadata_fields: {
            type: 'array',
            description: 'What is kept.',
            maxItems: 50,
            items: { type: 'string', pattern: '^[A-Za-z0-9_.-]{1,64}$' },
          },
        },
        'x-not-in-effect': true,
      },
      validation: {
        type: 'object',
        description: 'What is checked before anything is tried.',
        additionalProperties: false,
        properties: {
          schema_validation: { const: true, description: "Files are always checked against the schema; it can't be turned off." },
          schema_path: { type: 'string', description: 'The schemas are those of this program.', 'x-not-in-effect': true },
          compatibility_checks: {
            type: 'array',
            description: 'All of them are always made.',
            maxItems: 4,
            items: { enum: ['model_availability', 'parameter_ranges', 'cost_budget', 'performance_targets'] },
          },
          enable_dry_run: {
            type: 'boolean',
            description: 'true: each canary begins with copies of live requests, whose answers nobody gets.',
          },
          dry_run_duration_minutes: {
            $ref: 'settings#/$defs/minutes',
            description: 'How long; 5 minutes where left out. Needs `enable_dry_run`.',
          },
          dry_run_traffic_percentage: {
            $ref: 'settings#/$defs/percentage',
            description: "Percent of stable's requests that are copied; 1 where left out. Needs `enable_dry_run`.",
          },
          safety_checks: {
            type: 'array',
            description:
              "What a change may be expected to cost, by the catalogue's prices and what its author says (`deployment_strategy.expected_improvement`); beyond it the change is refused.",
            maxItems: 3,
            items: {
              anyOf: [
                {
                  type: 'object',
                  description: 'Cost of a request.',
                  additionalProperties: false,
                  properties: {
                    name: { const: 'cost_explosion', description: 'Name of the check.' },
                    max_cost_increase: { type: 'number', description: 'Largest expected change, as a fraction.', minimum: 0, maximum: 100 },
                  },
                  required: ['name', 'max_cost_increase'],
                },
                {
                  type: 'object',
                  description: 'Quality.',
                  additionalProperties: false,
                  properties: {
                    name: { const: 'quality_degradation', description: 'Name of the check.' },
                    max_quality_drop: { type: 'number', description: 'Largest expected change, as a fraction.', minimum: 0, maximum: 100 },
                  },
                  required: ['name', 'max_quality_drop'],
                },
                {
                  type: 'object',
                  description: 'Latency.',
                  additionalProperties: false,
                  properties: {
                    name: { const: 'latency_spike', description: 'Name of the check.' },
                    max_latency_increase: {
                      type: 'number',
                      description: 'Largest expected change, as a fraction.',
                      minimum: 0,
                      maximum: 100,
                    },
                  },
                  required: ['name', 'max_latency_increase'],
                },
              ],
              description:
                'Cost_explosion with max_cost_increase, quality_degradation with max_quality_drop, or latency_spike with max_latency_increase.',
            },
          },
        },
      },
      deployment_windows: {
        type: 'object',
        description: 'When deployments may start. Rollbacks never wait for a window.',
        additionalProperties: false,
        properties: {
          allow: {
            type: 'array',
            description: 'Deployments start only while one of these is open.',
            maxItems: 50,
            items: {
              type: 'object',
              description: 'One window.',
              additionalProperties: false,
              properties: {
                cron: {
                  type: 'string',
                  description: 'When it opens: five fields, minute to weekday.',
                  minLength: 9,
                  maxLength: 100,
                  format: 'cron',
                },
                duration_minutes: { $ref: 'settings#/$defs/minutes', description: 'How long it is open.' },
                timezone: { type: 'string', description: 'IANA time zone; UTC where left out.', maxLength: 64, format: 'time-zone' },
              },
              required: ['cron', 'duration_minutes'],
            },
          },
          deny: {
            type: 'array',
            description: 'None starts while one of these is open, whatever `allow` says.',
            maxItems: 50,
            items: {
              type: 'object',
              description: 'One window.',
              additionalProperties: false,
              properties: {
                cron: {
                  type: 'string',
                  description: 'When it opens: five fields, minute to weekday.',
                  minLength: 9,
                  maxLength: 100,
                  format: 'cron',
                },
                duration_minutes: { $ref: 'settings#/$defs/minutes', description: 'How long it is open.' },
                timezone: { type: 'string', description: 'IANA time zone; UTC where left out.', maxLength: 64, format: 'time-zone' },
              },
              required: ['cron', 'duration_minutes'],
            },
          },
          overrun: {
            enum: ['finish', 'pause'],
            description: 'A deployment that is under way when its window ends: finish (where left out), or pause until the next one opens.',
          },
        },
      },
      freeze: {
        type: 'object',
        description: 'While it is there, nothing starts. `actuator freeze` does the same without a commit.',
        additionalProperties: false,
        properties: { reason: { type: 'string', description: 'Why.', minLength: 1, maxLength: 300 } },
        required: ['reason'],
      },
      person: {
        type: 'object',
        description: 'A person, under all names that we meet.',
        additionalProperties: false,
        properties: {
          name: { type: 'string', description: 'Name.', minLength: 1, maxLength: 100 },
          emails: { type: 'array', description: 'Addresses of Git commits.', maxItems: 20, items: { type: 'string', maxLength: 200 } },
          logins: {
            type: 'array',
            description: 'Logins at the code host.',
            maxItems: 20,
            items: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}(\\[bot\\])?$' },
          },
          keys: { type: 'array', description: 'Names of API keys.', maxItems: 20, items: { type: 'string', maxLength: 100 } },
          ssh_keys: {
            type: 'array',
            description: 'Public SSH keys that sign Git commits.',
            maxItems: 20,
            items: { $ref: '#/$defs/ssh_key' },
          },
          gpg_keys: {
            type: 'array',
            description: 'Public OpenPGP keys that sign Git commits, in ASCII armour.',
            maxItems: 20,
            items: { type: 'string', pattern: '^-----BEGIN PGP PUBLIC KEY BLOCK-----', maxLength: 20000 },
          },
          roles: {
            type: 'array',
            description: 'Roles for `approval_roles`.',
            maxItems: 20,
            items: { type: 'string', pattern: '^[A-Za-z0-9_.-]{1,64}$' },
          },
        },
        required: ['name'],
      },
      recovery_validation: {
        type: 'object',
        description: 'What a rollback must be followed by before it counts as done.',
        additionalProperties: false,
        properties: {
          health_checks: {
            type: 'array',
            description: 'Each must hold. Where left out: no more errors than critical_error_rate.',
            maxItems: 20,
            items: {
              anyOf: [
                {
                  type: 'object',
                  description: 'An endpoint that must answer, or `/health`: the gateways, which must be connected.',
                  additionalProperties: false,
                  properties: {
                    type: { const: 'http', description: 'Kind.' },
                    endpoint: { type: 'string', description: 'URL, or /health for our own gateways.', minLength: 1, maxLength: 500 },
                    expected_status: { type: 'integer', description: 'HTTP status; 200 where left out.', minimum: 100, maximum: 599 },
                    timeout_seconds: { type: 'number', description: 'Time-out; 10 where left out.', exclusiveMinimum: 0, maximum: 120 },
                  },
                  required: ['type', 'endpoint'],
                },
                {
                  type: 'object',
                  description: 'A metric of stable.',
                  additionalProperties: false,
                  properties: {
                    type: { const: 'metrics', description: 'Kind.' },
                    metric: { enum: ['error_rate'], description: 'Metric.' },
                    max_value: { type: 'number', description: 'Largest value.', minimum: 0 },
                    window_minutes: { $ref: 'settings#/$defs/minutes', description: 'Looked at; 5 minutes where left out.' },
                  },
                  required: ['type', 'metric', 'max_value'],
                },
                {
                  type: 'object',
                  description: "A percentile of stable's latency.",
                  additionalProperties: false,
                  properties: {
                    type: { const: 'latency', description: 'Kind.' },
                    percentile: { enum: [50, 95, 99], description: 'Percentile.' },
                    max_ms: { type: 'number', description: 'Largest value in milliseconds.', exclusiveMinimum: 0 },
                    window_minutes: { $ref: 'settings#/$defs/minutes', description: 'Looked at; 5 minutes where left out.' },
                  },
                  required: ['type', 'percentile', 'max_ms'],
                },
              ],
              description: 'One of http (endpoint), metrics (metric, max_value) or latency (percentile, max_ms).',
            },
          },
          validation_duration_minutes: {
            $ref: 'settings#/$defs/minutes',
            description: 'How long they must hold; 15 minutes where left out.',
          },
          success_criteria: {
            type: 'object',
            description: 'What counts as recovered.',
            additionalProperties: false,
            properties: {
              all_health_checks_pass: { type: 'boolean', description: 'false: checks are reported and decide nothing.' },
              metrics_within_bounds: { type: 'boolean', description: 'false: metrics and latency checks decide nothing.' },
              no_new_errors: { type: 'boolean', description: "true: stable's error rate must not be higher than before the deployment." },
            },
          },
          on_failure: {
            type: 'object',
            description: 'What happens if not.',
            additionalProperties: false,
            properties: {
              action: {
                enum: ['alert_and_hold', 'rollback_further'],
                description:
                  'alert_and_hold (where left out): stable stays in force and people are told. rollback_further: back to the revision before it, once.',
              },
              escalation_channels: {
                type: 'array',
                description: 'Who is told.',
                maxItems: 10,
                items: { type: 'string', pattern: '^[A-Za-z0-9_.-]{1,64}$' },
              },
            },
          },
        },
      },
      health_monitoring: {
        type: 'object',
        description: 'Health of the service and of what it depends on.',
        additionalProperties: false,
        properties: {
          endpoints: {
            type: 'array',
            description: 'Endpoints that are asked again and again.',
            maxItems: 50,
            items: {
              type: 'object',
              description: 'One endpoint.',
              additionalProperties: false,
              properties: {
                name: { type: 'string', description: 'Name.' },
                type: { enum: ['http', 'postgres'], description: 'Kind; http where left out.' },
                url: { type: 'string', description: 'URL.' },
                method: { enum: ['GET', 'HEAD'], description: 'HTTP method.' },
                timeout_seconds: { type: 'number', description: 'Time-out.', exclusiveMinimum: 0 },
                interval_seconds: { type: 'number', description: 'Interval.', exclusiveMinimum: 0 },
                success_codes: { type: 'array', description: 'HTTP statuses.', maxItems: 20, items: { type: 'integer' } },
                connection_string: { type: 'string', description: 'Database; a reference such as ${DATABASE_URL}.', 'x-secret': true },
              },
              required: ['name'],
            },
            'x-not-in-effect': true,
          },
          thresholds: {
            type: 'object',
            description: 'Limits for every canary, beside its own triggers: warning pauses it, critical rolls it back.',
            additionalProperties: false,
            properties: {
              error_rate: {
                type: 'object',
                description: 'Error rate.',
                additionalProperties: false,
                properties: {
                  warning: { type: 'number', description: 'Fraction.', exclusiveMinimum: 0, maximum: 1 },
                  critical: { type: 'number', description: 'Fraction.', exclusiveMinimum: 0, maximum: 1 },
                  window_minutes: { $ref: 'settings#/$defs/minutes', description: 'Window.' },
                },
              },
              latency_p95: {
                type: 'object',
                description: '95th percentile of latency.',
                additionalProperties: false,
                properties: {
                  warning_ms: { type: 'number', description: 'Milliseconds.', exclusiveMinimum: 0 },
                  critical_ms: { type: 'number', description: 'Milliseconds.', exclusiveMinimum: 0 },
                  window_minutes: { $ref: 'settings#/$defs/minutes', description: 'Window.' },
                },
              },
              quality_score: {
                type: 'object',
                description: 'Mean quality score.',
                additionalProperties: false,
                properties: {
                  warning: { type: 'number', description: 'Least score.', minimum: 0, maximum: 1 },
                  critical: { type: 'number', description: 'Least score.', minimum: 0, maximum: 1 },
                  window_minutes: { $ref: 'settings#/$defs/minutes', description: 'Window.' },
                },
              },
            },
          },
          alerts: {
            type: 'object',
            description: 'Who is told.',
            additionalProperties: false,
            properties: {
              channels: {
                type: 'array',
                description: 'Channels.',
                maxItems: 20,
                items: {
                  type: 'object',
                  description: 'One channel.',
                  additionalProperties: false,
                  properties: {
                    type: { enum: ['slack', 'pagerduty', 'email'], description: 'Kind.' },
                    webhook_url: { type: 'string', description: 'Address; a reference.', 'x-secret': true },
                    integration_key: { type: 'string', description: 'Key; a reference.', 'x-secret': true },
                    recipients: {
                      type: 'array',
                      description: 'Addresses.',
                      maxItems: 100,
                      items: { type: 'string', minLength: 1, maxLength: 200 },
                    },
                    severity_levels: {
                      type: 'array',
                      description: 'Severities.',
                      maxItems: 3,
                      items: { enum: ['info', 'warning', 'critical'] },
                    },
                  },
                  required: ['type'],
                },
              },
            },
            'x-not-in-effect': true,
          },
        },
      },
      metric: {
        type: 'object',
        description: 'One metric.',
        additionalProperties: false,
        properties: {
          name: { type: 'string', description: 'Name.' },
          type: { enum: ['counter', 'histogram', 'gauge'], description: 'Kind.' },
          labels: { type: 'array', description: 'Labels.', maxItems: 20, items: { type: 'string', minLength: 1, maxLength: 200 } },
          buckets: { type: 'array', description: 'Upper bounds.', maxItems: 100, items: { type: 'number' } },
        },
        required: ['name', 'type'],
      },
      export: {
        type: 'object',
        description: 'Where metrics go.',
        additionalProperties: false,
        properties: {
          prometheus: {
            type: 'object',
            description: 'Prometheus.',
            additionalProperties: false,
            properties: {
              enabled: { type: 'boolean', description: 'On.' },
              port: { type: 'integer', description: 'Port.', minimum: 1, maximum: 65535 },
              path: { type: 'string', description: 'Path.' },
            },
          },
          otlp: {
            type: 'object',
            description: 'OpenTelemetry.',
            additionalProperties: false,
            properties: { enabled: { type: 'boolean', description: 'On.' }, endpoint: { type: 'string', description: 'Collector.' } },
          },
          webhook: {
            type: 'object',
            description: 'Webhook.',
            additionalProperties: false,
            properties: {
              enabled: { type: 'boolean', description: 'On.' },
              url: { type: 'string', description: 'Address; a reference.', 'x-secret': true },
              interval_seconds: { type: 'number', description: 'Interval.', exclusiveMinimum: 0 },
            },
          },
        },
        'x-not-in-effect': true,
      },
      feedback_loop: {
        type: 'object',
        description: 'What the decision engine is told.',
        additionalProperties: false,
        properties: {
          enable_feedback: { type: 'boolean', description: 'On.' },
          feedback_interval_seconds: { type: 'number', description: 'Interval.', exclusiveMinimum: 0 },
          feedback_metrics: {
            type: 'array',
            description: 'Metrics.',
            maxItems: 50,
            items: { type: 'string', pattern: '^[A-Za-z0-9_.-]{1,64}$' },
          },
          aggregation_window_minutes: { $ref: 'settings#/$defs/minutes', description: 'Window.' },
          decision_engine_endpoint: { type: 'string', description: 'Address.' },
          include_context: {
            type: 'array',
            description: 'Context.',
            maxItems: 50,
            items: { type: 'string', pattern: '^[A-Za-z0-9_.-]{1,64}$' },
          },
        },
        'x-not-in-effect': true,
      },
      dashboard_requirements: {
        type: 'object',
        description: 'What the dashboard shows.',
        additionalProperties: false,
        properties: {
          refresh_interval_seconds: { type: 'number', description: 'Interval.', exclusiveMinimum: 0 },
          panels: { type: 'array', description: 'Panels.', maxItems: 100, items: { type: 'string', minLength: 1, maxLength: 200 } },
        },
        'x-not-in-effect': true,
      },
      observability: {
        type: 'object',
        description: 'Logging of the daemon; its level is `--log-level` at present.',
        additionalProperties: false,
        properties: {
          log_level: { enum: ['trace', 'debug', 'info', 'warn', 'error'], description: 'Level.' },
          json_logging: { type: 'boolean', description: 'As JSON lines.' },
          component_log_levels: {
            type: 'object',
            description: 'By component.',
            additionalProperties: { enum: ['trace', 'debug', 'info', 'warn', 'error'] },
          },
        },
        'x-not-in-effect': true,
      },
      backup: {
        type: 'object',
        description: 'Backups of the store.',
        additionalProperties: false,
        properties: {
          enabled: { type: 'boolean', description: 'On.' },
          schedule: { type: 'string', description: 'Cron.' },
          retention: {
            type: 'object',
            description: 'How many are kept.',
            additionalProperties: false,
            properties: {
              daily: { type: 'integer', description: 'Daily.', minimum: 0, maximum: 1000000 },
              weekly: { type: 'integer', description: 'Weekly.', minimum: 0, maximum: 1000000 },
              monthly: { type: 'integer', description: 'Monthly.', minimum: 0, maximum: 1000000 },
            },
          },
          include: {
            type: 'array',
            description: 'What.',
            maxItems: 4,
            items: { enum: ['deployments', 'configurations', 'rollback_history', 'audit_logs'] },
          },
          storage: {
            type: 'object',
            description: 'Where.',
            additionalProperties: false,
            properties: {
              type: { enum: ['s3', 'file'], description: 'Kind.' },
              bucket: { type: 'string', description: 'Bucket.' },
              prefix: { type: 'string', description: 'Prefix.' },
              encryption: { type: 'boolean', description: 'Encrypt.' },
            },
          },
        },
        'x-not-in-effect': true,
      },
      audit: {
        type: 'object',
        description: 'Export of the audit trail. The trail itself, every event, is on the status branch.',
        additionalProperties: false,
        properties: {
          enabled: { type: 'boolean', description: 'On.' },
          events: { type: 'array', description: 'Events.', maxItems: 50, items: { type: 'string', pattern: '^[A-Za-z0-9_.-]{1,64}$' } },
          storage: {
            type: 'object',
            description: 'Where.',
            additionalProperties: false,
            properties: {
              type: { enum: ['postgresql', 'sqlite', 'git'], description: 'Kind.' },
              retention_days: { type: 'integer', description: 'Days.', minimum: 1, maximum: 1000000 },
            },
          },
          export: {
            type: 'object',
            description: 'Export.',
            additionalProperties: false,
            properties: {
              enabled: { type: 'boolean', description: 'On.' },
              format: { enum: ['json', 'csv'], description: 'Form.' },
              destination: { type: 'string', description: 'Where.' },
              schedule: { type: 'string', description: 'Cron.' },
            },
          },
        },
        'x-not-in-effect': true,
      },
      code_host: {
        type: 'object',
        description: 'How we work at the code host.',
        additionalProperties: false,
        properties: {
          role_teams: {
            type: 'object',
            description: 'Role of `approval_roles` -> teams (organisation/team) whose members have it.',
            maxProperties: 50,
            propertyNames: { pattern: '^[A-Za-z0-9_.-]{1,64}$' },
            additionalProperties: {
              type: 'array',
              description: 'Teams.',
              minItems: 1,
              maxItems: 20,
              items: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9-]{0,99}/[A-Za-z0-9_.-]{1,100}$' },
            },
          },
          deploys: {
            enum: ['push', 'pull_request'],
            description:
              'How `deploy` and tests of variants bring their change: push it to the branch, or open a pull request. push where left out; a branch that refuses the push gets a pull request.',
          },
          reverts: {
            enum: ['push', 'pull_request'],
            description:
              'How reverts of failed changes come: pushed to the branch (a pull request where it refuses that), or always by a pull request. push where left out.',
          },
          labels: {
            type: 'array',
            description: 'Labels of our pull requests; actuator, and rollback for reverts, where left out.',
            maxItems: 10,
            items: { type: 'string', minLength: 1, maxLength: 50 },
          },
          auto_merge: {
            type: 'boolean',
            description: 'Ask the code host to merge revert pull requests as soon as its rules allow it; true where left out.',
          },
          statuses: { type: 'boolean', description: 'Commit statuses; true where left out.' },
          aggregate_above: {
            type: 'integer',
            description:
              'A commit that touches more services than this gets one status, and no deployments at the host, for the rest of them; 20 where left out.',
            minimum: 1,
            maximum: 1000,
          },
          deployments: { type: 'boolean', description: 'A deployment at the code host for each of ours; true where left out.' },
          comments: { type: 'boolean', description: 'One comment on the pull request, kept up to date; true where left out.' },
        },
      },
      ssh_key: {
        description: 'One line of a .pub file, or that with the time in which it counts.',
        anyOf: [
          {
            type: 'string',
            pattern:
              '^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\\.com|sk-ecdsa-sha2-nistp256@openssh\\.com) [A-Za-z0-9+/=]+( [^\\n"]*)?$',
            maxLength: 4000,
          },
          {
            type: 'object',
            additionalProperties: false,
            required: ['key'],
            properties: {
              key: {
                type: 'string',
                description: 'One line of a .pub file.',
                pattern:
                  '^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\\.com|sk-ecdsa-sha2-nistp256@openssh\\.com) [A-Za-z0-9+/=]+( [^\\n"]*)?$',
                maxLength: 4000,
              },
              valid_before: {
                type: 'string',
                description:
                  "From that day on, by our clock, nothing new is believed by it; such as 2027-01-31. A stolen key must be revoked: dates in commits are the signer's.",
                format: 'date',
              },
              revoked: { type: 'boolean', description: 'true: no commit signed by it is believed.' },
            },
          },
        ],
      },
      signatures: {
        type: 'object',
        description: 'Commits that must be signed.',
        additionalProperties: false,
        required: ['rules'],
        properties: {
          rules: {
            type: 'array',
            description: 'The last rule whose paths match counts.',
            minItems: 1,
            maxItems: 50,
            items: {
              type: 'object',
              description: 'Who must sign what.',
              additionalProperties: false,
              required: ['paths', 'signers'],
              properties: {
                paths: {
                  type: 'array',
                  description: 'Patterns as in .gitignore, such as /services/ or *.yaml.',
                  minItems: 1,
                  maxItems: 50,
                  items: { type: 'string', minLength: 1, maxLength: 200, pattern: '^[^!#]' },
                },
                signers: {
                  type: 'array',
                  description:
                    'Names of `people` with ssh_keys or gpg_keys, or code-host for commits that the code host made and signed itself, as its merge button does.',
                  minItems: 1,
                  maxItems: 100,
                  items: { type: 'string', minLength: 1, maxLength: 100 },
                },
              },
            },
          },
        },
      },
    },
  },
  settings: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'settings',
    title: 'WrittenSettings',
    description:
      'actuator.yaml, policies/<name>.yaml and services/<name>/rollout.yaml: how the actuator behaves. Later files override earlier ones: defaults, actuator.yaml, policy, rollout.yaml.',
    type: 'object',
    additionalProperties: false,
    properties: {
      policy: {
        type: 'string',
        pattern: '^[a-z0-9][a-z0-9._-]{0,127}$',
        description: 'Named rollout policy, policies/<name>.yaml, applied between actuator.yaml and rollout.yaml.',
      },
      actuator: {
        type: 'object',
        description: 'The rollout engine.',
        additionalProperties: false,
        properties: {
          default_strategy: {
            type: 'string',
            description:
              'Strategy for changes that name none: canary, blue-green, rolling, shadow, immediate, or auto (chosen by what has changed).',
          },
          max_concurrent_deployments: {
            type: 'integer',
            minimum: 1,
            maximum: 10000,
            description: 'Deployments that may shift traffic at once, over all services (actuator.yaml only). Rollbacks never wait.',
          },
          canary: { $ref: '#/$defs/canary', description: 'The canary strategy.' },
          max_concurrent_health_checks: {
            type: 'integer',
            description: 'Health checks at once.',
            minimum: 1,
            maximum: 1000000,
            'x-not-in-effect': true,
          },
          metrics_batch_size: { type: 'integer', description: 'Metrics a batch.', minimum: 1, maximum: 1000000, 'x-not-in-effect': true },
          metrics_flush_interval_seconds: { type: 'number', description: 'Interval.', exclusiveMinimum: 0, 'x-not-in-effect': true },
          cache: {
            type: 'object',
            description: 'Caching.',
            additionalProperties: false,
            properties: {
              enabled: { type: 'boolean', description: 'On.' },
              ttl_seconds: { type: 'number', description: 'Age.', minimum: 0 },
              max_entries: { type: 'integer', description: 'Entries.', minimum: 0, maximum: 100000000 },
            },
            'x-not-in-effect': true,
          },
          database: {
            type: 'object',
            description: 'Database.',
            additionalProperties: false,
            properties: {
              connection_pool_size: { type: 'integer', description: 'Connections.', minimum: 1, maximum: 1000000 },
              connection_timeout_seconds: { type: 'number', description: 'Time-out.', exclusiveMinimum: 0 },
            },
            'x-not-in-effect': true,
          },
          orchestrator: {
            type: 'object',
            description: 'Orchestrator.',
            additionalProperties: false,
            properties: {
              connection_pool_size: { type: 'integer', description: 'Connections.', minimum: 1, maximum: 1000000 },
              request_timeout_seconds: { type: 'number', description: 'Time-out.', exclusiveMinimum: 0 },
            },
            'x-not-in-effect': true,
          },
        },
      },
      canary: { $ref: '#/$defs/canary', description: 'Same as `actuator.canary`, for policies and rollout.yaml.' },
      metrics: {
        type: 'object',
        description: 'Measurement.',
        additionalProperties: false,
        properties: {
          collection_interval_seconds: {
            type: 'number',
            minimum: 0.2,
            maximum: 300,
            description: 'Least length of a comparison block, and the tick of the judge, in seconds.',
          },
          metrics: {
            type: 'array',
            description: 'Metrics that are exported.',
            maxItems: 100,
            items: { $ref: 'settings-sections#/$defs/metric' },
            'x-not-in-effect': true,
          },
          export: { $ref: 'settings-sections#/$defs/export', description: 'Where metrics go.' },
        },
      },
      success_criteria: { $ref: '#/$defs/success_criteria', description: 'Same as `canary.success_criteria`.' },
      auto_rollback: { $ref: '#/$defs/auto_rollback', description: 'Same as `canary.auto_rollback`.' },
      statistical_validation: { $ref: '#/$defs/statistical_validation', description: 'Same as `canary.statistical_validation`.' },
      versioning: { $ref: 'settings-sections#/$defs/versioning', description: 'Versions and who must agree to them.' },
      version_control: { $ref: 'settings-sections#/$defs/version_control', description: 'Names and retention of versions.' },
      validation: { $ref: 'settings-sections#/$defs/validation', description: 'What is checked before anything is tried.' },
      deployment_windows: {
        $ref: 'settings-sections#/$defs/deployment_windows',
        description: 'When deployments may start. Rollbacks never wait for a window.',
      },
      freeze: {
        $ref: 'settings-sections#/$defs/freeze',
        description: 'While it is there, nothing starts. `actuator freeze` does the same without a commit.',
      },
      recovery_validation: {
        $ref: 'settings-sections#/$defs/recovery_validation',
        description: 'What a rollback must be followed by before it counts as done.',
      },
      health_monitoring: {
        $ref: 'settings-sections#/$defs/health_monitoring',
        description: 'Health of the service and of what it depends on.',
      },
      feedback_loop: { $ref: 'settings-sections#/$defs/feedback_loop', description: 'What the decision engine is told.' },
      dashboard_requirements: { $ref: 'settings-sections#/$defs/dashboard_requirements', description: 'What the dashboard shows.' },
      observability: {
        $ref: 'settings-sections#/$defs/observability',
        description: 'Logging of the daemon; its level is `--log-level` at present.',
      },
      backup: { $ref: 'settings-sections#/$defs/backup', description: 'Backups of the store.' },
      audit: {
        $ref: 'settings-sections#/$defs/audit',
        description: 'Export of the audit trail. The trail itself, every event, is on the status branch.',
      },
      people: {
        type: 'array',
        description: 'Who is who (actuator.yaml only): for approvals, which never count from the author.',
        maxItems: 1000,
        items: { $ref: 'settings-sections#/$defs/person' },
      },
      code_host: {
        $ref: 'settings-sections#/$defs/code_host',
        description: 'Pull requests, statuses and reviews at the code host (actuator.yaml only).',
      },
      signatures: {
        $ref: 'settings-sections#/$defs/signatures',
        description: 'Commits that must be signed, and by whom (actuator.yaml only).',
      },
      depends_on: {
        type: 'array',
        description: 'Services whose deployments must be done before one of this service starts (rollout.yaml only).',
        maxItems: 50,
        items: { type: 'string', pattern: '^[a-z0-9][a-z0-9._-]{0,127}$' },
      },
      traffic_split: { $ref: '#/$defs/traffic_split', description: 'Same as `canary.traffic_split`.' },
      monitoring: { $ref: '#/$defs/monitoring', description: 'Same as `canary.monitoring`.' },
      blue_green: {
        type: 'object',
        description: 'The blue-green strategy.',
        additionalProperties: false,
        properties: {
          validation_percentage: {
            $ref: 'settings#/$defs/percentage',
            description: 'Percent of live requests that are copied to green while it is validated; 10 where left out.',
          },
          max_validation_cost_usd: { type: 'number', description: 'What the copies may cost; 10 where left out.', exclusiveMinimum: 0 },
          cutover: { $ref: '#/$defs/cutover', description: 'From blue to green.' },
          keep_blue_duration: {
            $ref: 'settings#/$defs/minutes',
            description: 'How long blue is kept ready after the cutover; 24 hours where left out.',
          },
        },
      },
      rolling: {
        type: 'object',
        description: 'The rolling strategy: over the gateways in batches.',
        additionalProperties: false,
        properties: {
          batch_percentage: {
            $ref: 'settings#/$defs/percentage',
            description: 'Percent of the gateways that each batch adds; 25 where left out, at least one gateway.',
          },
          batch_duration_minutes: { $ref: 'settings#/$defs/minutes', description: 'Least time of a batch; 15 minutes where left out.' },
          max_unavailable: {
            type: 'integer',
            description: 'Gateways that may be away while it goes on; 1 where left out.',
            minimum: 0,
            maximum: 10000,
          },
        },
      },
      shadow: {
        type: 'object',
        description: 'The shadow strategy: copies of live requests, whose answers nobody gets.',
        additionalProperties: false,
        properties: {
          percentage: { $ref: 'settings#/$defs/percentage', description: 'Percent of live requests that are copied; 10 where left out.' },
          duration_minutes: { $ref: 'settings#/$defs/minutes', description: 'How long at least; 30 minutes where left out.' },
          max_cost_usd: {
            type: 'number',
            description: 'What the copies may cost; 10 where left out. Then they end, and a person decides.',
            exclusiveMinimum: 0,
          },
          next: {
            enum: ['promote', 'canary', 'pause'],
            description: 'When it has passed: promote (where left out), canary (its steps follow), or pause for a person.',
          },
        },
      },
      stabilization_minutes: {
        $ref: 'settings#/$defs/minutes',
        description: 'How long a promoted revision is watched, and the one before it kept ready; 24 hours where left out.',
      },
    },
    $defs: {
      percentage: { type: 'number', exclusiveMinimum: 0, maximum: 100, description: 'Percent of traffic.' },
      minutes: {
        description: 'A time: a number of minutes, or text such as 90s, 5m or 24h.',
        anyOf: [
          { type: 'number', exclusiveMinimum: 0 },
          { type: 'string', pattern: '^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$' },
        ],
      },
      steps: {
        type: 'array',
        minItems: 1,
        maxItems: 50,
        description: 'Weights in rising order; each is held for its duration, and longer until there is evidence.',
        items: {
          type: 'object',
          additionalProperties: false,
          required: ['percentage', 'duration_minutes'],
          properties: {
            percentage: { $ref: '#/$defs/percentage', description: 'Weight of the canary, in percent.' },
            duration_minutes: { $ref: '#/$defs/minutes', description: 'Least time at this weight.' },
          },
        },
      },
      success_criteria: {
        type: 'object',
        description: 'What the canary must meet to go on.',
        additionalProperties: false,
        properties: {
          max_error_rate_increase: {
            type: 'number',
            minimum: 0,
            maximum: 1,
            description: 'Allowed increase of the error rate over stable, in points as a fraction: 0.02 is two points (default).',
          },
          confidence_level: {
            type: 'number',
            minimum: 0.5,
            maximum: 0.9999,
            description:
              'Confidence that the canary is within its margins before it gets all traffic: 0.95 where left out. Higher asks for more data at each gate; what a rollback needs is `statistical_validation.alpha`.',
          },
          min_sample_size: { type: 'integer', minimum: 1, description: 'Canary requests that each step needs; 1000 where left out.' },
          absolute_max_error_rate: {
            type: 'number',
            exclusiveMinimum: 0,
            maximum: 1,
            description: 'Error rate, as a fraction, that the canary must not exceed while stable does not.',
          },
          max_latency_p50_increase: {
            type: 'number',
            minimum: 0,
            maximum: 10,
            description: 'Allowed increase of the 50th percentile of latency over stable, as a fraction; 0.10 where left out.',
          },
          max_latency_p95_increase: {
            type: 'number',
            minimum: 0,
            maximum: 10,
            description: 'Allowed increase of the 95th percentile of latency over stable, as a fraction; 0.15 where left out.',
          },
          max_latency_p99_increase: {
            type: 'number',
            minimum: 0,
            maximum: 10,
            description: 'Allowed increase of the 99th percentile of latency over stable, as a fraction; 0.20 where left out.',
          },
          max_latency_increase: {
            type: 'number',
            minimum: 0,
            maximum: 10,
            description: "Short for all three percentiles of latency; a percentile's own key wins.",
          },
          max_first_token_p95_increase: {
            type: 'number',
            minimum: 0,
            maximum: 10,
            description:
              'Allowed increase of the 95th percentile of the time to the first token, as a fraction; not judged where left out.',
          },
          absolute_max_latency_p95: {
            type: 'number',
            exclusiveMinimum: 0,
            description: '95th percentile of latency, in milliseconds, that the canary must not exceed while stable does not.',
          },
          absolute_max_latency_p99: {
            type: 'number',
            exclusiveMinimum: 0,
            description: '99th percentile of latency, in milliseconds, that the canary must not exceed while stable does not.',
          },
          max_cost_increase: {
            type: 'number',
            minimum: 0,
            maximum: 100,
            description: 'Allowed increase of the cost per request over stable, as a fraction; 0.10 where left out.',
          },
          max_tokens_increase: {
            type: 'number',
            minimum: 0,
            maximum: 100,
            description: 'Allowed increase of the tokens per request over stable, as a fraction; not judged where left out.',
          },
          min_quality_score: {
            type: 'number',
            minimum: 0,
            maximum: 1,
            description:
              "Mean quality score, from 0 to 1, that the canary must reach where stable does; none where left out. Holds for people's scores and for the judge model's.",
          },
          max_quality_degradation: {
            type: 'number',
            minimum: 0,
            maximum: 1,
            description: "Allowed decrease of the mean quality score below stable's, as a fraction of it; 0.05 where left out.",
          },
          require_statistical_significance: {
            type: 'boolean',
            description:
              'true: every gate, not only the last, asks for significance at `p_value_threshold` that each metric is within its margin.',
          },
          p_value_threshold: {
            type: 'number',
            exclusiveMinimum: 0,
            maximum: 0.5,
            description: 'One-sided p-value of that; 0.05 where left out. Needs `require_statistical_significance`.',
          },
          required_metrics: {
            type: 'array',
            maxItems: 50,
            items: { type: 'string', pattern: '^[a-z][a-z0-9_.]{0,63}$' },
            description: 'Metrics that must have data, whether stable had any lately or not; without them nothing is promoted.',
          },
          comparison_window_minutes: {
            $ref: '#/$defs/minutes',
            description:
              'Window of triggers that name none; 5 minutes where left out. Comparisons themselves are made block by block on the same minutes, whatever this says.',
          },
          custom_metrics: {
            type: 'array',
            maxItems: 20,
            description: 'Metrics that applications report by feedback.',
            items: {
              type: 'object',
              additionalProperties: false,
              required: ['name'],
              properties: {
                name: { type: 'string', pattern: '^[a-z][a-z0-9_.]{0,63}$', description: 'metric_name of the feedback.' },
                min_value: { type: 'number', description: 'Least mean of the canary, where stable reaches it.' },
                max_value: { type: 'number', description: 'Largest mean of the canary, where stable keeps it.' },
                max_decrease: {
                  type: 'number',
                  minimum: 0,
                  maximum: 10,
                  description: "Allowed decrease of the mean below stable's, as a fraction of it; a decrease is then the bad side.",
                },
              },
            },
          },
        },
      },
      canary: {
        type: 'object',
        description: 'The canary strategy.',
        additionalProperties: false,
        properties: {
          initial_percentage: {
            $ref: '#/$defs/percentage',
            description: 'Weight of the first step; written steps at or below it are dropped.',
          },
          steps: { $ref: '#/$defs/steps', description: 'The steps.' },
          success_criteria: { $ref: '#/$defs/success_criteria', description: 'What each step must meet.' },
          max_total_duration_minutes: { $ref: '#/$defs/minutes', description: 'After this `deadline_action` is taken.' },
          traffic_split: { $ref: '#/$defs/traffic_split', description: 'How requests are divided between canary and stable.' },
          ab_test_mode: {
            type: 'boolean',
            description:
              'true: a control group of 5 percent stays on stable to the last step. false: none, whatever `control_group_size` says.',
          },
          control_group_size: {
            type: 'number',
            minimum: 0,
            maximum: 0.5,
            description:
              'Share of requests (or users, by hash) that stays on stable until promotion, so that also the last step has something to compare with.',
          },
          auto_rollback: { $ref: '#/$defs/auto_rollback', description: 'When to act without asking.' },
          statistical_validation: { $ref: '#/$defs/statistical_validation', description: 'How differences from stable are tested.' },
          monitoring: { $ref: '#/$defs/monitoring', description: 'What is looked at.' },
          low_traffic: { $ref: '#/$defs/low_traffic', description: 'What happens when a hold is over and samples are missing.' },
          deadline_action: {
            enum: ['pause', 'rollback'],
            description: 'At max_total_duration_minutes: pause for a person (where left out), or roll back.',
          },
          rollout_strategy: {
            type: 'object',
            description:
              'How the weights rise where no steps are written. The holds share `max_total_duration_minutes` evenly, two thirds of it.',
            additionalProperties: false,
            properties: {
              type: {
                enum: ['linear', 'exponential', 'custom'],
                description: 'linear: equal distances. exponential: each weight is `base` times the one before. custom: `steps`.',
              },
              base: { type: 'number', description: 'Factor; 2 where left out.', exclusiveMinimum: 1, maximum: 100 },
              steps: { type: 'array', description: 'Percentages.', maxItems: 50, items: { $ref: 'settings#/$defs/percentage' } },
            },
            required: ['type'],
          },
        },
      },
      auto_rollback: {
        type: 'object',
        description: 'When to roll back without asking.',
        additionalProperties: false,
        properties: {
          enabled: { type: 'boolean', description: 'false: a failing canary is paused and people are told.' },
          critical_error_rate: {
            type: 'number',
            exclusiveMinimum: 0,
            maximum: 1,
            description: 'Short for critical_triggers.error_rate.threshold; 0.1 where left out.',
          },
          critical_latency_p95_ms: {
            type: 'number',
            exclusiveMinimum: 0,
            description: 'Short for critical_triggers.latency_p95.threshold_ms; 10000 where left out.',
          },
          critical_quality_drop: {
            type: 'number',
            exclusiveMinimum: 0,
            maximum: 1,
            description: 'Short for critical_triggers.quality_score.degradation_pct; 0.3 where left out.',
          },
          warning_error_rate: {
            type: 'number',
            exclusiveMinimum: 0,
            maximum: 1,
            description: 'Short for warning_triggers.error_rate.threshold; 0.05 where left out.',
          },
          warning_latency_increase: {
            type: 'number',
            exclusiveMinimum: 0,
            maximum: 100,
            description: 'Short for warning_triggers.latency_p95.increase_pct; 0.5 where left out.',
          },
          critical_triggers: {
            type: 'object',
            description: 'Roll back at once. A metric named here replaces what the decision matrix says of it.',
            additionalProperties: false,
            properties: {
              error_rate: {
                type: 'object',
                description: 'Error rate of the canary.',
                additionalProperties: false,
                minProperties: 1,
                properties: {
                  threshold: { type: 'number', exclusiveMinimum: 0, maximum: 1, description: 'Error rate, as a fraction.' },
                  window_minutes: {
                    $ref: '#/$defs/minutes',
                    description: 'How far back it looks, up to an hour; `comparison_window_minutes` where left out.',
                  },
                },
              },
              latency_p95: {
                type: 'object',
                description: '95th percentile of latency.',
                additionalProperties: false,
                minProperties: 1,
                properties: {
                  threshold_ms: { type: 'number', exclusiveMinimum: 0, description: 'In milliseconds.' },
                  increase_pct: {
                    type: 'number',
                    exclusiveMinimum: 0,
                    maximum: 100,
                    description: 'Increase over stable, as a fraction: 2.0 is three times stable.',
                  },
                  window_minutes: {
                    $ref: '#/$defs/minutes',
                    description: 'How far back it looks, up to an hour; `comparison_window_minutes` where left out.',
                  },
                },
              },
              quality_score: {
                type: 'object',
                description: 'Mean quality score.',
                additionalProperties: false,
                minProperties: 1,
                properties: {
                  min_threshold: { type: 'number', minimum: 0, maximum: 1, description: 'Least score, from 0 to 1.' },
                  degradation_pct: {
                    type: 'number',
                    exclusiveMinimum: 0,
                    maximum: 1,
                    description: 'Decrease below stable, as a fraction.',
                  },
                  window_minutes: {
                    $ref: '#/$defs/minutes',
                    description: 'How far back it looks, up to an hour; `comparison_window_minutes` where left out.',
                  },
                },
              },
              cost_per_request: {
                type: 'object',
                description: 'Mean cost of a request.',
                additionalProperties: false,
                minProperties: 1,
                properties: {
                  threshold_usd: { type: 'number', exclusiveMinimum: 0, description: 'In US dollars.' },
                  increase_pct: {
                    type: 'number',
                    exclusiveMinimum: 0,
                    maximum: 100,
                    description: 'Increase over stable, as a fraction: 2.0 is three times stable.',
                  },
                  window_minutes: {
                    $ref: '#/$defs/minutes',
                    description: 'How far back it looks, up to an hour; `comparison_window_minutes` where left out.',
                  },
                },
              },
              service_health: {
                type: 'object',
                description: 'A check fails when requests came to the canary and every one of them failed.',
                additionalProperties: false,
                properties: {
                  consecutive_failures: {
                    type: 'integer',
                    minimum: 1,
                    maximum: 1000,
                    description: 'Failed checks in a row that end the canary; 3 where left out.',
                  },
                  health_check_interval_seconds: {
                    type: 'number',
                    minimum: 1,
                    maximum: 3600,
                    description: 'Time that one check looks at; 30 seconds where left out.',
                  },
                },
              },
            },
          },
          warning_triggers: {
            type: 'object',
            description: 'Take `warning_action`. A metric named here replaces what the decision matrix says of it.',
            additionalProperties: false,
            properties: {
              error_rate: {
                type: 'object',
                description: 'Error rate of the canary.',
                additionalProperties: false,
                minProperties: 1,
                properties: {
                  threshold: { type: 'number', exclusiveMinimum: 0, maximum: 1, description: 'Error rate, as a fraction.' },
                  window_minutes: {
                    $ref: '#/$defs/minutes',
                    description: 'How far back it looks, up to an hour; `comparison_window_minutes` where left out.',
                  },
                },
              },
              latency_p95: {
                type: 'object',
                description: '95th percentile of latency.',
                additionalProperties: false,
                minProperties: 1,
                properties: {
                  threshold_ms: { type: 'number', exclusiveMinimum: 0, description: 'In milliseconds.' },
                  increase_pct: {
                    type: 'number',
                    exclusiveMinimum: 0,
                    maximum: 100,
                    description: 'Increase over stable, as a fraction: 2.0 is three times stable.',
                  },
                  window_minutes: {
                    $ref: '#/$defs/minutes',
                    description: 'How far back it looks, up to an hour; `comparison_window_minutes` where left out.',
                  },
                },
              },
              quality_score: {
                type: 'object',
                description: 'Mean quality score.',
                additionalProperties: false,
                minProperties: 1,
                properties: {
                  min_threshold: { type: 'number', minimum: 0, maximum: 1, description: 'Least score, from 0 to 1.' },
                  degradation_pct: {
                    type: 'number',
                    exclusiveMinimum: 0,
                    maximum: 1,
                    description: 'Decrease below stable, as a fraction.',
                  },
                  window_minutes: {
                    $ref: '#/$defs/minutes',
                    description: 'How far back it looks, up to an hour; `comparison_window_minutes` where left out.',
                  },
                },
              },
              cost_per_request: {
                type: 'object',
                description: 'Mean cost of a request.',
                additionalProperties: false,
                minProperties: 1,
                properties: {
                  threshold_usd: { type: 'number', exclusiveMinimum: 0, description: 'In US dollars.' },
                  increase_pct: {
                    type: 'number',
                    exclusiveMinimum: 0,
                    maximum: 100,
                    description: 'Increase over stable, as a fraction: 2.0 is three times stable.',
                  },
                  window_minutes: {
                    $ref: '#/$defs/minutes',
                    description: 'How far back it looks, up to an hour; `comparison_window_minutes` where left out.',
                  },
                },
              },
            },
          },
          warning_action: {
            enum: ['pause', 'continue', 'alert_only'],
            description:
              'pause (where left out): the weight stays, and people are told. alert_only: people are told. continue: it is noted.',
          },
          warning_pause_duration_minutes: {
            $ref: '#/$defs/minutes',
            description: 'After this a paused canary goes on by itself if the trigger has gone; 15 minutes where left out.',
          },
          require_manual_approval_after_warning: { type: 'boolean', description: 'true: a person must resume it.' },
          violation_duration_minutes: {
            $ref: '#/$defs/minutes',
            description: 'How long a trigger must hold before it acts; at once where left out.',
          },
        },
      },
      statistical_validation: {
        type: 'object',
        description: 'How differences from stable are tested.',
        additionalProperties: false,
        properties: {
          test_method: {
            enum: ['welch_t_test', 'mann_whitney', 'bootstrap'],
            description:
              'What decides on means (cost, tokens, scores) and on the median of latency. welch_t_test: means alone. mann_whitney: ranks alone. bootstrap, and where left out: both; bootstrap also reports resampled intervals of means and quantiles. Rates and tails are judged by exact counts whatever this says.',
          },
          alpha: {
            type: 'number',
            exclusiveMinimum: 0,
            maximum: 0.5,
            description: 'Error of a rollback, over all metrics and looks; 0.05 where left out.',
          },
          correction: { enum: ['bonferroni', 'holm', 'none'], description: 'How metrics share alpha; bonferroni where left out.' },
          min_effect_size: {
            type: 'number',
            minimum: 0,
            maximum: 10,
            description: "Difference of means, in standard deviations (Cohen's d), below which none fails a canary; 0 where left out.",
          },
          bootstrap_iterations: {
            type: 'integer',
            minimum: 100,
            maximum: 20000,
            description:
              'Resamples of a reported interval; 10000 where left out. Written, it has intervals of quantiles reported by any test_method.',
          },
          bootstrap_confidence_level: {
            type: 'number',
            minimum: 0.5,
            maximum: 0.9999,
            description:
              'Confidence of a resampled interval; 0.95 where left out. Written, it has intervals of quantiles reported by any test_method.',
          },
        },
      },
      monitoring: {
        type: 'object',
        description: 'What is looked at.',
        additionalProperties: false,
        properties: {
          metrics: {
            type: 'array',
            minItems: 1,
            maxItems: 50,
            items: { type: 'string', pattern: '^[a-z][a-z0-9_.]{0,63}$' },
            description: 'Metrics that are judged; all with a criterion where left out. error_rate always is.',
          },
          baseline_window_minutes: {
            $ref: '#/$defs/minutes',
            description:
              'A metric that stable had within this time is watched: without data of the canary nothing is promoted. 60 minutes where left out.',
          },
          comparison_window_minutes: {
            $ref: '#/$defs/minutes',
            description: 'Same as success_criteria.comparison_window_minutes, which wins.',
          },
          enable_anomaly_detection: {
            type: 'boolean',
            description:
              "true: an anomaly in a variant's own series (error rate, latency) warns and holds the step; it rolls nothing back.",
          },
          anomaly_sensitivity: { enum: ['low', 'medium', 'high'], description: 'medium where left out. Needs enable_anomaly_detection.' },
          warm_up_minutes: {
            $ref: '#/$defs/minutes',
            description:
              'First time of a deployment that no criterion counts, since caches are cold; none where left out. Critical triggers act all the same.',
          },
        },
      },
      low_traffic: {
        type: 'object',
        description: 'What happens when a hold is over and samples are missing.',
        additionalProperties: false,
        properties: {
          policy: {
            enum: ['extend', 'widen', 'hold'],
            description:
              'extend (where left out): wait. widen: double the weight, up to max_percentage and to less than the next step. hold: pause for a person.',
          },
          max_percentage: { $ref: '#/$defs/percentage', description: 'With widen: the largest weight; 25 where left out.' },
        },
      },
      traffic_split: {
        type: 'object',
        description: 'How requests are divided between canary and stable.',
        additionalProperties: false,
        properties: {
          method: {
            type: 'string',
            description:
              'weighted_random (each request is drawn by itself), consistent_hash (by the hash of `hash_key`; users in 5 % stay in at 25 %) or round_robin (evenly spaced).',
          },
          hash_key: {
            type: 'string',
            pattern: '^(user_id|session_id|request_id|client_key|header:[A-Za-z0-9-]{1,64}|metadata\\.[A-Za-z0-9_.-]{1,64})$',
            description:
              "What is hashed: user_id (where left out), session_id, request_id, client_key (the client's API key), header:<name> or metadata.<field>. A request without it is drawn at random and counted as unkeyed.",
          },
          sticky_sessions: {
            type: 'boolean',
            description:
              'A key that was served keeps its variant while its deployment lasts, also when the weight rises, until it was idle for `sticky_duration_minutes`. Ends with a rollback, a lowered weight, or 100 percent.',
          },
          sticky_duration_minutes: {
            $ref: '#/$defs/minutes',
            description: 'Idle time after which a sticky key is assigned anew; 60 minutes where left out. Needs `sticky_sessions`.',
          },
        },
      },
      cutover: {
        type: 'object',
        description: 'From blue to green.',
        additionalProperties: false,
        properties: {
          validation_duration_minutes: {
            $ref: 'settings#/$defs/minutes',
            description: 'How long green is validated at least; 30 minutes where left out.',
          },
          traffic_shift_duration_seconds: {
            type: 'number',
            description: 'Time in which traffic moves over; 0, at once, where left out.',
            minimum: 0,
            maximum: 3600,
          },
          automatic: {
            type: 'boolean',
            description: 'true: goes over when green is validated. false, where left out: a person runs `actuator cutover`.',
          },
        },
      },
    },
  },
  'status-file': {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'status-file',
    title: 'StatusFile',
    description:
      'status/<xx>/<service>.yaml on the branch actuator/status: what is in force and what is going on. A projection of the journal.',
    type: 'object',
    additionalProperties: false,
    required: [
      'service',
      'updated_at',
      'desired',
      'stable',
      'canary',
      'deployment_id',
      'phase',
      'step',
      'weight',
      'last_deployment',
      'last_verdict',
      'conditions',
      'rejection',
      'quarantine',
      'requests_per_second',
    ],
    properties: {
      service: { type: 'string', description: 'Service.' },
      updated_at: { type: 'string', format: 'date-time', description: 'When the transition was decided.' },
      desired: {
        anyOf: [
          { type: 'null' },
          {
            type: 'object',
            additionalProperties: false,
            required: ['commit', 'digest'],
            properties: {
              commit: { type: 'string', description: 'Newest commit that touched the service.' },
              digest: { anyOf: [{ type: 'string' }, { type: 'null' }], description: "Its digest; null when it can't be served." },
            },
          },
        ],
        description: 'What the branch holds.',
      },
      stable: { $ref: '#/$defs/revision', description: 'The variant in force.' },
      canary: { $ref: '#/$defs/revision', description: 'The variant on trial; null when none has traffic.' },
      deployment_id: { anyOf: [{ type: 'string' }, { type: 'null' }], description: 'Deployment under way.' },
      phase: { enum: ['idle', 'pending', 'progressing', 'paused', 'promoting', 'rolling-back', 'recovering'], description: 'Its phase.' },
      step: {
        anyOf: [
          { type: 'null' },
          {
            type: 'object',
            additionalProperties: false,
            required: ['number', 'of'],
            properties: {
              number: { type: 'integer', minimum: 1, description: 'Present step, from 1.' },
              of: { type: 'integer', minimum: 1, description: 'Steps of the plan.' },
            },
          },
        ],
        description: 'Where it is in its plan.',
      },
      weight: { type: 'number', minimum: 0, maximum: 100, description: 'Percent of traffic on the canary.' },
      last_deployment: {
        anyOf: [
          { type: 'null' },
          {
            type: 'object',
            additionalProperties: false,
            required: ['id', 'phase', 'reason', 'commit', 'finished_at', 'revert_commit'],
            properties: {
              id: { type: 'string', description: 'Deployment.' },
              phase: { enum: ['completed', 'rolled-back', 'superseded', 'rejected', 'held', 'failed'], description: 'How it ended.' },
              reason: { type: 'string', description: 'Why, in one sentence.' },
              commit: { type: 'string', description: 'Commit that brought it.' },
              finished_at: { type: 'string', format: 'date-time', description: 'When it ended.' },
              revert_commit: { anyOf: [{ type: 'string' }, { type: 'null' }], description: 'Commit that took it back on the branch.' },
            },
          },
        ],
        description: 'The deployment that ended last.',
      },
      last_verdict: {
        anyOf: [
          { type: 'null' },
          {
            type: 'object',
            additionalProperties: false,
            required: ['verdict', 'reason', 'evidence'],
            properties: {
              verdict: {
                enum: ['pass', 'fail', 'warn', 'inconclusive', 'no-data', 'error', 'incident'],
                description: 'Verdict of the judge.',
              },
              reason: { type: 'string', description: 'Why, with the numbers.' },
              evidence: { type: 'string', description: "sha256 of the canonical JSON of `judgement` in the deployment's evidence.json." },
            },
          },
        ],
        description: 'The verdict that decided last.',
      },
      conditions: {
        type: 'array',
        description: 'Ready always; Reconciling and Stalled only while true.',
        items: {
          type: 'object',
          additionalProperties: false,
          required: ['type', 'status', 'reason'],
          properties: {
            type: { enum: ['Ready', 'Reconciling', 'Stalled'], description: 'Condition.' },
            status: { enum: ['True', 'False'], description: 'Whether it holds.' },
            reason: { type: 'string', description: 'Why.' },
          },
        },
      },
      rejection: {
        anyOf: [
          { type: 'null' },
          {
            type: 'object',
            additionalProperties: false,
            required: ['commit', 'problems'],
            properties: {
              commit: { type: 'string', description: 'Commit that is refused.' },
              problems: { type: 'array', items: { type: 'string' }, description: 'file:line:column and what is wrong.' },
            },
          },
        ],
        description: 'Why what the branch holds is not tried.',
      },
      quarantine: {
        type: 'array',
        description: 'Digests that were rolled back and are not tried again.',
        items: {
          type: 'object',
          additionalProperties: false,
          required: ['digest', 'deployment_id', 'reason', 'at'],
          properties: {
            digest: { type: 'string', description: 'Digest.' },
            deployment_id: { type: 'string', description: 'Deployment that tried it.' },
            reason: { type: 'string', description: 'Why it was rolled back.' },
            at: { type: 'string', format: 'date-time', description: 'When.' },
          },
        },
      },
      requests_per_second: {
        anyOf: [{ type: 'number' }, { type: 'null' }],
        description: 'Traffic of the service at that time; null when unknown.',
      },
    },
    $defs: {
      revision: {
        anyOf: [
          { type: 'null' },
          {
            type: 'object',
            additionalProperties: false,
            required: ['commit', 'digest'],
            properties: { commit: { type: 'string', description: 'Commit.' }, digest: { type: 'string', description: 'Digest.' } },
          },
        ],
        description: 'A revision.',
      },
    },
  },
  'traffic-file': {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'traffic-file',
    title: 'TrafficFile',
    description:
      'status/<xx>/<service>.traffic.yaml on the branch actuator/status: what stable measured lately, which plans are reckoned with. Written when it has changed, once an hour at the most.',
    type: 'object',
    additionalProperties: false,
    required: ['service', 'measured_at', 'requests_per_second', 'error_rate', 'metrics'],
    properties: {
      service: { type: 'string', description: 'Service.' },
      measured_at: { type: 'string', format: 'date-time', description: 'When.' },
      requests_per_second: { type: 'number', minimum: 0, description: 'Requests of the whole service.' },
      error_rate: { anyOf: [{ type: 'number' }, { type: 'null' }], description: 'Share of failed requests; null without any.' },
      metrics: {
        type: 'object',
        description: 'By metric.',
        additionalProperties: {
          type: 'object',
          additionalProperties: false,
          required: ['per_second', 'mean', 'relative_sd'],
          description: 'A metric.',
          properties: {
            per_second: { type: 'number', description: 'Values per second over the last hour.' },
            mean: { anyOf: [{ type: 'number' }, { type: 'null' }], description: 'Mean; null for quantiles and rates.' },
            relative_sd: {
              anyOf: [{ type: 'number' }, { type: 'null' }],
              description: 'Standard deviation over the mean; null where it is not known.',
            },
          },
        },
      },
    },
  },
};
