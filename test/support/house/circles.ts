/** The circles of a graph: each as its nodes in their order, the first one again at the end. One of each knot is named. */
export function circlesOf(arrows: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const circles: string[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const follow = (node: string): void => {
    const before = path.indexOf(node);
    if (before >= 0) circles.push([...path.slice(before), node].join(' -> '));
    if (before >= 0 || done.has(node)) return;
    path.push(node);
    for (const next of arrows.get(node) ?? []) follow(next);
    path.pop();
    done.add(node);
  };
  for (const node of arrows.keys()) follow(node);
  return circles;
}
