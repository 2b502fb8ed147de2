/** Shows a fleet while it runs: on a terminal a table that is drawn over, elsewhere plain lines. */

import type { FleetView } from './fleet-view.ts';
import { type Pids, paint, renderTable, summaryLine } from './table.ts';

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
const drawEveryMs = 500;
/** Where there is no terminal, the fleet's state is told so often. */
const summaryEveryMs = 30_000;
const widthDefault = 120;

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
      for (const text of this.#lines(widthDefault)) this.#options.out.write(`${text}\n`);
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

  #lines(width: number): string[] {
    const { head, foot, pids, nowMs } = this.#options;
    const table = this.#view
      ? renderTable(this.#view, { width, colour: this.#colour, nowMs: nowMs(), pids: pids() })
      : [];
    const dim = (text: string) => (this.#colour ? paint(text.slice(0, width), 'dim') : text);
    const cut = (text: string) => (this.#live ? text.slice(0, width) : text);
    const recent = this.#recent.length > 0 ? ['', ...this.#recent.map((text) => dim(text))] : [];
    return [...head().map(cut), '', ...table, '', ...foot().map(cut), ...recent];
  }

  #draw(): void {
    const { out } = this.#options;
    const width = Math.max(40, (out.columns ?? widthDefault) - 1);
    // One row is the cursor's own: more would scroll, and the next drawing miss its place.
    const lines = this.#lines(width).slice(0, Math.max(1, (out.rows ?? 50) - 1));
    const back = this.#drawnLines > 0 ? `\u001b[${this.#drawnLines}A\r` : '';
    out.write(`${back}\u001b[J${lines.join('\n')}\n`);
    this.#drawnLines = lines.length;
  }
}

function time(nowMs: number): string {
  return new Date(nowMs).toTimeString().slice(0, 8);
}
