import { describe, expect, it } from 'vitest'
import type { Colour, Summary } from '../api/shapes'
import { byWorst, countsBy } from './order'

const plant = (enterprise: string, colour: Colour | null): Summary => ({
  type: 'summary', enterprise, text: ['', ''], module: 'steel', region: '', region_text: ['', ''], simulation: false,
  now: 0, counts: [0, 0, 0, 0], unacknowledged: 0, offline: 0, worst: [], core_away_since: null,
  risk: { colour, unassessed: colour === null, since: null, contributions: [], lower: [], model: '', model_version: 1, official: false },
})

describe('plants of a region', () => {
  const plants = [plant('d', 'blue'), plant('c', null), plant('b', 'yellow'), plant('a', 'red'), plant('e', 'orange')]
  it('stand the worst first, unassessed before blue', () => {
    expect([...plants].sort(byWorst).map((one) => one.enterprise)).toEqual(['a', 'e', 'b', 'c', 'd'])
  })
  it('are counted by colour, unassessed apart', () => {
    expect([...countsBy(plants)]).toEqual([['red', 1], ['orange', 1], ['yellow', 1], [null, 1], ['blue', 1]])
  })
})
