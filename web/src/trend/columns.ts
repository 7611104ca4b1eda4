// A trend as what a chart draws: its extremes beside its last values, broken where nothing is known.
import type { Condition, Level, Limit, Occurrence, Point, Trend } from '../api/shapes'
import { pointsOf } from '../alarm/order'

export type Column = (number | null)[]
/** Seconds, last, least, most. */
export type Columns = [number[], Column, Column, Column]

/** A row of nulls where each blind interval begins: no line may run through what nobody knows. */
export function columnsOf(told: Trend): Columns {
  const rows = told.at.map((at, n) => [at, told.last[n] ?? null, told.least[n] ?? null, told.most[n] ?? null] as const)
  const taken = new Set(told.at)
  const breaks = told.blind.map(([from]) => [taken.has(from) ? from + 1 : from, null, null, null] as const)
  const all = [...rows, ...breaks].sort((a, b) => a[0] - b[0])
  return [all.map((row) => row[0] / 1000), all.map((row) => row[1]), all.map((row) => row[2]), all.map((row) => row[3])]
}

/** Intervals joined where they touch. */
export function joined(intervals: readonly [number, number][]): [number, number][] {
  const found: [number, number][] = []
  for (const [from, to] of [...intervals].sort((a, b) => a[0] - b[0])) {
    const last = found[found.length - 1]
    if (last && from <= last[1]) last[1] = Math.max(last[1], to)
    else found.push([from, to])
  }
  return found
}

/** The scale that shows the values and, where there are some, how far the limits are. */
export function scaleOf(least: number | null, most: number | null, limits: readonly number[], range: [number, number] | null): [number, number] {
  const all = [least, most, ...limits].filter((one): one is number => one !== null && Number.isFinite(one))
  if (all.length === 0) return range ?? [0, 1]
  const low = Math.min(...all)
  const high = Math.max(...all)
  const room = (high - low) * 0.08 || Math.max(Math.abs(high) * 0.1, 0.5)
  return [low - room, high + room]
}

export interface Mark {
  at: number
  level: Level
  condition: string
}

/** Raises of the conditions that are about these points. */
export function marksOf(occurrences: readonly Occurrence[], conditions: ReadonlyMap<string, Condition>, points: readonly Point[]): Mark[] {
  const codes = new Set(points.map((one) => one.code))
  return occurrences
    .filter((one) => one.standing !== 'withdrawn' && pointsOf(one, conditions.get(one.condition)).some((code) => codes.has(code)))
    .map((one) => ({ at: one.raised, level: one.level, condition: one.condition }))
    .sort((a, b) => a.at - b.at || a.level - b.level)
}

/** Limits are drawn where they can be told apart: of one point, or of several in one unit. */
export function limitsOf(points: readonly Point[]): Limit[] {
  return new Set(points.map((one) => one.unit)).size === 1 ? points.flatMap((one) => one.limits) : []
}
