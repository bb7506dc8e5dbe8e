/** The list that a JSON text holds, with numbers too long for JSON as text; what is no JSON stays text. */
export function listOf(json: string): unknown {
  try {
    return JSON.parse(json, exactNumber) as unknown;
  } catch {
    return json;
  }
}

function exactNumber(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || context?.source === undefined) return value;
  return String(value) === context.source || !/^-?\d+$/.test(context.source) ? value : context.source;
}
