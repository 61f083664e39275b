// The drawing of one snapshot: boxes, links, tree, flows, duties and peers.
// @ts-check

import { matches } from "./filter.js";
import { bytes, plural } from "./format.js";
import { html, Memo } from "./html.js";
import { ROOMY_CELL_PX } from "./layout.js";
import { flowWidth } from "./motion.js";
import { arrowHead, linkPath, sidestep, treePath } from "./paths.js";
import { byName, isGone } from "./peer-states.js";
import { RoomySeat, SEAT_HALF_PX, SmallSeat, number, shortened } from "./seats.js";
import { Mark, peerRadius, showsProgress, wordFor } from "./shapes.js";

/** @typedef {import("./types.js").Peer} Peer */
/** @typedef {import("./types.js").Cluster} Cluster */
/** @typedef {import("./types.js").Flow} Flow */
/** @typedef {import("./types.js").Snapshot} Snapshot */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./layout.js").Place} Place */

// More links would be unreadable and slow; then only those of the selected peer are drawn.
export const LINKS_MAX = 120;
export const FLOW_SEEN_S = 3;
const NUMBERED_CELL_PX = 17;
const LETTER_PX = 9; // width of a letter in a title, with some space
const OUTSIDE = /Not in .*/;

export class TopologyDrawing {
  /**
   * @param {Snapshot} snapshot
   * @param {import("./layout.js").Arrangement} arrangement
   * @param {Store} store
   * @param {{links: boolean, tree: boolean}} layers
   */
  constructor(snapshot, arrangement, store, layers) {
    this.snapshot = snapshot;
    this.arrangement = arrangement;
    this.store = store;
    this.layers = layers;
    this.roomy = arrangement.cell >= ROOMY_CELL_PX;
    this.radius = peerRadius(arrangement.cell);
    this.peers = new Map(snapshot.peers.map((peer) => [peer.id, peer]));
    this.clusters = new Map(snapshot.clusters.map((cluster) => [cluster.id, cluster]));
    /** The cluster a member belongs to, by peer id in tier 1, by cluster id above. */
    this.parents = new Map(
      snapshot.clusters.flatMap((cluster) => cluster.members.map((member) => [member, cluster])),
    );
    this.root = snapshot.clusters.find((cluster) => !this.parents.has(cluster.id));
  }

  draw() {
    const flows = this.#flows();
    const newest = flows.reduce((a, b) => (b.seq > a.seq ? b : a), flows[0])?.kind;
    return html`<g class="boxes">${this.arrangement.boxes.map((box) => this.#box(box))}</g>
      <g class="links">${this.layers.links && this.#links(flows)}</g>
      <g class="tree">${this.layers.tree && this.#tree()}</g>
      <g class="flows">${flows.map((flow) => this.#flow(flow, flow.kind === newest))}</g>
      <g class="titles">${this.arrangement.boxes.map((box) => this.#title(box))}</g>
      <g class="duties">${this.snapshot.clusters.map((cluster) => this.#duty(cluster))}</g>
      <g class=${`peers ${this.roomy ? "roomy" : ""}`}>${this.#everyone()}</g>`;
  }

  /**
   * The path of a flow in the tree, from seat to seat. Null if its ends are not in the tree.
   * @param {Flow} flow
   */
  flowPath({ source, target, kind }) {
    const [from, to] =
      kind === "head" ? this.#wayDown(source, target) : this.#wayUp(source, target, kind);
    return from && to ? treePath(from, to, sidestep(kind)) : null;
  }

  /**
   * @param {string} source
   * @param {string} target
   * @param {"contribution" | "aggregate" | "head"} kind
   */
  #wayUp(source, target, kind) {
    const home = this.parents.get(source);
    if (kind === "contribution") return [this.#above(source), this.#below(home?.id)];
    let upper = home;
    let lower = home;
    while (upper && (upper === home || upper.aggregator !== target)) {
      lower = upper;
      upper = this.parents.get(upper.id);
    }
    return [this.#top(lower?.id), this.#below(upper?.id)];
  }

  /**
   * A new head goes from the root to the clusters, and from their aggregators to the members.
   * @param {string} source
   * @param {string} target
   */
  #wayDown(source, target) {
    const home = this.parents.get(target);
    if (home && home !== this.parents.get(source)) return [this.#below(this.root?.id), this.#top(home.id)];
    return [this.#below(home?.id), this.#above(target)];
  }

  /** @param {string} peer */
  #above(peer) {
    const place = this.arrangement.places.get(peer);
    return place && { x: place.x, y: place.y - this.radius };
  }

  /** @param {string | undefined} cluster */
  #below(cluster) {
    const seat = cluster === undefined ? undefined : this.arrangement.duties.get(cluster);
    return seat && { x: seat.x, y: seat.y + this.dutyHalf };
  }

  /** @param {string | undefined} cluster */
  #top(cluster) {
    const seat = cluster === undefined ? undefined : this.arrangement.duties.get(cluster);
    return seat && { x: seat.x, y: seat.y - this.dutyHalf };
  }

  get dutyHalf() {
    return this.roomy ? SEAT_HALF_PX : Math.min(9, this.arrangement.cell * 0.36);
  }

  /** @param {import("./layout.js").Box} box */
  #box({ id, x, y, width, height, tier }) {
    return html`<${Memo}
      key=${`box ${id}`}
      sign=${`${x} ${y} ${width} ${height}`}
      draw=${() => html`<rect class=${`box tier-${Math.min(tier, 2)}`} x=${x} y=${y} width=${width} height=${height} rx=${this.roomy ? 12 : 6} />`}
    />`;
  }

  /**
   * The title is above the lines of the tree, which would cross it out. It is short near a seat.
   * @param {import("./layout.js").Box} box
   */
  #title({ id, x, y, width, title, members }) {
    const seat = this.arrangement.duties.get(id);
    const baseline = y + (this.roomy ? 21 : 11);
    const clear = !this.roomy || !seat || seat.y - this.dutyHalf > baseline + 3;
    const gone = members.filter((member) => isGone(this.peers.get(member))).length;
    const wordy = clear && (width > 290 || (!this.roomy && width > 130));
    const count = wordy ? plural(members.length, "peer") : String(members.length);
    const short = wordy ? title : title.replace("Cluster ", "C").replace("Tier ", "T").replace(", cluster ", "·").replace(OUTSIDE, "Outside");
    const text = members.length > 0 && width > 70 ? `${short} · ${count}` : short;
    const missing = gone > 0 && width > LETTER_PX * text.length ? (wordy ? `${gone} gone` : `✕${gone}`) : "";
    return html`<${Memo}
      key=${`title ${id}`}
      sign=${`${x} ${baseline} ${width} ${text} ${missing}`}
      draw=${() => html`<g>
        <text class="box-title" x=${x + (this.roomy ? 12 : 5)} y=${baseline}>${text}</text>
        ${missing &&
        html`<text class="box-title gone" x=${x + width - (this.roomy ? 12 : 4)} y=${baseline} text-anchor="end">${missing}</text>`}
      </g>`}
    />`;
  }

  /** @param {Flow[]} flows */
  #links(flows) {
    const { selected } = this.store;
    const { places, cell } = this.arrangement;
    const busy = new Map(flows.map((flow) => [pair(flow.source, flow.target), flow.kind]));
    const known = this.snapshot.links.filter((l) => places.has(l.source) && places.has(l.target));
    const chosen = (/** @type {{source: string, target: string}} */ l) =>
      l.source === selected || l.target === selected;
    const shown = known.length > LINKS_MAX ? known.filter(chosen) : known;
    return shown.map((link) => {
      const path = linkPath(
        /** @type {Place} */ (places.get(link.source)),
        /** @type {Place} */ (places.get(link.target)),
        cell * 0.62,
      );
      const kind = busy.get(pair(link.source, link.target));
      const classes = `link ${chosen(link) ? "chosen" : ""} ${kind ? `busy ${kind}` : ""}`;
      return html`<${Memo}
        key=${`link ${link.source} ${link.target}`}
        sign=${path.d + classes}
        draw=${() => html`<path class=${classes} d=${path.d} />`}
      />`;
    });
  }

  /** Lines from members to the seats that they report to; the line of a duty's holder is heavier. */
  #tree() {
    return this.snapshot.clusters.flatMap((cluster) =>
      cluster.members.flatMap((member) => {
        const from = cluster.tier === 1 ? this.#above(member) : this.#top(member);
        const to = this.#below(cluster.id);
        if (!from || !to) return [];
        const lower = this.clusters.get(member);
        const holds = cluster.aggregator === (cluster.tier === 1 ? member : lower?.aggregator);
        const gone = cluster.tier === 1 && isGone(this.peers.get(member));
        const classes = `branch ${holds ? "holds" : ""} ${gone ? "gone" : ""} ${cluster.tier > 1 ? "high" : ""}`;
        const { d } = treePath(from, to);
        return html`<${Memo}
          key=${`tree ${member}`}
          sign=${d + classes}
          draw=${() => html`<path class=${classes} d=${d} />`}
        />`;
      }),
    );
  }

  /** Recent flows; only the newest between two peers and of one kind. */
  #flows() {
    /** @type {Map<string, Flow>} */
    const ways = new Map();
    for (const flow of this.snapshot.flows) {
      if (this.#ageS(flow) > FLOW_SEEN_S) continue;
      ways.set(`${flow.kind} ${flow.source} ${flow.target}`, flow);
    }
    return [...ways.values()];
  }

  /** @param {Flow} flow */
  #ageS(flow) {
    return this.snapshot.elapsed_s - flow.elapsed_s;
  }

  /**
   * @param {Flow} flow
   * @param {boolean} sized whether to write its size; sizes of all kinds at once would collide
   */
  #flow(flow, sized) {
    const path = this.flowPath(flow);
    if (path === null) return null;
    const fade = Math.max(1, 4 - Math.floor((this.#ageS(flow) / FLOW_SEEN_S) * 4));
    const label = this.roomy && sized && flow.size_bytes > 0 ? bytes(flow.size_bytes) : "";
    const { x, y } = path.at(flow.kind === "head" ? 0.66 : 0.34);
    const width = flowWidth(flow.size_bytes) * (this.roomy ? 1 : 0.45);
    return html`<${Memo}
      key=${`flow ${flow.kind} ${flow.source} ${flow.target}`}
      sign=${`${path.d} ${fade} ${label}`}
      draw=${() => html`<g class=${`flow ${flow.kind} fade-${fade}`}>
        <path class="way" d=${path.d} stroke-width=${width.toFixed(1)} />
        <path class="arrow" d=${arrowHead(path, this.roomy ? 8 : 4)} />
        ${label && html`<text x=${Math.round(x) + (flow.kind === "head" ? 8 : -8)} y=${Math.round(y)} text-anchor=${flow.kind === "head" ? "start" : "end"}>${label}</text>`}
      </g>`}
    />`;
  }

  /** @param {Cluster} cluster */
  #duty(cluster) {
    const seat = this.arrangement.duties.get(cluster.id);
    if (!seat) return null;
    const isRoot = cluster === this.root;
    const holder = cluster.aggregator === null ? undefined : this.peers.get(cluster.aggregator);
    const name = holder?.name ?? (cluster.aggregator === null ? "" : this.store.nameOf(cluster.aggregator));
    const word = isRoot ? "root" : cluster.tier > 1 ? `tier ${cluster.tier}` : "aggregator";
    const gone = isGone(holder);
    return html`<${Memo}
      key=${`duty ${cluster.id}`}
      sign=${`${seat.x} ${seat.y} ${name} ${word} ${gone} ${this.roomy} ${this.dutyHalf}`}
      draw=${() => this.roomy ? RoomySeat({ seat, isRoot, name, word, gone, id: cluster.aggregator }) : SmallSeat({ seat, isRoot, name, half: this.dutyHalf, id: cluster.aggregator })}
    />`;
  }

  #everyone() {
    const passes = matches(this.store.filter);
    return this.snapshot.peers.toSorted(byName).map((peer) => {
      const place = this.arrangement.places.get(peer.id);
      if (!place) return null;
      const chosen = this.store.selected === peer.id;
      const dim = !passes(peer);
      const progress = showsProgress(this.radius) ? Math.round(peer.progress * (this.roomy ? 50 : 8)) : 0;
      const sign = `${place.x} ${place.y} ${this.radius} ${chosen} ${dim} ${peer.name} ${peer.role} ${peer.state} ${peer.phase} ${progress} ${peer.site}`;
      return html`<${Memo} key=${peer.id} sign=${sign} draw=${() => this.#peer(peer, place, chosen, dim)} />`;
    });
  }

  /**
   * @param {Peer} peer
   * @param {Place} place
   * @param {boolean} chosen
   * @param {boolean} dim
   */
  #peer(peer, place, chosen, dim) {
    const { radius } = this;
    const classes = `peer role-${peer.role} state-${peer.state} ${chosen ? "chosen" : ""} ${dim ? "dim" : ""}`;
    const style = { transform: `translate(${place.x}px, ${place.y}px)` };
    const lengthMax = Math.max(7, Math.floor(this.arrangement.across / 7.4));
    return html`<g class=${classes} style=${style} data-peer=${peer.id}>
      <circle class="halo" r=${radius + (this.roomy ? 8 : 4)} />
      ${Mark(peer, radius)}
      ${this.roomy
        ? html`<text class="name" y=${radius + 16}>${shortened(peer.name, lengthMax)}</text>
            <text class="word" y=${radius + 30}>${wordFor(peer)}</text>
            ${peer.site && html`<text class="site" y=${radius + 43}>${shortened(peer.site, lengthMax)}</text>`}`
        : this.arrangement.cell >= NUMBERED_CELL_PX &&
          html`<text class="number" y=${radius + Math.min(9, this.arrangement.cell * 0.34)}>${number(peer.name)}</text>`}
    </g>`;
  }
}

/**
 * @param {string} a
 * @param {string} b
 */
function pair(a, b) {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
