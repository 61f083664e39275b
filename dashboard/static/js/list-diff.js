// Applies the changes of a long list; the server computes them in dashboard/page/list_diff.py.
// @ts-check

/**
 * Remove items, insert items, and change fields. Unchanged items remain the same objects.
 * @template T
 * @param {T[]} held
 * @param {import("./types.js").ListChange<T>} change
 * @returns {T[] | null} null if the change was made for another list
 */
export function changedList(held, { gone, new: added, changed }) {
  const out = new Set(gone);
  if (gone.some((place) => place >= held.length)) return null;
  const list = held.filter((_, place) => !out.has(place));
  for (const [place, item] of added) {
    if (place > list.length) return null;
    list.splice(place, 0, item);
  }
  for (const [place, fields] of changed) {
    if (place >= list.length) return null;
    list[place] = { ...list[place], ...fields };
  }
  return list;
}
