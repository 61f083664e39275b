// The layout of the topology: a pure function of the clusters, their members and the space.
//
// Every cluster is a block. At the top is the seat of its duty, which shows the current aggregator.
// Below are the members in the order of their names or, in higher tiers, the member clusters. The
// aggregator changes each round, but nothing moves.
// @ts-check

import { byName } from "./peer-states.js";

/** @typedef {import("./types.js").Peer} Peer */
/** @typedef {import("./types.js").Cluster} Cluster */
/** @typedef {{x: number, y: number}} Place */
/** @typedef {{id: string, x: number, y: number, width: number, height: number, tier: number,
 *   members: string[], title: string}} Box x and y are the upper left corner */
/** @typedef {{places: Map<string, Place>, duties: Map<string, Place>, boxes: Box[],
 *   cell: number, across: number}} Arrangement in pixels; `cell` is the size of a peer's cell,
 *   `across` its width */

// Unit: one cell is the space for a peer with its label.
const CELL_HEIGHT = 1.06;
const BOX_PADDING = 0.16;
const DUTY_HEIGHT = 0.95;
const DUTY_HEIGHT_MANY = 1.05;
const FOOT = 0.5; // space below the members for links and the title
const FOOT_MANY = 0.62;
const MANY_PEERS = 24;
const GAP = 0.22;
const CELL_MAX_PX = 106;
const STRETCH_MAX = 1.55; // factor by which cells may be widened to fill the width
const TALLER_MAX = 1.3; // smaller factor for the height
const ONE_ROW_WORTH = 3; // smaller peers in one row are easier to follow than larger ones in two rows
const ROWS_COST = 0.6; // a few rows of smaller peers are better than many rows
export const ROOMY_CELL_PX = 62; // from this size on, each peer has space for words

/**
 * A block is a box with its size and a function that places it.
 * @typedef {{width: number, height: number,
 *   put: (x: number, y: number, into: Arrangement) => void}} Block
 */

/**
 * @param {Pick<Peer, "id" | "name">[]} peers
 * @param {Pick<Cluster, "id" | "tier" | "index" | "members">[]} clusters
 * @param {number} widthPx
 * @param {number} heightPx
 * @returns {Arrangement}
 */
export function arrange(peers, clusters, widthPx, heightPx) {
  /** @type {{whole: Block, scale: number, room: number} | null} */
  let best = null;
  const largest = Math.max(0, ...clusters.map((c) => (c.tier === 1 ? c.members.length : 0)));
  if (peers.length > 0) {
    for (let columns = 2; columns <= 12; columns++) {
      for (const { whole, sideBySide } of wholes(new Sketch(peers, clusters, columns))) {
        const scale = Math.min(widthPx / whole.width, heightPx / whole.height, CELL_MAX_PX);
        const inOneRow = columns >= largest && scale >= ROOMY_CELL_PX;
        const worth =
          (inOneRow ? ONE_ROW_WORTH : 1 + ROWS_COST / Math.ceil(largest / columns)) *
          (sideBySide && scale >= ROOMY_CELL_PX ? ONE_ROW_WORTH : 1);
        const room = scale * stretched(whole, scale, widthPx) * worth;
        if (best === null || room > best.room * 1.001) best = { whole, scale, room };
      }
    }
  }
  /** @type {Arrangement} */
  const units = { places: new Map(), duties: new Map(), boxes: [], cell: 1, across: 1 };
  if (best === null) return units;
  best.whole.put(0, 0, units);
  return scaled(units, best.whole, best.scale, widthPx, heightPx);
}

/** Turns peers and clusters into blocks that are `columns` members wide. */
class Sketch {
  /**
   * @param {Pick<Peer, "id" | "name">[]} peers
   * @param {Pick<Cluster, "id" | "tier" | "index" | "members">[]} clusters
   * @param {number} columns
   */
  constructor(peers, clusters, columns) {
    this.columns = columns;
    this.many = peers.length > MANY_PEERS;
    this.known = new Map(peers.map((peer) => [peer.id, peer]));
    this.clusters = clusters;
    this.byId = new Map(clusters.map((cluster) => [cluster.id, cluster]));
  }

  /** Clusters that belong to no other cluster: usually the root. */
  get tops() {
    const inner = new Set(this.clusters.filter((c) => c.tier > 1).flatMap((c) => c.members));
    return inOrder(this.clusters.filter((cluster) => !inner.has(cluster.id)));
  }

  /** @returns {Block | null} peers that belong to no cluster */
  outside() {
    const placed = new Set(this.clusters.filter((c) => c.tier === 1).flatMap((c) => c.members));
    const rest = [...this.known.keys()].filter((id) => !placed.has(id));
    if (rest.length === 0) return null;
    const title = this.clusters.length === 0 ? "Not in a cluster yet" : "Not in this round";
    return this.leaf({ id: "outside", tier: 0, index: 0, members: rest }, title);
  }

  /**
   * @param {Pick<Cluster, "id" | "tier" | "index" | "members">} cluster
   * @returns {Block}
   */
  block(cluster) {
    if (cluster.tier === 1) return this.leaf(cluster, `Cluster ${cluster.index + 1}`);
    const children = inOrder(cluster.members.flatMap((id) => this.byId.get(id) ?? []));
    return this.framed(squarest(children.map((child) => this.block(child))), cluster);
  }

  /**
   * @param {Pick<Cluster, "id" | "tier" | "index" | "members">} cluster
   * @param {string} title
   * @returns {Block}
   */
  leaf({ id, tier, members }, title) {
    const known = members.flatMap((member) => this.known.get(member) ?? []).sort(byName);
    const across = Math.max(1, Math.min(this.columns, known.length));
    const rows = Math.max(1, Math.ceil(known.length / across));
    const above = tier > 0 ? this.dutyHeight : BOX_PADDING;
    const width = Math.max(across, 1.5) + 2 * BOX_PADDING;
    const height = above + rows * CELL_HEIGHT + (this.many ? FOOT_MANY : FOOT);
    return {
      width,
      height,
      put(x, y, into) {
        const ids = known.map((peer) => peer.id);
        into.boxes.push({ id, tier, title, members: ids, x, y, width, height });
        if (tier > 0) into.duties.set(id, { x: x + width / 2, y: y + above / 2 });
        ids.forEach((peer, index) => {
          const row = Math.floor(index / across);
          const inRow = Math.min(across, ids.length - row * across);
          const left = x + (width - inRow) / 2;
          into.places.set(peer, {
            x: left + (index % across) + 0.5,
            y: y + above + row * CELL_HEIGHT + 0.42,
          });
        });
      },
    };
  }

  /**
   * @param {Block} content
   * @param {Pick<Cluster, "id" | "tier" | "index">} cluster
   * @returns {Block}
   */
  framed(content, { id, tier, index }) {
    const width = content.width + 2 * BOX_PADDING;
    const above = this.dutyHeight;
    const height = above + content.height + BOX_PADDING;
    return {
      width,
      height,
      put(x, y, into) {
        const title = `Tier ${tier}, cluster ${index + 1}`;
        into.boxes.push({ id, tier, title, members: [], x, y, width, height });
        into.duties.set(id, { x: x + width / 2, y: y + above / 2 });
        content.put(x + BOX_PADDING, y + above, into);
      },
    };
  }

  /**
   * The topmost cluster: a seat above everything, without a box, which would add nothing.
   * @param {Block} content
   * @param {string} id
   * @returns {Block}
   */
  crowned(content, id) {
    const above = this.dutyHeight;
    return {
      width: content.width,
      height: above + content.height,
      put(x, y, into) {
        into.duties.set(id, { x: x + content.width / 2, y: y + above / 2 });
        content.put(x, y + above, into);
      },
    };
  }

  get dutyHeight() {
    return this.many ? DUTY_HEIGHT_MANY : DUTY_HEIGHT;
  }
}

/**
 * All ways to arrange the whole swarm in rows.
 * @param {Sketch} sketch
 * @returns {{whole: Block, sideBySide: boolean}[]}
 */
function wholes(sketch) {
  const { tops } = sketch;
  const outside = sketch.outside();
  const root = tops.length === 1 && tops[0].tier > 1 ? tops[0] : null;
  const clusters = root ? root.members.flatMap((id) => sketch.byId.get(id) ?? []) : tops;
  const blocks = inOrder(clusters).map((cluster) => sketch.block(cluster));
  if (outside) blocks.push(outside);
  return blocks.map((_, index) => {
    const content = packed(blocks, index + 1);
    const whole = root ? sketch.crowned(content, root.id) : content;
    return { whole, sideBySide: index + 1 === blocks.length };
  });
}

/**
 * @template {Pick<Cluster, "tier" | "index">} C
 * @param {C[]} clusters
 */
function inOrder(clusters) {
  return [...clusters].sort((a, b) => b.tier - a.tier || a.index - b.index);
}

/** @param {Block[]} blocks */
function squarest(blocks) {
  const choices = blocks.map((_, index) => packed(blocks, index + 1));
  /** @param {Block} block */
  const badness = (block) => Math.abs(Math.log(block.width / block.height / 1.5));
  return choices.reduce((best, block) => (badness(block) < badness(best) ? block : best));
}

/**
 * Put blocks in rows of `across`, each row centred.
 * @param {Block[]} blocks
 * @param {number} across
 * @returns {Block}
 */
function packed(blocks, across) {
  /** @type {Block[][]} */
  const rows = [];
  for (let at = 0; at < blocks.length; at += across) rows.push(blocks.slice(at, at + across));
  /** @param {Block[]} row */
  const rowWidth = (row) => row.reduce((sum, b) => sum + b.width, 0) + GAP * (row.length - 1);
  /** @param {Block[]} row */
  const rowHeight = (row) => Math.max(...row.map((b) => b.height));
  const width = Math.max(...rows.map(rowWidth));
  const height = rows.reduce((sum, row) => sum + rowHeight(row), 0) + GAP * (rows.length - 1);
  return {
    width,
    height,
    put(x, y, into) {
      for (const row of rows) {
        let left = x + (width - rowWidth(row)) / 2;
        for (const block of row) {
          block.put(left, y, into);
          left += block.width + GAP;
        }
        y += rowHeight(row) + GAP;
      }
    },
  };
}

/**
 * Horizontal pixels per unit: cells may be wider than high if there is space.
 * @param {Block} whole
 * @param {number} scale
 * @param {number} widthPx
 */
function stretched(whole, scale, widthPx) {
  return Math.min(widthPx / whole.width, scale * STRETCH_MAX);
}

/**
 * @param {Arrangement} units
 * @param {Block} whole
 * @param {number} scale
 * @param {number} widthPx
 * @param {number} heightPx
 * @returns {Arrangement}
 */
function scaled(units, whole, scale, widthPx, heightPx) {
  const across = stretched(whole, scale, widthPx);
  const down = Math.min(heightPx / whole.height, scale * TALLER_MAX);
  const left = (widthPx - whole.width * across) / 2;
  const top = (heightPx - whole.height * down) / 2;
  /** @param {Map<string, Place>} places */
  const inPixels = (places) =>
    new Map(
      [...places].map(([id, { x, y }]) => [
        id,
        { x: Math.round(left + x * across), y: Math.round(top + y * down) },
      ]),
    );
  const boxes = units.boxes.map((box) => ({
    ...box,
    x: Math.round(left + box.x * across),
    y: Math.round(top + box.y * down),
    width: Math.round(box.width * across),
    height: Math.round(box.height * down),
  }));
  return {
    places: inPixels(units.places),
    duties: inPixels(units.duties),
    boxes,
    cell: scale,
    across,
  };
}
