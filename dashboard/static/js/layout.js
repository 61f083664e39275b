// Where everything in the topology stands: a pure function of peers, clusters and the space.
//
// A tier-1 cluster is a box: its members in rows, its aggregator raised above them, the root
// raised out of its box. A cluster of a higher tier is a box around its member clusters.
// @ts-check

/** @typedef {import("./types.js").Peer} Peer */
/** @typedef {import("./types.js").Cluster} Cluster */
/** @typedef {{x: number, y: number}} Place */
/** @typedef {{id: string, x: number, y: number, width: number, height: number, tier: number,
 *   members: string[], title: string}} Box */
/** @typedef {{places: Map<string, Place>, boxes: Box[], cell: number}} Arrangement */

// Units: one cell is what a peer with its label needs.
const CELL_HEIGHT = 1.12;
const BOX_PADDING = 0.22;
// The title stands at the foot, in letters that shrink less than the cells do.
const BOX_FOOT = 0.3;
const BOX_FOOT_MANY = 0.6;
const MANY_PEERS = 24;
const GAP = 0.3;
const RAISED = 0.5; // room above a row of boxes, for the root
const CELL_MAX_PX = 112;
const STRETCH_MAX = 1.4; // of cells to fill the width

/**
 * A block is a box, its size, and how to put it somewhere.
 * @typedef {{width: number, height: number,
 *   put: (x: number, y: number, into: Arrangement) => void}} Block
 */

/**
 * @param {Peer[]} peers
 * @param {Cluster[]} clusters
 * @param {number} widthPx
 * @param {number} heightPx
 * @returns {Arrangement}
 */
export function arrange(peers, clusters, widthPx, heightPx) {
  /** @type {{whole: Block, scale: number, room: number} | null} */
  let best = null;
  for (let columns = 2; columns <= 12; columns++) {
    const blocks = topBlocks(peers, clusters, columns);
    for (let across = 1; across <= blocks.length; across++) {
      const whole = packed(blocks, across);
      const scale = Math.min(widthPx / whole.width, heightPx / whole.height, CELL_MAX_PX);
      const room = scale * stretched(whole, scale, widthPx);
      if (best === null || room > best.room * 1.001) best = { whole, scale, room };
    }
  }
  /** @type {Arrangement} */
  const units = { places: new Map(), boxes: [], cell: 1 };
  if (best === null) return units;
  best.whole.put(0, 0, units);
  return scaled(units, best.whole, best.scale, widthPx, heightPx);
}

/**
 * A peer's diameter.
 * @param {Peer} peer
 * @param {number} cell
 */
export function peerSize(peer, cell) {
  if (peer.role === "root") return Math.max(20, cell * 0.52);
  return Math.max(12, cell * (peer.role === "aggregator" ? 0.44 : 0.36));
}

/**
 * @param {Peer[]} peers
 * @param {Cluster[]} clusters
 * @param {number} columns
 */
function topBlocks(peers, clusters, columns) {
  const known = new Map(peers.map((peer) => [peer.id, peer]));
  const byId = new Map(clusters.map((cluster) => [cluster.id, cluster]));
  const inner = new Set(clusters.filter((c) => c.tier > 1).flatMap((c) => c.members));
  const placed = new Set(clusters.filter((c) => c.tier === 1).flatMap((c) => c.members));
  let top = clusters.filter((cluster) => !inner.has(cluster.id));
  // The topmost cluster holds all others; a box around everything would say nothing.
  if (top.length === 1 && top[0].tier > 1) {
    top = top[0].members.flatMap((id) => byId.get(id) ?? []);
  }
  const blocks = inOrder(top).map((cluster) => clusterBlock(cluster, byId, known, columns));
  const rest = peers.filter((peer) => !placed.has(peer.id)).map((peer) => peer.id);
  if (rest.length > 0) {
    const title = clusters.length === 0 ? "Not in a cluster yet" : "Not in this round";
    blocks.push(leafBlock({ id: "outside", tier: 0, title, raised: "", rest, columns, known }));
  }
  return blocks;
}

/** @param {Cluster[]} clusters */
function inOrder(clusters) {
  return [...clusters].sort((a, b) => b.tier - a.tier || a.index - b.index);
}

/**
 * @param {Cluster} cluster
 * @param {Map<string, Cluster>} byId
 * @param {Map<string, Peer>} known
 * @param {number} columns
 * @returns {Block}
 */
function clusterBlock(cluster, byId, known, columns) {
  if (cluster.tier === 1) {
    const members = cluster.members.filter((id) => known.has(id));
    const raised = members.includes(cluster.aggregator) ? cluster.aggregator : "";
    const rest = members.filter((id) => id !== raised);
    const title = `Cluster ${cluster.index + 1}`;
    return leafBlock({ id: cluster.id, tier: 1, title, raised, rest, columns, known });
  }
  const children = inOrder(cluster.members.flatMap((id) => byId.get(id) ?? []));
  const blocks = children.map((child) => clusterBlock(child, byId, known, columns));
  return framed(squarest(blocks), cluster);
}

/**
 * @param {{id: string, tier: number, title: string, raised: string, rest: string[],
 *   columns: number, known: Map<string, Peer>}} leaf
 * @returns {Block}
 */
function leafBlock({ id, tier, title, raised, rest, columns, known }) {
  const across = Math.max(1, Math.min(columns, rest.length));
  const rows = Math.ceil(rest.length / across);
  const above = raised ? CELL_HEIGHT : 0;
  const width = Math.max(across, 1.6) + 2 * BOX_PADDING;
  const height = above + rows * CELL_HEIGHT + BOX_PADDING + foot(known.size);
  const members = raised ? [raised, ...rest] : rest;
  return {
    width,
    height,
    put(x, y, into) {
      into.boxes.push({ id, tier, title, members, x, y, width, height });
      if (raised) {
        const lift = known.get(raised)?.role === "root" ? RAISED : 0.12;
        into.places.set(raised, { x: x + width / 2, y: y + 0.5 - lift + BOX_PADDING / 2 });
      }
      rest.forEach((peer, index) => {
        const row = Math.floor(index / across);
        const inRow = Math.min(across, rest.length - row * across);
        const left = x + (width - inRow) / 2;
        into.places.set(peer, {
          x: left + (index % across) + 0.5,
          y: y + above + row * CELL_HEIGHT + 0.5 + BOX_PADDING / 2,
        });
      });
    },
  };
}

/** @param {number} numPeers */
function foot(numPeers) {
  return numPeers > MANY_PEERS ? BOX_FOOT_MANY : BOX_FOOT;
}

/**
 * @param {Block} content
 * @param {Cluster} cluster
 * @returns {Block}
 */
function framed(content, cluster) {
  const width = content.width + 2 * BOX_PADDING;
  const height = content.height + BOX_PADDING + BOX_FOOT_MANY;
  const { id, tier, index } = cluster;
  return {
    width,
    height,
    put(x, y, into) {
      const title = `Tier ${tier}, cluster ${index + 1}`;
      into.boxes.push({ id, tier, title, members: [], x, y, width, height });
      content.put(x + BOX_PADDING, y + BOX_PADDING, into);
    },
  };
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
  const rowHeight = (row) => RAISED + Math.max(...row.map((b) => b.height));
  const width = Math.max(...rows.map(rowWidth));
  const height = rows.reduce((sum, row) => sum + rowHeight(row), 0) + GAP * (rows.length - 1);
  return {
    width,
    height,
    put(x, y, into) {
      for (const row of rows) {
        let left = x + (width - rowWidth(row)) / 2;
        const bottom = y + rowHeight(row);
        for (const block of row) {
          block.put(left, bottom - block.height, into);
          left += block.width + GAP;
        }
        y = bottom + GAP;
      }
    },
  };
}

/**
 * Pixels per unit from left to right: cells may be wider than high where there is room.
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
  const left = (widthPx - whole.width * across) / 2;
  const top = (heightPx - whole.height * scale) / 2;
  const places = new Map();
  for (const [id, { x, y }] of units.places) {
    places.set(id, { x: left + x * across, y: top + y * scale });
  }
  const boxes = units.boxes.map((box) => ({
    ...box,
    x: left + (box.x + box.width / 2) * across,
    y: top + (box.y + box.height / 2) * scale,
    width: box.width * across,
    height: box.height * scale,
  }));
  return { places, boxes, cell: scale };
}
