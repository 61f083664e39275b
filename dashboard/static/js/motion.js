// Dots that travel along the links while something moves: a canvas of its own above the graph,
// so that no frame of the animation redraws the graph.
// @ts-check

import { FLOW_COLOURS } from "./topology-style.js";

/** @typedef {import("./types.js").Flow} Flow */
/** @typedef {import("./layout.js").Place} Place */

const TRAVEL_S = 1.1;
const TRAIL = [0, 0.05, 0.1];
const FLOWS_MAX = 150;

export class Motion {
  /** @type {{flow: Flow, startedMs: number}[]} */
  #travelling = [];
  #frame = 0;
  #radius = 5;
  #still = matchMedia("(prefers-reduced-motion: reduce)");

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import("./theme.js").Theme} theme
   * @param {(id: string) => Place} placeOf
   */
  constructor(canvas, theme, placeOf) {
    this.canvas = canvas;
    this.theme = theme;
    this.placeOf = placeOf;
  }

  /**
   * @param {Flow[]} flows
   * @param {number} receivedMs when these flows had the age they say
   * @param {number} radius of a dot, in pixels
   */
  show(flows, receivedMs, radius) {
    if (this.#still.matches) return;
    this.#radius = radius;
    this.#travelling = flows
      .filter((flow) => flow.age_s < TRAVEL_S)
      .slice(-FLOWS_MAX)
      .map((flow) => ({ flow, startedMs: receivedMs - flow.age_s * 1000 }));
    if (this.#travelling.length > 0 && this.#frame === 0) {
      this.#frame = requestAnimationFrame(() => this.#draw());
    }
  }

  #draw() {
    const context = this.#context();
    if (context === null) return;
    const now = performance.now();
    this.#travelling = this.#travelling.filter((t) => now - t.startedMs < TRAVEL_S * 1000);
    for (const { flow, startedMs } of this.#travelling) {
      const share = (now - startedMs) / (TRAVEL_S * 1000);
      this.#drawDots(context, flow, share);
    }
    this.#frame =
      this.#travelling.length > 0 ? requestAnimationFrame(() => this.#draw()) : 0;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Flow} flow
   * @param {number} share
   */
  #drawDots(context, flow, share) {
    const { at } = bowedPath(this.placeOf(flow.source), this.placeOf(flow.target));
    context.fillStyle = this.theme.colour(FLOW_COLOURS[flow.kind]);
    TRAIL.forEach((behind, index) => {
      if (share < behind) return;
      const { x, y } = at(share - behind);
      context.globalAlpha = 1 - index * 0.3;
      context.beginPath();
      context.arc(x, y, this.#radius * (1 - 0.2 * index), 0, 2 * Math.PI);
      context.fill();
    });
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
 * The curve between two places, bowed to the right of its direction so that what goes there and
 * what comes back do not share a line. The graph draws the same curve from `bow`.
 * @param {Place} from
 * @param {Place} to
 */
export function bowedPath(from, to) {
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const length = Math.hypot(dx, dy) || 1;
  const bow = Math.min(40, length * 0.18);
  const control = {
    x: (from.x + to.x) / 2 - (dy / length) * bow,
    y: (from.y + to.y) / 2 + (dx / length) * bow,
  };
  /** @param {number} t */
  const at = (t) => {
    const a = (1 - t) ** 2;
    const b = 2 * t * (1 - t);
    return {
      x: a * from.x + b * control.x + t * t * to.x,
      y: a * from.y + b * control.y + t * t * to.y,
    };
  };
  return { bow, at };
}
