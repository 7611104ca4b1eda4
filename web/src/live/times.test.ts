import { describe, expect, it } from 'vitest'
import type { Plant, Source } from '../api/shapes'
import type { Now } from './apply'
import { timesOf } from './times'

const source = (id: string, clock: Source['clock']): Source => ({ id, offline_s: 30, clock })
const plant = (...sources: Source[]) => ({ sources }) as Plant
const played = (id: string, to: number) =>
  ({ lines: new Map([[id, { complete_to: to, heard_at: 9000, offline_since: null }]]) }) as unknown as Now

describe('what time it is', () => {
  it('is the server\'s for a live source', () => {
    const times = timesOf(plant(source('a', 'live')), played('a', 500), 9000)
    expect([times.of('a'), times.plant]).toEqual([9000, 9000])
  })
  it('is as far as a recorded source has been played, for the plant if it has no other', () => {
    const times = timesOf(plant(source('a', 'recorded')), played('a', 500), 9000)
    expect([times.of('a'), times.plant]).toEqual([500, 500])
  })
  it('is each source\'s own where there are both', () => {
    const times = timesOf(plant(source('a', 'recorded'), source('b', 'live')), played('a', 500), 9000)
    expect([times.of('a'), times.of('b'), times.plant]).toEqual([500, 9000, 9000])
  })
  it('is the server\'s before anything is known', () => expect(timesOf(null, null, 9000).plant).toBe(9000))
})
