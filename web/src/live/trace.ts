// The last minutes of each point, kept on the screen: what the small lines are drawn from.
import type { Trend, Value } from '../api/shapes'

export const KEPT_MS = 10 * 60_000
const KEPT_VALUES = 1200

export interface Trace {
  at: number[]
  value: (number | null)[]
}

/** Add a value that is newer than the last one, and let go of what is too old. */
export function note(trace: Trace, [at, value]: Value): void {
  if (trace.at.length > 0 && at <= trace.at[trace.at.length - 1]!) return
  trace.at.push(at)
  trace.value.push(value)
  let old = Math.max(0, trace.at.length - KEPT_VALUES)
  while (trace.at[old]! < at - KEPT_MS) old++
  if (old > 0) {
    trace.at.splice(0, old)
    trace.value.splice(0, old)
  }
}

/** Put what a trend tells of the time before in front; where it is blind the line breaks. */
export function seed(trace: Trace, told: Trend): void {
  const first = trace.at[0] ?? Infinity
  const rows = told.at.map((at, n): [number, number | null] => [at, told.last[n] ?? null])
  for (const [from] of told.blind) rows.push([from, null])
  const older = rows.filter(([at]) => at < first).sort((a, b) => a[0] - b[0])
  trace.at.unshift(...older.map(([at]) => at))
  trace.value.unshift(...older.map(([, value]) => value))
}
