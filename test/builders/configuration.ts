import type { LlmConfig, ModelCatalogue } from '../../src/generated/types.ts';

export function aCatalogue(): ModelCatalogue {
  return {
    providers: { openai: { base_url: 'https://api.example.com/v1', api_key: '${OPENAI_API_KEY}' } },
    models: {
      'gpt-4': { provider: 'openai', max_output_tokens: 8192, prices: { input_per_million_usd: 30, output_per_million_usd: 60 } },
      'gpt-4-turbo': { provider: 'openai', max_output_tokens: 4096, parameters: { temperature: { min: 0, max: 1 } } },
    },
  };
}

export function aConfig(change: Partial<LlmConfig> = {}): LlmConfig {
  return { version: '1.0', metadata: { name: 'chat' }, llm: { model: 'gpt-4', parameters: { temperature: 0.7 } }, ...change };
}
