// How the topology looks: shapes and icons say the role, colours the phase, labels both in words.
// @ts-check

/** @typedef {import("./theme.js").Theme} Theme */

export const FLOW_COLOURS = /** @type {const} */ ({
  contribution: "--flow-contribution",
  aggregate: "--flow-aggregate",
  head: "--flow-head",
});

const ICONS = {
  root: "M12 3.5l2.6 5.4 5.9.8-4.3 4.1 1 5.9L12 16.9l-5.2 2.8 1-5.9-4.3-4.1 5.9-.8z",
  aggregator: "M5 5h14v3H10l5 4-5 4h9v3H5v-2.4L11.4 12 5 7.4z",
  gone: "M6.2 4.8 12 10.6l5.8-5.8 1.4 1.4L13.4 12l5.8 5.8-1.4 1.4L12 13.4l-5.8 5.8-1.4-1.4L10.6 12 4.8 6.2z",
};

/**
 * @param {keyof typeof ICONS} name
 * @param {string} colour
 */
function icon(name, colour) {
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" width="48" height="48" viewBox="0 0 24 24">' +
    `<path fill="${colour}" d="${ICONS[name]}"/></svg>`;
  return `data:image/svg+xml;utf8,${encodeURIComponent(svg)}`;
}

/**
 * @param {Theme} theme
 * @returns {any} cytoscape's own type does not know string mappers for all of these
 */
export function stylesheet(theme) {
  return [
    ...boxes(theme),
    ...peers(theme),
    ...roles(theme),
    ...phases(theme),
    ...states(theme),
    ...edges(theme),
  ];
}

/** @param {Theme} theme */
function boxes(theme) {
  return [
    {
      selector: "node.box",
      style: {
        shape: "round-rectangle",
        "corner-radius": 12,
        width: "data(width)",
        height: "data(height)",
        "background-color": theme.colour("--box"),
        "border-width": 1,
        "border-color": theme.colour("--line"),
        events: "no",
        "z-index": 1,
        "z-index-compare": "manual",
      },
    },
    { selector: "node.box.tier-2", style: { "background-color": theme.colour("--surface") } },
    { selector: "node.box.tier-0", style: { "border-style": "dashed" } },
  ];
}

/** @param {Theme} theme */
function peers(theme) {
  return [
    {
      selector: "node.peer",
      style: {
        shape: "ellipse",
        width: "data(size)",
        height: "data(size)",
        "background-color": theme.colour("--phase-waiting"),
        "border-width": 2,
        "border-color": theme.colour("--surface"),
        "z-index": 30,
        "z-index-compare": "manual",
        "background-image-opacity": 1,
      },
    },
  ];
}

/** @param {Theme} theme */
function roles(theme) {
  const onNode = theme.colour("--on-phase");
  const withIcon = {
    "background-width": "48%",
    "background-height": "48%",
    "background-clip": "none",
  };
  return [
    {
      selector: "node.role-root",
      style: {
        shape: "round-octagon",
        "border-color": theme.colour("--root"),
        "border-width": 3,
        "background-image": icon("root", onNode),
        ...withIcon,
        "z-index": 40,
      },
    },
    {
      selector: "node.role-aggregator",
      style: {
        shape: "round-hexagon",
        "border-color": theme.colour("--aggregator"),
        "border-width": 3,
        "background-image": icon("aggregator", onNode),
        ...withIcon,
        "z-index": 35,
      },
    },
    {
      selector: "node.role-standby",
      style: {
        "border-style": "double",
        "border-width": 4,
        "border-color": theme.colour("--aggregator"),
      },
    },
    {
      selector: "node.role-joining, node.role-waiting",
      style: { "border-style": "dashed", "border-color": theme.colour("--muted") },
    },
    { selector: "node.peer.dense", style: { "border-width": 2 } },
  ];
}

// A peer at work is a ring that closes with its progress; the others are discs.
/** @param {Theme} theme */
function phases(theme) {
  const discs = ["starting", "waiting", "aggregating", "finished"].map((phase) => ({
    selector: `node.phase-${phase}`,
    style: { "background-color": theme.colour(`--phase-${phase}`) },
  }));
  const rings = ["training", "evaluating"].flatMap((phase) => {
    const colour = theme.colour(`--phase-${phase}`);
    return [
      {
        selector: `node.phase-${phase}`,
        style: {
          "background-color": theme.colour(`--track-${phase}`),
          "pie-size": "100%",
          "pie-hole": "58%",
          "pie-1-background-color": colour,
          "pie-1-background-size": "data(progress)",
          "pie-1-background-opacity": 1,
        },
      },
      // Alone on a pale disc an icon needs the phase's colour.
      { selector: `node.phase-${phase}.role-root`, style: { "background-image": icon("root", colour) } },
      {
        selector: `node.phase-${phase}.role-aggregator`,
        style: { "background-image": icon("aggregator", colour) },
      },
    ];
  });
  return [...discs, ...rings];
}

/** @param {Theme} theme */
function states(theme) {
  return [
    {
      selector: "node.state-suspect",
      style: { "border-color": theme.colour("--warn"), "border-style": "dashed" },
    },
    {
      selector: "node.gone",
      style: {
        "background-color": theme.colour("--surface"),
        "border-color": theme.colour("--bad"),
        "border-style": "dashed",
        "border-width": 2,
        "background-image": icon("gone", theme.colour("--bad")),
        "background-width": "60%",
        "background-height": "60%",
      },
    },
    {
      selector: "node.peer.chosen",
      style: {
        "underlay-color": theme.colour("--accent"),
        "underlay-opacity": 0.35,
        "underlay-padding": 7,
      },
    },
  ];
}

/** @param {Theme} theme */
function edges(theme) {
  /** @param {keyof typeof FLOW_COLOURS} kind */
  const flow = (kind) => ({
    selector: `edge.flow.${kind}`,
    style: {
      "line-color": theme.colour(FLOW_COLOURS[kind]),
      "target-arrow-color": theme.colour(FLOW_COLOURS[kind]),
    },
  });
  return [
    {
      selector: "edge.link",
      style: {
        "curve-style": "haystack",
        "haystack-radius": 0,
        width: 1,
        "line-color": theme.colour("--link"),
        events: "no",
        "z-index": 5,
        "z-index-compare": "manual",
      },
    },
    {
      selector: "edge.link.chosen",
      style: { "line-color": theme.colour("--accent"), width: 1.5, "z-index": 7 },
    },
    {
      selector: "edge.tree",
      style: {
        "curve-style": "straight",
        width: 1.5,
        "line-style": "dotted",
        "line-color": theme.colour("--tree"),
        events: "no",
        "z-index": 6,
        "z-index-compare": "manual",
      },
    },
    { selector: "edge.tree.high", style: { width: 2, "line-style": "dashed" } },
    {
      selector: "edge.flow",
      style: {
        "curve-style": "unbundled-bezier",
        "edge-distances": "node-position",
        "control-point-distances": "data(bow)",
        "control-point-weights": 0.5,
        width: 3.5,
        opacity: "data(opacity)",
        "target-arrow-shape": "triangle",
        "arrow-scale": 1.1,
        events: "no",
        "z-index": 20,
        "z-index-compare": "manual",
      },
    },
    flow("contribution"),
    flow("aggregate"),
    flow("head"),
    { selector: "edge.flow.aggregate", style: { "line-style": "dashed" } },
    { selector: "edge.flow.dense", style: { width: 2, "arrow-scale": 0.75 } },
  ];
}
