// What time it is for a source: the server's, or, for a played one, as far as it has been played.
import type { Plant } from '../api/shapes'
import type { Now } from './apply'

export interface Times {
  /** For a source's points. */
  of: (source: string) => number
  /** For what the plant as a whole has: its alarms and cases. */
  plant: number
}

export function timesOf(plant: Plant | null, now: Now | null, serverNow: number): Times {
  const played = new Map<string, number>()
  for (const one of plant?.sources ?? []) {
    if (one.clock === 'recorded') played.set(one.id, now?.lines.get(one.id)?.complete_to ?? serverNow)
  }
  const all = plant !== null && plant.sources.length > 0 && played.size === plant.sources.length
  return { of: (source) => played.get(source) ?? serverNow, plant: all ? Math.max(...played.values()) : serverNow }
}
