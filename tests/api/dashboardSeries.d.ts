/** A point of a series. */
interface Point {
  readonly step: number;
  readonly loss: number;
}

/** See `api/dashboard/static/series.js`. */
export function lossSeries(
  id: string,
): (
  job: { readonly attempt: number; readonly progress: { readonly total_steps: number } | null },
) => Promise<{ readonly steps: readonly Point[]; readonly epochs: readonly Point[] }>;
