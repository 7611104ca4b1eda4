import { describe, expect, it } from 'vitest'
import type { Trend } from '../api/shapes'
import { KEPT_MS, note, seed, type Trace } from './trace'

const empty = (): Trace => ({ at: [], value: [] })
const trend = (told: Partial<Trend>): Trend => ({
  point: 'p', at_from: 0, at_to: 0, at: [], least: [], most: [], last: [], blind: [], ...told,
})

describe('the last minutes of a point', () => {
  it('take what is newer, and nothing twice', () => {
    const trace = empty()
    for (const at of [1000, 2000, 2000, 1500, 3000]) note(trace, [at, at / 1000, 0])
    expect(trace).toEqual({ at: [1000, 2000, 3000], value: [1, 2, 3] })
  })
  it('let go of what is too old', () => {
    const trace = empty()
    for (const at of [0, 1000, KEPT_MS + 500]) note(trace, [at, 1, 0])
    expect(trace.at).toEqual([1000, KEPT_MS + 500])
  })
  it('begin with what was before the screen was opened, broken where nothing is known', () => {
    const trace = empty()
    note(trace, [5000, 5, 0])
    seed(trace, trend({ at: [1000, 4000, 5000], last: [1, 4, 99], blind: [[2000, 3500]] }))
    expect(trace).toEqual({ at: [1000, 2000, 4000, 5000], value: [1, null, 4, 5] })
  })
})
