/** Shows a fleet while it runs: on a terminal a table that is drawn over, elsewhere plain lines. */

import type { FleetView } from './fleet-view.ts';
import { type Pids, paint, renderTable, summaryLine, wrap } from './table.ts';

export interface ScreenOptions {
  out: NodeJS.WriteStream;
  /** Lines above the table and below it; asked for at each drawing. */
  head(): string[];
  foot(): string[];
  pids(): Record<string, Pids>;
  nowMs(): number;
  env: NodeJS.ProcessEnv;
}

/** The last words shown under the table. */
const recentMax = 8;
/** They go on below their time. */
const recentIndent = ' '.repeat('hh:mm:ss  '.length);
const drawEveryMs = 500;
/** Where there is no terminal, the fleet's state is told so often. */
const summaryEveryMs = 30_000;
const widthDefault = 120;
const rowsDefault = 50;

export class Screen {
  readonly #options: ScreenOptions;
  readonly #live: boolean;
  readonly #colour: boolean;
  #view: FleetView | undefined;
  #recent: string[] = [];
  #drawnLines = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ScreenOptions) {
    this.#options = options;
    this.#live = options.out.isTTY === true && options.env.TERM !== 'dumb';
    this.#colour = this.#live && !options.env.NO_COLOR;
  }

  /** A line that stays: above the table, or as it is. */
  line(text: string): void {
    if (!this.#timer || !this.#live) {
      this.#options.out.write(`${text}\n`);
      return;
    }
    this.#recent = [...this.#recent, `${time(this.#options.nowMs())}  ${text}`].slice(-recentMax);
    this.#draw();
  }

  /** Something happened in the fleet. */
  event(text: string): void {
    if (this.#live) this.line(text);
    else this.#options.out.write(`${time(this.#options.nowMs())}  ${text}\n`);
  }

  show(view: FleetView): void {
    this.#view = view;
  }

  /** Draws from now on. */
  start(): void {
    if (!this.#live) {
      for (const text of this.#lines(widthDefault, rowsDefault)) this.#options.out.write(`${text}\n`);
      this.#timer = setInterval(() => {
        if (this.#view) this.event(summaryLine(this.#view));
      }, summaryEveryMs);
      return;
    }
    this.#timer = setInterval(() => this.#draw(), drawEveryMs);
    this.#draw();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#drawnLines = 0;
  }

  #lines(width: number, rows: number): string[] {
    const { head, foot, pids, nowMs } = this.#options;
    const table = this.#view
      ? renderTable(this.#view, { width, colour: this.#colour, nowMs: nowMs(), pids: pids() })
      : [];
    const dim = (text: string) => (this.#colour ? paint(text, 'dim') : text);
    const fit = (text: string) => (this.#live ? wrap(text, width) : [text]);
    const recent = this.#recent.flatMap((text) => wrap(text, width, recentIndent));
    const above = [...head().flatMap(fit), '', ...table, '', ...foot().flatMap(fit)];
    if (recent.length === 0) return above;
    // What came last is what is to be seen.
    const room = Math.max(0, rows - above.length - 1);
    return [...above, '', ...(room === 0 ? [] : recent.slice(-room).map(dim))];
  }

  #draw(): void {
    const { out } = this.#options;
    const width = Math.max(40, (out.columns ?? widthDefault) - 1);
    // One row is the cursor's own: more would scroll, and the next drawing miss its place.
    const rows = Math.max(1, (out.rows ?? rowsDefault) - 1);
    const lines = this.#lines(width, rows).slice(0, rows);
    const back = this.#drawnLines > 0 ? `\u001b[${this.#drawnLines}A\r` : '';
    out.write(`${back}\u001b[J${lines.join('\n')}\n`);
    this.#drawnLines = lines.length;
  }
}

function time(nowMs: number): string {
  return new Date(nowMs).toTimeString().slice(0, 8);
}
