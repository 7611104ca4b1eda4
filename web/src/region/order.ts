// Plants the worst first; unassessed stands before blue: not knowing is not low risk.
import type { Colour, Summary } from '../api/shapes'

export const ORDER: readonly (Colour | null)[] = ['red', 'orange', 'yellow', null, 'blue']
export const colourOf = (one: Summary): Colour | null => one.risk?.colour ?? null
export const bare = (code: string): string => code.slice(code.lastIndexOf('/') + 1)

export function byWorst(a: Summary, b: Summary): number {
  return (
    ORDER.indexOf(colourOf(a)) - ORDER.indexOf(colourOf(b)) ||
    (a.risk?.contributions[0]?.since ?? 0) - (b.risk?.contributions[0]?.since ?? 0) ||
    a.enterprise.localeCompare(b.enterprise)
  )
}

export function countsBy(plants: readonly Summary[]): Map<Colour | null, number> {
  const counts = new Map<Colour | null, number>(ORDER.map((colour) => [colour, 0]))
  for (const one of plants) counts.set(colourOf(one), (counts.get(colourOf(one)) ?? 0) + 1)
  return counts
}
