// What the chart carries beside its lines: limits, raises, and the time in which nothing is known.
import uPlot from 'uplot'
import type { Level, Limit } from '../api/shapes'
import type { Mark } from './columns'

const LEVEL_INK: Record<Level, string> = { 1: '#c62828', 2: '#c75f00', 3: '#9a7b00', 4: '#59636d' }
const HATCH = 'rgb(90 100 110 / 35%)'
const PAPER = '#f6f8f8'
const MOST_NAMES = 5

const rem = (): number => Number.parseFloat(getComputedStyle(document.documentElement).fontSize)
const ratio = (): number => window.devicePixelRatio || 1
/** A font of so many rem, for the canvas or (`css`) for uPlot, which scales it itself. */
export const font = (of: number, css = false): string => `${Math.round(of * rem() * (css ? 1 : ratio()))}px system-ui, "Noto Sans CJK SC", sans-serif`
export const px = (of: number): number => Math.round(of * rem())

function within(at: uPlot, draw: (ctx: CanvasRenderingContext2D, box: uPlot.BBox) => void): void {
  const { ctx, bbox } = at
  ctx.save()
  ctx.beginPath()
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height)
  ctx.clip()
  ctx.lineWidth = ratio()
  draw(ctx, bbox)
  ctx.restore()
}

/** Words on the chart, on paper of their own so that no line runs through them. */
function write(ctx: CanvasRenderingContext2D, words: string, x: number, y: number): void {
  ctx.save()
  ctx.setLineDash([])
  ctx.lineJoin = 'round'
  ctx.strokeStyle = PAPER
  ctx.lineWidth = 4 * ratio()
  ctx.strokeText(words, x, y)
  ctx.restore()
  ctx.fillText(words, x, y)
}

export function drawBlind(at: uPlot, blind: readonly [number, number][]): void {
  within(at, (ctx, box) => {
    ctx.strokeStyle = HATCH
    const apart = px(0.55) * ratio()
    for (const [from, to] of blind) {
      const left = Math.max(box.left, at.valToPos(from / 1000, 'x', true))
      const right = Math.min(box.left + box.width, at.valToPos(to / 1000, 'x', true))
      if (right <= left) continue
      ctx.save()
      ctx.beginPath()
      ctx.rect(left, box.top, right - left, box.height)
      ctx.clip()
      ctx.beginPath()
      for (let x = left - box.height - (left % apart); x < right; x += apart) {
        ctx.moveTo(x, box.top + box.height)
        ctx.lineTo(x + box.height, box.top)
      }
      ctx.stroke()
      ctx.restore()
    }
  })
}

export function drawLimits(at: uPlot, limits: readonly Limit[], unit: string): void {
  within(at, (ctx, box) => {
    ctx.setLineDash([6 * ratio(), 5 * ratio()])
    ctx.font = font(0.7)
    ctx.textAlign = 'right'
    ctx.textBaseline = 'bottom'
    for (const one of limits) {
      const y = at.valToPos(one.limit, unit, true)
      ctx.strokeStyle = LEVEL_INK[one.level]
      ctx.fillStyle = ctx.strokeStyle
      ctx.beginPath()
      ctx.moveTo(box.left, y)
      ctx.lineTo(box.left + box.width, y)
      ctx.stroke()
      write(ctx, `${one.side === 'high' ? '≥' : '≤'} ${one.limit}`, box.left + box.width - 6 * ratio(), y - 3 * ratio())
    }
  })
}

/** A line at each raise; the first few have their names, one below the other. */
export function drawMarks(at: uPlot, marks: readonly Mark[], nameOf: (condition: string) => string): void {
  within(at, (ctx, box) => {
    ctx.font = font(0.7)
    ctx.textBaseline = 'top'
    let named = 0
    for (const one of marks) {
      const x = at.valToPos(one.at / 1000, 'x', true)
      if (x < box.left || x > box.left + box.width) continue
      ctx.strokeStyle = LEVEL_INK[one.level]
      ctx.fillStyle = ctx.strokeStyle
      ctx.globalAlpha = 0.7
      ctx.beginPath()
      ctx.moveTo(x, box.top)
      ctx.lineTo(x, box.top + box.height)
      ctx.stroke()
      if (named >= MOST_NAMES) continue
      const left = x > box.left + box.width / 2
      ctx.globalAlpha = 1
      ctx.textAlign = left ? 'right' : 'left'
      write(ctx, nameOf(one.condition), x + (left ? -5 : 5) * ratio(), box.top + (3 + named * px(0.95)) * ratio())
      named++
    }
  })
}
