// Files that the page makes itself: curves as an image or as text.
// @ts-check

const FONT = "Inter, system-ui, sans-serif";
const KEYS_MAX = 12;

/**
 * @param {Blob} blob
 * @param {string} name
 */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/**
 * Draw plots below one another, with a title and a legend, on the background of the page.
 * @param {HTMLCanvasElement[]} plots
 * @param {{name: string, colour: string}[]} keys
 * @param {string} title
 * @param {(token: string) => string} colour
 * @returns {Promise<Blob>}
 */
export async function plotImage(plots, keys, title, colour) {
  const ratio = devicePixelRatio;
  const head = 40 * ratio;
  const foot = 22 * ratio * Math.ceil(Math.min(keys.length, KEYS_MAX) / 4) + 16 * ratio;
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(...plots.map((plot) => plot.width));
  canvas.height = head + foot + plots.reduce((sum, plot) => sum + plot.height, 0);
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("this browser provides no canvas to draw on");
  context.fillStyle = colour("--surface");
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = colour("--text");
  context.font = `600 ${13 * ratio}px ${FONT}`;
  context.fillText(title, 14 * ratio, 25 * ratio, canvas.width - 28 * ratio);
  let top = head;
  for (const plot of plots) {
    context.drawImage(plot, 0, top);
    top += plot.height;
  }
  context.font = `${11 * ratio}px ${FONT}`;
  keys.slice(0, KEYS_MAX).forEach(({ name, colour: stroke }, index) => {
    const x = 14 * ratio + (index % 4) * ((canvas.width - 28 * ratio) / 4);
    const y = top + 16 * ratio + Math.floor(index / 4) * 22 * ratio;
    context.fillStyle = stroke;
    context.fillRect(x, y - 5 * ratio, 14 * ratio, 3 * ratio);
    context.fillStyle = colour("--text");
    context.fillText(name, x + 20 * ratio, y);
  });
  const blob = await new Promise((/** @type {(blob: Blob | null) => void} */ done) =>
    canvas.toBlob(done, "image/png"),
  );
  if (blob === null) throw new Error("this browser could not create the image");
  return blob;
}
