/**
 * A reading of which no two of one key run at once: whoever asks while one runs is given the next, together with all who ask until
 * that begins. What is given was thus read wholly after it was asked for. A failure is that of all who share it.
 */
export function shareNext<Asked, Read>(
  keyOf: (asked: Asked) => string,
  read: (asked: Asked) => Promise<Read>,
): (asked: Asked) => Promise<Read> {
  const running = new Map<string, { now: Promise<unknown>; next: Promise<Read> | null }>();
  const begin = (key: string, asked: Asked): Promise<Read> => {
    const reading = read(asked);
    const turn = { now: reading, next: null };
    running.set(key, turn);
    const end = (): void => {
      if (running.get(key) === turn && turn.next === null) running.delete(key);
    };
    reading.then(end, end);
    return reading;
  };
  return (asked) => {
    const key = keyOf(asked);
    const turn = running.get(key);
    if (!turn) return begin(key, asked);
    const go = (): Promise<Read> => begin(key, asked);
    turn.next ??= turn.now.then(go, go);
    return turn.next;
  };
}
