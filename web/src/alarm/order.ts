// Which alarms come first, and which are still somebody's to look at.
import type { Case, Condition, Occurrence } from '../api/shapes'

export const isActive = (one: Occurrence): boolean => one.returned === null && one.standing !== 'withdrawn'
export const isUnacknowledged = (one: Occurrence): boolean =>
  one.standing === 'unacknowledged' || one.standing === 'returned_unacknowledged'
export const isSettled = (one: Occurrence): boolean => one.standing === 'normal' || one.standing === 'withdrawn'
export const sounds = (one: Occurrence): boolean => one.standing === 'unacknowledged' && isActive(one)

/** Unacknowledged first, then what still stands, then by level, the newest first. */
export function byUrgency(a: Occurrence, b: Occurrence): number {
  return (
    Number(isSettled(a)) - Number(isSettled(b)) ||
    Number(isUnacknowledged(b)) - Number(isUnacknowledged(a)) ||
    Number(isActive(b)) - Number(isActive(a)) ||
    a.level - b.level ||
    b.raised - a.raised ||
    a.id.localeCompare(b.id)
  )
}

export const isOpen = (one: Case): boolean => one.progress !== 'closed' && one.progress !== 'void'
export const byGravity = (a: Case, b: Case): number => a.level - b.level || b.opened_at - a.opened_at || a.id.localeCompare(b.id)

/** The points that an occurrence is about: of an interlock only what had not acted. */
export function pointsOf(one: Occurrence, condition: Condition | undefined): string[] {
  const missing = one.params['missing']
  return typeof missing === 'string' ? missing.split(' ') : (condition?.points ?? [])
}
