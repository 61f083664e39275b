// Dots that travel along the tree while something moves. They have their own canvas above the
// graph, so that frames of the animation do not redraw the graph.
// @ts-check

/** @typedef {import("./types.js").Flow} Flow */
/** @typedef {import("./paths.js").Path} Path */

export const FLOW_COLOURS = /** @type {const} */ ({
  contribution: "--flow-contribution",
  aggregate: "--flow-aggregate",
  head: "--flow-head",
});

const TRAVEL_S = 1.2;
const TRAIL = [0, 0.06];
const FLOWS_MAX = 60;
// This is often enough for dots: half the frames cost half the time.
const FRAME_MS = 40;

export class Motion {
  /** @type {{flow: Flow, path: Path, startedMs: number}[]} */
  #travelling = [];
  #frame = 0;
  #drawnMs = 0;
  #reduced = matchMedia("(prefers-reduced-motion: reduce)");

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import("./theme.js").Theme} theme
   */
  constructor(canvas, theme) {
    this.canvas = canvas;
    this.theme = theme;
  }

  /**
   * @param {Flow[]} flows
   * @param {(flow: Flow) => number} beganMs when each began, on performance.now()'s clock
   * @param {(flow: Flow) => Path | null} pathOf
   */
  show(flows, beganMs, pathOf) {
    if (this.#reduced.matches) return;
    const now = performance.now();
    const moving = flows.filter((flow) => now - beganMs(flow) < 1000 * TRAVEL_S).slice(-FLOWS_MAX);
    this.#travelling = moving.flatMap((flow) => {
      const path = pathOf(flow);
      return path ? [{ flow, path, startedMs: beganMs(flow) }] : [];
    });
    if (this.#travelling.length > 0 && this.#frame === 0) {
      this.#frame = requestAnimationFrame(() => this.#draw());
    }
  }

  #draw() {
    const now = performance.now();
    this.#travelling = this.#travelling.filter((t) => now - t.startedMs < TRAVEL_S * 1000);
    if (now - this.#drawnMs >= FRAME_MS || this.#travelling.length === 0) {
      this.#drawnMs = now;
      this.#drawFrame(now);
    }
    this.#frame = this.#travelling.length > 0 ? requestAnimationFrame(() => this.#draw()) : 0;
  }

  /** @param {number} now */
  #drawFrame(now) {
    const context = this.#context();
    if (context === null) return;
    for (const { flow, path, startedMs } of this.#travelling) {
      const share = (now - startedMs) / (TRAVEL_S * 1000);
      context.fillStyle = this.theme.colour(FLOW_COLOURS[flow.kind]);
      TRAIL.forEach((behind, index) => {
        if (share < behind) return;
        const { x, y } = path.at(share - behind);
        context.globalAlpha = 1 - index * 0.45;
        context.beginPath();
        context.arc(x, y, dotRadius(flow.size_bytes) * (1 - 0.25 * index), 0, 2 * Math.PI);
        context.fill();
      });
    }
    context.globalAlpha = 1;
  }

  #context() {
    const { canvas } = this;
    const ratio = devicePixelRatio;
    const { clientWidth, clientHeight } = canvas;
    if (canvas.width !== Math.round(clientWidth * ratio)) canvas.width = clientWidth * ratio;
    if (canvas.height !== Math.round(clientHeight * ratio)) canvas.height = clientHeight * ratio;
    const context = canvas.getContext("2d");
    context?.setTransform(ratio, 0, 0, ratio, 0, 0);
    context?.clearRect(0, 0, clientWidth, clientHeight);
    return context;
  }
}

/**
 * Ten times the bytes add one pixel.
 * @param {number} sizeBytes
 */
function dotRadius(sizeBytes) {
  return Math.min(7, Math.max(2.5, Math.log10(Math.max(1, sizeBytes)) - 1.5));
}

/**
 * @param {number} sizeBytes
 */
export function flowWidth(sizeBytes) {
  return Math.min(5, Math.max(1.5, Math.log10(Math.max(1, sizeBytes)) - 3.2));
}
