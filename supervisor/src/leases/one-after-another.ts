/** What a start has to finish: one after the other, and what fails does not keep the rest from being done. */
export async function oneAfterAnother(
  acts: readonly (() => Promise<void>)[],
  failed: (error: unknown) => void,
): Promise<void> {
  for (const act of acts) await act().catch(failed)
}
