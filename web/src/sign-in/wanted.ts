/** Where somebody was going before signing in: a page of ours, or nothing. */
export function wanted(to: unknown): string | null {
  return typeof to === 'string' && /^\/(plant\/|region$)/.test(to) ? to : null
}
