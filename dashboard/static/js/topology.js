// The topology: peers in their clusters, duties, links and flows.
// @ts-check

import { html, render } from "./html.js";
import { arrange } from "./layout.js";
import { Motion } from "./motion.js";
import { isGone } from "./peer-states.js";
import { TopologyDrawing } from "./topology-drawing.js";
import { peerRadius } from "./shapes.js";
import { topologySummary } from "./topology-words.js";

/** @typedef {import("./types.js").Peer} Peer */
/** @typedef {import("./types.js").Snapshot} Snapshot */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./layout.js").Place} Place */

export class Topology {
  #motion;
  #arrangement = arrange([], [], 1, 1);
  #arrangedFor = "";
  /** The cluster in which a peer was last. @type {Map<string, number>} */
  #homes = new Map();
  /** Which layers are shown. */
  layers = { links: true, tree: true };

  /**
   * @param {{graph: HTMLElement, motion: HTMLCanvasElement}} places
   * @param {Store} store
   * @param {import("./theme.js").Theme} theme
   */
  constructor({ graph, motion }, store, theme) {
    this.container = graph;
    this.store = store;
    this.#motion = new Motion(motion, theme);
    graph.addEventListener("click", (event) => {
      const id = peerAt(event.target);
      store.select(id === store.selected ? "" : id);
    });
    new ResizeObserver(() => this.render()).observe(graph);
  }

  /**
   * Call back with the peer under the pointer, or null.
   * @param {(peer: Peer | null, place: Place) => void} callback
   */
  onHover(callback) {
    this.container.addEventListener("pointerover", (event) => {
      const id = peerAt(event.target);
      const peer = this.store.shown?.peers.find((one) => one.id === id) ?? null;
      callback(peer, this.#placeOf(id));
    });
    this.container.addEventListener("pointerleave", () => callback(null, { x: 0, y: 0 }));
  }

  /** The positions of everything, for tests. */
  describe() {
    const { places, duties, boxes, cell } = this.#arrangement;
    return {
      peers: Object.fromEntries(places),
      duties: Object.fromEntries(duties),
      boxes,
      radius: peerRadius(cell),
      links: this.container.querySelectorAll(".link").length,
      flows: [...this.container.querySelectorAll(".flow")].map((flow) => flow.classList.value),
    };
  }

  render() {
    const snapshot = this.store.shown;
    const { clientWidth: width, clientHeight: height } = this.container;
    if (snapshot === null || width === 0) return;
    this.#arrange(snapshot, width, height);
    const drawing = new TopologyDrawing(snapshot, this.#arrangement, this.store, this.layers);
    render(
      html`<svg width=${width} height=${height} role="img" aria-label=${topologySummary(snapshot)}>
        ${drawing.draw()}
      </svg>`,
      this.container,
    );
    const moving = this.store.replaying ? [] : snapshot.flows;
    const { receivedMs } = this.store;
    this.#motion.show(
      moving,
      (flow) => receivedMs - 1000 * (snapshot.elapsed_s - flow.elapsed_s),
      (flow) => drawing.flowPath(flow),
    );
  }

  /**
   * @param {Snapshot} snapshot
   * @param {number} width
   * @param {number} height
   */
  #arrange(snapshot, width, height) {
    const clusters = this.#withGhosts(snapshot);
    const signature = JSON.stringify([
      width,
      height,
      snapshot.peers.map((peer) => [peer.id, peer.name]),
      clusters.map(({ id, tier, index, members }) => [id, tier, index, members]),
    ]);
    if (signature === this.#arrangedFor) return;
    this.#arrangedFor = signature;
    this.#arrangement = arrange(snapshot.peers, clusters, width, height);
  }

  /**
   * Peers that are gone belong to no cluster any more. They stay where they were last.
   * @param {Snapshot} snapshot
   */
  #withGhosts({ peers, clusters }) {
    const inside = new Set();
    for (const cluster of clusters) {
      if (cluster.tier !== 1) continue;
      for (const id of cluster.members) {
        inside.add(id);
        this.#homes.set(id, cluster.index);
      }
    }
    const ghosts = peers.filter((peer) => isGone(peer) && !inside.has(peer.id));
    if (ghosts.length === 0) return clusters;
    return clusters.map((cluster) => {
      if (cluster.tier !== 1) return cluster;
      const here = ghosts.filter((peer) => this.#homes.get(peer.id) === cluster.index);
      return { ...cluster, members: [...cluster.members, ...here.map((peer) => peer.id)] };
    });
  }

  /** @param {string} id */
  #placeOf(id) {
    return this.#arrangement.places.get(id) ?? { x: -100, y: -100 };
  }
}

/** @param {EventTarget | null} target */
function peerAt(target) {
  const element = target instanceof Element ? target.closest("[data-peer]") : null;
  return element?.getAttribute("data-peer") ?? "";
}
