// The lines of the topology, as SVG paths and as points along the way.
// @ts-check

/** @typedef {import("./layout.js").Place} Place */
/** @typedef {{d: string, at: (t: number) => Place}} Path */

const SIDESTEP_PX = 5;
const BOW_MIN_PX = 12;

/**
 * A line from one tier to the next; it starts and ends vertically, as in a family tree.
 * @param {Place} from
 * @param {Place} to
 * @param {number} aside pixels to the right, so that lines up and lines down do not overlap
 * @returns {Path}
 */
export function treePath(from, to, aside = 0) {
  const start = { x: from.x + aside, y: from.y };
  const end = { x: to.x + aside, y: to.y };
  const middle = (start.y + end.y) / 2;
  return cubic(start, { x: start.x, y: middle }, { x: end.x, y: middle }, end);
}

/**
 * A connection between two peers. It hangs below them; a longer one hangs deeper.
 * @param {Place} from
 * @param {Place} to
 * @param {number} deepest in pixels
 * @returns {Path}
 */
export function linkPath(from, to, deepest) {
  const distance = Math.hypot(to.x - from.x, to.y - from.y);
  const bow = Math.min(deepest, Math.max(BOW_MIN_PX, distance * 0.18)) * 1.33;
  return cubic(
    from,
    { x: from.x + (to.x - from.x) * 0.2, y: from.y + bow },
    { x: to.x - (to.x - from.x) * 0.2, y: to.y + bow },
    to,
  );
}

/** @param {"contribution" | "aggregate" | "head"} kind */
export function sidestep(kind) {
  return kind === "head" ? SIDESTEP_PX : -SIDESTEP_PX;
}

/**
 * @param {Place} a
 * @param {Place} b
 * @param {Place} c
 * @param {Place} d
 * @returns {Path}
 */
function cubic(a, b, c, d) {
  /** @param {Place} p */
  const text = (p) => `${Math.round(p.x)} ${Math.round(p.y)}`;
  /** @param {number} t */
  const at = (t) => {
    const s = 1 - t;
    const [w, x, y, z] = [s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t];
    return {
      x: w * a.x + x * b.x + y * c.x + z * d.x,
      y: w * a.y + x * b.y + y * c.y + z * d.y,
    };
  };
  return { d: `M${text(a)}C${text(b)} ${text(c)} ${text(d)}`, at };
}

/**
 * An arrow's head at the end of a path, as SVG.
 * @param {Path} path
 * @param {number} size
 */
export function arrowHead(path, size) {
  const tip = path.at(1);
  const before = path.at(0.9);
  const length = Math.hypot(tip.x - before.x, tip.y - before.y) || 1;
  const [dx, dy] = [(tip.x - before.x) / length, (tip.y - before.y) / length];
  const [bx, by] = [tip.x - dx * size, tip.y - dy * size];
  const side = size * 0.55;
  const text = (/** @type {number} */ n) => n.toFixed(1);
  return `M${text(tip.x)} ${text(tip.y)}L${text(bx - dy * side)} ${text(by + dx * side)}L${text(bx + dy * side)} ${text(by - dx * side)}z`;
}
