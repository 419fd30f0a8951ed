/** Makes the compiler prove that a switch is complete; running it means a bug. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value ${JSON.stringify(value)}`);
}
