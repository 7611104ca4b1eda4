// Instants and values for people: China's time, as the notices and the logs of plants have it.
const ZONE = 'Asia/Shanghai'
const TIME = new Intl.DateTimeFormat('zh-CN', { timeZone: ZONE, hourCycle: 'h23', hour: '2-digit', minute: '2-digit', second: '2-digit' })
const DAY = new Intl.DateTimeFormat('en-CA', { timeZone: ZONE, year: 'numeric', month: '2-digit', day: '2-digit' })

export function timeOf(at: number): string {
  return TIME.format(at)
}

/** The time, with the date before it when that is another day than `now`'s, and the year likewise. */
export function instantOf(at: number, now: number): string {
  const day = DAY.format(at)
  const today = DAY.format(now)
  if (day === today) return timeOf(at)
  return `${day.slice(0, 4) === today.slice(0, 4) ? day.slice(5) : day} ${timeOf(at)}`
}

/** A value with as many digits as its range deserves. */
export function valueOf(value: number, range: [number, number] | null): string {
  const span = range ? Math.abs(range[1] - range[0]) : Math.max(Math.abs(value), 1)
  const digits = span <= 1 ? 3 : span <= 50 ? 2 : span <= 1000 ? 1 : 0
  return value.toFixed(digits)
}

/** A unit as people write it; nothing for a state. */
export function unitOf(unit: string): string {
  return unit === 'state' ? '' : unit.replace('degC', '°C').replace('m3', 'm³')
}
