/** Does the work for each, whatever fails for one of them; the first failure is thrown when all have been tried. */
export async function tryEach<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  let failure: unknown;
  for (const item of items)
    try {
      await work(item);
    } catch (thrown) {
      failure ??= thrown;
    }
  if (failure !== undefined) throw failure as Error;
}
