/** Composition root of the command line. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createLogUpdate } from 'log-update';
import { createHttpClient } from '../adapters/api-client/http-client.ts';
import { openCheckout } from '../adapters/checkout/checkout.ts';
import { initRepository } from '../adapters/checkout/init.ts';
import { readDocument } from '../adapters/documents/reader.ts';
import { messageOf } from '../base/failures.ts';
import { runProgram } from '../cli/program.ts';
import type { Running } from '../ports/programs.ts';
import { runGatewayProcess } from './gateway-workers.ts';
import { serve } from './serve.ts';
import { version } from './version.ts';

const redraw = createLogUpdate(process.stdout, { showCursor: true });

/** Runs until a signal; then in good order, and at the second signal at once. */
async function untilSignal(running: Running): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve());
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  await running.stop();
}

const code = await runProgram(
  {
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    isTerminal: process.stdout.isTTY,
    hasColour: process.stdout.isTTY && process.env['NO_COLOR'] === undefined && process.env['TERM'] !== 'dumb',
    environment: process.env,
    version,
    read: readDocument,
    checkout: openCheckout,
    client: createHttpClient,
    async readFile(path) {
      try {
        return await readFile(path, 'utf8');
      } catch {
        return null;
      }
    },
    async serve(options) {
      const running = await serve(options, (error) => {
        // Going on would be two leaders on one store; a supervisor starts us again.
        process.stderr.write(`${messageOf(error)}\n`);
        process.exit(1);
      });
      await untilSignal(running);
    },
    gateway: async (options) => untilSignal(await runGatewayProcess(options)),
    init: initRepository,
    randomKey: () => randomBytes(32).toString('base64url'),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    now: Date.now,
    redraw,
  },
  process.argv.slice(2),
);
process.exit(code);
