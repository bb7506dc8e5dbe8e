const pressMs = 500;

/**
 * Drops signals that come right after another: started by npm, a process gets one Ctrl-C twice, from the terminal and
 * from npm, and must not take it for two.
 */
export function onceAPress<T>(
  act: (signal: T) => void,
  now: () => number = () => performance.now(),
): (signal: T) => void {
  let takenAt = -Infinity;
  return (signal) => {
    if (now() - takenAt < pressMs) return;
    takenAt = now();
    act(signal);
  };
}
