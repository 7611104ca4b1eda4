// How a picture goes on by a delta: the mirror of present/live/picture.py `apply`.
import type { Case, Delta, Line, Occurrence, Picture, Risk, Value } from '../api/shapes'

export interface Now {
  number: number
  now: number
  values: Map<string, Value>
  lines: Map<string, Line>
  occurrences: Map<string, Occurrence>
  cases: Map<string, Case>
  risk: Risk | null
}

export function begin(picture: Picture): Now {
  return {
    number: picture.number,
    now: picture.now,
    values: new Map(Object.entries(picture.values)),
    lines: new Map(Object.entries(picture.lines)),
    occurrences: new Map(picture.occurrences.map((one) => [one.id, one])),
    cases: new Map(picture.cases.map((one) => [one.id, one])),
    risk: picture.risk,
  }
}

/** Carry on in place; false: the delta does not follow, a new picture is needed. */
export function apply(state: Now, delta: Delta): boolean {
  if (delta.number !== state.number + 1) return false
  state.number = delta.number
  state.now = delta.now
  for (const [code, value] of Object.entries(delta.values)) state.values.set(code, value)
  for (const [source, line] of Object.entries(delta.lines)) state.lines.set(source, line)
  for (const one of delta.occurrences) state.occurrences.set(one.id, one)
  for (const one of delta.cases) state.cases.set(one.id, one)
  for (const id of delta.gone) {
    state.occurrences.delete(id)
    state.cases.delete(id)
  }
  if (delta.risk !== null) state.risk = delta.risk
  return true
}
