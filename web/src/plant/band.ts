// The stretch of a point's range that its band shows, and where the limits divide it.
import type { Level, Point } from '../api/shapes'

/** Where the gravest high limit lies lower in the range than this, the rest of it tells nobody anything. */
const LOW_IN_RANGE = 0.4
const ABOVE = 0.35

/** The range; cut off some way above the limits where they lie at its very beginning. */
export function windowOf(point: Pick<Point, 'range' | 'limits'>): [number, number] {
  const [low, high] = point.range ?? [0, 1]
  const highest = Math.max(...point.limits.filter((one) => one.side === 'high').map((one) => one.limit))
  if (!Number.isFinite(highest) || highest - low >= LOW_IN_RANGE * (high - low) || highest <= low) return [low, high]
  return [low, Math.min(high, highest + ABOVE * (highest - low))]
}

export interface Zone {
  from: number
  to: number
  level: Level
}

/** The stretch between the innermost limits, and those beyond them, the gravest last. */
export function zonesOf(point: Pick<Point, 'range' | 'limits'>): { normal: [number, number]; beyond: Zone[] } {
  const [low, high] = windowOf(point)
  const normal: [number, number] = [low, high]
  const beyond: Zone[] = []
  for (const one of [...point.limits].sort((a, b) => b.level - a.level)) {
    if (one.side === 'high') {
      normal[1] = Math.min(normal[1], one.limit)
      beyond.push({ from: one.limit, to: high, level: one.level })
    } else {
      normal[0] = Math.max(normal[0], one.limit)
      beyond.push({ from: low, to: one.limit, level: one.level })
    }
  }
  return { normal, beyond }
}
